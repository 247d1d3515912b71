//! Values that are larger than a stored value may be.

use std::sync::Arc;

use axum::{http::StatusCode, response::IntoResponse as _};
use axum_durable::{
    DurableError, RunStatus,
    durable::{BuildError, DurableBuilder},
    engine::StartError,
    model::CheckpointStatus,
    payload::{Payload, PayloadError},
    prelude::*,
    store::{Batch, BatchAck, StoreError},
    testing::{Probe, StoreCall},
    workflow::{BoxFuture, States},
};
use parking_lot::Mutex;

use crate::support::{
    ledger::Ledger,
    world::{App, World, code, flow, in_every_world, message, soon},
};

in_every_world!(
    a_start_that_is_too_large_is_refused_before_it_is_written,
    a_signal_that_is_too_large_is_refused_before_it_is_written,
    a_step_whose_result_is_too_large_fails_at_once,
    a_remote_step_with_too_large_an_answer_or_argument_fails_at_once,
    captured_values_that_are_too_large_fail_and_stay_failed,
    an_output_that_is_too_large_fails_the_run,
);

/// Bytes of a stored value in these tests; a text of JSON has two more for its quotes.
const LIMIT: usize = 1024;
const CODE: Option<&str> = Some("payload_too_large");

fn text(bytes: usize) -> String {
    "x".repeat(bytes - 2)
}

/// A process in which values of [`LIMIT`] bytes fit.
async fn open<I, O>(world: &World, workflow: &Workflow<I, O>) -> App
where
    I: 'static,
    O: 'static,
    Workflow<I, O>: Clone + Send + Into<axum_durable::registry::Registration>,
{
    let workflow = workflow.clone();
    world
        .open(move |it| it.max_payload(LIMIT).register(workflow).register(write()))
        .await
}

#[track_caller]
fn names_both_sizes(text: &str) {
    let names = text.contains("1025 bytes") && text.contains("1024");
    assert!(names, "{text}");
}

fn echo() -> Workflow<String, usize> {
    flow("echo", |_, text: String| async move { Ok(text.len()) })
}

async fn a_start_that_is_too_large_is_refused_before_it_is_written(world: World) {
    let app = open(&world, &echo()).await;
    let start = app.start(echo(), text(LIMIT + 1)).id("large");
    let error = soon("the answer", start).await.unwrap_err();
    assert!(!error.is_transient());
    let DurableError::Start(StartError::Input(inner)) = &error else {
        panic!("{error:?}");
    };
    assert!(matches!(
        inner,
        PayloadError::TooLarge {
            bytes: 1025,
            limit: 1024
        }
    ));
    names_both_sizes(&error.to_string());
    let response = error.into_response();
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert!(app.explain("large").await.unwrap_err().is_not_found());
    app.begin(&echo(), text(LIMIT), "fits").await;
    assert_eq!(app.output::<usize>("fits").await, LIMIT - 2);
}

async fn a_signal_that_is_too_large_is_refused_before_it_is_written(world: World) {
    let waits = flow("waits", |ctx, ()| async move {
        let text: String = ctx.wait_for_signal("go").await?;
        Ok(text.len())
    });
    let app = open(&world, &waits).await;
    app.begin(&waits, (), "a").await;
    app.waits_for("a", "go").await;
    let sent = app.signal("go", text(LIMIT + 1));
    let error = soon("the answer", sent).await.unwrap_err();
    let is_refused = matches!(error, DurableError::Payload(PayloadError::TooLarge { .. }));
    assert!(is_refused, "{error:?}");
    names_both_sizes(&error.to_string());
    let response = error.into_response();
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    app.send("go", text(LIMIT)).await;
    assert_eq!(app.output::<usize>("a").await, LIMIT - 2);
}

async fn a_step_whose_result_is_too_large_fails_at_once(world: World) {
    let ledger = Ledger::default();
    let noted = ledger.clone();
    let workflow = flow("writes", move |ctx, bytes: usize| {
        let ledger = noted.clone();
        async move {
            let body = async || {
                ledger.note("write");
                Ok::<_, StepError>(text(bytes))
            };
            ctx.step("write", body).retries(3).await?;
            Ok(())
        }
    });
    let app = open(&world, &workflow).await;
    app.begin(&workflow, LIMIT, "fits").await;
    app.output::<()>("fits").await;
    app.begin(&workflow, LIMIT + 1, "large").await;
    let run = app.ended("large").await;
    assert_eq!((run.status, code(&run)), (RunStatus::Failed, CODE));
    names_both_sizes(message(&run));
    assert_eq!(ledger.count("write"), 2, "it was tried again");
    let step = app.checkpoint("large", "write").await;
    assert_eq!((step.status, step.result), (CheckpointStatus::Fatal, None));
}

