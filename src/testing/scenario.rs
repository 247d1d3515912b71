//! A workflow with all that it needs to come to its end, and how it ends.

use std::{fmt, sync::Arc, time::Duration};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    app::stop,
    pilot::{Pilot, Stuck},
    process::Process,
    steps::Steps,
};
use crate::durable::{Durable, DurableBuilder, Error};
use crate::engine::EngineConfig;
use crate::id::{RunId, Seq};
use crate::model::{CheckpointKind, RunStatus, SignalId};
use crate::payload::{Payload, PayloadError};
use crate::registry::WorkflowEntry;
use crate::store::{ReadStore, Store};
use crate::time::Timestamp;
use crate::workflow::IntoWorkflow;

/// The run of every trial.
pub(super) const RUN: &str = "trial";

/// What a process of a trial is built with.
pub(super) type Setup = Arc<dyn Fn(DurableBuilder) -> DurableBuilder + Send + Sync>;

/// A workflow with all that it needs to come to its end, for
/// [`crash_everywhere`](Scenario::crash_everywhere) and [`simulate`](Scenario::simulate).
///
/// # Examples
///
/// ```standalone_crate
/// use axum_durable::{prelude::*, testing::Scenario};
///
/// #[workflow]
/// async fn refund(ctx: &WorkflowCtx, cents: u32, State(bank): State<&'static str>) -> Result<String> {
///     let approved: bool = ctx.wait_for_signal("approve").await?;
///     ctx.step("pay", async || Ok(format!("{bank} {cents} {approved}"))).retries(3).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// let scenario = Scenario::of(refund, 500)
///     .with(|builder| builder.provide("bank"))
///     .signal("approve", true);
/// let report = scenario.crash_everywhere().await;
/// assert!(report.crashes > 4);
/// assert_eq!(report.output::<String>()?.as_deref(), Some("bank 500 true"));
/// scenario.simulate(0..10).await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "nothing is tried until `crash_everywhere` or `simulate` is awaited"]
pub struct Scenario {
    workflow: WorkflowEntry,
    input: Payload,
    signals: Vec<Signal>,
    fresh: Arc<dyn Fn() -> Setup + Send + Sync>,
    compares_outputs: bool,
}

/// A signal or event that the run needs. The same one however often it is sent.
#[derive(Debug, Clone)]
pub(super) struct Signal {
    id: SignalId,
    pub(super) token: Arc<str>,
    payload: Payload,
    is_event: bool,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    pub(super) status: RunStatus,
    pub(super) output: Option<Payload>,
    code: Option<String>,
}

/// What came out of [`Scenario::crash_everywhere`] or [`Scenario::simulate`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TrialReport {
    /// How often a process was killed, in all.
    pub crashes: u32,
    /// How the run ends, each time.
    pub status: RunStatus,
    output: Option<Payload>,
}

impl TrialReport {
    pub(super) fn new(crashes: u32, end: End) -> Self {
        Self {
            crashes,
            status: end.status,
            output: end.output,
        }
    }

    /// What the run returned; `None` if it ended without a result.
    ///
    /// # Errors
    ///
    /// [`PayloadError`] if that is no `T`.
    pub fn output<T: DeserializeOwned>(&self) -> Result<Option<T>, PayloadError> {
        self.output.as_ref().map(Payload::decode).transpose()
    }
}

impl Scenario {
    /// A run of `workflow` with `input`.
    ///
    /// # Panics
    ///
    /// If the input has no JSON form.
    pub fn of<I: Serialize, O>(workflow: impl IntoWorkflow<I, O>, input: I) -> Self {
        let input = Payload::encode(&input);
        Self {
            workflow: WorkflowEntry::from(workflow.into_workflow()),
            input: input.unwrap_or_else(|error| stop(&error.to_string())),
            signals: Vec::new(),
            fresh: Arc::new(|| Arc::new(|builder| builder)),
            compares_outputs: true,
        }
    }

    /// Builds each process with values and definitions. What it provides is shared by all trials,
    /// like a real outside world; see [`with_fresh`](Self::with_fresh).
    pub fn with(
        mut self,
        setup: impl Fn(DurableBuilder) -> DurableBuilder + Send + Sync + 'static,
    ) -> Self {
        let setup: Setup = Arc::new(setup);
        self.fresh = Arc::new(move || Arc::clone(&setup));
        self
    }

