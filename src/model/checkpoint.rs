//! Checkpoints: the stored outcome of one operation.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use super::failure::Failure;
use crate::id::Seq;
use crate::payload::Payload;
use crate::time::Timestamp;

/// A stored word that this build does not know, for example one that a newer build has written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is no {what} known to this build")]
#[non_exhaustive]
pub struct UnknownWord {
    /// What the word should have named.
    pub what: &'static str,
    /// The word.
    pub word: String,
}

impl UnknownWord {
    pub(crate) fn new(what: &'static str, word: &str) -> Self {
        Self {
            what,
            word: word.to_owned(),
        }
    }
}

macro_rules! word_enum {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stored name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(UnknownWord::new($what, text)),
                }
            }
        }
    };
}

word_enum! {
    /// Which operation a checkpoint belongs to.
    CheckpointKind, "checkpoint kind" {
        /// `ctx.step`: a body that ran in the run's own process.
        Step = "step",
        /// `ctx.remote`: a step that a worker executes.
        Remote = "remote",
        /// `ctx.sleep` and `ctx.sleep_until`.
        Sleep = "sleep",
        /// `ctx.wait_for_signal`.
        Signal = "signal",
        /// `ctx.now`.
        Now = "now",
        /// `ctx.uuid`.
        Uuid = "uuid",
        /// `ctx.random`.
        Random = "random",
        /// `ctx.side_effect`.
        SideEffect = "side_effect",
        /// `ctx.set_event`.
        SetEvent = "set_event",
        /// `ctx.add_tag`.
        Tag = "tag",
    }
}

word_enum! {
    /// How far an operation has come.
    CheckpointStatus, "checkpoint status" {
        /// Waiting for a timer, a signal or a worker.
        Waiting = "waiting",
        /// An attempt failed; the next one is due at `wake_at`.
        Retrying = "retrying",
        /// Done, with a result.
        Completed = "completed",
        /// Done, with a failure.
        Failed = "failed",
        /// Done, with a failure that ended the run: a requeue tries it again.
        Fatal = "fatal",
        /// A wait whose time ran out.
        TimedOut = "timed_out",
        /// The workflow dropped it before it was done, for example as the loser of a race.
        Abandoned = "abandoned",
    }
}

impl CheckpointStatus {
    /// Whether the operation has an outcome that the workflow has seen.
    #[must_use]
    pub const fn is_released(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Failed | Self::Fatal | Self::TimedOut
        )
    }
}

word_enum! {
    /// How much a log line of a step matters.
    LogLevel, "log level" {
        /// For whoever debugs the step.
        Debug = "debug",
        /// Worth knowing.
        Info = "info",
        /// Something was not as it should be.
        Warn = "warn",
        /// Something failed.
        Error = "error",
    }
}

/// What a step body reported while it ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StepEvent {
    /// When.
    pub at: Timestamp,
    /// The attempt that reported it, from 1.
    pub attempt: u32,
    /// What.
    #[serde(flatten)]
    pub kind: StepEventKind,
}

impl StepEvent {
    pub(crate) const fn new(at: Timestamp, attempt: u32, kind: StepEventKind) -> Self {
        Self { at, attempt, kind }
    }
}

/// The kinds of [`StepEvent`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepEventKind {
    /// A line of `step.log`.
    Log {
        /// How much it matters.
        level: LogLevel,
        /// The line.
        message: String,
    },
    /// A part of the step, by `step.sub` or `step.sub_process`.
    Sub {
        /// The part's name.
        name: String,
        /// How it stands, such as `started`, `completed` or `failed`.
        status: String,
    },
}

/// The stored outcome of one operation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checkpoint {
    /// Its position: operations are counted in program order.
    pub seq: Seq,
    /// Its place in the order in which results were handed to the workflow. `None` while it has
    /// no outcome, and for values captured at the call (`now`, `uuid`, …), which need no order.
    pub ord: Option<u32>,
    /// Which operation it is.
    pub kind: CheckpointKind,
    /// The operation's name: the step's, the signal's token, or empty.
    pub name: Arc<str>,
    /// How far it has come.
    pub status: CheckpointStatus,
    /// Attempts begun so far, from 1; 0 for what is not attempted.
    pub attempt: u32,
    /// The result of a completed operation; the input of a remote step that still waits.
    pub result: Option<Payload>,
    /// Why it failed, or why its last attempt did.
    pub failure: Option<Failure>,
    /// When time alone moves it on: the end of a sleep, a timeout, the next attempt.
    pub wake_at: Option<Timestamp>,
    /// Where the code asked for it and in which build: `<build> <file>:<line>:<column>`.
    pub site: Option<Arc<str>>,
    /// What its body reported.
    pub events: Vec<StepEvent>,
    /// When it was asked for.
    pub started_at: Timestamp,
    /// When its outcome was handed to the workflow.
    pub finished_at: Option<Timestamp>,
    /// The run's [`rev`](super::Run::rev) at its last change.
    pub rev: u64,
}

impl Checkpoint {
    /// A checkpoint without outcome.
    #[must_use]
    pub fn new(seq: Seq, kind: CheckpointKind, name: Arc<str>, started_at: Timestamp) -> Self {
        Self {
            seq,
            ord: None,
            kind,
            name,
            status: CheckpointStatus::Waiting,
            attempt: 0,
            result: None,
            failure: None,
            wake_at: None,
            site: None,
            events: Vec::new(),
            started_at,
            finished_at: None,
            rev: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_words_read_back() {
        for kind in CheckpointKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(*kind));
        }
        for status in CheckpointStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(*status));
        }
        let error = "teleport".parse::<CheckpointKind>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`teleport` is no checkpoint kind known to this build"
        );
    }

    #[test]
    fn step_events_have_a_flat_shape() {
        let kind = StepEventKind::Log {
            level: LogLevel::Info,
            message: "hi".to_owned(),
        };
        let event = StepEvent::new(Timestamp::from_millis(5), 1, kind);
        let json = serde_json::to_string(&event).unwrap();
        assert_eq!(
            json,
            r#"{"at":5,"attempt":1,"type":"log","level":"info","message":"hi"}"#
        );
    }
}
