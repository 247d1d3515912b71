//! Webhooks: what somebody outside posts reaches its run once, and nobody else gets in.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
};
use axum_durable::{
    DurableRouter, WithDurable as _,
    http::{HmacVerifier, WebhookRefused, WebhookVerifier},
    model::CheckpointKind,
    prelude::*,
};
use tower::ServiceExt as _;

use crate::support::{
    crashes::everywhere,
    ledger::Ledger,
    world::{App, World, code, flow, in_every_world, on_every_server},
};

in_every_world!(
    a_post_reaches_its_run_and_says_nothing_of_it,
    a_post_before_the_wait_is_kept,
    a_token_that_is_none_changes_nothing,
    a_webhook_closes_with_its_time_and_its_run,
    the_first_post_counts_where_it_is_said,
    what_is_verified_counts_once,
    a_webhook_without_its_verifier_takes_nothing,
    a_post_that_is_no_small_json_is_refused,
    a_wait_for_a_post_times_out,
    a_webhook_is_the_same_after_a_requeue,
);

on_every_server!(
    a_post_reaches_its_run_and_says_nothing_of_it,
    a_post_before_the_wait_is_kept,
    a_token_that_is_none_changes_nothing,
    a_webhook_closes_with_its_time_and_its_run,
    the_first_post_counts_where_it_is_said,
    what_is_verified_counts_once,
    a_webhook_without_its_verifier_takes_nothing,
    a_post_that_is_no_small_json_is_refused,
    a_wait_for_a_post_times_out,
    a_webhook_is_the_same_after_a_requeue,
);

const HOUR: Duration = Duration::from_secs(3_600);

/// Makes a webhook, gives its address away in a step, and waits for `posts` of it and then `go`.
fn hooked(ledger: &Ledger, options: &WebhookOptions) -> Workflow<usize, Vec<u32>> {
    let (ledger, options) = (ledger.clone(), options.clone());
    flow("hooked", move |ctx, posts: usize| {
        let (ledger, options) = (ledger.clone(), options.clone());
        async move {
            let hook = ctx.webhook_with::<u32>(options);
            let url = hook.url()?.to_owned();
            let give = async || {
                ledger.note("given away");
                Ok::<_, StepError>(url.clone())
            };
            ctx.step("give", give).await?;
            let mut all = Vec::new();
            for _ in 0..posts {
                all.push(hook.wait().timeout(HOUR).await?);
            }
            let (): () = ctx.wait_for_signal("go").await?;
            Ok(all)
        }
    })
}

async fn open(world: &World, workflow: &Workflow<usize, Vec<u32>>) -> App {
    let workflow = workflow.clone();
    let url = "https://shop.example/durable/";
    world
        .open(move |it| it.register(workflow).public_url(url))
        .await
}

/// The token that the run has given away.
async fn token(app: &App, run: &str) -> String {
    app.until(run, |now| !now.waiting_for.is_empty()).await;
    let given = app.checkpoint(run, "give").await;
    let url: String = given.result.unwrap().decode().unwrap();
    let token = url.strip_prefix("https://shop.example/durable/webhooks/");
    token.unwrap().to_owned()
}

/// The routes of an app that lets nobody in.
fn routes(app: &App) -> Router {
    let nobody = |_| async { Err::<(), _>(StatusCode::UNAUTHORIZED) };
    let router = DurableRouter::new()
        .auth(nobody)
        .read_only()
        .webhook_limit(64);
    let hmac = HmacVerifier::new("horse").or_secret("old");
    let even = WebhookVerifier::custom(|post| match post.body {
        [first, ..] if first.is_multiple_of(2) => Ok(None),
        _ => Err(WebhookRefused("odd")),
    });
    let router = router
        .webhook_verifier("shop", hmac)
        .webhook_verifier("even", even);
    Router::new()
        .merge(router.into_router())
        .with_durable(Durable::clone(app))
}

