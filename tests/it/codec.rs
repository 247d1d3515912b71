//! Payloads and failures that pass through a codec.

use std::time::Duration;

use axum_durable::{
    RunStatus, StepError,
    durable::DurableBuilder,
    payload::{AesGcmCodec, Codec, Keyring, ZlibCodec},
    prelude::*,
};

use crate::support::world::{World, flow, in_every_world, on_every_server};

in_every_world!(a_run_is_compressed_and_encrypted);
on_every_server!(a_run_is_compressed_and_encrypted);

const SECRETS: [&str; 6] = [
    "s3cret-input",
    "s3cret-result",
    "s3cret-signal",
    "s3cret-event",
    "s3cret-failure",
    "s3cret-note",
];

fn flow_of_secrets() -> Workflow<String, String> {
    flow("secrets", |ctx, _input: String| async move {
        let result = ctx.step("make", async || Ok::<_, StepError>(SECRETS[1].to_owned()));
        result.await?;
        ctx.set_event("event", SECRETS[3])?;
        ctx.note(SECRETS[5]);
        let fails = async || Err::<(), _>(StepError::retryable("busy", SECRETS[4]));
        let fails = ctx.step("fails", fails).retries(2);
        let caught = fails
            .backoff(Backoff::Fixed {
                every: Duration::ZERO,
            })
            .await;
        assert_eq!(caught.unwrap_err().code(), Some("busy"));
        let signal: String = ctx.wait_for_signal("go").await?;
        Err(WorkflowError::failed(
            "declined",
            format!("{} {signal}", SECRETS[4]),
        ))
    })
}

fn ring(newest: u8, old: Option<u8>) -> Keyring {
    let codec = |key: u8| AesGcmCodec::new(&[key; 32]);
    let ring = Keyring::new(format!("key-{newest}"), codec(newest)).unwrap();
    match old {
        Some(old) => ring.also(format!("key-{old}"), codec(old)).unwrap(),
        None => ring,
    }
}

fn with(ring: Keyring) -> impl FnOnce(DurableBuilder) -> DurableBuilder + Send + 'static {
    move |it| it.codec(ring).register(flow_of_secrets())
}

#[tokio::test]
async fn nothing_of_a_run_is_in_the_database_in_the_clear() {
    let world = World::sqlite();
    let app = world.open(with(ring(1, None))).await;
    app.begin(&flow_of_secrets(), SECRETS[0].to_owned(), "a")
        .await;
    app.waits_for("a", "go").await;
    app.crash().await;

    // Another key by now; the old one is still on the ring.
    let app = world.open(with(ring(2, Some(1)))).await;
    let event: Option<String> = app.get_event("a", "event").await.unwrap();
    assert_eq!(event.as_deref(), Some(SECRETS[3]));
    app.send("go", SECRETS[2]).await;
    let ended = app.ended("a").await;
    assert_eq!(ended.status, RunStatus::Failed);
    let failure = ended.failure.unwrap();
    assert_eq!(failure.message, "s3cret-failure s3cret-signal");
    assert_eq!(failure.code.as_deref(), Some("declined"));
    let listed = app
        .list_runs(&axum_durable::model::RunQuery::default())
        .await;
    let listed = &listed.unwrap().runs[0];
    assert_eq!(listed.failure.as_ref(), Some(&failure));
    let fails = app.checkpoint("a", "fails").await;
    assert_eq!(fails.failure.unwrap().message, SECRETS[4]);
    let history = app.export_history("a").await.unwrap().to_json().unwrap();
    assert!(history.contains(SECRETS[1]), "an export is readable");
    app.stop().await;

    let mut files = 0;
    for entry in std::fs::read_dir(world.folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            files += 1;
            let bytes = std::fs::read(&path).unwrap();
            for secret in SECRETS {
                let found = bytes
                    .windows(secret.len())
                    .any(|it| it == secret.as_bytes());
                assert!(!found, "{secret} is in {}", path.display());
            }
        }
    }
    assert!(files > 0);
}

#[tokio::test]
async fn a_key_that_is_missing_sets_only_its_runs_aside() {
    for world in [World::memory(), World::sqlite()] {
        let app = world.open(with(ring(1, None))).await;
        app.begin(&flow_of_secrets(), SECRETS[0].to_owned(), "a")
            .await;
        app.waits_for("a", "go").await;
        app.crash().await;
        let app = world.open(with(ring(2, None))).await;
        app.begin(&flow_of_secrets(), SECRETS[0].to_owned(), "b")
            .await;
        app.waits_for("b", "go").await;
        let blocked = RunStatus::Blocked;
        let until = async || loop {
            let page = app
                .list_runs(&axum_durable::model::RunQuery::default())
                .await;
            let runs = page.unwrap().runs;
            if let Some(run) = runs.into_iter().find(|it| it.status == blocked) {
                return run;
            }
            tokio::task::yield_now().await;
        };
        let run = crate::support::world::soon("the blocked run", until()).await;
        assert_eq!(run.id.as_str(), "a");
        let text = format!("{:?}", run.failure.unwrap());
        assert!(text.contains("key `key-1` is not on the keyring"), "{text}");
        app.crash().await;
        // With the key it goes on.
        let app = world.open(with(ring(2, Some(1)))).await;
        app.requeue("a").await.unwrap();
        app.waits_for("a", "go").await;
        app.send("go", SECRETS[2]).await;
        app.send("go", SECRETS[2]).await;
        for run in ["a", "b"] {
            assert_eq!(app.ended(run).await.status, RunStatus::Failed);
        }
    }
}

#[tokio::test]
async fn a_database_without_codec_goes_on_with_one() {
    let world = World::sqlite();
    let app = world.open(|it| it.register(flow_of_secrets())).await;
    app.begin(&flow_of_secrets(), SECRETS[0].to_owned(), "a")
        .await;
    app.waits_for("a", "go").await;
    app.crash().await;
    let app = world.open(with(ring(1, None).accept_plain())).await;
    app.send("go", SECRETS[2]).await;
    let failure = app.ended("a").await.failure.unwrap();
    assert_eq!(failure.message, "s3cret-failure s3cret-signal");
}

async fn a_run_is_compressed_and_encrypted(world: World) {
    let long = "the same again ".repeat(1_000);
    let repeat = || {
        flow("repeat", |ctx, input: String| async move {
            let given = input.clone();
            let made = ctx.step("make", async || Ok::<_, StepError>(given.clone()));
            let made = made.await?;
            let go: String = ctx.wait_for_signal("go").await?;
            Ok(format!("{}{}", made.len(), go.len()))
        })
    };
    let codec = || ZlibCodec.then(ring(1, None));
    let open = || {
        let (codec, repeat) = (codec(), repeat());
        world.open(|it| it.codec(codec).register(repeat))
    };
    let app = open().await;
    app.begin(&repeat(), long.clone(), "a").await;
    app.waits_for("a", "go").await;
    app.crash().await;
    let app = open().await;
    app.send("go", long.clone()).await;
    assert_eq!(app.output::<String>("a").await, "1500015000");
    let sealed = codec().encode(&axum_durable::payload::Payload::encode(&long).unwrap());
    assert!(sealed.as_bytes().len() < 500, "{}", sealed.as_bytes().len());
}
