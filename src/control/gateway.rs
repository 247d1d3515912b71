//! What operators may ask.

use std::sync::Arc;

use super::explain::{Explanation, explain};
use super::redact::{Exposure, ExposureKind, Redactor};
use crate::engine::Engine;
use crate::id::RunId;
use crate::model::{Checkpoint, DeadLetter, Run, RunPage, RunQuery, RunStatus};
use crate::payload::Payload;
use crate::store::{RunRecord, Store, StoreError};

/// What operators may ask. Clones share one engine.
///
/// It reads on connections of its own where the store has some, and whatever it returns has passed
/// the redactor.
#[derive(Debug, Clone)]
pub struct Control {
    engine: Engine,
    store: Arc<dyn Store>,
    redactor: Option<Redactor>,
}

impl Control {
    pub(crate) fn new(engine: Engine) -> Self {
        let store = engine.store();
        let store = store.for_people().unwrap_or_else(|| Arc::clone(store));
        Self {
            engine,
            store,
            redactor: None,
        }
    }

    /// The same, with what it returns changed by `redactor`.
    #[must_use]
    pub fn redacted_by(mut self, redactor: Option<Redactor>) -> Self {
        self.redactor = redactor;
        self
    }

    /// The engine.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(super) const fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    pub(super) const fn redactor(&self) -> Option<&Redactor> {
        self.redactor.as_ref()
    }

    /// One run without its history; `None` if there is none with this id.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn run(&self, run: &RunId) -> Result<Option<Run>, StoreError> {
        let mut run = self.store.run(run).await?;
        if let (Some(redactor), Some(run)) = (&self.redactor, &mut run) {
            redactor.run(run);
        }
        Ok(run)
    }

    /// A page of runs.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn list(&self, query: &RunQuery) -> Result<RunPage, StoreError> {
        let mut page = self.store.list(query).await?;
        if let Some(redactor) = &self.redactor {
            page.runs.iter_mut().for_each(|run| redactor.run(run));
        }
        Ok(page)
    }

    /// A run with its checkpoints; `None` if there is none with this id.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn load(&self, run: &RunId) -> Result<Option<RunRecord>, StoreError> {
        let mut record = self.store.load(run).await?;
        if let (Some(redactor), Some(record)) = (&self.redactor, &mut record) {
            redactor.record(record);
        }
        Ok(record)
    }

    /// Why a run stands where it stands, and what will wake it; `None` if there is no such run.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn explain(&self, run: &RunId) -> Result<Option<Explanation>, StoreError> {
        let record = self.load(run).await?;
        let now = self.engine.clock().now();
        let registry = self.engine.registry();
        let Some(record) = record else {
            return Ok(None);
        };
        let is_known = registry.workflow(&record.run.workflow).is_some();
        let mut explanation = explain(&record, now, is_known);
        explanation.dead_letter = self.dead_letter(&record.run).await?;
        Ok(Some(explanation))
    }

    /// The run that was started because `run` was given up; `None` if none was, or it is gone.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn dead_letter(&self, run: &Run) -> Result<Option<RunId>, StoreError> {
        if run.status != RunStatus::Dead {
            return Ok(None);
        }
        let letter = self.store.run(&DeadLetter::id_of(run)).await?;
        Ok(letter.map(|letter| letter.id))
    }

    /// The latest value that a run has published under a key.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn published(&self, run: &RunId, key: &str) -> Result<Option<Payload>, StoreError> {
        match self.store.published(run, key).await? {
            Some(value) => self.shown(run, ExposureKind::Published, key, value).await,
            None => Ok(None),
        }
    }

    /// A value of a run that has come another way, such as a reply, as it may be shown; `None` if
    /// there is no such run any more.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn shown(
        &self,
        run: &RunId,
        kind: ExposureKind,
        name: &str,
        mut value: Payload,
    ) -> Result<Option<Payload>, StoreError> {
        let Some(redactor) = &self.redactor else {
            return Ok(Some(value));
        };
        let Some(run) = self.store.run(run).await? else {
            return Ok(None);
        };
        let what = Exposure {
            run: &run.id,
            workflow: &run.workflow,
            kind,
            name,
        };
        redactor.payload(&what, &mut value);
        Ok(Some(value))
    }

    /// The checkpoints of a run that changed after revision `after`.
    pub(super) async fn changed_since(
        &self,
        run: &Run,
        after: u64,
    ) -> Result<Vec<Checkpoint>, StoreError> {
        let mut changed = self.store.changed_since(&run.id, after).await?;
        if let Some(redactor) = &self.redactor {
            for checkpoint in &mut changed {
                redactor.checkpoint(&run.id, &run.workflow, checkpoint);
            }
        }
        Ok(changed)
    }

    /// The open operations of runs.
    pub(super) async fn open_operations(
        &self,
        runs: &[&Run],
    ) -> Result<Vec<(RunId, Checkpoint)>, StoreError> {
        let ids: Vec<_> = runs.iter().map(|run| run.id.clone()).collect();
        let mut open = self.store.open_operations(&ids).await?;
        if let Some(redactor) = &self.redactor {
            for (id, checkpoint) in &mut open {
                if let Some(run) = runs.iter().find(|run| run.id == *id) {
                    redactor.checkpoint(id, &run.workflow, checkpoint);
                }
            }
        }
        Ok(open)
    }
}
