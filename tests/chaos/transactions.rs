//! Writes of the user and the result of a step in one commit.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::SeqCst},
};

use axum_durable::{
    Durable, SqlStore,
    id::{RunId, Seq},
    model::InboxBody,
    payload::Payload,
    prelude::*,
    store::{Batch, Delivery, Store as _},
    workflow::ops::StepTransaction,
};
use sea_orm::{ConnectionTrait as _, TransactionTrait as _};

use crate::support::{
    engine::{flow, open, open_on},
    place::{Place, on_every_database, on_every_server, soon},
    proxy::Loss,
};

on_every_database!(
    a_transaction_is_committed_with_its_step,
    a_failed_attempt_is_rolled_back,
    a_result_that_was_committed_before_a_crash_is_taken,
    starts_and_signals_come_with_their_transaction,
);
on_every_server!(a_lost_answer_neither_doubles_nor_loses);

async fn make_ledger(place: &Place) {
    let create = "CREATE TABLE ledger (entry VARCHAR(64) NOT NULL)";
    place
        .connection()
        .await
        .execute_unprepared(create)
        .await
        .unwrap();
}

async fn entries(place: &Place, entry: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM ledger WHERE entry = '{entry}'");
    place.number(&sql).await
}

async fn book(tx: &StepTransaction, entry: &str) -> Result<u64, StepError> {
    let sql = format!("INSERT INTO ledger VALUES ('{entry}')");
    Ok(tx.execute_unprepared(&sql).await?.rows_affected())
}

/// Books its input once, between two steps; the first attempts fail after they have written.
fn booking(failures: u32, attempts: Arc<AtomicU32>) -> Workflow<String, u64> {
    flow("booking", move |ctx, entry: String| {
        let attempts = Arc::clone(&attempts);
        async move {
            ctx.step("before", async || Ok::<_, StepError>(())).await?;
            let booked = ctx
                .transaction("book", |tx| {
                    let (entry, attempts) = (entry.clone(), Arc::clone(&attempts));
                    async move {
                        let booked = book(&tx, &entry).await?;
                        if attempts.fetch_add(1, SeqCst) < failures {
                            return Err(StepError::from(std::io::Error::other("not yet")));
                        }
                        Ok(booked)
                    }
                })
                .retries(5)
                .backoff(Backoff::Fixed {
                    every: std::time::Duration::from_millis(5),
                })
                .await?;
            ctx.step("after", async || Ok::<_, StepError>(())).await?;
            Ok(booked)
        }
    })
}

async fn booked(durable: &Durable, workflow: &Workflow<String, u64>, id: &str) -> u64 {
    let start = durable.start(workflow.clone(), id.to_owned()).id(id);
    let run = soon("the start", start.into_future()).await.unwrap();
    soon("the result", run.result()).await.unwrap()
}

async fn a_transaction_is_committed_with_its_step(place: Place) {
    let attempts = Arc::new(AtomicU32::new(0));
    let workflow = booking(0, Arc::clone(&attempts));
    let durable = open(&place.url(), |it| it.register(workflow.clone())).await;
    make_ledger(&place).await;
    for n in 0..5 {
        let id = format!("run-{n}");
        assert_eq!(booked(&durable, &workflow, &id).await, 1);
        assert_eq!(entries(&place, &id).await, 1);
    }
    assert_eq!(attempts.load(SeqCst), 5);
    assert_eq!(place.number("SELECT count(*) FROM durable_inbox").await, 0);
    durable.shutdown().await;
}

async fn a_failed_attempt_is_rolled_back(place: Place) {
    let attempts = Arc::new(AtomicU32::new(0));
    let workflow = booking(3, Arc::clone(&attempts));
    let durable = open(&place.url(), |it| it.register(workflow.clone())).await;
    make_ledger(&place).await;
    assert_eq!(booked(&durable, &workflow, "run").await, 1);
    assert_eq!(entries(&place, "run").await, 1);
    assert_eq!(attempts.load(SeqCst), 4);
    durable.shutdown().await;
}

