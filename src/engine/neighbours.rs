//! Whether there are other instances.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tokio::sync::Notify;

/// Whether there are other instances, as this one has seen when it last looked for work.
#[derive(Debug, Default)]
pub(crate) struct Neighbours {
    is_alone: AtomicBool,
    came: Notify,
}

impl Neighbours {
    /// Takes what a look has shown.
    pub(crate) fn seen(&self, is_alone: bool) {
        if self.is_alone.swap(is_alone, Relaxed) && !is_alone {
            self.came.notify_one();
        }
    }

    /// Whether no other one is known. `false` before the first look.
    pub(crate) fn is_alone(&self) -> bool {
        self.is_alone.load(Relaxed)
    }

    /// Waits until this instance is not alone any more.
    pub(crate) async fn came(&self) {
        self.came.notified().await;
    }
}
