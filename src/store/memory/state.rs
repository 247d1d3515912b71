//! What the store holds, and the indexes that keep its questions cheap.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Weak},
};

use hashbrown::HashMap;

use super::audience::Events;
use crate::id::{FencingToken, InstanceId, RunId, Seq};
use crate::model::{
    AuditEntry, Checkpoint, InboxBody, InboxItem, InstanceReport, NewRun, Run, RunStatus, SignalId,
};
use crate::payload::Payload;
use crate::store::commit::StartAck;
use crate::store::read::RunRecord;
use crate::time::Timestamp;

/// Everything.
#[derive(Default, Clone)]
pub(super) struct State {
    /// The runs in the order in which they were started. One that was removed leaves an empty row,
    /// which no id leads to.
    pub(super) rows: Vec<Row>,
    by_id: HashMap<RunId, usize>,
    /// Invariant: holds `(wake_at, no)` of exactly the runs that time alone makes due, by their
    /// priority, the highest first. A priority that nobody has any more keeps an empty set.
    pub(super) due: BTreeMap<Reverse<i32>, BTreeSet<(Timestamp, usize)>>,
    /// Invariant: holds exactly the runs with an owner, by owner.
    owned: BTreeMap<InstanceId, BTreeSet<usize>>,
    /// Open waits by token, longest-waiting first.
    pub(super) waiters: BTreeMap<Arc<str>, BTreeMap<u64, (usize, Seq)>>,
    /// Signals that nobody waits for yet, by token, oldest first.
    pub(super) buffer: BTreeMap<Arc<str>, BTreeMap<u64, Untaken>>,
    /// Every signal that was delivered: what makes a second delivery a duplicate.
    pub(super) signals: HashMap<SignalId, Sent>,
    pub(super) instances: BTreeMap<InstanceId, Instance>,
    /// The runs that runs have started.
    pub(super) children: BTreeMap<RunId, Vec<usize>>,
    /// Open waits for the end of runs, by run; each with its place among all.
    pub(super) joins: BTreeMap<usize, Vec<Join>>,
    pub(super) events: Events,
    /// What operators did, oldest first.
    pub(super) audit: Vec<AuditEntry>,
    last_item: i64,
    pub(super) last_waiter: u64,
    pub(super) last_signal: u64,
    pub(super) last_join: u64,
}

/// A signal that nobody has taken.
pub(super) type Untaken = (SignalId, Payload);

/// A signal that was delivered.
#[derive(Clone)]
pub(super) struct Sent {
    pub(super) token: Arc<str>,
    pub(super) sent_at: Timestamp,
    /// Its place in the order of delivery.
    pub(super) place: u64,
}

/// A run and what belongs to it.
#[derive(Clone)]
pub(super) struct Row {
    pub(super) run: Run,
    /// Sorted by `seq`.
    pub(super) history: Vec<Checkpoint>,
    pub(super) inbox: BTreeMap<i64, Item>,
    pub(super) waiters: BTreeMap<Seq, (Arc<str>, u64)>,
    pub(super) published: BTreeMap<Arc<str>, Payload>,
    /// The request to cancel that came since the newest claim.
    pub(super) asked: Option<InboxBody>,
}

/// An item of an inbox.
#[derive(Clone)]
pub(super) struct Item {
    pub(super) body: InboxBody,
    /// The signal that it carries, to be put back if it is not taken.
    pub(super) signal: Option<SignalId>,
}

/// A wait for the end of a run: its place among all, and the run and operation that wait.
pub(super) type Join = (u64, (usize, Seq));

/// A known instance.
#[derive(Clone)]
pub(super) struct Instance {
    pub(super) lease_until: Timestamp,
    /// Lives as long as the instance's [`LivenessLock`](crate::store::LivenessLock).
    pub(super) lock: Weak<()>,
    pub(super) report: Option<(Timestamp, InstanceReport)>,
}

/// Where a run stands in the indexes.
#[derive(PartialEq)]
pub(super) struct Keys {
    /// Its priority, which never changes.
    priority: Reverse<i32>,
    due: Option<Timestamp>,
    owner: Option<InstanceId>,
}

impl State {
    pub(super) fn no(&self, run: &RunId) -> Option<usize> {
        self.by_id.get(run).copied()
    }

    pub(super) fn row(&self, run: &RunId) -> Option<&Row> {
        self.rows.get(self.no(run)?)
    }

    pub(super) fn start(&mut self, new: &NewRun, now: Timestamp) -> StartAck {
        if let Some(row) = self.row(&new.id) {
            return StartAck::Existing {
                status: row.run.status,
            };
        }
        let no = self.rows.len();
        let row = Row::new(new, now);
        self.index(no, None, &row.keys());
        self.rows.push(row);
        self.by_id.insert(new.id.clone(), no);
        if let Some(parent) = &new.parent {
            let children = self.children.entry(parent.run.clone()).or_default();
            children.push(no);
        }
        StartAck::Created
    }

    /// Removes an ended run, which is in no index but that of the ids.
    pub(super) fn remove(&mut self, run: &RunId) {
        let Some(no) = self.by_id.remove(run) else {
            return;
        };
        if let Some(row) = self.rows.get_mut(no) {
            row.history = Vec::new();
            row.published.clear();
            row.run.input = Payload::default();
            row.run.output = None;
        }
    }

    /// Whether the row is that of a run, and not one that was removed.
    pub(super) fn is_there(&self, no: usize) -> bool {
        let row = self.rows.get(no);
        row.is_some_and(|row| self.no(&row.run.id) == Some(no))
    }

