//! Every store and transport of this crate against its contract, and stores against each other.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "what cannot be opened fails its test, and seeds are printed"
)]

mod services;

use std::sync::{Arc, Once};

use axum_durable::{
    RunStatus,
    id::{FencingToken, InstanceId, RunId, Seq},
    model::{InboxBody, NewRun, OnCancel, Parent, SignalId, WorkflowKey},
    payload::{Codec, Payload, PayloadError},
    store::{
        Batch, CodecStore, CommitStore, Delivery, MemoryStore, NewWaiter, ReadStore, RunCommit,
        SqlStore, Store,
    },
    store_conformance,
    testing::{ManualClock, conformance::store},
    time::Clock,
    transport::InProcess,
    transport_conformance,
};
use axum_durable_migrations::{Migrator, MigratorTrait as _};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseTransaction, DbBackend, Statement,
    TransactionTrait,
};
use services::{Place, Server};
use tempfile::TempDir;
use uuid::Uuid;

/// A codec whose output is no text and no longer resembles its input.
#[derive(Debug)]
struct Xor;

impl Codec for Xor {
    fn name(&self) -> &'static str {
        "xor"
    }

    fn encode(&self, plain: &Payload) -> Payload {
        let mut bytes: Vec<u8> = plain.as_bytes().iter().map(|byte| byte ^ 0xa5).collect();
        bytes.insert(0, 0xff);
        Payload::from_bytes(bytes)
    }

    fn decode(&self, stored: &Payload) -> Result<Payload, PayloadError> {
        let Some((0xff, bytes)) = stored.as_bytes().split_first() else {
            return Err(PayloadError::Codec {
                codec: "xor",
                reason: "no mark at the start".to_owned(),
            });
        };
        Ok(Payload::from_bytes(
            bytes.iter().map(|byte| byte ^ 0xa5).collect::<Vec<u8>>(),
        ))
    }
}

async fn sqlite(clock: Arc<dyn Clock>) -> (SqlStore, TempDir) {
    let folder = TempDir::new().unwrap();
    let url = format!("sqlite://{}/durable.db", folder.path().display());
    // What is tested here does not depend on the disk; it would only make the tests slow.
    let store = SqlStore::options()
        .clock(clock)
        .synchronous_normal()
        .connect(&url)
        .await
        .unwrap();
    (store, folder)
}

/// A store on a server, in a place of its own.
async fn at(server: Server, clock: Arc<dyn Clock>) -> Option<(SqlStore, Place)> {
    let place = server.place().await?;
    let mut options = SqlStore::options().clock(clock);
    if let Some(schema) = place.schema() {
        options = options.schema(schema);
    }
    let store = options.connect(&place.url()).await.unwrap();
    Some((store, place))
}

/// A store that reaches PostgreSQL through the pooler in transaction mode that
/// `DURABLE_TEST_POOLER` names. There is none on most machines, so that CI does without.
async fn pooled(clock: Arc<dyn Clock>) -> Option<(SqlStore, Place)> {
    static TOLD: Once = Once::new();
    let Ok(url) = std::env::var("DURABLE_TEST_POOLER") else {
        TOLD.call_once(|| println!("skipped: DURABLE_TEST_POOLER names no pooler"));
        return None;
    };
    let place = Server::Postgres.place().await?;
    let options = SqlStore::options().clock(clock).through_pooler();
    let options = options.schema(place.schema()?);
    Some((options.connect(&url).await.unwrap(), place))
}

store_conformance!(memory, |clock| async move {
    (MemoryStore::with_clock(clock), ())
});
store_conformance!(sqlite_file, sqlite);
store_conformance!(postgres, |clock| at(Server::Postgres, clock));
store_conformance!(mysql, |clock| at(Server::MySql, clock));
store_conformance!(pooler, pooled);
store_conformance!(codec, |clock| async move {
    (
        CodecStore::new(Arc::new(MemoryStore::with_clock(clock)), Arc::new(Xor)),
        (),
    )
});

transport_conformance!(in_process, || async { (InProcess::default(), ()) });

