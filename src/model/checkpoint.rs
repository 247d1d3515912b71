//! Checkpoints: the stored outcome of one operation.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use super::failure::Failure;
use crate::id::{RunId, Seq};
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
        /// `ctx.wait_for_event`.
        Event = "event",
        /// `ctx.emit`: an event that goes out with the run's commit.
        Emit = "emit",
        /// `ctx.child` and `ctx.join`: another run.
        Child = "child",
        /// `ctx.cancel_run`: a request to cancel another run.
        CancelRun = "cancel_run",
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
        /// `ctx.upsert_search_attributes`.
        Attributes = "attributes",
        /// `ctx.switch`: which branch was taken.
        Switch = "switch",
        /// `ctx.note`.
        Note = "note",
        /// `ctx.patched`: the run takes the new way.
        Patch = "patch",
        /// The undo of a step, run by `ctx.rollback` or because the run failed.
        Compensation = "compensation",
        /// A step whose result was committed together with writes of the user.
        Transaction = "transaction",
        /// The result of a step that the workflow has dropped without seeing it, kept for its
        /// undo.
        Unseen = "unseen",
        /// A secret that the outside is given, such as that of `ctx.task`.
        Token = "token",
        /// The wait of `ctx.task` for its outcome.
        Task = "task",
        /// `ctx.breakpoint`: the run stands until somebody lets it go on.
        Breakpoint = "breakpoint",
        /// A wait of `ctx.webhook` for what somebody posts to its address.
        Webhook = "webhook",
        /// `ctx.on_update`: a wait for a request that gets an answer.
        Update = "update",
        /// The answer to an update.
        Reply = "reply",
        /// `ctx.call_entity`: a wait for the answer of an entity.
        EntityCall = "entity_call",
        /// `ctx.signal_entity`: an operation that goes out with the run's commit.
        EntitySignal = "entity_signal",
        /// What an entity has made of an operation.
        Operation = "operation",
        /// Where a run that was cancelled has left its body, to undo what it had done.
        Cancel = "cancel",
    }
}

impl CheckpointKind {
    /// Whether the value is taken at the call, without an order of release and without a commit
    /// of its own.
    #[must_use]
    pub const fn is_capture(self) -> bool {
        match self {
            Self::Now
            | Self::Uuid
            | Self::Random
            | Self::SideEffect
            | Self::SetEvent
            | Self::Tag
            | Self::Attributes
            | Self::Switch
            | Self::Note
            | Self::Patch
            | Self::Unseen
            | Self::CancelRun
            | Self::Token
            | Self::Emit
            | Self::EntitySignal
            | Self::Operation
            | Self::Reply => true,
            Self::Step
            | Self::Remote
            | Self::Sleep
            | Self::Signal
            | Self::Event
            | Self::Child
            | Self::Compensation
            | Self::Transaction
            | Self::Task
            | Self::Breakpoint
            | Self::Webhook
            | Self::Update
            | Self::EntityCall
            | Self::Cancel => false,
        }
    }

    /// Whether a worker may execute it. Until it has answered, the checkpoint keeps as its result
    /// what the worker is called with; what runs in the run's own process has none by then.
    #[must_use]
    pub const fn is_for_workers(self) -> bool {
        matches!(self, Self::Remote | Self::Compensation)
    }

    /// Whether it waits for a signal, whatever people call that.
    #[must_use]
    pub const fn waits_for_signal(self) -> bool {
        match self {
            Self::Signal
            | Self::Task
            | Self::Breakpoint
            | Self::Webhook
            | Self::Update
            | Self::EntityCall => true,
            Self::Step
            | Self::Remote
            | Self::Sleep
            | Self::Now
            | Self::Uuid
            | Self::Random
            | Self::SideEffect
            | Self::SetEvent
            | Self::Tag
            | Self::Attributes
            | Self::Switch
            | Self::Note
            | Self::Patch
            | Self::Compensation
            | Self::Transaction
            | Self::Unseen
            | Self::Token
            | Self::Reply
            | Self::Event
            | Self::Emit
            | Self::EntitySignal
            | Self::Operation
            | Self::Child
            | Self::Cancel
            | Self::CancelRun => false,
        }
    }

    /// Whether it waits for news from outside, a signal or an event, and so may time out.
    #[must_use]
    pub const fn waits_for_news(self) -> bool {
        self.waits_for_signal() || matches!(self, Self::Event)
    }

    /// Whether the store holds something that the operation waits with: a waiter for a signal, for
    /// an event or for the end of a run.
    #[must_use]
    pub const fn is_wait_for_others(self) -> bool {
        self.waits_for_news() || matches!(self, Self::Child)
    }

    /// Whether nothing that comes after it may start before it is durable: a choice must not be
    /// made twice, and a secret that the outside has got must not change.
    pub(crate) const fn is_gate(self) -> bool {
        matches!(self, Self::Switch | Self::Token)
    }

    /// Whether it is written at once, and not with whatever comes next: somebody waits for it.
    pub(crate) const fn is_urgent(self) -> bool {
        self.is_gate()
            || matches!(
                self,
                Self::Reply | Self::Emit | Self::EntitySignal | Self::Operation
            )
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
    /// Whether the operation waits for something or is tried again.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Retrying)
    }

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
    /// A worker has taken the step: until then the attempt was in a queue.
    Taken,
    /// The run that the operation has started or waits for.
    Run {
        /// Its id.
        run: RunId,
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
        let event = StepEvent::new(Timestamp::from_millis(5), 2, StepEventKind::Taken);
        let json = serde_json::to_string(&event).unwrap();
        assert_eq!(json, r#"{"at":5,"attempt":2,"type":"taken"}"#);
        assert_eq!(serde_json::from_str::<StepEvent>(&json).unwrap(), event);
    }
}
