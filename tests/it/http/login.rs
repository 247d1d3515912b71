//! Signing in by name and password.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use axum::{Router, http::StatusCode};
use axum_durable::{
    Access, DurableRouter, InvalidLoginSecret, Login, MemoryStore, PasswordHash, WithDurable as _,
    prelude::Timestamp, testing::ManualClock,
};
use serde_json::json;

use super::app::{self, Answer, Events, ask, ask_with, from};

const SECRET: [u8; 32] = [7; 32];

/// Hashing takes long where nothing is optimised.
static HASH: LazyLock<PasswordHash> = LazyLock::new(|| PasswordHash::of("correct horse"));

fn login() -> Login {
    Login::new(SECRET)
        .unwrap()
        .user("ada", HASH.clone(), Access::full())
        .user("eve", HASH.clone(), Access::viewer())
        .verify_with(|name, password| async move {
            (name == "host" && password == "says so").then(|| Access::viewer().with_payloads())
        })
}

async fn app(login: Login) -> Router {
    let durable = app::on(MemoryStore::new(), true).await;
    let routes = DurableRouter::new().base_path("/ops").login(login);
    Router::new()
        .merge(routes.into_router())
        .with_durable(durable)
}

async fn sign_in(router: &Router, name: &str, password: &str) -> Answer {
    let request = from("203.0.113.7:50000", "POST", "/ops/login");
    let request = request
        .header("content-type", "application/json")
        .header("origin", "https://shop.example")
        .header("host", "shop.example");
    let body = json!({"name": name, "password": password}).to_string();
    ask_with(router, request, body).await
}

/// What a browser sends back.
async fn cookie(router: &Router, name: &str, password: &str) -> String {
    let answer = sign_in(router, name, password).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    let cookie = answer.header("set-cookie").split(';').next();
    cookie.unwrap().to_owned()
}

async fn with(router: &Router, method: &str, path: &str, cookie: &str) -> Answer {
    let request = from("203.0.113.7:50000", method, path).header("cookie", cookie);
    ask(router, request).await
}

#[tokio::test]
async fn who_knows_a_password_gets_a_cookie_and_who_has_it_is_let_in() {
    let router = app(login()).await;
    let answer = sign_in(&router, "ada", "correct horse").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    let set = answer.header("set-cookie").to_owned();
    for part in ["HttpOnly", "SameSite=Strict", "Secure", "Max-Age=43200"] {
        assert!(set.contains(part), "{set}");
    }
    // A browser keeps it for the folder of `/ops/login`, whatever a proxy has stripped before it.
    assert!(!set.contains("Path="), "{set}");
    let cookie = set.split(';').next().unwrap();
    let meta = with(&router, "GET", "/ops/api/meta", cookie).await.json();
    assert_eq!(meta["login"], true);
    assert_eq!(meta["user"], "ada");
    assert_eq!(meta["access"]["administer"], true);
    let none = with(&router, "POST", "/ops/api/runs/none/retry", cookie).await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn without_a_session_the_api_is_closed_and_the_pages_ask() {
    let router = app(login()).await;
    for cookie in ["", "durable_session=AAAA", "durable_session=", "other=1"] {
        let answer = with(&router, "GET", "/ops/api/meta", cookie).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.problem()["type"], "urn:axum-durable:not-signed-in");
        let answer = with(&router, "POST", "/ops/api/runs/x/retry", cookie).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    for page in ["/ops/", "/ops/runs/7"] {
        let answer = with(&router, "GET", page, "").await;
        assert_eq!(answer.status, StatusCode::OK, "{page}");
        assert!(
            answer
                .header("content-security-policy")
                .contains("script-src 'self'")
        );
    }
    let answer = with(&router, "GET", "/ops/login", "").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.header("location"), "./");
}

#[tokio::test]
async fn wrong_names_and_wrong_passwords_are_refused_alike() {
    let router = app(login()).await;
    let mut told = Vec::new();
    for (name, password) in [("ada", "wrong"), ("nobody", "correct horse"), ("host", "")] {
        let answer = sign_in(&router, name, password).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(answer.headers.get("set-cookie").is_none());
        told.push(answer.problem());
    }
    assert!(told.iter().all(|it| *it == told[0]), "{told:?}");
}

