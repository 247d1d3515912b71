//! Errors of the database as errors of the store.

use std::error::Error;

use crate::store::error::StoreError;

/// The store's name in messages.
pub(super) const NAME: &str = "sqlite";

/// The error of a call that the database refused.
pub(super) fn backend(
    operation: &'static str,
    source: impl Into<Box<dyn Error + Send + Sync>>,
) -> StoreError {
    StoreError::Backend {
        backend: NAME,
        operation,
        source: source.into(),
    }
}
