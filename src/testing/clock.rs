//! A clock that stands still.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::time::{Clock, Timestamp};

/// A clock that stands still until a test moves it. Clones share the time.
#[derive(Debug, Clone)]
pub struct ManualClock {
    now: Arc<watch::Sender<Timestamp>>,
}

impl ManualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self {
            now: Arc::new(watch::Sender::new(now)),
        }
    }

    /// Moves the time on and wakes whoever waited for it.
    pub fn advance(&self, by: Duration) {
        self.now.send_modify(|now| *now = *now + by);
    }

    /// Sets the time, backwards too, as an administrator might.
    pub fn set(&self, now: Timestamp) {
        self.now.send_replace(now);
    }
}

impl Default for ManualClock {
    /// A clock that shows the beginning of 2026.
    fn default() -> Self {
        Self::new(Timestamp::from_millis(1_767_225_600_000))
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.now.borrow()
    }

    async fn wait_until(&self, until: Timestamp) {
        let mut times = self.now.subscribe();
        // The sender lives in `self`, so the wait cannot fail.
        drop(times.wait_for(|now| *now >= until).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn advancing_wakes_who_waited_for_that_time() {
        let clock = ManualClock::new(Timestamp::from_millis(0));
        let until = Timestamp::from_millis(5_000);
        let waiting = async { clock.wait_until(until).await };
        let moving = async {
            clock.advance(Duration::from_secs(2));
            tokio::task::yield_now().await;
            clock.advance(Duration::from_secs(3));
        };
        tokio::join!(waiting, moving);
        assert_eq!(clock.now(), until);
    }
}
