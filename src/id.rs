//! Names and ids. Each is a cheap clone: one reference count, no copy of the text.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The longest id or name in bytes. Longer ones would not fit an index key on MySQL.
pub const MAX_NAME_BYTES: usize = 191;

/// An id or name that cannot be stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} `{text}` is refused: {reason}")]
#[non_exhaustive]
pub struct InvalidName {
    /// What was being named, such as `run id`.
    pub what: &'static str,
    /// The offending text, cut to the longest that is allowed.
    pub text: String,
    /// Which rule it breaks.
    pub reason: &'static str,
}

/// Checks a name that a user gave: 1 to [`MAX_NAME_BYTES`] bytes without control characters, and
/// no blank at the end.
fn check(what: &'static str, text: &str) -> Result<(), InvalidName> {
    let reason = if text.is_empty() {
        "it is empty"
    } else if text.len() > MAX_NAME_BYTES {
        "it is longer than 191 bytes"
    } else if text.chars().any(char::is_control) {
        "it holds a control character"
    } else if text.ends_with(' ') {
        // MySQL takes texts that differ only by blanks at their end for the same.
        "it ends with a blank"
    } else {
        return Ok(());
    };
    let text = text.chars().take(MAX_NAME_BYTES).collect();
    Err(InvalidName { what, text, reason })
}

/// Checks a name that is kept as a plain text.
pub(crate) fn check_name(what: &'static str, text: &str) -> Result<(), InvalidName> {
    check(what, text)
}

/// A number for a text that is the same in every process and release.
///
/// FNV-1a: <http://www.isthe.com/chongo/tech/comp/fnv/>
pub(crate) fn stable_hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes `text` as it is; stored names come back this way.
            #[must_use]
            pub fn from_trusted(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// Takes a name that a user gave.
            ///
            /// # Errors
            ///
            /// [`InvalidName`] if it is empty, longer than 191 bytes, holds a control character or
            /// ends with a blank.
            pub fn parse(text: impl Into<Arc<str>>) -> Result<Self, InvalidName> {
                let text = text.into();
                check($what, &text)?;
                Ok(Self(text))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

name_type! {
    /// Which run. Given by the caller who starts it, or a time-ordered UUID.
    RunId, "run id"
}
name_type! {
    /// One process with an engine, from start to exit; a restart is a new instance.
    InstanceId, "instance id"
}

impl RunId {
    /// A new id: a version 7 UUID, so that ids sort by the time of their start.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::now_v7().to_string().into())
    }
}

impl RunId {
    /// The id of the run that this one continues as: `order`, `order~1`, `order~2`, …
    pub(crate) fn successor(&self) -> Self {
        let text = self.as_str();
        let parts = text.rsplit_once('~');
        let (base, number) = parts
            .and_then(|(base, number)| Some((base, number.parse::<u64>().ok()?)))
            .unwrap_or((text, 0));
        Self::from_trusted(format!("{base}~{}", number.saturating_add(1)))
    }
}

impl InstanceId {
    /// A new id for this process.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::now_v7().to_string().into())
    }
}

/// The position of an operation in a run, given in program order from 0.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Seq(pub u32);

impl Seq {
    /// The position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Proof of which claim a write was made under.
///
/// Each claim of a run gets a larger token. A store refuses a write that names an older one,
/// which keeps a process that slept from overwriting its successor when it wakes. The idea is
/// described in Martin Kleppmann's
/// [How to do distributed locking](https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct FencingToken(pub u64);

impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_of_successors_count() {
        let ids = ["order", "order~1", "a~b", "a~9"].map(|id| RunId::from_trusted(id).successor());
        assert_eq!(
            ids.each_ref().map(RunId::as_str),
            ["order~1", "order~2", "a~b~1", "a~10"]
        );
    }

    #[test]
    fn a_name_is_refused_with_the_rule_it_breaks() {
        assert!(RunId::parse("order-7").is_ok());
        assert_eq!(RunId::parse("").unwrap_err().reason, "it is empty");
        let long = RunId::parse("x".repeat(192)).unwrap_err();
        assert!(long.to_string().contains("longer than 191 bytes"));
        let odd = RunId::parse("a\nb").unwrap_err();
        assert!(odd.reason.contains("control character"));
    }
}