    /// Changes a run and puts it where it belongs in the indexes.
    pub(super) fn change<T>(&mut self, no: usize, change: impl FnOnce(&mut Row) -> T) -> Option<T> {
        let row = self.rows.get_mut(no)?;
        let before = row.keys();
        let answer = change(row);
        let after = row.keys();
        if before != after {
            self.index(no, Some(&before), &after);
        }
        Some(answer)
    }

    fn index(&mut self, no: usize, before: Option<&Keys>, after: &Keys) {
        let was_due = before.and_then(|keys| keys.due);
        if was_due.is_some() || after.due.is_some() {
            let due = self.due.entry(after.priority).or_default();
            if let Some(at) = was_due {
                due.remove(&(at, no));
            }
            due.extend(after.due.map(|at| (at, no)));
        }
        let held_by = before.and_then(|keys| keys.owner.as_ref());
        if held_by == after.owner.as_ref() {
            return;
        }
        if let Some(owner) = held_by
            && let Some(held) = self.owned.get_mut(owner)
        {
            held.remove(&no);
        }
        if let Some(owner) = &after.owner {
            self.owned.entry(owner.clone()).or_default().insert(no);
        }
    }

    /// Whoever owns a run.
    pub(super) fn owners(&self) -> impl Iterator<Item = &InstanceId> {
        let owned = self.owned.iter();
        owned.filter(|(_, held)| !held.is_empty()).map(|(id, _)| id)
    }

    /// The runs that an instance owns, in the order of their start.
    pub(super) fn held(&self, instance: &InstanceId) -> Vec<usize> {
        self.owned
            .get(instance)
            .map_or_else(Vec::new, |held| held.iter().copied().collect())
    }

    /// Puts an item into a run's inbox. Wakes nobody.
    pub(super) fn put_item(&mut self, no: usize, item: Item) -> Option<InboxItem> {
        self.last_item += 1;
        let answer = InboxItem::new(self.last_item, item.body.clone());
        self.rows.get_mut(no)?.inbox.insert(self.last_item, item);
        Some(answer)
    }

    /// Wakes a run from outside.
    pub(super) fn wake(&mut self, no: usize, now: Timestamp) {
        self.change(no, |row| {
            row.run.wakes += 1;
            row.run.updated_at = now;
            row.make_due(now);
        });
    }
}

impl Row {
    fn new(new: &NewRun, now: Timestamp) -> Self {
        let mut tags = new.tags.clone();
        tags.sort();
        tags.dedup();
        let run = Run {
            id: new.id.clone(),
            workflow: new.workflow.clone(),
            status: RunStatus::Pending,
            input: new.input.clone(),
            output: None,
            failure: None,
            tags,
            attributes: new.attributes.clone(),
            namespace: Arc::clone(&new.namespace),
            priority: new.priority,
            owner: new.owner.clone(),
            token: FencingToken(u64::from(new.owner.is_some())),
            wake_at: new.due_at,
            wakes: 0,
            seen_wakes: 0,
            recoveries: 0,
            rev: 0,
            created_at: now,
            updated_at: now,
            finished_at: None,
            parent: new.parent.clone(),
            is_joined: false,
            next: None,
            deadline: new.deadline,
            fingerprint: new.fingerprint,
        };
        Self {
            run,
            history: Vec::new(),
            inbox: BTreeMap::new(),
            waiters: BTreeMap::new(),
            published: BTreeMap::new(),
            asked: None,
        }
    }

    pub(super) fn keys(&self) -> Keys {
        let run = &self.run;
        let waits = run.owner.is_none() && run.wake_at < Timestamp::MAX;
        Keys {
            priority: Reverse(run.priority),
            due: waits.then_some(run.wake_at),
            owner: run.owner.clone(),
        }
    }

    /// Makes a run that nobody holds due now; one that is set aside waits until it is asked for.
    pub(super) fn make_due(&mut self, now: Timestamp) {
        if self.run.owner.is_none() && !self.run.status.is_set_aside() {
            self.run.wake_at = now;
        }
    }

    /// Takes the run away from its owner, whose later writes are refused by the new token.
    pub(super) fn take_away(&mut self, now: Timestamp) {
        self.run.owner = None;
        self.run.token.0 += 1;
        self.run.updated_at = now;
        // A delayed start keeps its time; everything else is looked at by the next owner.
        self.run.wake_at = match self.run.status {
            RunStatus::Pending => self.run.wake_at.max(now),
            _ => now,
        };
    }

    /// Ends the run where nobody executes it.
    pub(super) fn end(&mut self, status: RunStatus, at: Timestamp, now: Timestamp) {
        self.run.status = status;
        self.run.owner = None;
        self.run.token.0 += 1;
        self.run.wake_at = Timestamp::MAX;
        self.run.finished_at = Some(at);
        self.run.updated_at = now;
    }

    pub(super) fn put_checkpoint(&mut self, checkpoint: &Checkpoint) {
        match self.history.last() {
            Some(last) if last.seq >= checkpoint.seq => {
                match self
                    .history
                    .binary_search_by_key(&checkpoint.seq, |old| old.seq)
                {
                    Ok(at) => {
                        if let Some(old) = self.history.get_mut(at) {
                            old.clone_from(checkpoint);
                        }
                    }
                    Err(at) => self.history.insert(at, checkpoint.clone()),
                }
            }
            _ => self.history.push(checkpoint.clone()),
        }
    }

    pub(super) fn items(&self) -> Vec<InboxItem> {
        let items = self.inbox.iter();
        items
            .map(|(id, item)| InboxItem::new(*id, item.body.clone()))
            .collect()
    }

    pub(super) fn record(&self) -> RunRecord {
        RunRecord::new(self.run.clone(), self.history.clone(), self.items())
    }
}
