//! Random workflows replay exactly, from every point at which a crash could leave them.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use axum_durable::{
    Durable, MemoryStore, RunStatus,
    id::{FencingToken, RunId},
    model::{Checkpoint, CheckpointKind, NewRun, WorkflowKey},
    payload::Payload,
    prelude::*,
    store::{Batch, BatchAck, CommitStore, Custody, ReadStore, RunCommit, Store, StoreError},
    testing::{Probe, ProbedStore, StoreCall},
};
use parking_lot::Mutex;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::support::{
    program::{self, Env, Generator, Mutation, Node},
    turbo::Turbo,
};

/// Programs per run of this test. `DURABLE_TEST_PROGRAMS` changes it.
const PROGRAMS: u64 = 10_000;

fn workflow(node: &Node, env: &Arc<Env>) -> Workflow<(), u64> {
    let (node, env) = (node.clone(), Arc::clone(env));
    Workflow::from_body("random", 1, move |ctx, ()| {
        let (node, env) = (node.clone(), Arc::clone(&env));
        Box::pin(async move { Ok(program::run(&ctx, &env, &node).await) })
    })
}

/// Keeps a copy of the store after each commit: what a crash right after it would leave. Questions
/// and answers take their time, as those to a database do, so that they overtake each other.
#[derive(Debug)]
struct Copies {
    of: MemoryStore,
    taken: Mutex<Vec<MemoryStore>>,
    delays: Mutex<ChaCha8Rng>,
}

impl Copies {
    fn new(of: &MemoryStore, seed: u64) -> Self {
        Self {
            of: of.clone(),
            taken: Mutex::default(),
            delays: Mutex::new(ChaCha8Rng::seed_from_u64(seed)),
        }
    }

    async fn delay(&self) {
        let turns = self.delays.lock().next_u32() % 64;
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    }
}

#[async_trait]
impl Probe for Copies {
    async fn before(&self, call: StoreCall) -> Result<(), StoreError> {
        if call == StoreCall::Read {
            self.delay().await;
        }
        Ok(())
    }

    async fn after(&self, _call: StoreCall) {
        self.delay().await;
    }

    fn written(&self, batch: &Batch, _ack: &BatchAck) {
        if !batch.commits.is_empty() {
            self.taken.lock().push(self.of.fork());
        }
    }
}

/// What one execution left.
struct Left {
    status: RunStatus,
    output: Option<u64>,
    history: Vec<Checkpoint>,
    failure: Option<String>,
}

const RUN: &str = "the-run";

/// Executes a program on a store until it ends, or goes on with the run that is in it.
async fn execute(store: impl Store + Clone, node: &Node, env: &Arc<Env>) -> Left {
    let workflow = workflow(node, env);
    let durable = Durable::builder()
        .store(store.clone())
        .register(workflow.clone())
        .register(program::child())
        .only_registered()
        .build()
        .await
        .unwrap();
    let started = durable.start(&workflow, ()).id(RUN).await.unwrap();
    // What comes from another instance reaches the run by another way.
    let elsewhere = if env.hears_from_elsewhere {
        Some(api(store.clone()).await)
    } else {
        None
    };
    let sender = elsewhere.as_ref().unwrap_or(&durable);
    let (mut signals, mut events) = (Vec::new(), Vec::new());
    node.each(&mut |part| match part {
        Node::Signal { id, .. } => signals.push(*id),
        Node::Event { id, .. } => events.push(*id),
        _ => {}
    });
    // Enough for loops; what is left over is never looked at.
    for _ in 0..4 {
        for id in &signals {
            let signal = sender.signal(format!("t{id}"), u64::from(*id));
            signal.await.unwrap();
        }
        for id in &events {
            let event = sender.publish_event(format!("v{id}"), &u64::from(*id));
            event.await.unwrap();
        }
    }
    let ended = tokio::time::timeout(Duration::from_secs(60), started.result()).await;
    assert!(
        ended.is_ok(),
        "the run hangs: {:?}\n{:?}",
        durable.explain(RUN).await,
        store.load(&RunId::from_trusted(RUN)).await
    );
    durable.engine().shutdown(Duration::ZERO).await;
    if let Some(elsewhere) = elsewhere {
        elsewhere.engine().shutdown(Duration::ZERO).await;
    }
    read(&store).await
}