    /// Like [`with`](Self::with), with a setup that `fresh` makes anew for each trial and that all
    /// processes of the trial share: for values that count or remember.
    pub fn with_fresh<S>(mut self, fresh: impl Fn() -> S + Send + Sync + 'static) -> Self
    where
        S: Fn(DurableBuilder) -> DurableBuilder + Send + Sync + 'static,
    {
        self.fresh = Arc::new(move || Arc::new(fresh()));
        self
    }

    /// A signal that the run needs; it is sent after the start, in the order of these calls.
    ///
    /// # Panics
    ///
    /// If the value has no JSON form.
    pub fn signal(self, token: impl Into<Arc<str>>, value: impl Serialize) -> Self {
        self.needs(token.into(), &value, false)
    }

    /// An event that the run waits for; it is published after the start, in the order of these
    /// calls and those of [`signal`](Self::signal), and kept for an hour.
    ///
    /// # Panics
    ///
    /// If the value has no JSON form.
    pub fn event(self, name: impl Into<Arc<str>>, value: impl Serialize) -> Self {
        self.needs(name.into(), &value, true)
    }

    fn needs(mut self, token: Arc<str>, value: &impl Serialize, is_event: bool) -> Self {
        let payload = Payload::encode(value);
        self.signals.push(Signal {
            id: SignalId::generate(),
            token,
            payload: payload.unwrap_or_else(|error| stop(&error.to_string())),
            is_event,
        });
        self
    }

    /// Accepts that each trial has an output of its own, because it depends on time or on the
    /// outside world. Only the status is compared then.
    pub const fn ignoring_output(mut self) -> Self {
        self.compares_outputs = false;
        self
    }

    pub(super) fn fresh(&self) -> Setup {
        (self.fresh)()
    }

    pub(super) fn signals(&self) -> &[Signal] {
        &self.signals
    }

    pub(super) fn is_same(&self, one: &End, other: &End) -> bool {
        let is_same_output = !self.compares_outputs || one.output == other.output;
        is_same_output && one.status == other.status && one.code == other.code
    }

    /// Starts a process on a store.
    pub(super) async fn open(
        &self,
        store: impl Store,
        setup: &Setup,
        evicts: bool,
        more: impl FnOnce(DurableBuilder) -> DurableBuilder,
    ) -> Process {
        let config = EngineConfig {
            evict_at_every_wait: evicts,
            // A process that died must be found soon.
            recovery_interval: Duration::from_millis(2),
            ..EngineConfig::default()
        };
        let builder = Durable::builder().config(config).store(store);
        let builder = setup(more(builder.offer(self.workflow.clone())));
        match Process::start(builder).await {
            Ok(process) => process,
            Err(error) => stop(&format!("no process can be built: {error}")),
        }
    }

    /// What a client does: it starts the run, and repeats that until it has an answer.
    pub(super) async fn place(&self, durable: &Durable) {
        let key = &self.workflow.key;
        let input = self.input.decode().unwrap_or_default();
        let start = durable.start_named(Arc::clone(&key.name), &input);
        if let Err(error) = start.version(key.version).id(RUN).await {
            stop(&format!("the run cannot be started: {error}"));
        }
    }

    /// What a client does: it sends a signal or publishes an event.
    pub(super) async fn send(&self, durable: &Durable, signal: &Signal) {
        let value: serde_json::Value = signal.payload.decode().unwrap_or_default();
        let token = Arc::clone(&signal.token);
        let sent: Result<(), Error> = if signal.is_event {
            let event = durable.publish_event(token, &value);
            event.id(signal.id.0.to_string()).await.map(drop)
        } else {
            durable.signal_once(signal.id, token, value).await.map(drop)
        };
        if let Err(error) = sent {
            stop(&format!("`{}` is not taken: {error}", signal.token));
        }
    }

    /// Brings the run to its end without any trouble.
    pub(super) async fn calm_end(&self) -> End {
        let (pilot, setup) = (Pilot::new(), self.fresh());
        let process = self
            .open(pilot.store.clone(), &setup, false, |builder| builder)
            .await;
        self.place(&process).await;
        for signal in &self.signals {
            self.send(&process, signal).await;
        }
        let end = finish(&pilot, &process).await;
        process.crash().await;
        end
    }
}

/// Moves the clock until the run has ended.
pub(super) async fn finish(pilot: &Pilot, durable: &Durable) -> End {
    loop {
        let next = match pilot.settle(durable).await {
            Ok(next) => next,
            Err(Stuck(run)) => stop(&why_not(durable, run.as_str()).await),
        };
        if let Some(end) = end_of(pilot).await {
            return end;
        }
        if !pilot.hop(next, Timestamp::MAX) {
            stop(&why_not(durable, RUN).await);
        }
    }
}

/// How the run has ended; `None` while it has not.
pub(super) async fn end_of(pilot: &Pilot) -> Option<End> {
    let run = pilot.store.run(&RunId::from_trusted(RUN)).await;
    let run = run.ok().flatten()?;
    let is_over = run.status.is_terminal() || run.status == RunStatus::Blocked;
    is_over.then(|| End {
        status: run.status,
        output: run.output,
        code: run.failure.and_then(|failure| failure.code),
    })
}

async fn why_not(durable: &Durable, run: &str) -> String {
    match durable.explain(run).await {
        Ok(why) => format!("run `{run}` does not end: {}", why.reason),
        Err(error) => format!("run `{run}` does not end: {error}"),
    }
}

/// What is stored of the steps that have completed: position, name, and how often they had been
/// executed by then.
pub(super) async fn completed(pilot: &Pilot, steps: &Steps) -> Vec<(Seq, Arc<str>, u32)> {
    let record = pilot.store.load(&RunId::from_trusted(RUN)).await;
    let history = record.ok().flatten().map(|record| record.history);
    let done = history.into_iter().flatten().filter(|it| {
        let is_local = matches!(it.kind, CheckpointKind::Step | CheckpointKind::Compensation);
        is_local && it.status.is_released()
    });
    done.map(|it| (it.seq, it.name, steps.executions(RUN, it.seq).begun))
        .collect()
}

/// The first of the completed steps that was executed again since.
pub(super) fn repeated(done: &[(Seq, Arc<str>, u32)], steps: &Steps) -> Option<String> {
    let again = done
        .iter()
        .find(|(seq, _, begun)| steps.executions(RUN, *seq).begun != *begun);
    again.map(|(seq, name, _)| format!("step `{name}` at {seq} had ended and was executed again"))
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scenario")
            .field("workflow", &self.workflow)
            .field("signals", &self.signals.len())
            .finish_non_exhaustive()
    }
}
