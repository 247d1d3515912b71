//! Runs whose steps go to workers over the transport, which may lose and repeat them (clause 6).

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "what fails is meant to fail its case"
)]

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore};

use super::{envelopes::soon, faults::Faulty};
use crate::durable::{Durable, Error};
use crate::model::RunStatus;
use crate::testing::TestDurable;
use crate::transport::Transport;
use crate::workflow::{BoxFuture, StateNeed, States, Step, StepCtx, StepError, Workflow};

/// How long an attempt may take, by the clock of the test.
const TIMEOUT: Duration = Duration::from_secs(3_600);

/// What the steps do to the world outside.
#[derive(Debug, Clone)]
struct World {
    /// The keys under which they were executed.
    keys: Arc<Mutex<Vec<String>>>,
    begun: Arc<Notify>,
    /// An attempt that gets no permit does not end.
    permits: Arc<Semaphore>,
}

impl World {
    fn new(permits: usize) -> Self {
        Self {
            keys: Arc::default(),
            begun: Arc::default(),
            permits: Arc::new(Semaphore::new(permits)),
        }
    }

    fn keys(&self) -> Vec<String> {
        self.keys.lock().clone()
    }
}

fn double(n: u32, states: States, step: StepCtx) -> BoxFuture<'static, Result<u32, StepError>> {
    Box::pin(async move {
        let world: World = states.get().unwrap();
        world.keys.lock().push(step.idempotency_key());
        world.begun.notify_one();
        world.permits.acquire().await.unwrap().forget();
        Ok(n * 2)
    })
}

fn step() -> Step<u32, u32> {
    let needs: &[StateNeed] = const { &[StateNeed::of::<World>()] };
    Step::new("double", double).with_needs(needs)
}

/// Doubles its input so many times.
fn powers() -> Workflow<u32, u32> {
    Workflow::new("powers", 1, |ctx, times: u32| {
        Box::pin(async move {
            let mut n = 1;
            for _ in 0..times {
                n = ctx.remote(&step(), n).retries(3).timeout(TIMEOUT).await?;
            }
            Ok(n)
        })
    })
}

async fn open(transport: &Faulty, world: &World) -> TestDurable {
    let (transport, world) = (transport.clone(), world.clone());
    let opened = TestDurable::with(move |it| {
        let it = it.only_registered().register(powers()).register(step());
        it.provide(world.clone()).transport(transport.clone())
    });
    opened.await.unwrap()
}

/// Starts a run of `times` steps.
async fn start(app: &TestDurable, run: &str, times: u32) {
    app.start(powers(), times).id(run).await.unwrap();
}

async fn result(app: &TestDurable, run: &str) -> Result<u32, Error> {
    let run = Durable::run::<u32>(app, run).unwrap();
    soon("the end of a run", run.result()).await
}

/// Clause 1, by a worker.
pub async fn a_step_comes_back_with_its_answer(transport: Arc<dyn Transport>) {
    let world = World::new(10);
    let app = open(&Faulty::new(transport), &world).await;
    start(&app, "a", 2).await;
    assert_eq!(result(&app, "a").await.unwrap(), 4);
    assert_eq!(world.keys(), ["a:0", "a:1"]);
}

/// Clauses 1 and 3: more steps than a worker executes at once.
pub async fn many_steps_come_back_to_their_runs(transport: Arc<dyn Transport>) {
    const RUNS: u32 = 400;
    let world = World::new(10_000);
    let app = open(&Faulty::new(transport), &world).await;
    for run in 0..RUNS {
        start(&app, &format!("r{run}"), run % 4).await;
    }
    for run in 0..RUNS {
        let result = result(&app, &format!("r{run}")).await.unwrap();
        assert_eq!(result, 1 << (run % 4));
    }
}

/// Clause 6. A step may be executed twice then, under one key; its first answer counts.
pub async fn what_comes_twice_counts_once(transport: Arc<dyn Transport>) {
    let world = World::new(100);
    let app = open(&Faulty::new(transport).twice(), &world).await;
    start(&app, "a", 3).await;
    assert_eq!(result(&app, "a").await.unwrap(), 8);
    assert_eq!(app.recorded_steps("a").await, ["double"; 3]);
    let mut keys = world.keys();
    keys.sort();
    keys.dedup();
    assert_eq!(keys, ["a:0", "a:1", "a:2"]);
}

/// Clause 6.
pub async fn a_step_whose_answer_is_lost_is_sent_again(transport: Arc<dyn Transport>) {
    let world = World::new(10);
    let transport = Faulty::new(transport).losing_an_answer();
    let app = open(&transport, &world).await;
    start(&app, "a", 1).await;
    soon("the loss", transport.lost.notified()).await;
    app.clock().advance(TIMEOUT);
    app.settle().await;
    // The wait before the next attempt is shorter than that.
    app.clock().advance(TIMEOUT);
    assert_eq!(result(&app, "a").await.unwrap(), 2);
    assert_eq!(world.keys(), ["a:0", "a:0"]);
}

/// Clauses 2 and 6: the process is killed while the worker in it has the step.
pub async fn a_step_whose_worker_dies_is_sent_again_under_its_key(transport: Arc<dyn Transport>) {
    let world = World::new(0);
    let mut app = open(&Faulty::new(transport), &world).await;
    start(&app, "a", 1).await;
    soon("the first attempt", world.begun.notified()).await;
    app.crash().await.unwrap();
    world.permits.add_permits(10);
    assert_eq!(result(&app, "a").await.unwrap(), 2);
    let keys = world.keys();
    assert!(
        keys.len() >= 2 && keys.iter().all(|key| key == "a:0"),
        "{keys:?}"
    );
}

/// Clause 6.
pub async fn a_late_answer_changes_nothing(transport: Arc<dyn Transport>) {
    let world = World::new(0);
    let app = open(&Faulty::new(transport), &world).await;
    start(&app, "a", 1).await;
    soon("the attempt", world.begun.notified()).await;
    app.cancel("a").await.unwrap();
    assert!(result(&app, "a").await.is_err(), "it was cancelled");
    // Behind the answer to the first run come those to the second one.
    world.permits.add_permits(10);
    start(&app, "b", 3).await;
    assert_eq!(result(&app, "b").await.unwrap(), 8);
    assert_eq!(app.status("a").await, RunStatus::Cancelled);
}