/// An instance that executes nothing.
async fn api(store: impl Store) -> Durable {
    let builder = Durable::builder().store(store).drive(false);
    builder.only_registered().build().await.unwrap()
}

async fn read(store: &impl ReadStore) -> Left {
    let record = store
        .load(&RunId::from_trusted(RUN))
        .await
        .unwrap()
        .unwrap();
    Left {
        status: record.run.status,
        output: record.run.output.map(|output| output.decode().unwrap()),
        history: record.history,
        failure: record.run.failure.map(|failure| failure.message),
    }
}

/// The steps whose outcome was handed to the workflow.
fn completed(history: &[Checkpoint]) -> BTreeSet<String> {
    let steps = history.iter().filter(|it| it.kind == CheckpointKind::Step);
    let done = steps.filter(|it| it.status.is_released());
    done.map(|it| format!("{RUN}:{}", it.seq)).collect()
}

/// What must be the same after a crash as before it.
fn assert_kept(before: &[Checkpoint], after: &[Checkpoint], why: &str) {
    for old in before.iter().filter(|it| it.status.is_released()) {
        let new = after.iter().find(|it| it.seq == old.seq);
        let new = new.expect(why);
        let same = (old.kind, &old.name, old.ord, &old.result, old.status)
            == (new.kind, &new.name, new.ord, &new.result, new.status);
        assert!(same, "{old:?} became {new:?}; {why}");
    }
}

async fn check(seed: u64) -> usize {
    let mut generator = Generator::new(seed);
    let node = generator.program();
    let why = format!("seed {seed}, {node:?}");
    let env = Env::new(seed);
    let inner = MemoryStore::with_clock(Arc::new(Turbo::default()));
    let copies = Copies::new(&inner, seed);
    let store = ProbedStore::new(inner, copies);
    let live = execute(store.clone(), &node, &env).await;
    assert_eq!(
        live.status,
        RunStatus::Completed,
        "{:?}; {why}",
        live.failure
    );
    for (key, times) in env.executed.lock().iter() {
        assert!(*times <= 3, "{key} ran {times} times; {why}");
    }

    let copies = std::mem::take(&mut *store.probe().taken.lock());
    let crashes = copies.len();
    for (n, copy) in copies.into_iter().enumerate() {
        let why = format!("crash after commit {n}, {why}");
        let before = read(&copy).await;
        if before.status.is_terminal() {
            continue;
        }
        let env = Env::new(seed ^ n as u64 ^ 0xabcd);
        let after = execute(copy, &node, &env).await;
        assert_eq!(
            after.status,
            RunStatus::Completed,
            "{:?}; {why}",
            after.failure
        );
        assert_kept(&before.history, &after.history, &why);
        let done = completed(&before.history);
        for key in env.executed.lock().keys() {
            assert!(
                !done.contains(key),
                "{key} was completed and ran again; {why}"
            );
        }
    }
    replay_in_full(&node, &live, &why).await;
    crashes
}

/// Replays the whole history up to its last outcome: nothing runs, and the result is the same.
async fn replay_in_full(node: &Node, live: &Left, why: &str) {
    let store = MemoryStore::with_clock(Arc::new(Turbo::default()));
    let (id, at) = (RunId::from_trusted(RUN), store.clock().now());
    let key = WorkflowKey::new("random", 1);
    let mut commit = RunCommit::new(id.clone(), FencingToken(0), RunStatus::Running, at);
    commit.custody = Custody::Release;
    commit.wake_at = at;
    commit.rev = 1;
    commit.checkpoints.clone_from(&live.history);
    let batch = Batch {
        starts: vec![NewRun::new(id, key, Payload::null(), at)],
        commits: vec![commit],
        ..Batch::default()
    };
    store.commit(&batch).await.unwrap();
    let env = Env::new(0);
    let again = execute(store, node, &env).await;
    assert_eq!(again.output, live.output, "{:?}; {why}", again.failure);
    assert!(
        env.executed.lock().is_empty(),
        "{:?} ran; {why}",
        env.executed.lock()
    );
}

