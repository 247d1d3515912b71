//! Who executes runs.

use super::gateway::Control;
use crate::model::InstanceRow;
use crate::store::StoreError;

impl Control {
    /// The instances that execute runs, oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn instances(&self) -> Result<Vec<InstanceRow>, StoreError> {
        self.store().instances().await
    }
}