/// A remote step that answers with as many bytes as it is asked for.
fn write() -> Step<(usize, String), String> {
    fn handle(
        (bytes, _): (usize, String),
        _: States,
        _: StepCtx,
    ) -> BoxFuture<'static, Result<String, StepError>> {
        Box::pin(async move { Ok(text(bytes)) })
    }
    Step::new("remote write", handle)
}

async fn a_remote_step_with_too_large_an_answer_or_argument_fails_at_once(world: World) {
    let caller = flow(
        "caller",
        |ctx, (answer, argument): (usize, usize)| async move {
            let call = ctx.remote(&write(), (answer, "x".repeat(argument)));
            let error = call.await.err();
            let (): () = ctx.wait_for_signal(format!("go:{}", ctx.run_id())).await?;
            Ok(error.map(|it| (it.code().map(str::to_owned), it.to_string())))
        },
    );
    let app = open(&world, &caller).await;
    for (run, sizes) in [
        ("fits", (LIMIT, 10)),
        ("answer", (LIMIT + 1, 10)),
        ("argument", (10, LIMIT)),
    ] {
        app.begin(&caller, sizes, run).await;
        app.waits_for(run, &format!("go:{run}")).await;
    }
    app.crash().await;
    let app = open(&world, &caller).await;
    type Seen = Option<(Option<String>, String)>;
    for run in ["fits", "answer", "argument"] {
        app.send(&format!("go:{run}"), ()).await;
        let seen: Seen = app.output(run).await;
        assert_eq!(seen.is_none(), run == "fits", "{seen:?}");
        if let Some((code, message)) = seen {
            assert_eq!(code.as_deref(), CODE);
            assert!(message.contains("1024"), "{message}");
            let step = app.checkpoint(run, "remote write").await;
            assert_eq!(step.status, CheckpointStatus::Failed);
            assert_eq!(step.result, None);
        }
    }
}

async fn captured_values_that_are_too_large_fail_and_stay_failed(world: World) {
    let workflow = flow("captures", |ctx, ()| async move {
        let large = text(LIMIT + 1);
        let failures = [
            ctx.side_effect("flag", || large.clone()).err(),
            ctx.set_event("state", &large).err(),
            ctx.switch("way", large.clone()).err(),
        ];
        ctx.note(&large);
        ctx.set_event("state", "small")?;
        let (): () = ctx.wait_for_signal("go").await?;
        let failures =
            failures.map(|it| it.map(|it| (it.code().map(str::to_owned), it.to_string())));
        Ok(failures)
    });
    let app = open(&world, &workflow).await;
    app.begin(&workflow, (), "a").await;
    app.waits_for("a", "go").await;
    app.crash().await;
    // What was refused is on record: a larger limit changes no history.
    let register = workflow.clone();
    let app = world.open(|it| it.register(register)).await;
    app.send("go", ()).await;
    type Seen = [Option<(Option<String>, String)>; 3];
    for seen in app.output::<Seen>("a").await {
        let (code, message) = seen.unwrap();
        assert_eq!(code.as_deref(), CODE);
        names_both_sizes(&message);
    }
    let event: Option<String> = app.get_event("a", "state").await.unwrap();
    assert_eq!(event.as_deref(), Some("small"));
    for checkpoint in app.record("a").await.history {
        let bytes = checkpoint.result.map_or(0, |it| it.as_bytes().len());
        assert!(bytes <= LIMIT, "{bytes}");
    }
}

