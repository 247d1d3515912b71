//! What holds for an SQLite file beyond the contract of every store.

#![expect(clippy::unwrap_used, reason = "what fails is meant to fail its test")]

use std::{sync::Arc, time::Duration};

use axum_durable::{
    id::{FencingToken, InstanceId, RunId, Seq},
    model::{Checkpoint, CheckpointKind, NewRun, RunStatus, WorkflowKey},
    payload::Payload,
    store::{
        Batch, Claim, Claimed, CommitStore, Custody, LeaseStore, ReadStore, RunCommit, SqlStore,
        StartAck, Store, StoreError,
    },
    time::Timestamp,
};
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};
use tempfile::TempDir;

fn url(folder: &TempDir) -> String {
    format!("sqlite://{}/durable.db", folder.path().display())
}

async fn open() -> (SqlStore, TempDir) {
    let folder = TempDir::new().unwrap();
    (SqlStore::connect(&url(&folder)).await.unwrap(), folder)
}

fn new_run(id: &str) -> NewRun {
    let input = Payload::encode("input").unwrap();
    let due_at = Timestamp::from_millis(0);
    NewRun::new(
        RunId::from_trusted(id),
        WorkflowKey::new("checkout", 1),
        input,
        due_at,
    )
}

/// Starts a run in a transaction of the host.
async fn start_in(store: &SqlStore, tx: &DatabaseTransaction, new: &NewRun) -> StartAck {
    let batch = Batch {
        starts: vec![new.clone()],
        ..Batch::default()
    };
    let ack = store.joined(tx).unwrap().commit(&batch).await.unwrap();
    ack.starts[0]
}

async fn start(store: &SqlStore, new: NewRun) -> Result<StartAck, StoreError> {
    let batch = Batch {
        starts: vec![new],
        ..Batch::default()
    };
    Ok(*store.commit(&batch).await?.starts.first().unwrap())
}

async fn claim(store: &SqlStore, by: &str) -> Claimed {
    let claim = Claim {
        instance: &InstanceId::from_trusted(by),
        workflows: &[WorkflowKey::new("checkout", 1)],
        namespace: None,
        limit: 100,
    };
    store.claim(claim).await.unwrap()
}

#[tokio::test]
async fn runs_outlive_the_store() {
    let (store, folder) = open().await;
    start(&store, new_run("a")).await.unwrap();
    drop(store);
    let store = SqlStore::connect(&url(&folder)).await.unwrap();
    let found = store.run(&RunId::from_trusted("a")).await.unwrap().unwrap();
    assert_eq!(found.status, RunStatus::Pending);
}

#[tokio::test]
async fn a_memory_database_is_refused_with_advice() {
    for url in ["sqlite::memory:", "sqlite://a.db?mode=memory"] {
        let StoreError::Backend { source, .. } = SqlStore::connect(url).await.unwrap_err() else {
            unreachable!("it cannot be opened");
        };
        assert!(source.to_string().contains("`MemoryStore`"), "{source}");
    }
}

#[tokio::test]
async fn a_schema_of_a_newer_build_is_refused() {
    let (store, folder) = open().await;
    let newer = "INSERT INTO durable_migrations VALUES ('m29990101_000001_later', 0)";
    store.connection().execute_unprepared(newer).await.unwrap();
    let refused = SqlStore::connect(&url(&folder)).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::SchemaAhead { .. }),
        "{refused}"
    );
    assert!(refused.to_string().contains("m29990101_000001_later"));
}

#[tokio::test]
async fn an_old_schema_is_left_alone_when_migration_is_off() {
    let folder = TempDir::new().unwrap();
    let opened = SqlStore::options()
        .auto_migrate(false)
        .connect(&url(&folder))
        .await;
    assert!(
        matches!(opened, Err(StoreError::Backend { .. })),
        "{opened:?}"
    );
    SqlStore::connect(&url(&folder)).await.unwrap();
    SqlStore::options()
        .auto_migrate(false)
        .connect(&url(&folder))
        .await
        .unwrap();
}

#[tokio::test]
async fn instances_that_start_together_migrate_once() {
    let folder = TempDir::new().unwrap();
    let url = url(&folder);
    let all = futures_util::future::join_all((0..6).map(|_| SqlStore::connect(&url))).await;
    for store in all {
        start(&store.unwrap(), new_run("a")).await.unwrap();
    }
}

#[tokio::test]
async fn a_run_of_the_hosts_transaction_begins_with_its_commit() {
    let (store, _folder) = open().await;
    let db = store.connection();
    db.execute_unprepared("CREATE TABLE orders (id TEXT)")
        .await
        .unwrap();
    for (id, keeps) in [("a", false), ("b", true)] {
        let tx = db.begin().await.unwrap();
        tx.execute_unprepared("INSERT INTO orders VALUES ('7')")
            .await
            .unwrap();
        let mut new = new_run(id);
        new.tags = vec!["vip".into()];
        assert_eq!(start_in(&store, &tx, &new).await, StartAck::Created);
        let status = RunStatus::Pending;
        assert_eq!(
            start_in(&store, &tx, &new).await,
            StartAck::Existing { status }
        );
        if keeps {
            tx.commit().await.unwrap();
        } else {
            tx.rollback().await.unwrap();
        }
    }
    let claimed = claim(&store, "one").await;
    let runs: Vec<_> = claimed.runs.iter().map(|record| &record.run).collect();
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].id.as_str(), "b");
    assert_eq!(runs[0].input, Payload::encode("input").unwrap());
    assert_eq!(runs[0].tags, ["vip".into()]);
}