async fn post_with(app: &App, token: &str, body: &str, headers: &[(&str, &str)]) -> StatusCode {
    let uri = format!("/durable/webhooks/{token}");
    let mut request = Request::post(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let answer = routes(app).oneshot(request).await.unwrap();
    let status = answer.status();
    let body = axum::body::to_bytes(answer.into_body(), 10_000).await;
    if status.is_success() {
        assert!(body.unwrap().is_empty());
    }
    status
}

async fn post(app: &App, token: &str, body: &str) -> StatusCode {
    // A browser on another site may post too: the token is what counts.
    post_with(app, token, body, &[("sec-fetch-site", "cross-site")]).await
}

async fn a_post_reaches_its_run_and_says_nothing_of_it(world: World) {
    let ledger = Ledger::default();
    let workflow = hooked(&ledger, &WebhookOptions::new().label("payment"));
    let app = open(&world, &workflow).await;
    app.begin(&workflow, 2, "a").await;
    let now = app.waits_for("a", "payment").await;
    assert!(now.reason.contains("post to webhook `payment`"), "{now:?}");
    let token = token(&app, "a").await;
    assert_eq!(post(&app, &token, "1").await, StatusCode::ACCEPTED);
    app.crash().await;
    let app = open(&world, &workflow).await;
    assert_eq!(post(&app, &token, " 2 ").await, StatusCode::ACCEPTED);
    app.waits_for("a", "go").await;
    app.send("go", ()).await;
    assert_eq!(app.output::<Vec<u32>>("a").await, [1, 2]);
    assert_eq!(ledger.count("given away"), 1);
    let guarded = Request::get("/durable/api/runs").body(Body::empty());
    let answer = routes(&app).oneshot(guarded.unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
}

async fn a_post_before_the_wait_is_kept(world: World) {
    let late = || {
        flow("late", |ctx, ()| async move {
            let hook = ctx.webhook::<u32>();
            let token = hook.token().to_owned();
            ctx.step("give", async || {
                Ok::<_, StepError>(format!("https://shop.example/durable/webhooks/{token}"))
            })
            .await?;
            let missing = hook.url().unwrap_err();
            assert_eq!(missing.code(), Some("no_public_url"));
            let (): () = ctx.wait_for_signal("go").await?;
            hook.wait().await
        })
    };
    let app = world.open(move |it| it.register(late())).await;
    app.begin(&late(), (), "a").await;
    let token = token(&app, "a").await;
    assert_eq!(post(&app, &token, "7").await, StatusCode::ACCEPTED);
    app.send("go", ()).await;
    assert_eq!(app.output::<u32>("a").await, 7);
}

async fn a_token_that_is_none_changes_nothing(world: World) {
    let workflow = hooked(&Ledger::default(), &WebhookOptions::new());
    let app = open(&world, &workflow).await;
    app.begin(&workflow, 1, "a").await;
    let token = token(&app, "a").await;
    // The same run and place with another secret.
    let forged = format!("{}AAAA{}", &token[..8], &token[12..]);
    assert_ne!(forged, token);
    for wrong in [forged.as_str(), "x", "AQAB", &token[..token.len() - 2]] {
        let status = post(&app, wrong, "1").await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{wrong}");
    }
    // The addresses of other waits are none either.
    assert_eq!(post(&app, "go", "null").await, StatusCode::NOT_FOUND);
    assert_eq!(post(&app, &token, "5").await, StatusCode::ACCEPTED);
    app.waits_for("a", "go").await;
    app.send("go", ()).await;
    assert_eq!(app.output::<Vec<u32>>("a").await, [5]);
}

async fn a_webhook_closes_with_its_time_and_its_run(world: World) {
    let options = WebhookOptions::new().expires_in(HOUR / 2);
    let workflow = hooked(&Ledger::default(), &options);
    let app = open(&world, &workflow).await;
    app.begin(&workflow, 1, "a").await;
    let first = token(&app, "a").await;
    world.clock.advance(HOUR / 2);
    assert_eq!(post(&app, &first, "1").await, StatusCode::GONE);
    app.begin(&workflow, 1, "b").await;
    let second = token(&app, "b").await;
    app.cancel("b").await.unwrap();
    app.ended("b").await;
    assert_eq!(post(&app, &second, "1").await, StatusCode::GONE);
}

async fn the_first_post_counts_where_it_is_said(world: World) {
    let workflow = hooked(&Ledger::default(), &WebhookOptions::new().one_shot());
    let app = open(&world, &workflow).await;
    app.begin(&workflow, 1, "a").await;
    let token = token(&app, "a").await;
    for body in ["1", "1", "2"] {
        assert_eq!(post(&app, &token, body).await, StatusCode::ACCEPTED);
    }
    app.waits_for("a", "go").await;
    app.send("go", ()).await;
    assert_eq!(app.output::<Vec<u32>>("a").await, [1]);
}

/// The signature of `body` at `at` under `secret`.
fn sign(secret: &str, at: i64, body: &str) -> String {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{at}.{body}").as_bytes());
    let bytes = mac.finalize().into_bytes();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn what_is_verified_counts_once(world: World) {
    use axum_durable::time::Clock as _;
    let options = WebhookOptions::new().verified_by("shop");
    let workflow = hooked(&Ledger::default(), &options);
    let app = open(&world, &workflow).await;
    app.begin(&workflow, 2, "a").await;
    let token = token(&app, "a").await;
    let at = world.clock.now().as_millis() / 1_000;
    let send = async |secret: &str, at: i64, signed: &str, body: &str| {
        let (signature, time) = (sign(secret, at, signed), at.to_string());
        let headers = [
            ("x-webhook-signature", signature.as_str()),
            ("x-webhook-timestamp", time.as_str()),
        ];
        post_with(&app, &token, body, &headers).await
    };
    let refused = StatusCode::UNAUTHORIZED;
    assert_eq!(post(&app, &token, "1").await, refused);
    assert_eq!(send("wrong", at, "1", "1").await, refused);
    assert_eq!(send("horse", at, "1", "2").await, refused);
    assert_eq!(send("horse", at - 301, "1", "1").await, refused);
    for _ in 0..3 {
        let taken = send("horse", at, "1", "1").await;
        assert_eq!(taken, StatusCode::ACCEPTED);
    }
    assert_eq!(send("old", at + 1, "2", "2").await, StatusCode::ACCEPTED);
    app.waits_for("a", "go").await;
    app.send("go", ()).await;
    assert_eq!(app.output::<Vec<u32>>("a").await, [1, 2]);
}

async fn a_webhook_without_its_verifier_takes_nothing(world: World) {
    let options = WebhookOptions::new().verified_by("nobody");
    let workflow = hooked(&Ledger::default(), &options);
    let app = open(&world, &workflow).await;
    app.begin(&workflow, 1, "a").await;
    let token = token(&app, "a").await;
    let status = post(&app, &token, "1").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    let now = app.explain("a").await.unwrap();
    assert_eq!(now.waiting_for[0].kind, CheckpointKind::Webhook);
}

async fn a_post_that_is_no_small_json_is_refused(world: World) {
    let options = WebhookOptions::new().verified_by("even");
    let workflow = hooked(&Ledger::default(), &options);
    let app = open(&world, &workflow).await;
    app.begin(&workflow, 1, "a").await;
    let token = token(&app, "a").await;
    let large = "2".repeat(65);
    for (body, status) in [
        (large.as_str(), StatusCode::PAYLOAD_TOO_LARGE),
        ("2 3", StatusCode::BAD_REQUEST),
        ("1", StatusCode::UNAUTHORIZED),
        ("2", StatusCode::ACCEPTED),
    ] {
        assert_eq!(post(&app, &token, body).await, status, "{body}");
    }
    app.waits_for("a", "go").await;
    app.send("go", ()).await;
    assert_eq!(app.output::<Vec<u32>>("a").await, [2]);
}

async fn a_wait_for_a_post_times_out(world: World) {
    let workflow = hooked(&Ledger::default(), &WebhookOptions::new());
    let app = open(&world, &workflow).await;
    app.begin(&workflow, 1, "a").await;
    token(&app, "a").await;
    app.until("a", |now| {
        now.waiting_for
            .iter()
            .any(|it| it.kind == CheckpointKind::Webhook)
    })
    .await;
    world.clock.advance(HOUR);
    assert_eq!(code(&app.ended("a").await), Some("wait_timeout"));
}

async fn a_webhook_is_the_same_after_a_requeue(world: World) {
    let ledger = Ledger::default();
    let workflow = hooked(&ledger, &WebhookOptions::new());
    let app = open(&world, &workflow).await;
    app.begin(&workflow, 1, "a").await;
    let token = token(&app, "a").await;
    app.until("a", |now| {
        now.waiting_for
            .iter()
            .any(|it| it.kind == CheckpointKind::Webhook)
    })
    .await;
    app.cancel("a").await.unwrap();
    app.ended("a").await;
    app.requeue("a").await.unwrap();
    app.until("a", |now| !now.status.is_terminal()).await;
    assert_eq!(post(&app, &token, "3").await, StatusCode::ACCEPTED);
    app.waits_for("a", "go").await;
    app.send("go", ()).await;
    assert_eq!(app.output::<Vec<u32>>("a").await, [3]);
    assert_eq!(ledger.count("given away"), 1);
}

#[tokio::test]
async fn a_webhook_survives_a_crash_at_every_commit() {
    let hooked = || {
        flow("hooked", |ctx, ()| async move {
            let hook = ctx.webhook::<u32>();
            let url = hook.url()?.to_owned();
            ctx.step("give", async || Ok::<_, StepError>(url.clone()))
                .await?;
            let posted = hook.wait().await?;
            ctx.step("note", async || Ok::<_, StepError>(posted)).await
        })
    };
    let play = async |app: &App| {
        app.begin(&hooked(), (), "a").await;
        let is_given = |now: &axum_durable::control::Explanation| {
            !now.waiting_for.is_empty() || now.status.is_terminal()
        };
        app.until("a", is_given).await;
        let given = app.checkpoint("a", "give").await;
        let url: String = given.result.unwrap().decode().unwrap();
        let token = url.strip_prefix("https://shop.example/durable/webhooks/");
        // Posted again, because whoever posts has not got its answer.
        post(app, token.unwrap(), "7").await;
        assert_eq!(app.output::<u32>("a").await, 7);
    };
    let url = "https://shop.example/durable/";
    everywhere(5, move |it| it.register(hooked()).public_url(url), play).await;
}