async fn an_output_that_is_too_large_fails_the_run(world: World) {
    let workflow = flow("returns", |_, bytes: usize| async move { Ok(text(bytes)) });
    let app = open(&world, &workflow).await;
    app.begin(&workflow, LIMIT, "fits").await;
    app.output::<String>("fits").await;
    app.begin(&workflow, LIMIT + 1, "large").await;
    let run = app.ended("large").await;
    assert_eq!((run.status, code(&run)), (RunStatus::Failed, CODE));
    assert_eq!(run.output, None);
    names_both_sizes(message(&run));
    app.crash().await;
    // A larger limit and a requeue let it end.
    let register = workflow.clone();
    let app = world.open(|it| it.register(register)).await;
    app.requeue("large").await.unwrap();
    assert_eq!(app.output::<String>("large").await.len(), LIMIT - 1);
}

#[tokio::test]
async fn a_refused_capture_is_tried_again_after_a_requeue() {
    let world = World::sqlite();
    let workflow = flow("captures", |ctx, ()| async move {
        ctx.side_effect("flag", || text(LIMIT + 1))?;
        Ok(())
    });
    let app = open(&world, &workflow).await;
    app.begin(&workflow, (), "a").await;
    assert_eq!(code(&app.ended("a").await), CODE);
    app.crash().await;
    let register = workflow.clone();
    let app = world.open(|it| it.register(register)).await;
    app.requeue("a").await.unwrap();
    app.output::<()>("a").await;
}

#[tokio::test]
async fn a_limit_that_is_too_small_is_refused() {
    let builder = Durable::builder().store(axum_durable::MemoryStore::new());
    let error = builder.only_registered().max_payload(1023).build().await;
    let error = error.unwrap_err();
    assert!(matches!(&error, BuildError::Config { .. }), "{error:?}");
    assert!(error.to_string().contains("1 KiB"), "{error}");
}

/// Notes the bytes and items of each batch, and holds the first one until there are enough.
#[derive(Debug, Clone, Default)]
struct Sizes {
    seen: Arc<Mutex<Vec<(usize, usize)>>>,
}

fn bytes_of(batch: &Batch) -> usize {
    let starts = batch.starts.iter().map(|it| it.input.as_bytes().len());
    let deliveries = batch.deliveries.iter().map(|it| it.payload_bytes());
    let commits = batch.commits.iter().map(|it| it.payload_bytes());
    starts.chain(deliveries).chain(commits).sum()
}

#[async_trait::async_trait]
impl Probe for Sizes {
    fn written(&self, batch: &Batch, _: &BatchAck) {
        self.seen.lock().push((batch.len(), bytes_of(batch)));
    }

    async fn before(&self, _: StoreCall) -> Result<(), StoreError> {
        // The others queue up meanwhile.
        tokio::task::yield_now().await;
        Ok(())
    }
}

#[tokio::test]
async fn a_batch_of_large_values_is_written_in_parts() {
    const MIB: usize = 1024 * 1024;
    const LARGE: usize = 6 * MIB;
    let world = World::memory();
    let sizes = Sizes::default();
    let seen = Arc::clone(&sizes.seen);
    let app = world
        .open_probed(sizes, |it: DurableBuilder| it.register(echo()).drive(false))
        .await;
    let start = |bytes: usize| app.start(echo(), text(bytes)).into_future();
    let small = futures_util::future::join_all((0..20).map(|_| start(MIB)));
    let signals = (0..20).map(|_| app.signal("token", text(MIB)).into_future());
    let signals = futures_util::future::join_all(signals);
    let (small, large, signals) = soon("the answers", async {
        tokio::join!(small, start(LARGE), signals)
    })
    .await;
    assert!(large.is_ok() && small.iter().all(Result::is_ok));
    assert!(signals.iter().all(Result::is_ok));
    let seen = seen.lock();
    assert_eq!(seen.iter().map(|(items, _)| items).sum::<usize>(), 41);
    for (items, bytes) in &*seen {
        assert!(*bytes <= 4 * MIB || *items == 1, "{items}: {bytes}");
    }
    let together = seen.iter().any(|(items, _)| *items == 4);
    assert!(together, "nothing was written together: {seen:?}");
}

#[test]
fn a_payload_fits_up_to_its_limit() {
    let payload = Payload::from_bytes(vec![0; LIMIT]);
    assert!(payload.fits(LIMIT).is_ok());
    let error = payload.fits(LIMIT - 1).unwrap_err();
    let said = "the value has 1024 bytes, and 1023 are the limit; store a reference instead";
    assert_eq!(error.to_string(), said);
}
