//! Points in time, the clock seam, and the durations that people write.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since 1970-01-01 UTC.
///
/// It is what the wire carries, sorts alike in every database and knows no time zone.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The largest point in time; as a wake-up it means "never by time".
    pub const MAX: Self = Self(i64::MAX);

    /// From milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// How long after `earlier` this is; zero when it is not later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let millis = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    /// Saturates at [`Timestamp::MAX`].
    fn add(self, length: Duration) -> Self {
        let millis = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis))
    }
}

impl std::ops::Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, length: Duration) -> Self {
        let millis = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(millis))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let millis = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
        };
        Self(millis)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

/// Where the engine reads time and waits for it.
///
/// A store hands out the clock by which it judges due times and leases, so that an instance whose
/// own clock is off still agrees with the others.
#[async_trait]
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The current time.
    fn now(&self) -> Timestamp;

    /// Returns when [`now`](Self::now) is at least `until`. Dropping the future ends the wait.
    async fn wait_until(&self, until: Timestamp);
}

/// The clock of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that others read"
    )]
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }

    async fn wait_until(&self, until: Timestamp) {
        // The longest single wait: a step of the system clock is noticed after this at the latest.
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

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no duration; write a whole number with ms, s, m, h, d or w, such as `30s`")]
#[non_exhaustive]
pub struct InvalidDuration {
    /// The offending text.
    pub text: String,
}

/// Reads a duration such as `500ms`, `30s`, `15m`, `2h`, `7d` or `1w`.
///
/// `m` is minutes. One whole number with one unit; no fractions, signs, blanks or sums.
///
/// # Errors
///
/// [`InvalidDuration`] with the text, for anything else and for lengths beyond `u64` milliseconds.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use axum_durable::parse_duration;
///
/// assert_eq!(parse_duration("15m").unwrap(), Duration::from_secs(900));
/// assert!(parse_duration("15 min").is_err());
/// ```
pub fn parse_duration(text: &str) -> Result<Duration, InvalidDuration> {
    let invalid = || InvalidDuration {
        text: text.to_owned(),
    };
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .ok_or_else(invalid)?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| invalid())?;
    let unit_millis: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 604_800_000,
        _ => return Err(invalid()),
    };
    let millis = number.checked_mul(unit_millis).ok_or_else(invalid)?;
    Ok(Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_one_whole_number_with_one_unit() {
        let cases = [
            ("500ms", 500),
            ("30s", 30_000),
            ("15m", 900_000),
            ("2h", 7_200_000),
            ("7d", 604_800_000),
            ("1w", 604_800_000),
            ("0s", 0),
        ];
        for (text, millis) in cases {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)));
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_offending_text() {
        let texts = [
            "",
            "5",
            "s",
            "1.5h",
            "-1s",
            "1h30m",
            "1 s",
            "1M",
            "1y",
            "99999999999999999w",
        ];
        for text in texts {
            let error = parse_duration(text).unwrap_err();
            assert_eq!(error.text, text);
            assert!(
                error
                    .to_string()
                    .starts_with(&format!("`{text}` is no duration"))
            );
        }
    }

    #[test]
    fn time_arithmetic_saturates() {
        let start = Timestamp::from_millis(1_000);
        assert_eq!(
            start + Duration::from_secs(1),
            Timestamp::from_millis(2_000)
        );
        assert_eq!(Timestamp::MAX + Duration::from_secs(1), Timestamp::MAX);
        assert_eq!(start.since(Timestamp::from_millis(5_000)), Duration::ZERO);
    }
}
