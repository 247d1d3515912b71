//! What all operations share: a position, and its return when the operation is dropped.

use std::{
    fmt,
    panic::Location,
    sync::Arc,
    task::{Context, Poll},
};

use crate::id::Seq;
use crate::model::CheckpointKind;
use crate::workflow::host::{Ask, Call, Host, Outcome};

/// An operation that has taken its position.
pub(crate) struct Operation {
    host: Arc<dyn Host>,
    name: Arc<str>,
    seq: Seq,
    /// Whether the outcome was handed out, so that dropping means nothing any more.
    done: bool,
}

impl Operation {
    #[track_caller]
    pub(crate) fn open(host: Arc<dyn Host>, kind: CheckpointKind, name: Arc<str>) -> Self {
        let seq = host.open(Call {
            kind,
            name: Arc::clone(&name),
            site: Location::caller(),
        });
        Self {
            host,
            name,
            seq,
            done: false,
        }
    }

    pub(crate) fn host(&self) -> &Arc<dyn Host> {
        &self.host
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(crate) const fn seq(&self) -> Seq {
        self.seq
    }

    /// Polls a wait.
    pub(crate) fn poll(&mut self, ask: &Ask, cx: &mut Context<'_>) -> Poll<Outcome> {
        let outcome = self.host.poll(self.seq, ask, cx);
        self.done |= outcome.is_ready();
        outcome
    }

    /// The outcome was handed out.
    pub(crate) const fn finish(&mut self) {
        self.done = true;
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        if !self.done {
            self.host.close(self.seq);
        }
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` at {}", self.name, self.seq)
    }
}
