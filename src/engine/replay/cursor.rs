//! Positions, matching with the history, and the order of releases.

use std::{
    collections::{BTreeMap, VecDeque},
    panic::Location,
    sync::Arc,
};

use super::{
    fault::Fault,
    slot::{Slot, SlotState},
    slots::Slots,
};
use crate::id::Seq;
use crate::model::{Checkpoint, CheckpointKind, CheckpointStatus};
use crate::time::Timestamp;
use crate::workflow::{Call, Captured, PatchState};

/// What an operation got when it was made.
#[derive(Debug)]
pub(crate) enum Opened {
    /// Its position.
    At(Seq),
    /// Its position and what is recorded there, for a capture.
    Recorded(Seq, Captured),
}

/// An outcome that the workflow is about to see.
#[derive(Debug)]
pub(crate) struct Release {
    pub(crate) seq: Seq,
    /// Its place in the order, if it is new and must be stored.
    pub(crate) new_ord: Option<u32>,
}

/// An operation that the workflow has dropped.
#[derive(Debug)]
pub(crate) struct Closed {
    pub(crate) slot: Box<Slot>,
    /// Whether the store must learn that it was abandoned.
    pub(crate) is_news: bool,
}

/// What the code has not come to yet. One of the two is not empty.
#[derive(Debug)]
struct Past {
    /// Records whose operation the code has not asked for yet.
    recorded: BTreeMap<Seq, Checkpoint>,
    /// Recorded outcomes in the order in which they were released.
    replay: VecDeque<Seq>,
}

/// Where the workflow's code stands in its history.
///
/// Invariant: between two releases the workflow is polled until it is pending, and only then is
/// the next outcome released. So the code sees the same outcomes in the same order, live and on
/// replay, and takes the same positions.
#[derive(Debug)]
pub(crate) struct Cursor {
    /// What is left of the history; `None` once it is used up.
    past: Option<Box<Past>>,
    /// New outcomes in the order in which they arrived.
    ready: VecDeque<Seq>,
    slots: Slots,
    next_seq: Seq,
    next_ord: u32,
    /// Failures that were released since the last operation was made: if the workflow ends with a
    /// failure now, it is because of one of them.
    #[expect(
        clippy::box_collection,
        reason = "a pointer in place of three words per run"
    )]
    last_failures: Option<Box<Vec<Checkpoint>>>,
    /// Whether anything was released that is not in the history.
    has_released_new: bool,
    /// Whether the workflow may move on: it was started or something was released to it.
    in_turn: bool,
    fault: Option<Box<Fault>>,
}

impl Cursor {
    /// A cursor at the beginning of `history`.
    pub(crate) fn new(history: Vec<Checkpoint>) -> Self {
        let mut order: Vec<(u32, Seq)> = history
            .iter()
            .filter(|record| record.status.is_released())
            .filter_map(|record| Some((record.ord?, record.seq)))
            .collect();
        order.sort_unstable();
        let next_ord = order.last().map_or(0, |(ord, _)| ord + 1);
        let records = history.into_iter().map(|record| (record.seq, record));
        let past = Past {
            recorded: records.collect(),
            replay: order.into_iter().map(|(_, seq)| seq).collect(),
        };
        Self {
            past: (!past.is_used_up()).then(|| Box::new(past)),
            ready: VecDeque::new(),
            slots: Slots::default(),
            next_seq: Seq(0),
            next_ord,
            last_failures: None,
            has_released_new: false,
            in_turn: false,
            fault: None,
        }
    }

    /// Whether the history is used up: what happens from now on is new.
    pub(crate) const fn is_live(&self) -> bool {
        self.past.is_none()
    }

    /// The record of the operation at `seq`, if the code has not asked for it yet.
    fn recorded(&self, seq: Seq) -> Option<&Checkpoint> {
        self.past.as_ref()?.recorded.get(&seq)
    }

    /// The first record that the code has not asked for.
    fn first_recorded(&self) -> Option<Seq> {
        self.past.as_ref()?.recorded.keys().next().copied()
    }

    /// The recorded outcome that is released next.
    fn next_replayed(&self) -> Option<Seq> {
        self.past.as_ref()?.replay.front().copied()
    }

    /// Takes something out of the history.
    fn take<T>(&mut self, take: impl FnOnce(&mut Past) -> Option<T>) -> Option<T> {
        let past = self.past.as_mut()?;
        let taken = take(past);
        if past.is_used_up() {
            self.past = None;
        }
        taken
    }

    pub(crate) fn take_fault(&mut self) -> Option<Fault> {
        self.fault.take().map(|fault| *fault)
    }

    pub(crate) const fn has_fault(&self) -> bool {
        self.fault.is_some()
    }

    /// Notes the first thing that went wrong; what follows from it would only mislead.
    pub(crate) fn fail(&mut self, fault: Fault) {
        self.fault.get_or_insert_with(|| Box::new(fault));
    }

    pub(crate) fn slot(&mut self, seq: Seq) -> Option<&mut Slot> {
        self.slots.get_mut(seq)
    }

