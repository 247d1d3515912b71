//! Instances tell each other news. What they are told is only when to look, so that everything
//! also comes right without.
//!
//! The engines of a test share one paused clock, which moves only while nothing can happen: what
//! takes no time was told, and what takes an hour was found by a poll.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use axum_durable::{
    DurableError, MemoryStore, RunStatus,
    control_plane::{Bulletin, ControlPlane, Hint, Notice, Notices},
    durable::DurableBuilder,
    engine::{CancelOutcome, EngineConfig, SignalOutcome},
    event::EngineEvent,
    id::RunId,
    prelude::*,
    store::ReadStore,
};
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, broadcast, mpsc},
    time::Instant,
};

use crate::support::world::{flow, soon};

const HOUR: Duration = Duration::from_secs(3_600);

/// Longer than hints collect, shorter than any poll.
const AT_ONCE: Duration = Duration::from_millis(100);

/// Waits for a number, then for another one, and adds them up.
fn sum() -> Workflow<(), u32> {
    flow("sum", |ctx, ()| async move {
        let a: u32 = ctx.wait_for_signal("a").await?;
        let b: u32 = ctx.wait_for_signal("b").await?;
        Ok(a + b)
    })
}

/// Adds up at once.
fn quick() -> Workflow<u32, u32> {
    flow("quick", |ctx, n: u32| async move {
        ctx.step("double", async || Ok::<_, StepError>(2 * n)).await
    })
}

/// An instance whose polls come once an hour.
async fn instance(
    store: &MemoryStore,
    set: impl FnOnce(DurableBuilder) -> DurableBuilder,
) -> Durable {
    let mut config = EngineConfig::default();
    config.poll_interval = HOUR;
    let builder = Durable::builder().config(config).store(store.clone());
    let builder = builder.register(sum()).register(quick());
    set(builder.only_registered()).build().await.unwrap()
}

/// One instance that executes runs, and one that does not.
async fn pair(store: &MemoryStore) -> (Durable, Durable) {
    let driver = instance(store, |it| it).await;
    let api = instance(store, |it| it.drive(false)).await;
    (driver, api)
}

/// Waits until a run waits for a signal, by the events of the instance that has it.
async fn waits_for(durable: &Durable, run: &str, token: &str) {
    let mut events = durable.subscribe();
    let look = async {
        loop {
            let now = durable.explain(run).await.unwrap();
            if now.waiting_for.iter().any(|it| it.name == token) {
                return;
            }
            drop(tokio::time::timeout(Duration::from_millis(1), events.recv()).await);
        }
    };
    soon("the wait", look).await;
}

/// The result of a future that takes no time.
async fn at_once<F: Future>(what: &str, future: F) -> F::Output {
    let begun = Instant::now();
    let outcome = soon(what, future).await;
    assert!(begun.elapsed() <= AT_ONCE, "{what}: {:?}", begun.elapsed());
    outcome
}

