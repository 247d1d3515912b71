//! How a page finds the rest of the app, wherever the host has put it.
//!
//! The page has one `<base>` tag. It gets the relative way from the page's own address up to where
//! the router is mounted. That takes only the path below the mount, so that any nesting and any
//! proxy that strips a prefix work without being configured.

/// The tag as it stands in the built page.
pub(super) const TAG: &str = r#"<base href="./" />"#;

/// The way up from `below`, the path of a page below the mount as it was sent: `/runs/7`.
pub(super) fn way_up(below: &str) -> String {
    let depth = below.trim_start_matches('/').matches('/').count();
    if depth == 0 {
        "./".to_owned()
    } else {
        "../".repeat(depth)
    }
}

/// The way from the mount itself when it was asked for without a slash: down again.
pub(super) fn way_down(whole_path: &str) -> String {
    let name = whole_path.rsplit('/').next().unwrap_or_default();
    format!("./{name}/")
}

/// The page with its tag set.
pub(super) fn set(page: &str, href: &str) -> String {
    let escaped = href
        .replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;");
    page.replacen(TAG, &format!(r#"<base href="{escaped}" />"#), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_page_finds_the_mount() {
        for (below, href) in [
            ("/", "./"),
            ("/runs", "./"),
            ("/runs/", "../"),
            ("/runs/7", "../"),
            ("/runs/7/compare/8", "../../../"),
            ("/runs/a%2Fb", "../"),
        ] {
            assert_eq!(way_up(below), href, "{below}");
        }
        assert_eq!(way_down("/svc/durable"), "./durable/");
    }

    #[test]
    fn a_path_stays_inside_its_attribute() {
        let page = set(TAG, r#"./"><script>/"#);
        assert_eq!(page, r#"<base href="./&quot;>&lt;script>/" />"#);
    }
}
