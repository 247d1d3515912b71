//! What slows guessing down.

use std::hash::{BuildHasher as _, RandomState};

use parking_lot::Mutex;
use tokio::time::{Duration, Instant};

/// Places at which tries are counted, by hash of the name. Names that share one wait for each
/// other; more names than this cost no memory.
const PLACES: usize = 1_024;

/// Tries that cost nothing but their hash: people mistype.
const FREE: u32 = 5;

/// The wait after the first try beyond those; it doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest wait. Longer ones would let anybody keep a user out for long; this leaves about
/// 1,500 guesses a day.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Tries are forgotten after so long without one.
const FORGET: Duration = Duration::from_secs(15 * 60);

/// Counts tries by name, whether there is such a user or not.
#[derive(Debug)]
pub(super) struct Damper {
    hasher: RandomState,
    places: Mutex<Vec<Place>>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    tries: u32,
    last_at: Instant,
    closed_until: Instant,
}

impl Default for Damper {
    fn default() -> Self {
        let now = Instant::now();
        let place = Place {
            tries: 0,
            last_at: now,
            closed_until: now,
        };
        Self {
            hasher: RandomState::new(),
            places: Mutex::new(vec![place; PLACES]),
        }
    }
}

impl Damper {
    /// Counts a try before it is made, so that many at once are no way around it; the error is how
    /// long to wait.
    pub(super) fn begin(&self, name: &str) -> Result<(), Duration> {
        let now = Instant::now();
        self.place(name, |place| {
            if now < place.closed_until {
                // What comes too early counts for nothing: it keeps nobody out for longer.
                return Err(place.closed_until - now);
            }
            if now - place.last_at > FORGET {
                place.tries = 0;
            }
            place.tries += 1;
            place.last_at = now;
            if place.tries >= FREE {
                let doublings = (place.tries - FREE).min(16);
                place.closed_until = now + (FIRST_WAIT * 2_u32.pow(doublings)).min(LONGEST_WAIT);
            }
            Ok(())
        })
    }

    /// A try was right: what went before it was mistyped.
    pub(super) fn succeeded(&self, name: &str) {
        let now = Instant::now();
        self.place(name, |place| {
            place.tries = 0;
            place.closed_until = now;
        });
    }

    fn place<T>(&self, name: &str, change: impl FnOnce(&mut Place) -> T) -> T {
        let hash = self.hasher.hash_one(name);
        // The remainder is below the number of places.
        let at = usize::try_from(hash % PLACES as u64).unwrap_or_default();
        change(&mut self.places.lock()[at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn guesses_become_slower_and_a_right_one_is_forgiven() {
        let damper = Damper::default();
        for _ in 0..FREE {
            damper.begin("ada").unwrap();
        }
        let mut waits = Vec::new();
        for _ in 0..8 {
            let wait = damper.begin("ada").unwrap_err();
            waits.push(wait.as_secs());
            tokio::time::advance(wait).await;
            damper.begin("ada").unwrap();
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        damper.succeeded("ada");
        damper.begin("ada").unwrap();
        damper.begin("ada").unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn mistakes_are_forgotten_after_a_while() {
        let damper = Damper::default();
        for _ in 0..FREE {
            damper.begin("ada").unwrap();
        }
        tokio::time::advance(FORGET + Duration::from_secs(1)).await;
        for _ in 0..FREE {
            damper.begin("ada").unwrap();
        }
    }
}