#[tokio::test]
async fn a_commit_waits_for_a_transaction_of_the_host() {
    let (store, _folder) = open().await;
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let tx = store
        .connection()
        .begin_with_options(options)
        .await
        .unwrap();
    let committing = start(&store, new_run("a"));
    let hosting = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        tx.commit().await.unwrap();
    };
    let (started, ()) = tokio::join!(committing, hosting);
    assert_eq!(started.unwrap(), StartAck::Created);
}

#[tokio::test]
async fn a_commit_that_is_dropped_leaves_nothing_behind() {
    let (store, _folder) = open().await;
    let starts: Vec<NewRun> = (0..3000)
        .map(|number| new_run(&format!("run {number}")))
        .collect();
    for micros in [0, 50, 200, 500, 1_000, 2_000, 4_000] {
        let batch = Batch {
            starts: starts.clone(),
            ..Batch::default()
        };
        let patience = Duration::from_micros(micros);
        drop(tokio::time::timeout(patience, store.commit(&batch)).await);
        // The next writer is not disturbed, and finds all of it or nothing.
        let probe = format!("probe {micros}");
        start(&store, new_run(&probe)).await.unwrap();
        let first = store.run(&RunId::from_trusted("run 0")).await.unwrap();
        let last = store.run(&RunId::from_trusted("run 2999")).await.unwrap();
        assert_eq!(first.is_some(), last.is_some());
    }
}

#[tokio::test]
async fn a_row_of_a_newer_build_sets_only_its_run_aside() {
    let (store, _folder) = open().await;
    for id in ["a", "b"] {
        let mut new = new_run(id);
        new.owner = Some(InstanceId::from_trusted("one"));
        start(&store, new).await.unwrap();
        let at = Timestamp::from_millis(0);
        let run = RunId::from_trusted(id);
        let mut commit = RunCommit::new(run, FencingToken(1), RunStatus::Suspended, at);
        let kind = CheckpointKind::Step;
        commit
            .checkpoints
            .push(Checkpoint::new(Seq(0), kind, "charge".into(), at));
        commit.custody = Custody::Release;
        commit.wake_at = at;
        commit.rev = 4;
        let batch = Batch {
            commits: vec![commit],
            ..Batch::default()
        };
        store.commit(&batch).await.unwrap();
    }
    let newer = "UPDATE durable_checkpoints SET kind = 'teleport' WHERE run_no = 1";
    store.connection().execute_unprepared(newer).await.unwrap();
    let claimed = claim(&store, "two").await;
    assert_eq!(claimed.runs.len(), 1);
    let aside = claimed.unreadable.first().unwrap();
    assert_eq!(
        (aside.run.as_str(), aside.token, aside.rev),
        ("a", FencingToken(2), 4)
    );
    assert!(
        matches!(aside.error, StoreError::UnknownWord(_)),
        "{}",
        aside.error
    );
}

#[tokio::test]
async fn two_processes_share_the_runs_of_a_file() {
    let (store, folder) = open().await;
    let other = SqlStore::connect(&url(&folder)).await.unwrap();
    for number in 0..50 {
        start(&store, new_run(&format!("run {number}")))
            .await
            .unwrap();
    }
    let (one, two) = tokio::join!(claim(&store, "one"), claim(&other, "two"));
    assert_eq!(one.runs.len() + two.runs.len(), 50);
}

#[tokio::test]
async fn only_one_recoverer_takes_over() {
    let (store, folder) = open().await;
    let other = SqlStore::connect(&url(&folder)).await.unwrap();
    let dead = InstanceId::from_trusted("dead/../one");
    let ttl = Duration::from_secs(30);
    for round in 0..20 {
        let lock = store.enroll(&dead, ttl).await.unwrap();
        let id = format!("run {round}");
        let mut new = new_run(&id);
        new.owner = Some(dead.clone());
        start(&store, new).await.unwrap();
        drop(lock);
        let [one, two] = ["one", "two"].map(InstanceId::from_trusted);
        let (first, second) = tokio::join!(
            store.recover(&one, 3, &|_| None),
            other.recover(&two, 3, &|_| None)
        );
        let (first, second) = (first.unwrap(), second.unwrap());
        assert_eq!(first.runs + second.runs, 1, "round {round}");
        assert_eq!(first.dead.len() + second.dead.len(), 1);
    }
    let litter = std::fs::read_dir(folder.path().join("durable.db.locks"))
        .unwrap()
        .count();
    assert_eq!(litter, 0);
}

#[tokio::test]
async fn clones_share_one_store() {
    let (store, _folder) = open().await;
    let shared: Arc<dyn Store> = Arc::new(store.clone());
    start(&store, new_run("a")).await.unwrap();
    assert!(
        shared
            .run(&RunId::from_trusted("a"))
            .await
            .unwrap()
            .is_some()
    );
}
