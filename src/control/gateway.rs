//! What operators may ask.

use super::explain::{Explanation, explain};
use crate::engine::Engine;
use crate::id::RunId;
use crate::store::{RunRecord, StoreError};

/// What operators may ask. Clones share one engine.
#[derive(Debug, Clone)]
pub struct Control {
    engine: Engine,
}

impl Control {
    pub(crate) const fn new(engine: Engine) -> Self {
        Self { engine }
    }

    /// The engine.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// A run with its checkpoints; `None` if there is none with this id.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn load(&self, run: &RunId) -> Result<Option<RunRecord>, StoreError> {
        self.engine.store().load(run).await
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
        Ok(record.map(|record| {
            let is_known = registry.workflow(&record.run.workflow).is_some();
            explain(&record, now, is_known)
        }))
    }
}