#[tokio::test]
async fn guessing_is_slowed_down() {
    let router = app(login()).await;
    for _ in 0..5 {
        let answer = sign_in(&router, "ada", "wrong").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    let answer = sign_in(&router, "ada", "correct horse").await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(!answer.header("retry-after").is_empty());
    answer.problem();
    // Others are not kept out.
    cookie(&router, "eve", "correct horse").await;
}

#[tokio::test]
async fn each_user_may_so_much_and_no_more() {
    let router = app(login()).await;
    let eve = cookie(&router, "eve", "correct horse").await;
    let meta = with(&router, "GET", "/ops/api/meta", &eve).await.json();
    assert_eq!(meta["access"]["payloads"], false);
    let answer = with(&router, "POST", "/ops/api/runs/x/retry", &eve).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let host = cookie(&router, "host", "says so").await;
    let meta = with(&router, "GET", "/ops/api/meta", &host).await.json();
    assert_eq!(meta["user"], "host");
    assert_eq!(meta["access"]["payloads"], true);
    assert_eq!(meta["access"]["act"], false);
}

#[tokio::test]
async fn a_session_ends_with_its_time_its_password_its_user_and_its_secret() {
    let router = app(login()).await;
    let ada = cookie(&router, "ada", "correct horse").await;
    let closed = async |login: Login| {
        let answer = with(&app(login).await, "GET", "/ops/api/meta", &ada).await;
        answer.status == StatusCode::UNAUTHORIZED
    };
    let new = || Login::new(SECRET).unwrap();
    assert!(!closed(new().user("ada", HASH.clone(), Access::full())).await);
    let other = PasswordHash::of("correct horse");
    assert!(closed(new().user("ada", other, Access::full())).await);
    assert!(closed(new()).await);
    assert!(closed(new().verify_with(async |_, _| Some(Access::full()))).await);
    let secret = Login::new([8; 32]).unwrap();
    assert!(closed(secret.user("ada", HASH.clone(), Access::full())).await);
    let short = login().ttl(Duration::ZERO);
    let router = app(short).await;
    let ended = cookie(&router, "ada", "correct horse").await;
    let answer = with(&router, "GET", "/ops/api/meta", &ended).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn leaving_takes_the_cookie_away() {
    let router = app(login()).await;
    let answer = with(&router, "POST", "/ops/logout", "").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    let set = answer.header("set-cookie");
    assert!(
        set.starts_with("durable_session=;") && set.contains("Max-Age=0"),
        "{set}"
    );
}

#[tokio::test]
async fn pages_of_other_sites_can_neither_sign_in_nor_out() {
    let router = app(login()).await;
    for path in ["/ops/login", "/ops/logout"] {
        let request = from("203.0.113.7:50000", "POST", path)
            .header("content-type", "application/json")
            .header("sec-fetch-site", "cross-site");
        let body = json!({"name": "ada", "password": "correct horse"}).to_string();
        let answer = ask_with(&router, request, body).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(answer.headers.get("set-cookie").is_none());
    }
    // A form of another site cannot send JSON.
    let request = from("203.0.113.7:50000", "POST", "/ops/login")
        .header("content-type", "application/x-www-form-urlencoded");
    let answer = ask_with(&router, request, "name=ada&password=correct+horse").await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let request =
        from("203.0.113.7:50000", "POST", "/ops/login").header("content-type", "application/json");
    let answer = ask_with(&router, request, "x".repeat(5_000)).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn the_last_word_on_who_may_ask_counts() {
    let durable = app::on(MemoryStore::new(), true).await;
    let routes = DurableRouter::new().login(login()).allow_public();
    let router = Router::new()
        .merge(routes.into_router())
        .with_durable(durable);
    let answer = with(&router, "GET", "/durable/api/meta", "").await;
    assert_eq!(answer.json()["login"], false);
    assert_eq!(answer.json()["user"], serde_json::Value::Null);
    let answer = with(&router, "POST", "/durable/login", "").await;
    assert_ne!(answer.status, StatusCode::NO_CONTENT);
}

#[test]
fn what_cannot_be_safe_is_refused_at_the_start() {
    let _: InvalidLoginSecret = Login::new("short").unwrap_err();
    PasswordHash::parse("correct horse").unwrap_err();
    let stored = HASH.to_string();
    assert!(stored.starts_with("$argon2id$"));
    assert_eq!(PasswordHash::parse(stored).unwrap(), *HASH);
    assert!(!format!("{:?} {:?}", login(), *HASH).contains("$argon2"));
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_the_time_of_its_session() {
    let clock = ManualClock::new(Timestamp::from_millis(1_700_000_000_000));
    let durable = app::on(MemoryStore::with_clock(Arc::new(clock.clone())), true).await;
    let minute = Duration::from_secs(60);
    let routes = DurableRouter::new()
        .base_path("/ops")
        .login(login().ttl(minute));
    let router = Router::new()
        .merge(routes.into_router())
        .with_durable(durable);
    let cookie = cookie(&router, "ada", "correct horse").await;
    let request = from("203.0.113.7:50000", "GET", "/ops/api/stream?topic=runs");
    let mut events = Events::open(&router, request.header("cookie", &cookie)).await;
    assert_eq!(events.next().await.unwrap().event, "hello");
    // It is asked again and again, and goes on until the last moment.
    clock.advance(minute - Duration::from_millis(1));
    for _ in 0..3 {
        assert_eq!(events.next().await.unwrap().event, "ping");
    }
    clock.advance(Duration::from_millis(1));
    let rest = events.rest().await;
    let last = rest.last().unwrap();
    assert_eq!(
        (last.event.as_str(), &last.data["reason"]),
        ("bye", &json!("signed_out"))
    );
    let again = with(&router, "GET", "/ops/api/stream?topic=runs", &cookie).await;
    assert_eq!(again.status, StatusCode::UNAUTHORIZED);
}
