//! When a failed attempt is tried again. Pure arithmetic; the engine keeps the time.

use std::{str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::time::{InvalidDuration, parse_duration};

/// How long to wait before attempt `n + 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Backoff {
    /// The same wait each time.
    Fixed {
        /// The wait.
        every: Duration,
    },
    /// Doubles from `first` up to `cap`.
    Exponential {
        /// The wait after the first attempt.
        first: Duration,
        /// The longest wait.
        cap: Duration,
    },
}

/// How often and when a step is tried again.
///
/// The default is one attempt: trying again is safe only where the author says so. Where more are
/// asked for, the waits start at 200 ms and double up to 30 s, with jitter: long enough for a
/// dropped connection, short enough that a person still waits for the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// Attempts in all, at least 1.
    pub max_attempts: u32,
    /// The wait between attempts.
    pub backoff: Backoff,
    /// Whether the wait is spread over 50 % to 100 % of its length, so that many runs which
    /// failed together do not come back together.
    pub jitter: bool,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 1,
            backoff: Backoff::Exponential {
                first: Duration::from_millis(200),
                cap: Duration::from_secs(30),
            },
            jitter: true,
        }
    }
}

impl RetryPolicy {
    /// At most `attempts` in all, at least one.
    #[must_use]
    pub fn attempts(attempts: u32) -> Self {
        Self {
            max_attempts: attempts.max(1),
            ..Self::default()
        }
    }

    /// The wait after `attempt` (from 1) has failed, or `None` if it was the last one.
    ///
    /// The same `seed` gives the same wait, so a replay and a test agree with the live run.
    #[must_use]
    pub fn wait_after(&self, attempt: u32, seed: u64) -> Option<Duration> {
        if attempt >= self.max_attempts {
            return None;
        }
        let full = match self.backoff {
            Backoff::Fixed { every } => every,
            Backoff::Exponential { first, cap } => {
                // Beyond 2^32 times any useful first wait the cap has long decided.
                let doublings = attempt.saturating_sub(1).min(32);
                let factor = 1_u64 << doublings;
                let millis = u64::try_from(first.as_millis()).unwrap_or(u64::MAX);
                Duration::from_millis(millis.saturating_mul(factor)).min(cap)
            }
        };
        Some(if self.jitter {
            jittered(full, attempt, seed)
        } else {
            full
        })
    }
}

/// 50 % to 100 % of `full`.
fn jittered(full: Duration, attempt: u32, seed: u64) -> Duration {
    let millis = u64::try_from(full.as_millis()).unwrap_or(u64::MAX);
    let half = millis / 2;
    let spread = millis - half;
    let draw = mix(seed ^ u64::from(attempt).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    Duration::from_millis(half + draw % (spread + 1))
}

/// The finalizer of [SplitMix64](https://prng.di.unimi.it/splitmix64.c): spreads nearby seeds.
pub(crate) const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A text that is no backoff.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidBackoff {
    /// The shape is wrong.
    #[error("`{text}` is no backoff; write `fixed 2s` or `exp 200ms..10s`")]
    Shape {
        /// The offending text.
        text: String,
    },
    /// One of its durations is wrong.
    #[error(transparent)]
    Duration(#[from] InvalidDuration),
}

impl FromStr for Backoff {
    type Err = InvalidBackoff;

    /// Reads `fixed 2s` or `exp 200ms..10s`.
    fn from_str(text: &str) -> Result<Self, InvalidBackoff> {
        let shape = || InvalidBackoff::Shape {
            text: text.to_owned(),
        };
        let (word, rest) = text.split_once(' ').ok_or_else(shape)?;
        match word {
            "fixed" => Ok(Self::Fixed {
                every: parse_duration(rest)?,
            }),
            "exp" => {
                let (first, cap) = rest.split_once("..").ok_or_else(shape)?;
                let (first, cap) = (parse_duration(first)?, parse_duration(cap)?);
                if cap < first {
                    return Err(shape());
                }
                Ok(Self::Exponential { first, cap })
            }
            _ => Err(shape()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(backoff: &str, max_attempts: u32) -> RetryPolicy {
        RetryPolicy {
            max_attempts,
            backoff: backoff.parse().unwrap(),
            jitter: false,
        }
    }

    #[test]
    fn exponential_waits_double_up_to_the_cap() {
        let policy = exact("exp 200ms..1s", 6);
        let waits: Vec<_> = (1..=6).map(|n| policy.wait_after(n, 0)).collect();
        let millis = |ms| Some(Duration::from_millis(ms));
        let expected = [
            millis(200),
            millis(400),
            millis(800),
            millis(1000),
            millis(1000),
            None,
        ];
        assert_eq!(waits, expected);
    }

    #[test]
    fn fixed_waits_stay_and_the_last_attempt_has_none() {
        let policy = exact("fixed 2s", 2);
        assert_eq!(policy.wait_after(1, 9), Some(Duration::from_secs(2)));
        assert_eq!(policy.wait_after(2, 9), None);
        assert_eq!(RetryPolicy::default().wait_after(1, 9), None);
    }

    #[test]
    fn huge_attempt_numbers_do_not_overflow() {
        let policy = exact("exp 1w..52w", u32::MAX);
        assert_eq!(
            policy.wait_after(u32::MAX - 1, 0),
            Some(parse_duration("52w").unwrap())
        );
    }

    #[test]
    fn jitter_stays_between_half_and_all_and_repeats_for_a_seed() {
        let policy = RetryPolicy {
            jitter: true,
            ..exact("fixed 1s", 1_000)
        };
        let mut distinct = std::collections::BTreeSet::new();
        for attempt in 1..500 {
            let wait = policy.wait_after(attempt, 7).unwrap();
            assert!((Duration::from_millis(500)..=Duration::from_secs(1)).contains(&wait));
            assert_eq!(policy.wait_after(attempt, 7), Some(wait));
            distinct.insert(wait);
        }
        assert!(distinct.len() > 200, "only {} waits differ", distinct.len());
    }

    #[test]
    fn a_backoff_that_is_none_is_refused_with_its_text() {
        for text in [
            "",
            "exp",
            "exp 5s",
            "exp 5s..1s",
            "linear 1s",
            "fixed",
            "fixed 1y",
        ] {
            let error = text.parse::<Backoff>().unwrap_err().to_string();
            let last = text.rsplit(' ').next().unwrap();
            assert!(error.contains(text) || error.contains(last), "{error}");
        }
    }
}