/// What a crash leaves between the commit of the transaction and that of the step.
async fn a_result_that_was_committed_before_a_crash_is_taken(place: Place) {
    let attempts = Arc::new(AtomicU32::new(0));
    let workflow = booking(0, Arc::clone(&attempts));
    let store = SqlStore::connect(&place.url()).await.unwrap();
    make_ledger(&place).await;
    let starter = open_on(store.clone(), |it| {
        it.register(workflow.clone()).drive(false)
    })
    .await;
    let start = starter.start(workflow.clone(), "run".to_owned());
    start.id("run").await.unwrap();
    let tx = place.connection().await.begin().await.unwrap();
    tx.execute_unprepared("INSERT INTO ledger VALUES ('run')")
        .await
        .unwrap();
    let result = Delivery::Item {
        run: RunId::from_trusted("run"),
        body: InboxBody::StepResult {
            seq: Seq(1),
            attempt: 0,
            outcome: Ok(Payload::encode(&41_u64).unwrap()),
        },
        at: store.clock().now(),
    };
    let batch = Batch {
        deliveries: vec![result],
        ..Batch::default()
    };
    let ack = store.joined(&tx).unwrap().commit(&batch).await.unwrap();
    assert!(ack.deliveries[0].is_ok());
    tx.commit().await.unwrap();

    let durable = open(&place.url(), |it| it.register(workflow.clone())).await;
    let run = durable.run::<u64>("run").unwrap();
    assert_eq!(soon("the result", run.result()).await.unwrap(), 41);
    assert_eq!(attempts.load(SeqCst), 0);
    assert_eq!(entries(&place, "run").await, 1);
    assert_eq!(place.number("SELECT count(*) FROM durable_inbox").await, 0);
    durable.shutdown().await;
    starter.shutdown().await;
}

async fn a_lost_answer_neither_doubles_nor_loses(place: Place) {
    make_ledger(&place).await;
    let proxy = place.proxy().await;
    let attempts = Arc::new(AtomicU32::new(0));
    let workflow = booking(0, Arc::clone(&attempts));
    let url = place.url_behind(&proxy);
    let durable = open(&url, |it| it.register(workflow.clone())).await;
    for (round, loss) in [Loss::Answer, Loss::Request]
        .repeat(3)
        .into_iter()
        .enumerate()
    {
        let before = proxy.sprung();
        proxy.set_trap(b"COMMIT", 0, loss);
        let id = format!("run-{round}");
        assert_eq!(booked(&durable, &workflow, &id).await, 1);
        assert_eq!(entries(&place, &id).await, 1, "{loss:?}");
        // The run sends the word itself, so the trap was taken before it ended.
        soon("the loss", proxy.has_sprung(before + 1)).await;
    }
    durable.shutdown().await;
}

async fn starts_and_signals_come_with_their_transaction(place: Place) {
    let waiting = flow("waiting", |ctx: WorkflowCtx, token: String| async move {
        ctx.wait_for_signal::<u32>(token).await
    });
    let store = SqlStore::connect(&place.url()).await.unwrap();
    make_ledger(&place).await;
    let durable = open_on(store.clone(), |it| it.register(waiting.clone())).await;
    for (id, keeps) in [("undone", false), ("kept", true)] {
        let tx = store.connection().begin().await.unwrap();
        tx.execute_unprepared(&format!("INSERT INTO ledger VALUES ('{id}')"))
            .await
            .unwrap();
        let start = durable
            .start(waiting.clone(), id.to_owned())
            .id(id)
            .tag("vip");
        assert!(start.in_transaction(&tx).await.unwrap().is_new());
        durable.signal(id, 7_u32).in_transaction(&tx).await.unwrap();
        if keeps {
            tx.commit().await.unwrap();
        } else {
            tx.rollback().await.unwrap();
        }
        assert_eq!(entries(&place, id).await, i64::from(keeps));
    }
    let run = durable.run::<u32>("kept").unwrap();
    assert_eq!(soon("the result", run.result()).await.unwrap(), 7);
    let undone = durable.run::<u32>("undone").unwrap();
    assert!(undone.status().await.is_err());
    durable.shutdown().await;
}
