//! Forgetting behind a codec, which has nothing to encode there.

use async_trait::async_trait;

use super::codec::CodecStore;
use super::error::StoreError;
use super::prune::{Forget, Forgotten, Prune, PruneStore, Pruned};
use crate::model::RunStatus;
use crate::time::Timestamp;

#[async_trait]
impl PruneStore for CodecStore {
    async fn prune(&self, prune: &Prune) -> Result<Pruned, StoreError> {
        self.store.prune(prune).await
    }

    async fn end_of_newest(
        &self,
        statuses: &[RunStatus],
        keep: u64,
    ) -> Result<Option<Timestamp>, StoreError> {
        self.store.end_of_newest(statuses, keep).await
    }

    async fn forget(&self, forget: &Forget) -> Result<Forgotten, StoreError> {
        self.store.forget(forget).await
    }
}