/// All stores of this crate, on one clock. Seeds are tried in turn; one that fails is printed and
/// can be run alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_stores_answer_alike() {
    let seeds: Vec<u64> = match std::env::var("DURABLE_TEST_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) if std::env::var("DURABLE_TEST_LONG").is_ok_and(|it| it == "1") => {
            (0..40).map(|_| rand::random()).collect()
        }
        // The same ones each time: a new difference is looked for in the long form, not by chance
        // in a change that has nothing to do with it.
        Err(_) => (0..6).collect(),
    };
    for (number, seed) in seeds.into_iter().enumerate() {
        // A server takes a hundred times as long as a file: two seeds in three do without.
        let has_servers = number % 3 == 0;
        println!("DURABLE_TEST_SEED={seed}");
        let clock = ManualClock::default();
        let shared = || -> Arc<dyn Clock> { Arc::new(clock.clone()) };
        let memory = MemoryStore::with_clock(shared());
        let (file, _folder) = sqlite(shared()).await;
        let mut actors = vec![
            store::Actor::new(memory, clock.clone()),
            store::Actor::new(file, clock.clone()),
        ];
        let (mut postgres, mut mysql) = (None, None);
        if has_servers {
            postgres = at(Server::Postgres, shared()).await;
            mysql = at(Server::MySql, shared()).await;
        }
        for (store, _) in [&postgres, &mysql].into_iter().flatten() {
            actors.push(store::Actor::new(store.clone(), clock.clone()));
        }
        let names: Vec<_> = actors.iter().map(|it| it.store.name()).collect();
        let began = tokio::time::Instant::now();
        let tally = store::stores_answer_alike(seed, 5_000, actors).await;
        println!("{names:?} in {:?}: {tally}", began.elapsed());
        assert!(tally.kinds() >= 40, "{tally}");
    }
}

/// The default limit fits into what the servers take by default, in each direction.
#[tokio::test]
async fn values_of_the_largest_size_are_stored() {
    let largest = axum_durable::engine::EngineConfig::default().max_payload;
    let payload = Payload::from_bytes(vec![b'7'; largest]);
    let clock = || -> Arc<dyn Clock> { Arc::new(ManualClock::default()) };
    let (file, _folder) = sqlite(clock()).await;
    let postgres = at(Server::Postgres, clock()).await;
    let mysql = at(Server::MySql, clock()).await;
    let servers = [&postgres, &mysql].into_iter().flatten();
    for store in servers.map(|(store, _)| store).chain([&file]) {
        let id = RunId::from_trusted("large");
        let workflow = WorkflowKey::new("checkout", 1);
        let now = store.clock().now();
        let mut run = NewRun::new(id.clone(), workflow, payload.clone(), now);
        run.owner = Some(InstanceId::generate());
        let batch = Batch {
            starts: vec![run],
            ..Batch::default()
        };
        store.commit(&batch).await.unwrap();
        let mut commit = RunCommit::new(id.clone(), FencingToken(1), RunStatus::Completed, now);
        commit.output = Some(payload.clone());
        let batch = Batch {
            commits: vec![commit],
            ..Batch::default()
        };
        let ack = store.commit(&batch).await.unwrap();
        assert!(ack.commits[0].is_ok());
        let run = store.run(&id).await.unwrap().unwrap();
        assert!(run.input == payload && run.output == Some(payload.clone()));
    }
}

/// Signals that were buffered by a build that knew no order of delivery come in that of their ids,
/// and before all others.
#[tokio::test]
async fn signals_keep_their_order_when_they_get_numbers() {
    let folder = TempDir::new().unwrap();
    let url = format!("sqlite://{}/durable.db?mode=rwc", folder.path().display());
    signals_get_numbers(&url, None).await;
    for server in [Server::Postgres, Server::MySql] {
        if let Some(place) = server.place().await {
            signals_get_numbers(&place.url(), place.schema()).await;
        }
    }
}

/// Buffers three signals as a build did that knew no order of delivery.
async fn buffer_without_numbers(url: &str, schema: Option<&str>) {
    let mut options = ConnectOptions::new(url);
    if let Some(schema) = schema {
        options.set_schema_search_path(schema);
    }
    let db = Database::connect(options).await.unwrap();
    let migrations = Migrator::migrations();
    let before = migrations
        .iter()
        .take_while(|it| !it.name().ends_with("_000015_order"));
    let before = u32::try_from(before.count()).unwrap();
    Migrator::up(&db, Some(before)).await.unwrap();
    let (quote, is) = match db.get_database_backend() {
        DbBackend::Postgres => ("'\\x", "true"),
        _ => ("X'", "1"),
    };
    for number in [2, 1, 3] {
        let insert = format!(
            "INSERT INTO durable_signals (id, token, buffered, sent_at, payload) \
             VALUES ({quote}{number:032x}', 'go', {is}, 0, {quote}3{number}')"
        );
        db.execute_unprepared(&insert).await.unwrap();
    }
    db.close().await.unwrap();
}

