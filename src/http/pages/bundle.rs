//! The built files, compressed once.

use std::{
    borrow::Cow,
    io::Write as _,
    sync::{Arc, LazyLock},
};

use axum::body::Bytes;
use flate2::{Compression, write::GzEncoder};
use hashbrown::HashMap;
use parking_lot::Mutex;
use rust_embed::RustEmbed;

/// What `npm run build` has written in `dashboard-ui/`.
#[derive(RustEmbed)]
#[folder = "dashboard-ui/dist"]
struct Built;

/// A built file.
#[derive(Debug, Clone)]
pub(super) struct Asset {
    pub(super) content_type: &'static str,
    pub(super) plain: Bytes,
    /// The same, compressed; absent where that does not help.
    pub(super) gzip: Option<Bytes>,
}

/// Those that were asked for. There are a few dozen.
static ASKED: LazyLock<Mutex<HashMap<String, Arc<Asset>>>> = LazyLock::new(Mutex::default);

/// The file below `assets/`.
pub(super) fn asset(name: &str) -> Option<Arc<Asset>> {
    if let Some(asset) = ASKED.lock().get(name) {
        return Some(Arc::clone(asset));
    }
    let file = Built::get(&format!("assets/{name}"))?;
    let plain = match file.data {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    };
    let asset = Arc::new(Asset {
        content_type: content_type(name),
        gzip: gzip(&plain).filter(|packed| packed.len() < plain.len()),
        plain,
    });
    ASKED.lock().insert(name.to_owned(), Arc::clone(&asset));
    Some(asset)
}

/// The page in which the app begins; empty if the build has none.
pub(super) fn page() -> &'static str {
    static PAGE: LazyLock<String> = LazyLock::new(|| {
        let file = Built::get("index.html").map(|file| file.data.into_owned());
        file.and_then(|bytes| String::from_utf8(bytes).ok())
            .unwrap_or_default()
    });
    &PAGE
}

/// Compressed for browsers; `None` if that failed.
pub(super) fn gzip(bytes: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::pages::base;

    #[test]
    fn the_page_has_one_base_before_everything_that_it_loads() {
        let page = page();
        let at = page.find(base::TAG).unwrap();
        assert_eq!(page.matches("<base").count(), 1);
        for attribute in ["src=", "href=\"./assets"] {
            assert!(page.find(attribute).unwrap() > at, "{attribute}");
        }
    }

    #[test]
    fn the_page_holds_no_script_and_no_style() {
        let page = page();
        assert!(!page.contains("<style") && !page.contains("style="));
        for script in page.match_indices("<script") {
            assert!(page[script.0..].contains("src="));
            let body = page[script.0..].split_once('>').unwrap().1;
            assert!(body.starts_with("</script>"));
        }
    }
}