    pub(crate) fn slots(&self) -> impl Iterator<Item = (Seq, &Slot)> {
        self.slots.iter()
    }

    /// Whether the operation at `seq` was made and is gone again.
    pub(crate) fn is_gone(&self, seq: Seq) -> bool {
        seq < self.next_seq && !self.slots.contains(seq)
    }

    /// Gives an operation its position and matches it with its record.
    pub(crate) fn open(&mut self, call: Call, site: Arc<str>, now: Timestamp) -> Opened {
        let seq = self.next_seq;
        self.next_seq = seq.next();
        self.last_failures = None;
        if !self.in_turn {
            self.fail(Fault::Unprompted { seq });
        }
        let record = self.take(|past| past.recorded.remove(&seq));
        if let Some(record) = &record
            && let Some(fault) = mismatch(record, &call, &site)
        {
            self.fail(fault);
        }
        if call.kind.is_capture() {
            let captured = record.and_then(|record| self.captured(record));
            return captured.map_or(Opened::At(seq), |it| Opened::Recorded(seq, it));
        }
        let slot = Slot::new(call.kind, call.name, site, record, now);
        self.slots.push(seq, slot);
        Opened::At(seq)
    }

    fn captured(&mut self, record: Checkpoint) -> Option<Captured> {
        if let Some(failure) = record.failure.clone() {
            self.note_failure(record);
            return Some(Err(failure));
        }
        record.result.map(Ok)
    }

    /// What the history says about a patch at the position that comes next.
    ///
    /// Captures are stored no later than whatever follows them. So if anything is recorded from
    /// here on, and it is not the patch, the run came by before the patch was written.
    pub(crate) fn patch_state(&self, id: &str) -> PatchState {
        let here = self.recorded(self.next_seq);
        if here.is_some_and(|it| it.kind == CheckpointKind::Patch && *it.name == *id) {
            PatchState::Recorded
        } else if self.first_recorded().is_none() {
            PatchState::NewGround
        } else {
            PatchState::OldRun
        }
    }

    /// Whether the history goes on, at the position that comes next, with the result of a dropped
    /// step.
    pub(crate) fn has_unseen(&self, name: &str) -> bool {
        let here = self.recorded(self.next_seq);
        here.is_some_and(|it| it.kind == CheckpointKind::Unseen && *it.name == *name)
    }

    /// Whether the code has come here by replay alone, or has not come to its end.
    pub(crate) fn is_replay_so_far(&self) -> bool {
        !self.is_live() || !self.has_released_new
    }

    /// Takes the operation out: its outcome was handed to the workflow, or it was dropped.
    pub(crate) fn close(&mut self, seq: Seq) -> Option<Closed> {
        if !self.in_turn {
            self.fail(Fault::Unprompted { seq });
        }
        let slot = self.slots.remove(seq)?;
        if matches!(slot.state, SlotState::Ready(_)) {
            self.ready.retain(|ready| *ready != seq);
        }
        // A released outcome is stored as it is, whether the workflow looks at it or not.
        let is_news = !matches!(slot.state, SlotState::Released { .. })
            && slot.recorded_status() != Some(CheckpointStatus::Abandoned);
        Some(Closed { slot, is_news })
    }

    /// Removes an operation whose released outcome was handed over.
    pub(crate) fn consume(&mut self, seq: Seq) {
        self.slots.remove(seq);
    }

