//! The pages for people, and how they find themselves wherever the host puts them.

use axum::{
    Router,
    http::{StatusCode, request::Parts},
    routing::get,
};
use axum_durable::{Access, DurableRouter, MemoryStore, WithDurable as _, durable_router};

use super::app::{self, Answer, App, ask, from, local};

/// Where the page says that the app is mounted, below the address at which it was asked for.
fn base(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    let page = String::from_utf8(answer.body.to_vec()).unwrap();
    let (_, rest) = page.split_once("<base href=\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

#[tokio::test]
async fn each_address_leads_to_the_app() {
    let app = App::new().await;
    for (path, expected) in [
        ("/durable", "./durable/"),
        ("/durable/", "./"),
        ("/durable/runs", "./"),
        ("/durable/runs?q=status:failed", "./"),
        ("/durable/runs/order-7", "../"),
        ("/durable/runs/a%2Fb", "../"),
        ("/durable/runs/7/compare/8", "../../../"),
        ("/durable/%22%3E%3Cscript%3E/x", "../"),
    ] {
        assert_eq!(base(&app.get(path).await), expected, "{path}");
    }
}

#[tokio::test]
async fn the_app_works_below_other_routers() {
    let durable = app::on(MemoryStore::new(), true).await;
    let bare = || -> Router { DurableRouter::new().base_path("/").into_router() };
    let router: Router = Router::new()
        .nest("/ops/console", bare())
        .route("/", get(|| async { "the host's own page" }))
        .with_durable(durable.clone());
    let outer: Router = Router::new().nest("/team-a", router);
    for (path, expected) in [
        ("/team-a/ops/console", "./console/"),
        ("/team-a/ops/console/runs", "./"),
        ("/team-a/ops/console/runs/7", "../"),
    ] {
        assert_eq!(
            base(&ask(&outer, local("GET", path)).await),
            expected,
            "{path}"
        );
    }
    let own = ask(&outer, local("GET", "/team-a")).await;
    assert_eq!(own.body, "the host's own page");
    let api = ask(&outer, local("GET", "/team-a/ops/console/api/runs")).await;
    assert_eq!(api.status, StatusCode::OK);
}

#[tokio::test]
async fn pages_allow_nothing_but_their_own_files() {
    let app = App::new().await;
    let page = app.get("/durable/runs").await;
    let policy = page.header("content-security-policy");
    for rule in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(rule), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("cache-control"), "no-cache");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(page.header("referrer-policy"), "same-origin");
    // And answers of the API are no pages, and are kept by nobody.
    let list = app.get("/durable/api/runs").await;
    assert!(
        list.header("content-security-policy")
            .contains("default-src 'none'")
    );
    assert_eq!(list.header("cache-control"), "no-store");
    assert_eq!(list.header("x-content-type-options"), "nosniff");
}

#[tokio::test]
async fn files_are_kept_for_ever_and_sent_compressed() {
    let app = App::new().await;
    let page = app.get("/durable/").await;
    let page = String::from_utf8(page.body.to_vec()).unwrap();
    let (_, rest) = page.split_once("src=\"./assets/index-").unwrap();
    let name = format!("index-{}", rest.split_once('"').unwrap().0);
    let path = format!("/durable/assets/{name}");
    let plain = app.get(&path).await;
    assert_eq!(plain.status, StatusCode::OK);
    assert_eq!(
        plain.header("content-type"),
        "text/javascript; charset=utf-8"
    );
    assert!(plain.header("cache-control").contains("immutable"));
    let request = local("GET", &path).header("accept-encoding", "gzip, br");
    let packed = ask(&app.router, request).await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert!(packed.body.len() < plain.body.len() / 2);
    assert_eq!(
        app.get("/durable/assets/theme.js")
            .await
            .header("cache-control"),
        "no-cache"
    );
    // A file that is gone is not answered with the page.
    let missing = app.get("/durable/assets/index-00000000.js").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    missing.problem();
    assert_eq!(
        app.get("/durable/assets/../index.html").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn the_guard_stands_before_the_pages_too() {
    let App { router, .. } = App::new().await;
    for path in [
        "/durable",
        "/durable/",
        "/durable/runs",
        "/durable/assets/theme.js",
    ] {
        let answer = ask(&router, from("10.0.0.7:9", "GET", path)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        let detail = answer.problem()["detail"].to_string();
        assert!(detail.contains(".auth("), "{detail}");
    }
}

async fn by_header(request: Parts) -> Result<Access, StatusCode> {
    let role = request
        .headers
        .get("x-role")
        .and_then(|it| it.to_str().ok());
    match role {
        Some("viewer") => Ok(Access::viewer().actor("vic")),
        Some("reader") => Ok(Access::viewer().with_payloads()),
        Some("operator") => Ok(Access::viewer().with_actions().actor("ada")),
        _ => Err(StatusCode::UNAUTHORIZED),
    }
}

#[tokio::test]
async fn each_sees_and_does_what_the_host_allows() {
    let durable = app::on(MemoryStore::new(), true).await;
    let router: Router = DurableRouter::new().auth(by_header).into_router();
    let app = App {
        router: router.with_durable(durable.clone()),
        durable,
    };
    app.unlucky("u").await;
    app.patient("p").await;
    let as_role = |role: &'static str, method: &str, path: &str| {
        local(method, &format!("/durable/api{path}")).header("x-role", role)
    };
    // (role, sees payloads, may act)
    for (role, sees, acts) in [
        ("viewer", false, false),
        ("reader", true, false),
        ("operator", false, true),
    ] {
        let meta = ask(&app.router, as_role(role, "GET", "/meta")).await.json();
        assert_eq!(meta["access"]["payloads"], sees, "{role}");
        assert_eq!(meta["access"]["act"], acts, "{role}");
        for path in [
            "/runs",
            "/runs/u",
            "/runs/u/payloads",
            "/runs/u/steps/0",
            "/runs/u/history",
            "/runs/u/stream",
        ] {
            let answer = ask(&app.router, as_role(role, "GET", path)).await;
            assert_eq!(answer.status, StatusCode::OK, "{role} {path}");
            let text = String::from_utf8(answer.body.to_vec()).unwrap();
            // Inputs, and the details of errors.
            let secrets = text.contains("s3cret") || text.contains("[7]");
            assert!(sees || !secrets, "{role} {path}: {text}");
            assert_eq!(
                text.contains("s3cret"),
                sees && !["/runs", "/runs/u/steps/0", "/runs/u/history"].contains(&path),
                "{role} {path}: {text}"
            );
        }
        let status = if acts {
            StatusCode::ACCEPTED
        } else {
            StatusCode::FORBIDDEN
        };
        let answer = ask(&app.router, as_role(role, "POST", "/runs/u/retry")).await;
        assert_eq!(answer.status, status, "{role}");
    }
    let meta = ask(&app.router, as_role("operator", "GET", "/meta"))
        .await
        .json();
    assert_eq!(meta["access"]["actor"], "ada");
    assert_eq!(
        ask(&app.router, local("GET", "/durable/")).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn public_means_everyone() {
    let durable = app::on(MemoryStore::new(), true).await;
    let router: Router = DurableRouter::new().allow_public().into_router();
    let router = router.with_durable(durable);
    let far = from("203.0.113.9:9", "GET", "/durable/api/meta").header("host", "shop.example");
    let answer = ask(&router, far).await;
    assert_eq!(answer.json()["access"]["act"], true);
}

#[tokio::test]
async fn the_host_keeps_its_own_routes() {
    let durable = app::on(MemoryStore::new(), true).await;
    let router: Router = Router::new()
        .route("/", get(|| async { "home" }))
        .route("/durable-goods", get(|| async { "goods" }))
        .merge(durable_router())
        .fallback(|| async { "nothing" })
        .with_durable(durable);
    for (path, expected) in [
        ("/", "home"),
        ("/durable-goods", "goods"),
        ("/x", "nothing"),
    ] {
        assert_eq!(ask(&router, local("GET", path)).await.body, expected);
    }
}
