//! Random trouble, from a seed.

use std::{collections::VecDeque, fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;
use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::{
    app::stop,
    fuse::{Death, Fuse},
    pilot::{Pilot, Stuck},
    probe::ProbedStore,
    process::Process,
    scenario::{End, Scenario, Signal, TrialReport, completed, end_of, repeated},
    shuffle::Shuffling,
    steps::Steps,
};
use crate::model::Failure;
use crate::time::{Clock, Timestamp};
use crate::workflow::{Interceptor, IntoWorkflow, StepAttempt};

/// Runs `workflow` through random trouble; short for [`Scenario::simulate`] with nothing provided
/// and no signals.
///
/// # Panics
///
/// If trouble makes a difference that it must not make. The message names the seed.
///
/// # Examples
///
/// ```standalone_crate
/// use axum_durable::{prelude::*, testing::simulate};
///
/// #[workflow]
/// async fn double(ctx: &WorkflowCtx, n: u32) -> Result<u32> {
///     ctx.step("double", async || Ok(n * 2)).retries(5).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// simulate(double, 21, 0..5).await;
/// # Ok(())
/// # }
/// ```
pub async fn simulate<I: Serialize, O>(
    workflow: impl IntoWorkflow<I, O>,
    input: I,
    seeds: impl IntoIterator<Item = u64>,
) -> TrialReport {
    Scenario::of(workflow, input).simulate(seeds).await
}

/// The longest jump of the clock. Long enough to end any retry, and the timers that come with it
/// end together.
const LONGEST_JUMP: u64 = 60_000;

impl Scenario {
    /// Runs the workflow once per seed through random trouble: processes are killed at random
    /// commits, signals come in any order (those of one token in theirs) and more than once,
    /// steps at workers are sent and answered out of order and twice, the clock jumps forwards
    /// and backwards, and attempts of local steps that have retries left fail.
    ///
    /// Each run must end as it does without trouble, and a local step that had completed must not
    /// be executed again. The seed decides everything but the threads' timing.
    ///
    /// # Panics
    ///
    /// If one of these does not hold, with the seed; and if the run does not end by itself and
    /// with the given signals.
    pub async fn simulate(&self, seeds: impl IntoIterator<Item = u64>) -> TrialReport {
        let expected = self.calm_end().await;
        let mut crashes = 0;
        for seed in seeds {
            let trial = Trial {
                scenario: self,
                seed,
                pilot: Pilot::new(),
                steps: Steps::default(),
                rng: ChaCha8Rng::seed_from_u64(seed),
            };
            crashes += trial.run(&expected).await;
        }
        TrialReport::new(crashes, expected)
    }
}

struct Trial<'a> {
    scenario: &'a Scenario,
    seed: u64,
    pilot: Pilot,
    steps: Steps,
    rng: ChaCha8Rng,
}

impl Trial<'_> {
    fn violated(&self, what: &dyn fmt::Display) -> ! {
        stop(&format!("seed {}: {what}", self.seed))
    }

    /// One run. Answers how often its process was killed.
    async fn run(mut self, expected: &End) -> u32 {
        let setup = self.scenario.fresh();
        let evicts = self.rng.random_bool(0.5);
        let lives: u32 = self.rng.random_range(0..4);
        let mut crashes = 0;
        let end = loop {
            let at = if crashes < lives {
                self.rng.random_range(0..12)
            } else {
                u64::MAX
            };
            let death = match self.rng.random_bool(0.5) {
                true => Death::Before,
                false => Death::After,
            };
            let fuse = Fuse::new(at, death);
            let store = ProbedStore::new(self.pilot.store.clone(), fuse.clone());
            let (flaky, steps) = (Flaky::new(self.fork()), self.steps.clone());
            let transport = Shuffling::new(self.fork());
            let more = |builder: crate::durable::DurableBuilder| {
                let builder = builder.transport(transport);
                builder.interceptor(flaky).interceptor(steps)
            };
            let done = completed(&self.pilot, &self.steps).await;
            let process = self.scenario.open(store, &setup, evicts, more).await;
            let end = tokio::select! {
                () = fuse.died() => None,
                end = self.live(&process) => Some(end),
            };
            process.crash().await;
            if let Some(again) = repeated(&done, &self.steps) {
                self.violated(&again);
            }
            match end {
                Some(end) => break end,
                None => crashes += 1,
            }
        };
        if !self.scenario.is_same(&end, expected) {
            self.violated(&format!(
                "the run ended as {end:?}, without trouble as {expected:?}"
            ));
        }
        crashes
    }

    fn fork(&mut self) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(self.rng.random())
    }

    async fn live(&mut self, process: &Process) -> End {
        self.scenario.place(process).await;
        for signal in self.shuffled() {
            for _ in 0..self.rng.random_range(1..3) {
                self.scenario.send(process, &signal).await;
            }
        }
        loop {
            let next = match self.pilot.settle(process).await {
                Ok(next) => next,
                Err(Stuck(run)) => self.violated(&format!("run `{run}` does not settle")),
            };
            if let Some(end) = end_of(&self.pilot).await {
                return end;
            }
            self.jump(next);
            if !self.pilot.hop(next, Timestamp::MAX) {
                self.violated(&"the run waits for something that does not come");
            }
        }
    }

    /// Lets the clock jump before it is set to what comes next.
    fn jump(&mut self, next: Option<Timestamp>) {
        let length = Duration::from_millis(self.rng.random_range(0..LONGEST_JUMP));
        let clock = &self.pilot.clock;
        match (self.rng.random_range(0..10), next) {
            (0, Some(next)) => clock.set(next + length),
            (1, _) => clock.set(clock.now() - length),
            _ => {}
        }
    }

    /// The signals in a random order; those of one token in theirs.
    fn shuffled(&mut self) -> Vec<Signal> {
        let signals = self.scenario.signals();
        let mut order: Vec<_> = signals.iter().map(|it| Arc::clone(&it.token)).collect();
        order.shuffle(&mut self.rng);
        let mut left: VecDeque<&Signal> = signals.iter().collect();
        let mut shuffled = Vec::with_capacity(order.len());
        for token in order {
            let first = left.iter().position(|it| it.token == token);
            shuffled.extend(first.and_then(|place| left.remove(place)).cloned());
        }
        shuffled
    }
}

/// Lets attempts fail that have others after them.
#[derive(Debug)]
struct Flaky(Mutex<ChaCha8Rng>);

impl Flaky {
    fn new(rng: ChaCha8Rng) -> Self {
        Self(Mutex::new(rng))
    }
}

impl Interceptor for Flaky {
    fn before(&self, attempt: &StepAttempt) -> Result<(), Failure> {
        let has_more = attempt
            .max_attempts
            .is_some_and(|most| attempt.attempt < most);
        if has_more && self.0.lock().random_bool(0.3) {
            return Err(Failure::retryable("a simulated failure"));
        }
        Ok(())
    }
}
