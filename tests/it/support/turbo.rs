//! A clock that jumps to whatever is waited for.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use axum_durable::time::{Clock, Timestamp};

/// Waits that are longer never end: the loops of the engine poll on them.
const LONGEST: Duration = Duration::from_millis(500);

/// A clock that jumps to whatever is waited for, so that a test takes no time.
#[derive(Debug)]
pub(crate) struct Turbo {
    now: AtomicI64,
}

impl Default for Turbo {
    fn default() -> Self {
        let now = AtomicI64::new(1_000_000);
        Self { now }
    }
}

#[async_trait]
impl Clock for Turbo {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.load(Ordering::SeqCst))
    }

    async fn wait_until(&self, until: Timestamp) {
        if until.since(self.now()) > LONGEST {
            std::future::pending::<()>().await;
        }
        // Whoever is ready now goes first.
        for _ in 0..4 {
            tokio::task::yield_now().await;
        }
        self.now.fetch_max(until.as_millis(), Ordering::SeqCst);
    }
}