/// The numbers of the program's steps whose outcome is recorded.
fn recorded_steps(history: &[Checkpoint]) -> Vec<u32> {
    let steps = history.iter().filter(|it| it.kind == CheckpointKind::Step);
    let names = steps
        .filter(|it| it.status.is_released())
        .map(|it| &it.name);
    names
        .filter_map(|name| name.strip_prefix('s')?.split_once('.')?.0.parse().ok())
        .collect()
}

/// Changes the code under a crashed run: it must be set aside before it does anything, and go on
/// once the change is taken back.
async fn check_mutation(seed: u64, mutation: Mutation) -> bool {
    let node = Generator::new(seed).program();
    let inner = MemoryStore::with_clock(Arc::new(Turbo::default()));
    let copies = Copies::new(&inner, seed);
    let store = ProbedStore::new(inner, copies);
    execute(store.clone(), &node, &Env::new(seed)).await;
    let copies = std::mem::take(&mut *store.probe().taken.lock());
    let mut under_way = None;
    for copy in copies.into_iter().rev() {
        let left = read(&copy).await;
        // What its children write after its end is no crash of it.
        if !left.status.is_terminal() {
            under_way = Some((copy, left));
            break;
        }
    }
    let Some((copy, before)) = under_way else {
        return false;
    };
    let steps = recorded_steps(&before.history);
    let chosen = steps
        .get(usize::try_from(seed % 97).unwrap() % steps.len().max(1))
        .copied();
    let Some((id, changed)) = chosen.and_then(|id| Some((id, node.mutate(id, mutation)?))) else {
        return false;
    };
    let why = format!("{mutation:?} of step {id}, seed {seed}, {node:?}");
    let env = Env::new(seed);
    let blocked = execute(copy.clone(), &changed, &env).await;
    assert_eq!(blocked.status, RunStatus::Blocked, "{why}");
    let failure = blocked.failure.unwrap();
    assert!(
        failure.contains("replayed differently at seq"),
        "{failure}; {why}"
    );
    assert!(
        env.executed.lock().is_empty(),
        "{:?} ran; {why}",
        env.executed.lock()
    );
    assert_kept(&before.history, &blocked.history, &why);

    requeue(copy.clone()).await;
    let healed = execute(copy, &node, &Env::new(seed)).await;
    assert_eq!(
        healed.status,
        RunStatus::Completed,
        "{:?}; {why}",
        healed.failure
    );
    assert_kept(&before.history, &healed.history, &why);
    true
}

/// Requeues the run as an operator would, from an instance that executes nothing.
async fn requeue(store: MemoryStore) {
    let durable = api(store).await;
    durable.requeue(RUN).await.unwrap();
    durable.engine().shutdown(Duration::ZERO).await;
}

/// The seed and the number of programs, from the environment or as they come.
fn plan(share: u64) -> impl Iterator<Item = u64> {
    let number = |name| {
        std::env::var(name)
            .ok()
            .map(|it| it.parse::<u64>().unwrap())
    };
    let first = number("DURABLE_TEST_SEED").unwrap_or_else(rand::random);
    let programs = number("DURABLE_TEST_PROGRAMS").unwrap_or(PROGRAMS) / share;
    println!("DURABLE_TEST_SEED={first} DURABLE_TEST_PROGRAMS={programs}");
    (0..programs).map(move |n| first.wrapping_add(n))
}

#[tokio::test]
async fn random_workflows_replay_exactly_from_every_crash() {
    let mut crashes = 0;
    for seed in plan(1) {
        crashes += check(seed).await;
    }
    println!("{crashes} crashes");
}

#[tokio::test]
async fn changed_code_is_set_aside_before_it_does_anything() {
    let all = [
        Mutation::Rename,
        Mutation::Insert,
        Mutation::Remove,
        Mutation::Reorder,
    ];
    let mut applied = 0;
    for (n, seed) in plan(4).enumerate() {
        applied += u32::from(check_mutation(seed, all[n % 4]).await);
    }
    println!("{applied} mutations");
}