    /// Whether an outcome waits for its release.
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty() && !self.has_fault()
    }

    /// Queues an operation that has just become [`SlotState::Ready`].
    pub(crate) fn push_ready(&mut self, seq: Seq) {
        self.ready.push_back(seq);
    }

    /// Hands the next outcome over: the caller wakes the operation and polls the workflow.
    pub(crate) fn release(&mut self) -> Option<Release> {
        if self.has_fault() {
            return None;
        }
        if let Some(seq) = self.take(|past| past.replay.pop_front()) {
            let Some(slot) = self.slots.get_mut(seq) else {
                self.fail_missing(seq, false);
                return None;
            };
            if slot.recorded_status() != Some(CheckpointStatus::Completed) {
                let failures = self.last_failures.get_or_insert_default();
                failures.extend(slot.record.as_deref().cloned());
            }
            let ord = slot.record.as_ref().and_then(|record| record.ord);
            let (ord, outcome) = (ord.unwrap_or_default(), slot.take_recorded()?);
            slot.state = SlotState::Released { ord, outcome };
            self.in_turn = true;
            return Some(Release { seq, new_ord: None });
        }
        let seq = self.ready.pop_front()?;
        let slot = self.slots.get_mut(seq)?;
        let SlotState::Ready(outcome) = std::mem::replace(&mut slot.state, SlotState::Opened)
        else {
            return None;
        };
        let ord = self.next_ord;
        slot.state = SlotState::Released { ord, outcome };
        self.next_ord += 1;
        self.has_released_new = true;
        self.in_turn = true;
        Some(Release {
            seq,
            new_ord: Some(ord),
        })
    }

    /// Whether the history goes on with the workflow being cut off.
    pub(crate) fn is_cut_next(&self) -> bool {
        let next = self.next_replayed().and_then(|seq| self.recorded(seq));
        next.is_some_and(|record| record.kind == CheckpointKind::Cancel)
    }

    /// Cuts the workflow off at this place of its history, which is the order of release too.
    /// Answers with what must be stored, if it is new.
    pub(crate) fn cut(&mut self) -> Option<(Seq, u32)> {
        let seq = self.next_seq;
        self.next_seq = seq.next();
        self.last_failures = None;
        if self.is_cut_next() {
            if self.take(|past| past.replay.pop_front()) != Some(seq) {
                self.fail_missing(seq, false);
            }
            self.take(|past| past.recorded.remove(&seq));
            return None;
        }
        let ord = self.next_ord;
        self.next_ord += 1;
        self.has_released_new = true;
        Some((seq, ord))
    }

    /// Whether the workflow may move on.
    pub(crate) const fn is_in_turn(&self) -> bool {
        self.in_turn
    }

    /// The workflow is about to be polled for the first time.
    pub(crate) const fn begin(&mut self) {
        self.in_turn = true;
    }

    /// The workflow is pending: it has seen all there is to see.
    pub(crate) fn end_turn(&mut self) {
        let was_turn = std::mem::take(&mut self.in_turn);
        if self.has_fault() {
            return;
        }
        if self.next_replayed().is_none() {
            // Every recorded operation was made before or between the recorded releases.
            if let Some(seq) = self.first_recorded() {
                self.fail_missing(seq, false);
                return;
            }
            let kept = self
                .slots
                .iter()
                .find(|(_, slot)| slot.recorded_status() == Some(CheckpointStatus::Abandoned));
            if let Some(seq) = kept.map(|(seq, _)| seq) {
                self.fail_missing(seq, false);
                return;
            }
            if was_turn && !self.slots.iter().any(|(_, slot)| slot.is_outstanding()) {
                let after = Seq(self.next_seq.0.saturating_sub(1));
                self.fail(Fault::Foreign { after });
            }
        }
    }

    /// Notes a failure that is being released.
    pub(crate) fn note_failure(&mut self, checkpoint: Checkpoint) {
        self.last_failures.get_or_insert_default().push(checkpoint);
    }

    /// The failed operations that nothing has followed.
    pub(crate) fn take_last_failures(&mut self) -> Vec<Checkpoint> {
        self.last_failures
            .take()
            .map_or_else(Vec::new, |failures| *failures)
    }

    /// The workflow has returned.
    pub(crate) fn finish(&mut self) {
        if !self.in_turn {
            let seq = self.next_seq;
            self.fail(Fault::Unprompted { seq });
        }
        if let Some(seq) = self.first_recorded().or_else(|| self.next_replayed()) {
            self.fail_missing(seq, true);
        }
    }

    fn fail_missing(&mut self, seq: Seq, returned: bool) {
        let recorded = match (self.recorded(seq), self.slots.get(seq)) {
            (Some(record), _) => (record.kind, Arc::clone(&record.name), record.site.clone()),
            (None, Some(slot)) => (
                slot.kind,
                Arc::clone(&slot.name),
                Some(Arc::clone(&slot.site)),
            ),
            // Asked for, dropped, and now due for release: the code dropped it too early.
            (None, None) => (CheckpointKind::Step, "dropped".into(), None),
        };
        self.fail(Fault::Missing {
            seq,
            recorded,
            returned,
        });
    }
}

impl Past {
    fn is_used_up(&self) -> bool {
        self.recorded.is_empty() && self.replay.is_empty()
    }
}

/// What differs between a record and the call at its position.
fn mismatch(record: &Checkpoint, call: &Call, site: &str) -> Option<Fault> {
    let is_same = record.kind == call.kind && record.name == call.name;
    // Lines move with every edit, so call sites are only compared within one build. There they
    // tell two operations of the same name apart, such as those of an unbiased `select!`.
    let recorded_site = record.site.as_deref();
    // A patch is known by its id: `deprecate_patch` stands elsewhere than `patched`.
    let is_same_site = call.kind == CheckpointKind::Patch
        || recorded_site.is_none_or(|there| build_of(there) != build_of(site) || there == site);
    if is_same && is_same_site {
        return None;
    }
    Some(Fault::Changed {
        seq: record.seq,
        recorded: (record.kind, Arc::clone(&record.name), record.site.clone()),
        asked: (call.kind, Arc::clone(&call.name)),
        site: call.site,
    })
}

/// The build that a site was recorded in.
fn build_of(site: &str) -> &str {
    site.split_once(' ').map_or(site, |(build, _)| build)
}

/// How a site is stored: `<build> <file>:<line>:<column>`.
pub(crate) fn site_text(build: &str, site: &Location<'_>) -> Arc<str> {
    format!("{build} {site}").into()
}
