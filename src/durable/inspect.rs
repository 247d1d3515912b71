//! Looking at workflows and at what runs have recorded.

use std::sync::Arc;

use super::{error::Error, handle::Durable};
use crate::control::{Drift, Rehearsals};
use crate::engine::Swept;
use crate::id::RunId;
use crate::model::RunHistory;
use crate::registry::WorkflowDescription;
use crate::workflow::IntoWorkflow;

impl Durable {
    /// Every workflow that this process has registered, by name and version.
    #[must_use]
    pub fn workflows(&self) -> Vec<WorkflowDescription> {
        let registry = self.engine().registry();
        registry
            .workflows()
            .map(WorkflowDescription::from)
            .collect()
    }

    /// How the runs that have not ended compare with the workflows that are registered here: how
    /// many of each version were begun under another flow. It counts no more than 10,000 runs.
    ///
    /// A run that was begun under another flow need not diverge; [`rehearse`](Self::rehearse)
    /// tells.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    ///
    /// # Cancel safety
    ///
    /// May be dropped and called again.
    pub async fn drift(&self) -> Result<Drift, Error> {
        Ok(self.control().drift().await?)
    }

    /// Replays up to `most` runs of a workflow that have not ended (no more than 100) with the code
    /// that is registered here, those of another flow first. Nothing is executed and nothing
    /// changes; closures of `ctx.side_effect` and the code between operations do run.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    ///
    /// # Cancel safety
    ///
    /// May be dropped and called again.
    ///
    /// # Examples
    ///
    /// ```standalone_crate
    /// use axum_durable::{Durable, MemoryStore, control::Fit, prelude::*};
    ///
    /// #[workflow]
    /// async fn wait(ctx: &WorkflowCtx) -> Result<()> {
    ///     ctx.wait_for_signal("go").await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    /// let durable = Durable::builder().store(MemoryStore::new()).build().await?;
    /// durable.start(wait, ()).id("first").await?;
    /// let rehearsals = durable.rehearse("wait", 10).await?;
    /// assert!(matches!(rehearsals.runs[0].outcome, Fit::Fits(_)));
    /// # durable.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn rehearse(&self, workflow: &str, most: usize) -> Result<Rehearsals, Error> {
        Ok(self.control().rehearse(workflow, most).await?)
    }

    /// Removes what the [retention](crate::durable::DurableBuilder::retention) keeps no longer, now
    /// and not at the next sweep.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]. What was removed by then stays removed.
    ///
    /// # Cancel safety
    ///
    /// May be dropped and called again.
    pub async fn sweep(&self) -> Result<Swept, Error> {
        Ok(self.engine().sweep().await?)
    }

    /// Describes a workflow: its flow, and the schemas of what goes in and comes out. Nothing is
    /// executed for it, and it need not be registered here.
    pub fn describe<I, O>(&self, workflow: impl IntoWorkflow<I, O>) -> WorkflowDescription {
        WorkflowDescription::of(workflow)
    }

    /// A run with everything that it has recorded, for `testing::replay` and for people.
    ///
    /// It is read at one moment and changes nothing; the run may go on meanwhile. Payloads are in
    /// it in the clear, also where a codec keeps them otherwise.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownRun`], [`Error::InvalidName`], [`Error::Store`].
    ///
    /// # Cancel safety
    ///
    /// May be dropped and called again.
    ///
    /// # Examples
    ///
    /// ```standalone_crate
    /// use axum_durable::{Durable, MemoryStore, model::RunHistory, prelude::*};
    ///
    /// #[workflow]
    /// async fn double(ctx: &WorkflowCtx, n: u32) -> Result<u32> {
    ///     ctx.step("double", async || Ok(n * 2)).await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    /// let durable = Durable::builder().store(MemoryStore::new()).build().await?;
    /// let run = durable.start(double, 21).id("first").await?;
    /// run.result().await?;
    /// let text = durable.export_history("first").await?.to_json()?;
    /// let history = RunHistory::from_json(&text)?;
    /// assert_eq!(&*history.operations[0].name, "double");
    /// # durable.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn export_history(&self, run: impl Into<Arc<str>>) -> Result<RunHistory, Error> {
        let run = RunId::parse(run)?;
        match self.engine().store().load(&run).await? {
            Some(record) => Ok(RunHistory::new(record.run, record.history)),
            None => Err(Error::UnknownRun { run }),
        }
    }
}
