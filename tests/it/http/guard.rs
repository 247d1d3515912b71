//! Who may ask, and which browsers may change something.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use axum::{
    Router,
    http::{StatusCode, request::Parts},
};
use axum_durable::{Access, DurableRouter, MemoryStore, WithDurable as _};

use super::app::{self, App, Events, ask, from, local};

const RUNS: &str = "/durable/api/runs";
const CANCEL: &str = "/durable/api/runs/none/cancel";

async fn status(router: &Router, request: axum::http::request::Builder) -> u16 {
    let answer = ask(router, request).await;
    if !answer.status.is_success() && !answer.body.is_empty() {
        answer.problem();
    }
    answer.status.as_u16()
}

#[tokio::test]
async fn only_this_machine_may_ask() {
    let App { router, .. } = App::new().await;
    for (peer, expected) in [
        ("127.0.0.1:9", 200),
        ("127.8.8.8:9", 200),
        ("[::1]:9", 200),
        ("[::ffff:127.0.0.1]:9", 200),
        ("10.0.0.7:9", 403),
        ("[2001:db8::1]:9", 403),
        ("[::ffff:10.0.0.7]:9", 403),
    ] {
        assert_eq!(
            status(&router, from(peer, "GET", RUNS)).await,
            expected,
            "{peer}"
        );
    }
    for name in ["forwarded", "x-forwarded-for", "x-real-ip"] {
        let request = local("GET", RUNS).header(name, "127.0.0.1");
        assert_eq!(status(&router, request).await, 403, "{name}");
    }
    for (host, expected) in [
        ("localhost:3000", 200),
        ("127.0.0.1", 200),
        ("evil.example", 403),
    ] {
        let request = local("GET", RUNS).header("host", host);
        assert_eq!(status(&router, request).await, expected, "{host}");
    }
}

/// Time passes at once where nothing else happens.
#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_the_session_that_opened_it() {
    const GUEST: u8 = 1;
    const GONE: u8 = 2;
    let durable = app::on(MemoryStore::new(), true).await;
    let app = App::of(durable.clone());
    app.patient("p").await;
    for (then, rest) in [(GONE, "is over"), (GUEST, "may less")] {
        let session = Arc::new(AtomicU8::new(0));
        let known = Arc::clone(&session);
        let routes = DurableRouter::new().auth(move |_: Parts| {
            let access = match known.load(Ordering::SeqCst) {
                0 => Ok(Access::full()),
                GUEST => Ok(Access::viewer()),
                _ => Err(StatusCode::UNAUTHORIZED),
            };
            async move { access }
        });
        let router = Router::new().merge(routes.into_router());
        let router = router.with_durable(durable.clone());
        for path in [
            "/durable/api/stream?topic=runs&topic=run:p",
            "/durable/api/runs/p/stream",
        ] {
            session.store(0, Ordering::SeqCst);
            let mut events = Events::open(&router, local("GET", path)).await;
            // It goes on while the session does.
            events.next().await.unwrap();
            session.store(then, Ordering::SeqCst);
            let events = events.rest().await;
            let last = events.last().unwrap();
            assert_eq!(last.event, "bye", "{path}: the session {rest}");
            assert_eq!(last.data["reason"], "signed_out");
        }
    }
}

#[tokio::test]
async fn a_peer_that_is_not_known_is_refused_with_advice() {
    let App { router, .. } = App::new().await;
    let request = axum::http::Request::builder().uri(RUNS);
    let answer = ask(&router, request).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let detail = answer.problem()["detail"].to_string();
    assert!(
        detail.contains("into_make_service_with_connect_info"),
        "{detail}"
    );
}

async fn keyed(request: Parts) -> Result<(), StatusCode> {
    match request.headers.get("authorization") {
        Some(key) if key == "Bearer correct-horse" => Ok(()),
        _ => Err(StatusCode::UNAUTHORIZED),
    }
}