async fn signals_get_numbers(url: &str, schema: Option<&str>) {
    buffer_without_numbers(url, schema).await;
    let mut store = SqlStore::options();
    if let Some(schema) = schema {
        store = store.schema(schema);
    }
    let store = store.connect(url).await.unwrap();
    let now = store.clock().now();
    let run = RunId::from_trusted("a");
    let mut new = NewRun::new(
        run.clone(),
        WorkflowKey::new("checkout", 1),
        Payload::null(),
        now,
    );
    new.owner = Some(InstanceId::generate());
    let signal = Delivery::Signal {
        id: SignalId(Uuid::nil()),
        token: "go".into(),
        payload: Payload::encode(&4).unwrap(),
        at: now,
    };
    let batch = Batch {
        starts: vec![new],
        deliveries: vec![signal],
        ..Batch::default()
    };
    store.commit(&batch).await.unwrap();
    let mut came = Vec::new();
    for seq in 0..4 {
        let mut commit = RunCommit::new(run.clone(), FencingToken(1), RunStatus::Running, now);
        commit.waiters.push(NewWaiter::new(Seq(seq), "go".into()));
        let batch = Batch {
            commits: vec![commit],
            ..Batch::default()
        };
        let ack = store.commit(&batch).await.unwrap();
        let delivered = &ack.commits[0].as_ref().unwrap().delivered;
        let InboxBody::Signal { payload, .. } = &delivered[0].body else {
            panic!("{delivered:?}");
        };
        came.push(payload.decode::<u32>().unwrap());
    }
    assert_eq!(came, [1, 2, 3, 4], "{}", store.name());
}

/// Clause 17, in the moment between the look at the children and their cancel.
#[tokio::test]
async fn a_child_that_ends_meanwhile_keeps_no_other_from_being_cancelled() {
    for server in [Server::Postgres, Server::MySql] {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::default());
        if let Some((store, place)) = at(server, clock).await {
            a_child_ends_meanwhile(store, &place, server).await;
        }
    }
}

async fn a_child_ends_meanwhile(store: SqlStore, place: &Place, server: Server) {
    let run = |id: &str| RunId::from_trusted(id);
    start_family(&store).await;
    // Whoever ends the first child has locked its row and has not committed yet, so it is still
    // listed, and its cancel waits for that row.
    let other = store.connection().begin().await.unwrap();
    let schema = place.schema().map(|it| format!("{it}."));
    let end = format!(
        "UPDATE {}durable_runs SET status = 'completed', owner = NULL WHERE id = 'first'",
        schema.unwrap_or_default()
    );
    other.execute_unprepared(&end).await.unwrap();
    let (token, now) = (FencingToken(1), store.clock().now());
    let commit = RunCommit::new(run("parent"), token, RunStatus::Cancelled, now);
    let batch = Batch {
        commits: vec![commit],
        ..Batch::default()
    };
    let end = async {
        until_somebody_waits(&other, server).await;
        other.commit().await.unwrap();
    };
    let (ack, ()) = tokio::join!(store.commit(&batch), end);
    let ack = ack.unwrap();
    let told = &ack.commits.first().unwrap().as_ref().unwrap().told;
    assert_eq!(told.len(), 1, "{server:?}: {told:?}");
    for (id, expected) in [
        ("parent", RunStatus::Cancelled),
        ("first", RunStatus::Completed),
        ("second", RunStatus::Cancelling),
    ] {
        let found = store.run(&run(id)).await.unwrap().unwrap();
        assert_eq!(found.status, expected, "{server:?}: {id}");
    }
}

/// A run and its two children, all held.
async fn start_family(store: &SqlStore) {
    let (owner, now) = (InstanceId::generate(), store.clock().now());
    let parent = || Parent::new(RunId::from_trusted("parent"), OnCancel::Cascade);
    let new = |id: &str, parent: Option<Parent>| {
        let (id, workflow) = (RunId::from_trusted(id), WorkflowKey::new("checkout", 1));
        let mut new = NewRun::new(id, workflow, Payload::null(), now);
        (new.owner, new.parent) = (Some(owner.clone()), parent);
        new
    };
    let batch = Batch {
        starts: vec![
            new("parent", None),
            new("first", Some(parent())),
            new("second", Some(parent())),
        ],
        ..Batch::default()
    };
    store.commit(&batch).await.unwrap();
}

/// Until somebody is about to lock a row that this transaction has locked.
async fn until_somebody_waits(other: &DatabaseTransaction, server: Server) {
    let waiting = match server {
        Server::Postgres => {
            "SELECT count(*) FROM pg_locks \
             WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
        }
        Server::MySql => {
            "SELECT count(*) FROM information_schema.processlist WHERE db = DATABASE() \
             AND info LIKE 'SELECT no, status, owner, tags FROM durable_runs % FOR UPDATE'"
        }
    };
    let look = async {
        loop {
            let look = Statement::from_string(other.get_database_backend(), waiting);
            let row = other.query_one_raw(look).await.unwrap().unwrap();
            if row.try_get_by_index::<i64>(0).unwrap() > 0 {
                break;
            }
        }
    };
    let patience = std::time::Duration::from_secs(30);
    let waited = tokio::time::timeout(patience, look).await;
    assert!(waited.is_ok(), "{server:?}: the cancel waits for nobody");
}
