//! What all operations share: a position, and its return when the operation is dropped.

use std::{
    fmt,
    panic::Location,
    sync::Arc,
    task::{Context, Poll},
};

use crate::id::Seq;
use crate::model::CheckpointKind;
use crate::payload::Payload;
use crate::time::Timestamp;
use crate::workflow::{
    host::{Ask, Call, Dropped, Host, Outcome},
    saga::{Saga, Undo},
};

/// An operation that has taken its position.
pub(crate) struct Operation {
    host: Arc<dyn Host>,
    name: Arc<str>,
    seq: Seq,
    /// Whether the outcome was handed out, so that dropping means nothing any more.
    done: bool,
    /// Whether [`poll_with`](Self::poll_with) has asked.
    is_asked: bool,
    /// How it is undone, if it can be.
    undo: Option<Box<Planned>>,
}

/// An undo, and where to note that it is due.
pub(crate) struct Planned {
    pub(crate) saga: Arc<Saga>,
    pub(crate) undo: Undo,
}

impl Operation {
    #[track_caller]
    pub(crate) fn open(host: Arc<dyn Host>, kind: CheckpointKind, name: Arc<str>) -> Self {
        Self::open_at(host, kind, name, Location::caller())
    }

    /// Opens an operation that the code asked for at `site`.
    pub(crate) fn open_at(
        host: Arc<dyn Host>,
        kind: CheckpointKind,
        name: Arc<str>,
        site: &'static Location<'static>,
    ) -> Self {
        let seq = host.open(Call {
            kind,
            name: Arc::clone(&name),
            site,
        });
        Self {
            host,
            name,
            seq,
            done: false,
            is_asked: false,
            undo: None,
        }
    }

    /// Has it undone should the run fail later.
    pub(crate) fn plan(&mut self, planned: Planned) {
        self.undo = Some(Box::new(planned));
    }

    /// How it is undone, if it can be.
    pub(crate) fn planned(&mut self) -> Option<&mut Undo> {
        self.undo.as_mut().map(|planned| &mut planned.undo)
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

    /// Polls a wait that is asked for at its first poll only.
    pub(crate) fn poll_with(
        &mut self,
        ask: impl FnOnce() -> Ask,
        cx: &mut Context<'_>,
    ) -> Poll<Outcome> {
        // The host keeps what it was asked first and never looks at it again.
        let later = Ask::Timer {
            until: Timestamp::MAX,
        };
        let ask = if std::mem::replace(&mut self.is_asked, true) {
            later
        } else {
            ask()
        };
        self.poll(&ask, cx)
    }

    /// The outcome was handed out.
    pub(crate) fn finish(&mut self, outcome: &Outcome) {
        self.done = true;
        if let (Some(planned), Outcome::Completed(output)) = (self.undo.take(), outcome) {
            let Planned { saga, undo } = *planned;
            saga.completed(self.seq, undo, output.clone());
        }
    }

    /// The result of a step that was dropped unseen: it has had its effect, and is undone like
    /// any other. On replay the result comes from the history.
    ///
    /// A crash before it is stored leaves nothing of the step either, which then executes again.
    fn unseen(&self, undo: &Undo, dropped: Dropped) -> Option<Payload> {
        let output = match dropped {
            Dropped::Recorded(output) => return Some(output),
            Dropped::Unrecorded(output) => Some(output),
            Dropped::Unfinished if self.host.has_unseen(&self.name) => None,
            Dropped::Unfinished | Dropped::Ignored => return None,
        };
        let call = Call {
            kind: CheckpointKind::Unseen,
            name: Arc::clone(&self.name),
            site: undo.site,
        };
        let kept = |_| Ok(output.clone().unwrap_or_else(Payload::null));
        self.host.capture(call, &mut { kept }).ok()
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let dropped = self.host.close(self.seq);
        if let Some(planned) = self.undo.take()
            && let Some(output) = self.unseen(&planned.undo, dropped)
        {
            let Planned { saga, undo } = *planned;
            saga.completed(self.seq, undo, output);
        }
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` at {}", self.name, self.seq)
    }
}
