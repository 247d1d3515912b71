//! Which outcome the workflow may see now, and whether its sets of futures are in order.

use std::collections::BTreeSet;

use crate::id::Seq;

/// What the workflow did since something was released to it.
///
/// A set such as `FuturesUnordered` keeps its woken futures in a queue and polls them in that
/// order. While the workflow awaits a set, the queue is emptied by every poll. When it turns to
/// something else, futures that are woken from then on stay in the queue, and their order would
/// depend on bodies that do not run on replay. So when the workflow *may* have turned away from a
/// set, the driver wakes every operation inside a set, in order of position, and polls once more:
/// a set that is awaited comes out empty, any other one holds all its futures in that order.
///
/// An outcome that is released while nobody looks at its operation is seen later, maybe together
/// with others. An unbiased `select!` would then choose among them by chance. So one outcome can be
/// seen in a poll: the one just released. Operations that find another outcome of theirs ask for
/// it, and the driver lets them see it one by one, in the order of release.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// The operation whose outcome may be seen.
    current: Option<Seq>,
    /// Operations that were polled while another one was current, by order of release. Boxed,
    /// because there are hardly ever any.
    #[expect(
        clippy::box_collection,
        reason = "a pointer in place of three words per run"
    )]
    asked: Option<Box<BTreeSet<(u32, Seq)>>>,
    has_turned: bool,
    is_sweeping: bool,
}

impl Turn {
    /// The next turn begins.
    pub(crate) fn begin(&mut self, released: Option<Seq>) {
        *self = Self {
            current: released,
            asked: None,
            has_turned: released.is_none(),
            is_sweeping: false,
        };
    }

    /// An operation was polled: one that was not released tells that the workflow awaits it now.
    pub(crate) fn polled(&mut self, seq: Seq) {
        self.has_turned |= !self.is_sweeping && self.current != Some(seq);
    }

    /// Whether the outcome of `seq`, released at `ord`, may be seen; it is noted if not.
    pub(crate) fn may_see(&mut self, ord: u32, seq: Seq) -> bool {
        if self.current != Some(seq) {
            self.asked.get_or_insert_default().insert((ord, seq));
            return false;
        }
        self.current = None;
        self.has_turned |= self.is_sweeping;
        true
    }

    /// Lets the next operation that asked see its outcome.
    pub(crate) fn next_asked(&mut self) -> Option<Seq> {
        let (_, seq) = self.asked.as_mut()?.pop_first()?;
        self.current = Some(seq);
        Some(seq)
    }

    /// An operation was made or dropped.
    pub(crate) fn progressed(&mut self) {
        self.has_turned = true;
    }

    /// Whether the sets have to be brought in order now.
    pub(crate) fn take_sweep(&mut self) -> bool {
        self.is_sweeping = true;
        std::mem::take(&mut self.has_turned)
    }
}
