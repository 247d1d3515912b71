//! What waits at an address of their run's own share, and tickets to reach them.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use rand::Rng as _;

use super::{capture::capture, operation::Operation};
use crate::id::Seq;
use crate::model::{CheckpointKind, address};
use crate::workflow::host::{Ask, Host, Outcome, PrivateAsk, Read};

/// A wait for a signal to an address that only this run has.
#[derive(Debug)]
pub(super) struct PrivateWait {
    operation: Operation,
    ask: Arc<PrivateAsk>,
}

impl PrivateWait {
    pub(super) fn new(operation: Operation, token: Arc<str>) -> Self {
        Self {
            operation,
            ask: Arc::new(PrivateAsk::new(token)),
        }
    }

    /// Lets `read` decide what becomes of a signal.
    pub(super) fn reading(mut self, read: Arc<Read>) -> Self {
        Arc::make_mut(&mut self.ask).read = Some(read);
        self
    }

    /// Gives up after `length`, counted from the first poll.
    pub(super) fn limit(&mut self, length: Duration) {
        Arc::make_mut(&mut self.ask).timeout = Some(length);
    }

    pub(super) const fn operation(&self) -> &Operation {
        &self.operation
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        let ask = Ask::Private(Arc::clone(&self.ask));
        self.operation.poll(&ask, cx)
    }
}

/// A ticket to a wait of this run: the recorded one, or a new one. Nothing that comes later starts
/// before it is durable, so what was given to the outside stays good after a crash.
#[track_caller]
pub(super) fn draw_ticket(host: &dyn Host, name: &str) -> String {
    capture(host, CheckpointKind::Token, name, |seq| {
        new_ticket(host, seq)
    })
}

/// A ticket for what stands at `seq`.
pub(super) fn new_ticket(host: &dyn Host, seq: Seq) -> String {
    // Not from the run's seed: who knows a run's id knows that.
    let mut secret = [0; address::SECRET_BYTES];
    rand::rng().fill_bytes(&mut secret);
    address::ticket(host.run_id(), seq, &secret)
}
