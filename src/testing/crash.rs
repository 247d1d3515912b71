//! Killing the process at each of its commits.

use serde::Serialize;

use super::{
    app::stop,
    fuse::{Death, Fuse},
    pilot::Pilot,
    probe::ProbedStore,
    scenario::{End, Scenario, TrialReport, completed, finish, repeated},
    steps::Steps,
};
use crate::workflow::IntoWorkflow;

/// Runs `workflow` once per possible crash point; short for [`Scenario::crash_everywhere`] with
/// nothing provided and no signals.
///
/// # Panics
///
/// If a crash makes a difference that it must not make.
///
/// # Examples
///
/// ```standalone_crate
/// use axum_durable::{prelude::*, testing::crash_everywhere};
///
/// #[workflow]
/// async fn double(ctx: &WorkflowCtx, n: u32) -> Result<u32> {
///     let doubled = ctx.step("double", async || Ok(n * 2)).await?;
///     ctx.sleep(std::time::Duration::from_secs(86_400)).await;
///     Ok(doubled)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// let report = crash_everywhere(double, 21).await;
/// assert_eq!(report.output::<u32>()?, Some(42));
/// # Ok(())
/// # }
/// ```
pub async fn crash_everywhere<I: Serialize, O>(
    workflow: impl IntoWorkflow<I, O>,
    input: I,
) -> TrialReport {
    Scenario::of(workflow, input).crash_everywhere().await
}

impl Scenario {
    /// Runs the workflow once per possible crash point: before and after each commit, with runs
    /// that stay in memory and with runs that leave it at every wait. Each time the process is
    /// killed there, and another one goes on.
    ///
    /// Each trial must end as the run ends without a crash, a step that had completed must not be
    /// executed again, and no step may succeed more often than there were processes.
    ///
    /// # Panics
    ///
    /// If one of these does not hold, with the crash point; and if the run does not end by itself
    /// and with the given signals.
    pub async fn crash_everywhere(&self) -> TrialReport {
        let end = self.calm_end().await;
        let mut crashes = 0;
        for evicts in [false, true] {
            for death in [Death::Before, Death::After] {
                let mut at = 0;
                while self.crash_at(&end, at, death, evicts).await {
                    at += 1;
                    crashes += 1;
                }
            }
        }
        TrialReport::new(crashes, end)
    }

    /// Kills the process at commit `at`; `false` if the run had ended before.
    async fn crash_at(&self, expected: &End, at: u64, death: Death, evicts: bool) -> bool {
        let (pilot, setup) = (Pilot::new(), self.fresh());
        let (steps, fuse) = (Steps::default(), Fuse::new(at, death));
        let when = match death {
            Death::Before => "before",
            Death::After => "after",
        };
        let violated = |what: &str| stop(&format!("crash {when} commit {at}: {what}"));

        let store = ProbedStore::new(pilot.store.clone(), fuse.clone());
        let watched = steps.clone();
        let process = self
            .open(store, &setup, evicts, |builder| {
                builder.interceptor(watched)
            })
            .await;
        let died = tokio::select! {
            () = fuse.died() => true,
            _ = self.live(&pilot, &process) => false,
        };
        process.crash().await;
        let done = completed(&pilot, &steps).await;

        let watched = steps.clone();
        let process = self
            .open(pilot.store.clone(), &setup, evicts, |builder| {
                builder.interceptor(watched)
            })
            .await;
        let end = self.live(&pilot, &process).await;
        if let Some(again) = repeated(&done, &steps) {
            violated(&again);
        }
        for (seq, name, _) in completed(&pilot, &steps).await {
            let succeeded = steps.executions(super::scenario::RUN, seq).succeeded;
            if succeeded > 1 + u32::from(died) {
                violated(&format!("step `{name}` succeeded {succeeded} times"));
            }
        }
        if !self.is_same(&end, expected) {
            violated(&format!(
                "the run ended as {end:?}, without it as {expected:?}"
            ));
        }
        process.crash().await;
        died
    }

    /// What the client and the clock do while a process lives.
    async fn live(&self, pilot: &Pilot, process: &super::process::Process) -> End {
        self.place(process).await;
        for signal in self.signals() {
            self.send(process, signal).await;
        }
        finish(pilot, process).await
    }
}