/// Long enough for every wait between looks to have grown to its full length.
async fn some_time() {
    tokio::time::sleep(Duration::from_millis(20_300)).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_begins_at_once_though_it_was_started_where_nothing_executes() {
    let (driver, api) = pair(&MemoryStore::new()).await;
    some_time().await;
    let run = api.start(quick(), 4).id("a").await.unwrap();
    assert_eq!(at_once("the result", run.result()).await.unwrap(), 8);
    api.start(sum(), ()).id("b").await.unwrap();
    at_once("the wait", waits_for(&driver, "b", "a")).await;
}

#[tokio::test(start_paused = true)]
async fn a_delayed_run_is_known_to_those_who_execute() {
    let (_driver, api) = pair(&MemoryStore::new()).await;
    some_time().await;
    let delay = Duration::from_millis(1);
    let run = api.start(quick(), 4).delay(delay).await.unwrap();
    // The store's clock is the machine's, which goes on while the tests' jumps.
    let result = run.result_within(HOUR / 2).await;
    assert_eq!(result.unwrap(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_signal_reaches_a_run_that_waits_elsewhere_at_once() {
    let (driver, api) = pair(&MemoryStore::new()).await;
    driver.start(sum(), ()).id("a").await.unwrap();
    waits_for(&driver, "a", "a").await;
    some_time().await;
    let sent = api.signal("a", 1).await.unwrap();
    assert_eq!(sent, SignalOutcome::Delivered);
    at_once("the next wait", waits_for(&driver, "a", "b")).await;
}

#[tokio::test(start_paused = true)]
async fn a_signal_wakes_a_run_that_nobody_holds_at_once() {
    let store = MemoryStore::new();
    let evicts = |it: DurableBuilder| it.evict_at_every_wait(true);
    let driver = instance(&store, evicts).await;
    let api = instance(&store, |it| it.drive(false)).await;
    driver.start(sum(), ()).id("a").await.unwrap();
    waits_for(&driver, "a", "a").await;
    some_time().await;
    api.signal("a", 1).await.unwrap();
    at_once("the next wait", waits_for(&driver, "a", "b")).await;
}

#[tokio::test(start_paused = true)]
async fn a_cancel_reaches_a_run_that_waits_elsewhere_at_once() {
    let (driver, api) = pair(&MemoryStore::new()).await;
    driver.start(sum(), ()).id("a").await.unwrap();
    waits_for(&driver, "a", "a").await;
    some_time().await;
    let asked = api.cancel("a").await.unwrap();
    assert_eq!(asked, CancelOutcome::Requested);
    let ended = api.wait_for_run("a").unwrap().into_future();
    let ended = at_once("the end", ended).await.unwrap();
    assert_eq!(ended.status, RunStatus::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn a_result_is_told_to_who_waits_elsewhere() {
    let (driver, api) = pair(&MemoryStore::new()).await;
    driver.start(sum(), ()).id("a").await.unwrap();
    let waiting = api.run::<u32>("a").unwrap();
    let waiting = api
        .engine()
        .tasks()
        .spawn(async move { waiting.result().await });
    some_time().await;
    driver.signal("a", 1).await.unwrap();
    driver.signal("b", 2).await.unwrap();
    let result = at_once("the result", waiting).await.unwrap();
    assert_eq!(result.unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_run_that_nobody_held_is_told_too() {
    let store = MemoryStore::new();
    let api = instance(&store, |it| it.drive(false)).await;
    let other = instance(&store, |it| it.drive(false)).await;
    api.start(sum(), ()).id("a").await.unwrap();
    let waiting = api.run::<u32>("a").unwrap();
    let waiting = api
        .engine()
        .tasks()
        .spawn(async move { waiting.result().await });
    some_time().await;
    let asked = other.cancel("a").await.unwrap();
    assert_eq!(asked, CancelOutcome::Cancelled);
    let result = at_once("the end", waiting).await.unwrap();
    let Err(DurableError::RunFailed { status, .. }) = result else {
        panic!("{result:?}");
    };
    assert_eq!(status, RunStatus::Cancelled);
}

/// The next event of a run.
async fn event(events: &mut broadcast::Receiver<EngineEvent>, run: &str) -> EngineEvent {
    loop {
        let event = events.recv().await.unwrap();
        if event.run().as_str() == run {
            return event;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_follows_a_run_hears_how_it_gets_on_elsewhere() {
    let (driver, api) = pair(&MemoryStore::new()).await;
    for run in ["a", "unheard"] {
        driver.start(sum(), ()).id(run).await.unwrap();
        waits_for(&driver, run, "a").await;
    }
    let mut events = api.subscribe();
    api.engine().follow(&RunId::parse("a").unwrap());
    // How it stood when the interest began.
    let stands = at_once("the first event", event(&mut events, "a")).await;
    let EngineEvent::Advanced { rev, status, .. } = stands else {
        panic!("{stands:?}");
    };
    assert_eq!(status, RunStatus::Suspended);
    driver.signal("a", 1).await.unwrap();
    let moved = at_once("the next event", event(&mut events, "a")).await;
    let EngineEvent::Advanced { rev: later, .. } = moved else {
        panic!("{moved:?}");
    };
    assert!(later > rev);
    driver.cancel("unheard").await.unwrap();
    some_time().await;
    while let Ok(event) = events.try_recv() {
        assert_eq!(event.run().as_str(), "a", "nobody follows the other one");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_handed_back_goes_on_elsewhere_at_once() {
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let two = {
        let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
        flow("two", move |ctx, ()| {
            let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
            async move {
                let first = ctx.step("first", async || {
                    begun.notify_one();
                    go_on.notified().await;
                    Ok::<_, StepError>(1)
                });
                let first = first.await?;
                let second = ctx.step("second", async || Ok::<_, StepError>(2)).await?;
                Ok(first + second)
            }
        })
    };
    let store = MemoryStore::new();
    let first = instance(&store, |it| it.register(two.clone())).await;
    first.start(two.clone(), ()).id("a").await.unwrap();
    soon("the step", begun.notified()).await;
    let second = instance(&store, |it| it.register(two.clone())).await;
    some_time().await;
    let drain = {
        let first = first.clone();
        second
            .engine()
            .tasks()
            .spawn(async move { first.drain(HOUR).await })
    };
    tokio::time::sleep(AT_ONCE).await;
    go_on.notify_one();
    let mut events = second.subscribe();
    at_once("the drain", drain).await.unwrap();
    let ended = async {
        while let EngineEvent::Advanced { status, .. } = event(&mut events, "a").await
            && !status.is_terminal()
        {}
    };
    at_once("the end", ended).await;
    // Started by an instance that takes nothing more.
    let run = first.start(quick(), 1).await.unwrap();
    assert_eq!(at_once("the result", run.result()).await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_an_instance_leaves_behind_goes_on_elsewhere_at_once() {
    let stuck = || {
        flow("stuck", |ctx, is_first: bool| async move {
            let body = async || {
                if is_first {
                    // Only an end of the process gets it out of this.
                    std::future::pending::<()>().await;
                }
                Ok::<_, StepError>(())
            };
            ctx.step("body", body).await
        })
    };
    let store = MemoryStore::new();
    let cut = |it: DurableBuilder| it.drain_within(Duration::ZERO);
    let first = instance(&store, |it| cut(it).register(stuck())).await;
    let second = instance(&store, |it| it.register(stuck())).await;
    first.start(stuck(), true).id("a").await.unwrap();
    some_time().await;
    let mut changes = second.subscribe();
    let held = store.held(&second.engine().instance()).await.unwrap();
    assert_eq!(held, []);
    first.shutdown().await;
    let taken = async {
        while store
            .held(&second.engine().instance())
            .await
            .unwrap()
            .is_empty()
        {
            drop(tokio::time::timeout(Duration::from_millis(1), changes.recv()).await);
        }
    };
    at_once("the claim", taken).await;
}

/// Loses everything, and keeps what it lost. Clones share it.
#[derive(Debug, Clone, Default)]
struct Void {
    lost: Arc<Mutex<Vec<Hint>>>,
    streams: Arc<Mutex<Vec<mpsc::UnboundedSender<Notice>>>>,
}

impl Void {
    /// Says so to everyone.
    fn resync(&self) {
        for stream in &*self.streams.lock() {
            stream.send(Notice::Resync).unwrap();
        }
    }
}

#[async_trait]
impl ControlPlane for Void {
    async fn publish(&self, bulletin: Bulletin) {
        self.lost.lock().extend(bulletin.hints);
    }

    fn subscribe(&self) -> Box<dyn Notices> {
        let (tx, rx) = mpsc::unbounded_channel();
        self.streams.lock().push(tx);
        Box::new(Silence(rx))
    }

    fn is_live(&self) -> bool {
        false
    }
}

#[derive(Debug)]
struct Silence(mpsc::UnboundedReceiver<Notice>);

#[async_trait]
impl Notices for Silence {
    async fn next(&mut self) -> Option<Notice> {
        self.0.recv().await
    }
}

/// A driver and an API instance that do not hear each other.
async fn deaf_pair(plane: &Void, poll: Duration) -> (Durable, Durable) {
    let store = MemoryStore::new();
    let mut config = EngineConfig::default();
    config.poll_interval = poll;
    let deaf = |it: DurableBuilder| it.config(config).control_plane(plane.clone());
    let driver = instance(&store, |it| deaf.clone()(it)).await;
    let api = instance(&store, |it| deaf(it).drive(false)).await;
    (driver, api)
}

#[tokio::test(start_paused = true)]
async fn without_any_news_everything_is_found_by_polling() {
    let plane = Void::default();
    let (_driver, api) = deaf_pair(&plane, Duration::from_secs(1)).await;
    some_time().await;
    let begun = Instant::now();
    let run = api.start(sum(), ()).id("a").await.unwrap();
    waits_for(&api, "a", "a").await;
    api.signal("a", 1).await.unwrap();
    waits_for(&api, "a", "b").await;
    api.signal("b", 2).await.unwrap();
    assert_eq!(soon("the result", run.result()).await.unwrap(), 3);
    assert!(begun.elapsed() > AT_ONCE, "it was told");
    assert!(begun.elapsed() < Duration::from_secs(8));
    let lost = plane.lost.lock();
    assert!(lost.contains(&Hint::Due) && lost.len() > 2, "{lost:?}");
}

#[tokio::test(start_paused = true)]
async fn everyone_looks_when_news_may_have_been_lost() {
    let plane = Void::default();
    let (driver, api) = deaf_pair(&plane, HOUR).await;
    some_time().await;
    api.start(sum(), ()).id("a").await.unwrap();
    some_time().await;
    let status = api.get_run("a").await.unwrap().unwrap().status;
    assert_eq!(status, RunStatus::Pending, "nobody was told");

    // Runs that are due are claimed.
    plane.resync();
    at_once("the first wait", waits_for(&driver, "a", "a")).await;
    // Runs in memory look into their inbox.
    api.signal("a", 1).await.unwrap();
    plane.resync();
    at_once("the second wait", waits_for(&driver, "a", "b")).await;
    // Whoever waits or listens reads the run.
    let waiting = api.run::<u32>("a").unwrap();
    let waiting = api
        .engine()
        .tasks()
        .spawn(async move { waiting.result().await });
    some_time().await;
    let mut events = api.subscribe();
    driver.signal("b", 2).await.unwrap();
    let id = RunId::parse("a").unwrap();
    while !api
        .engine()
        .store()
        .run(&id)
        .await
        .unwrap()
        .unwrap()
        .status
        .is_terminal()
    {
        tokio::task::yield_now().await;
    }
    plane.lost.lock().clear();
    plane.resync();
    let result = at_once("the result", waiting).await.unwrap();
    assert_eq!(result.unwrap(), 3);
    let told = at_once("the event", event(&mut events, "a")).await;
    assert_eq!(told, EngineEvent::Changed { run: id.clone() });
    // And what is followed is told to the others again.
    tokio::task::yield_now().await;
    let again = |hint: &Hint| matches!(hint, Hint::Watch { run, .. } if *run == id);
    assert!(plane.lost.lock().iter().any(again));
}