#[tokio::test]
async fn with_auth_only_that_decides() {
    let durable = app::on(MemoryStore::new(), true).await;
    let router: Router = DurableRouter::new().auth(keyed).into_router();
    let router = router.with_durable(durable);
    assert_eq!(status(&router, local("GET", RUNS)).await, 401);
    let far = || {
        let request = from("10.0.0.7:9", "GET", RUNS).header("x-forwarded-for", "10.0.0.7");
        request.header("host", "shop.example")
    };
    let right = far().header("authorization", "Bearer correct-horse");
    assert_eq!(status(&router, right).await, 200);
    let wrong = far().header("authorization", "Bearer wrong");
    assert_eq!(status(&router, wrong).await, 401);
    // A key does not make another site's page one of ours.
    let request = local("POST", CANCEL).header("authorization", "Bearer correct-horse");
    let request = request.header("sec-fetch-site", "cross-site");
    assert_eq!(status(&router, request).await, 403);
}

#[tokio::test]
async fn other_sites_may_not_change_anything() {
    let App { router, .. } = App::new().await;
    // Who passes the guard is told that there is no such run.
    let matrix: &[(&[(&str, &str)], u16)] = &[
        (&[], 404),
        (&[("sec-fetch-site", "same-origin")], 404),
        (&[("sec-fetch-site", "none")], 404),
        (&[("sec-fetch-site", "same-site")], 403),
        (&[("sec-fetch-site", "cross-site")], 403),
        (&[("sec-fetch-site", "")], 403),
        (
            &[
                ("host", "localhost:3000"),
                ("origin", "http://localhost:3000"),
            ],
            404,
        ),
        (
            &[
                ("host", "LOCALHOST:3000"),
                ("origin", "http://localhost:3000"),
            ],
            404,
        ),
        (
            &[
                ("host", "localhost:3000"),
                ("origin", "http://localhost:4000"),
            ],
            403,
        ),
        (
            &[
                ("host", "localhost:3000"),
                ("origin", "https://evil.example"),
            ],
            403,
        ),
        (&[("host", "localhost:3000"), ("origin", "null")], 403),
        (&[("origin", "http://localhost:3000")], 403),
        (
            &[
                ("sec-fetch-site", "cross-site"),
                ("host", "localhost:3000"),
                ("origin", "http://localhost:3000"),
            ],
            403,
        ),
    ];
    for (headers, expected) in matrix {
        let mut request = local("POST", CANCEL);
        for (name, value) in *headers {
            request = request.header(*name, *value);
        }
        assert_eq!(status(&router, request).await, *expected, "{headers:?}");
    }
    // Reading is not changing.
    let request = local("GET", RUNS).header("sec-fetch-site", "cross-site");
    assert_eq!(status(&router, request).await, 200);
}

#[tokio::test]
async fn a_read_only_router_changes_nothing() {
    let durable = app::on(MemoryStore::new(), true).await;
    let router: Router = DurableRouter::new().read_only().into_router();
    let app = App {
        router: router.with_durable(durable.clone()),
        durable,
    };
    app.patient("p").await;
    let answer = app.post("/durable/api/runs/p/cancel").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    answer.problem();
    assert_eq!(app.get(RUNS).await.status, StatusCode::OK);
}

#[tokio::test]
async fn who_may_not_see_payloads_gets_no_file_of_them() {
    let durable = app::on(MemoryStore::new(), true).await;
    let app = App::of(durable.clone());
    app.greet("g").await;
    for (access, status) in [
        (Access::viewer(), 403),
        (Access::viewer().with_actions(), 403),
        (Access::viewer().with_payloads(), 200),
    ] {
        let routes = DurableRouter::new().auth(move |_: Parts| {
            let access = access.clone();
            async move { Ok::<_, StatusCode>(access) }
        });
        let router = Router::new().merge(routes.into_router());
        let router = router.with_durable(durable.clone());
        for path in ["payloads/input", "payloads/output", "steps/0/payload"] {
            let request = local("GET", &format!("{RUNS}/g/{path}"));
            let answer = ask(&router, request).await;
            assert_eq!(answer.status.as_u16(), status, "{path}");
            if status == 403 {
                answer.problem();
            }
        }
    }
}
