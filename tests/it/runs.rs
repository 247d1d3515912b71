//! Runs from start to end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum_durable::{
    MemoryStore, RunStatus,
    engine::SignalOutcome,
    prelude::*,
    store::{Batch, StoreError},
    testing::{Probe, ProbedStore},
};

async fn engine(workflow: &Workflow<u32, u32>) -> Durable {
    let file = tempfile::tempdir().unwrap().keep();
    let url = format!("sqlite://{}", file.join("t.db").display());
    Durable::builder()
        .store(axum_durable::SqlStore::connect(&url).await.unwrap())
        .register(workflow.clone())
        .only_registered()
        .build()
        .await
        .unwrap()
}

#[tokio::test]
async fn steps_run_once_in_order() {
    let calls = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&calls);
    let workflow = Workflow::from_body("sum", 1, move |ctx, n: u32| {
        let calls = Arc::clone(&count);
        Box::pin(async move {
            let mut sum = 0;
            for i in 0..n {
                let calls = &calls;
                sum += ctx
                    .step(format!("s{i}"), async || {
                        calls.fetch_add(1, Ordering::SeqCst);
                        Ok::<_, StepError>(i)
                    })
                    .await?;
            }
            Ok(sum)
        })
    });
    let durable = engine(&workflow).await;
    let run = durable.start(&workflow, 5).id("a").await.unwrap();
    assert_eq!(run.result().await.unwrap(), 10);
    assert_eq!(calls.load(Ordering::SeqCst), 5);
    let again = durable.start(&workflow, 7).id("a").await.unwrap();
    assert!(!again.is_new());
    assert_eq!(again.result().await.unwrap(), 10);
    durable.shutdown().await;
}

#[tokio::test]
async fn a_signal_is_used_before_and_during_the_wait() {
    let workflow = Workflow::from_body("wait", 1, move |ctx, n: u32| {
        Box::pin(async move {
            let a: u32 = ctx.wait_for_signal(format!("a{n}")).await?;
            let b: u32 = ctx
                .wait_for_signal(format!("b{n}"))
                .timeout(Duration::from_secs(60))
                .await?;
            ctx.sleep(Duration::from_millis(3)).await;
            Ok(a + b)
        })
    });
    let durable = engine(&workflow).await;
    assert_eq!(
        durable.signal("a1", 4).await.unwrap(),
        SignalOutcome::Buffered
    );
    let run = durable.start(&workflow, 1).id("r").await.unwrap();
    let mut events = durable.subscribe();
    while durable
        .explain("r")
        .await
        .unwrap()
        .waiting_for
        .iter()
        .all(|w| w.name != "b1")
    {
        let _ = events.recv().await;
    }
    assert_eq!(
        durable.signal("b1", 5).await.unwrap(),
        SignalOutcome::Delivered
    );
    assert_eq!(run.result().await.unwrap(), 9);
    durable.shutdown().await;
}

/// A store that refuses every batch with a step called `poison`.
#[derive(Debug)]
struct Poisoned;

impl Probe for Poisoned {
    fn check(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut steps = batch.commits.iter().flat_map(|commit| &commit.checkpoints);
        if !steps.any(|step| &*step.name == "poison") {
            return Ok(());
        }
        Err(StoreError::Backend {
            backend: "test",
            operation: "commit",
            source: "no poison here".into(),
        })
    }
}

#[tokio::test]
async fn a_run_whose_writes_are_refused_is_set_aside_and_others_go_on() {
    let named = Workflow::<String, u32>::new("named", 1, |ctx, name| {
        Box::pin(async move { ctx.step(name, async || Ok::<_, StepError>(1)).await })
    });
    let durable = Durable::builder()
        .store(ProbedStore::new(MemoryStore::new(), Poisoned))
        .register(named.clone())
        .only_registered()
        .build()
        .await
        .unwrap();
    let bad = durable
        .start(&named, "poison".to_owned())
        .id("bad")
        .await
        .unwrap();
    let good = durable
        .start(&named, "water".to_owned())
        .id("good")
        .await
        .unwrap();
    assert_eq!(good.result().await.unwrap(), 1);
    assert!(bad.result().await.is_err());
    let explained = durable.explain("bad").await.unwrap();
    assert_eq!(explained.status, RunStatus::Blocked);
    assert!(explained.reason.contains("refuses"), "{}", explained.reason);
    durable.shutdown().await;
}

/// A store that takes no commit of a run for a while, whatever it says, and lives all the same.
#[derive(Debug)]
struct Crammed {
    refusals: AtomicU32,
    error: fn() -> StoreError,
}

impl Probe for Crammed {
    fn check(&self, batch: &Batch) -> Result<(), StoreError> {
        let has_room = self.refusals.load(Ordering::SeqCst) == 0;
        if batch.commits.is_empty() || has_room {
            return Ok(());
        }
        self.refusals.fetch_sub(1, Ordering::SeqCst);
        Err((self.error)())
    }
}

/// Whether a run ends that is refused so often that it would be given up, were it to blame.
async fn outlives_refusals(error: fn() -> StoreError) {
    let refusals = AtomicU32::new(16);
    let store = ProbedStore::new(MemoryStore::new(), Crammed { refusals, error });
    let work = Workflow::<(), u32>::new("work", 1, |ctx, ()| {
        Box::pin(async move { ctx.step("work", async || Ok::<_, StepError>(1)).await })
    });
    let builder = Durable::builder().store(store).register(work.clone());
    let durable = builder.only_registered().build().await.unwrap();
    let run = durable.start(&work, ()).id("a").await.unwrap();
    assert_eq!(run.result().await.unwrap(), 1);
    assert_eq!(
        durable.run::<u32>("a").unwrap().status().await.unwrap(),
        RunStatus::Completed
    );
    durable.shutdown().await;
}

/// A full disk takes the heartbeat, which overwrites, and nothing that adds.
#[tokio::test(start_paused = true)]
async fn a_run_that_cannot_be_set_aside_is_not_given_up() {
    outlives_refusals(|| StoreError::Backend {
        backend: "test",
        operation: "commit",
        source: "not now".into(),
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn no_run_is_to_blame_for_a_full_disk() {
    outlives_refusals(|| StoreError::OutOfRoom {
        backend: "test",
        operation: "commit",
        source: "the disk is full".into(),
    })
    .await;
}

/// A server that has no connections left gives one now and then, to the heartbeat.
#[tokio::test(start_paused = true)]
async fn no_run_is_to_blame_for_a_store_without_connections() {
    outlives_refusals(|| StoreError::Unreachable {
        backend: "test",
        operation: "commit",
        source: "too many clients".into(),
    })
    .await;
}
