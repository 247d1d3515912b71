//! Runs that someone wants to hear of, each for a while.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::id::RunId;

/// Runs that are remembered at the most: a megabyte. Whoever follows more of them sees the rest
/// by polling.
const MAX_RUNS: usize = 10_000;

/// Runs that someone wants to hear of, each until a point in time.
#[derive(Debug, Default)]
pub(crate) struct Interest {
    until: Mutex<BTreeMap<RunId, Instant>>,
    /// How many there are, to be asked by every commit.
    len: AtomicUsize,
}

impl Interest {
    /// Whether someone wants to hear of a run. Costs nothing while nobody wants to hear of any.
    pub(crate) fn has(&self, run: &RunId) -> bool {
        let wants = |until: &Instant| Instant::now() < *until;
        self.len.load(Relaxed) > 0 && self.until.lock().get(run).is_some_and(wants)
    }

    /// Someone wants to hear of a run for the next `ttl`. Returns whether that is news: nobody
    /// did, or not for more than half of that time any more.
    pub(crate) fn renew(&self, run: &RunId, ttl: Duration) -> bool {
        let now = Instant::now();
        let mut known = self.until.lock();
        if let Some(until) = known.get_mut(run) {
            let is_news = *until < now + ttl / 2;
            if is_news {
                *until = now + ttl;
            }
            return is_news;
        }
        if known.len() >= MAX_RUNS {
            known.retain(|_, until| now < *until);
        }
        if known.len() < MAX_RUNS {
            known.insert(run.clone(), now + ttl);
        }
        self.len.store(known.len(), Relaxed);
        true
    }

    /// Every run that someone wants to hear of.
    pub(crate) fn all(&self) -> Vec<RunId> {
        self.sweep();
        self.until.lock().keys().cloned().collect()
    }

    /// Forgets what nobody wants to hear of any more.
    pub(crate) fn sweep(&self) {
        if self.len.load(Relaxed) > 0 {
            let now = Instant::now();
            let mut known = self.until.lock();
            known.retain(|_, until| now < *until);
            self.len.store(known.len(), Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn interest_ends_unless_it_is_renewed() {
        let interest = Interest::default();
        let run = RunId::parse("a").unwrap();
        assert!(!interest.has(&run));
        assert!(interest.renew(&run, TTL));
        tokio::time::advance(TTL / 3).await;
        assert!(!interest.renew(&run, TTL), "not worth telling");
        tokio::time::advance(TTL / 3).await;
        assert!(interest.renew(&run, TTL), "told again before it ends");
        tokio::time::advance(TTL / 2).await;
        assert!(interest.has(&run));
        assert_eq!(interest.all(), std::slice::from_ref(&run));
        tokio::time::advance(TTL / 2).await;
        assert!(!interest.has(&run));
        assert_eq!(interest.all(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn interest_is_bounded() {
        let interest = Interest::default();
        let run = |n: usize| RunId::parse(format!("run-{n}")).unwrap();
        for n in 0..MAX_RUNS + 5 {
            interest.renew(&run(n), TTL);
        }
        assert_eq!(interest.all().len(), MAX_RUNS);
        tokio::time::advance(TTL).await;
        interest.renew(&run(MAX_RUNS), TTL);
        assert_eq!(interest.all(), [run(MAX_RUNS)]);
    }
}
