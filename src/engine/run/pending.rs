//! What a run has to write with its next commit.

use std::sync::Arc;

use crate::id::{RunId, Seq};
use crate::model::{AttributePatch, Checkpoint, CheckpointKind};
use crate::payload::Payload;
use crate::protocol::StepTask;
use crate::store::{Beyond, NewWaiter};

/// What a run has to write with its next commit.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    pub(crate) checkpoints: Vec<Checkpoint>,
    pub(crate) waiters: Vec<NewWaiter>,
    /// Boxed, because few commits have any.
    pub(crate) rare: Option<Box<Rare>>,
    /// What nothing may start before: releases and failed attempts.
    pub(crate) gating: u32,
    /// Whether it should be written now. Captures and abandoned operations wait for company.
    pub(crate) is_urgent: bool,
}

/// What few commits have: what a run has heard, what it tells the outside of itself, and what it
/// does there.
#[derive(Debug, Default)]
pub(crate) struct Rare {
    pub(crate) withdrawn: Vec<Seq>,
    pub(crate) taken: Vec<i64>,
    pub(crate) published: Vec<(Arc<str>, Payload)>,
    pub(crate) tags: Vec<Arc<str>>,
    pub(crate) attributes: AttributePatch,
    /// What it changes outside of itself.
    pub(crate) beyond: Option<Box<Beyond>>,
    /// Steps to be sent once this is durable. If the process dies before they are sent, the
    /// waiting checkpoint tells whoever recovers the run to send them.
    pub(crate) dispatch: Vec<StepTask>,
}

impl Pending {
    pub(crate) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Items of the inbox that are dealt with.
    pub(crate) fn take(&mut self, items: impl IntoIterator<Item = i64>) {
        for item in items {
            self.rare().taken.push(item);
        }
    }

    /// What the run changes outside of itself.
    pub(crate) fn beyond(&mut self) -> &mut Beyond {
        self.rare().beyond.get_or_insert_default()
    }

    /// The run that this one continues as.
    pub(crate) fn next(&self) -> Option<&RunId> {
        let beyond = self.rare.as_ref()?.beyond.as_ref()?;
        beyond.next.as_ref()
    }

    /// The run does not continue as another one after all.
    pub(crate) fn stay(&mut self) {
        let beyond = self.rare.as_mut().and_then(|it| it.beyond.as_mut());
        if let Some(beyond) = beyond
            && let Some(next) = beyond.next.take()
        {
            beyond.starts.retain(|new| new.id != next);
        }
    }

    /// Puts a checkpoint, in place of an unwritten one of the same operation.
    pub(crate) fn put(&mut self, checkpoint: Checkpoint, may_replace: bool) {
        if may_replace {
            let mut unwritten = self.checkpoints.iter_mut().rev();
            if let Some(there) = unwritten.find(|there| there.seq == checkpoint.seq) {
                *there = checkpoint;
                return;
            }
        }
        self.checkpoints.push(checkpoint);
    }

    /// Closes a wait for an event.
    fn close_listen(&mut self, seq: Seq) {
        let beyond = self.beyond();
        let unwritten = beyond.listens.iter().position(|it| it.seq == seq);
        match unwritten {
            Some(place) => {
                beyond.listens.remove(place);
            }
            None => beyond.closed.push(seq),
        }
    }

    /// Closes a wait for news.
    pub(crate) fn close_wait(&mut self, seq: Seq, kind: CheckpointKind) {
        if kind == CheckpointKind::Event {
            self.close_listen(seq);
        } else {
            self.withdraw(seq);
        }
    }

    /// Closes a wait for a signal.
    fn withdraw(&mut self, seq: Seq) {
        let unwritten = self.waiters.iter().position(|waiter| waiter.seq == seq);
        match unwritten {
            Some(place) => {
                self.waiters.remove(place);
            }
            None => self.rare().withdrawn.push(seq),
        }
    }
}
