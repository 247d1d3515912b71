//! The database's clock, as far as it can be known here.

use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::time::{Clock, Timestamp};

/// The database's clock: its time when it was last asked, and what has passed since by this
/// machine's monotonic clock. This machine's own date does not matter.
///
/// It is off by at most half a round trip, and by what the two clocks drift between two looks, a
/// few seconds apart.
#[derive(Debug)]
pub(super) struct DatabaseClock {
    known: Mutex<(Instant, Timestamp)>,
}

impl DatabaseClock {
    /// A clock that was asked at `asked` and has answered `time` at once.
    pub(super) fn new(asked: Instant, time: Timestamp) -> Self {
        let clock = Self {
            known: Mutex::new((asked, time)),
        };
        clock.set(asked, time);
        clock
    }

    /// Takes the database's answer to a question that was asked at `asked`.
    pub(super) fn set(&self, asked: Instant, time: Timestamp) {
        // It looked at its clock somewhere in between; the middle is the best guess.
        let middle = asked + asked.elapsed() / 2;
        *self.known.lock() = (middle, time);
    }
}

#[async_trait]
impl Clock for DatabaseClock {
    fn now(&self) -> Timestamp {
        let (at, time) = *self.known.lock();
        time + at.elapsed()
    }

    async fn wait_until(&self, until: Timestamp) {
        // The longest single wait: a step of the database's clock is noticed after this.
        const LOOK_AGAIN: Duration = Duration::from_secs(60);
        loop {
            let now = self.now();
            if now >= until {
                return;
            }
            tokio::time::sleep(until.since(now).min(LOOK_AGAIN)).await;
        }
    }
}
