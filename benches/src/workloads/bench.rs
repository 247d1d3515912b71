//! What the workloads share: a place, sizes and an engine.

use std::{
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use axum_durable::{Durable, Workflow, durable::DurableBuilder, store::Store, time::Clock};

use crate::{
    counting::{Counting, Counts, Tally},
    flows::{self, Effects, Gate, Lateness, Out},
    place::{Files, Place},
    progress::Progress,
    report::{Failed, Report, rounded},
};

/// Sizes given on the command line, in place of those of the workloads.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sizes {
    pub(crate) runs: Option<usize>,
    pub(crate) steps: Option<usize>,
    pub(crate) in_flight: Option<usize>,
    pub(crate) kills: Option<usize>,
    pub(crate) seconds: Option<u64>,
    pub(crate) lease: Option<Duration>,
}

impl Sizes {
    pub(crate) fn runs_or(self, default: usize) -> usize {
        self.runs.unwrap_or(default).max(1)
    }

    pub(crate) fn steps_or(self, default: usize) -> usize {
        self.steps.unwrap_or(default)
    }

    pub(crate) fn in_flight(self) -> usize {
        self.in_flight.unwrap_or(64).max(1)
    }
}

/// What is measured where.
#[derive(Debug, Clone)]
pub(crate) struct Bench {
    pub(crate) place: Place,
    pub(crate) sizes: Sizes,
    pub(crate) progress: Arc<Progress>,
}

impl Bench {
    /// The same in a database of its own, where the server counts apart.
    pub(crate) async fn apart(&self) -> Result<Self, Failed> {
        Ok(Self {
            place: self.place.apart().await?,
            ..self.clone()
        })
    }

    /// An engine over a new, empty store.
    pub(crate) async fn engine(&self, purpose: &str) -> Result<Engine, Failed> {
        self.engine_with(purpose, |builder| builder).await
    }

    /// An engine over a new, empty store, set up as `set` says.
    pub(crate) async fn engine_with(
        &self,
        purpose: &str,
        set: impl FnOnce(DurableBuilder) -> DurableBuilder,
    ) -> Result<Engine, Failed> {
        let (store, files) = self.place.create(purpose).await?;
        let effects = Effects::new(None, Gate::Open);
        let mut engine = Engine::over(store, effects, set).await?;
        engine.files = Some(Arc::new(files));
        Ok(engine)
    }

    /// A report with what all have in common.
    pub(crate) fn report(&self, workload: &'static str) -> Report {
        Report {
            workload,
            store: self.place.to_string(),
            ..Report::default()
        }
    }
}

/// An engine with the workflows that are measured.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    pub(crate) durable: Durable,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) counts: Arc<Counts>,
    pub(crate) steps: Workflow<u32, Out>,
    pub(crate) signal: Workflow<u32, Out>,
    pub(crate) park: Workflow<u32, ()>,
    pub(crate) crash: Workflow<u32, Out>,
    pub(crate) family: Workflow<u32, u32>,
    pub(crate) timer: Workflow<i64, ()>,
    pub(crate) lateness: Lateness,
    pub(crate) future_bytes: Arc<AtomicUsize>,
    pub(crate) effects: Arc<Effects>,
    pub(crate) files: Option<Arc<Files>>,
}

impl Engine {
    pub(crate) async fn over(
        store: Arc<dyn Store>,
        effects: Effects,
        set: impl FnOnce(DurableBuilder) -> DurableBuilder,
    ) -> Result<Self, Failed> {
        let (lateness, clock) = (Lateness::default(), store.clock());
        let store = Counting::new(store);
        let counts = store.counts();
        let (future_bytes, effects) = (Arc::default(), Arc::new(effects));
        let (steps, signal) = (flows::steps(), flows::signal());
        let (park, crash) = (flows::park(&future_bytes), flows::crash(&effects));
        let (family, timer) = (
            flows::family(&steps),
            flows::timer(Arc::clone(&clock), &lateness),
        );
        let builder = Durable::builder()
            .store(store)
            .only_registered()
            .register(steps.clone())
            .register(signal.clone())
            .register(park.clone())
            .register(crash.clone())
            .register(family.clone())
            .register(timer.clone());
        Ok(Self {
            durable: set(builder).build().await?,
            clock,
            counts,
            steps,
            signal,
            park,
            crash,
            family,
            timer,
            lateness,
            future_bytes,
            effects,
            files: None,
        })
    }

    /// Starts a run of `steps` steps and awaits its result.
    pub(crate) async fn run_steps(&self, id: String, steps: usize) -> Result<(), Failed> {
        let steps = u32::try_from(steps)?;
        let run = self.durable.start(&self.steps, steps).id(id).await?;
        run.result().await?;
        Ok(())
    }

    /// Runs `count` runs of one step that are not measured.
    pub(crate) async fn warm_up(&self, count: usize) -> Result<(), Failed> {
        for i in 0..count {
            self.run_steps(format!("warm-{i}"), 1).await?;
        }
        Ok(())
    }
}

impl Report {
    /// Fills in what was written by `steps` steps in `wall_s` seconds.
    pub(crate) fn written(&mut self, tally: Tally, steps: usize, wall_s: f64) {
        let commits = tally.commits as f64;
        self.commits_per_step = rounded(commits / steps as f64);
        self.changes_per_commit = rounded(tally.changes as f64 / commits);
        self.store_busy = rounded(tally.busy.as_secs_f64() / wall_s);
    }
}
