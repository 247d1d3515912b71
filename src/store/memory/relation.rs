//! How runs belong together: starts by runs, waits for the end of runs, successors.

use crate::id::{RunId, Seq};
use crate::model::{InboxBody, InboxItem, OnCancel, RunStatus};
use crate::store::commit::{CommitAck, DeliveryAck, NewJoin, RunCommit};
use crate::store::rules;
use crate::time::Timestamp;

use super::state::{Item, Join, State};

impl State {
    /// Starts the runs that a commit starts.
    pub(super) fn start_beyond(&mut self, commit: &RunCommit, now: Timestamp, ack: &mut CommitAck) {
        let starts = commit.beyond.iter().flat_map(|beyond| &beyond.starts);
        ack.starts = starts.map(|new| self.start(new, now)).collect();
    }

    /// Does everything else that a commit does outside of its run.
    pub(super) fn reach_beyond(
        &mut self,
        no: usize,
        commit: &RunCommit,
        now: Timestamp,
        ack: &mut CommitAck,
    ) {
        let Some(beyond) = &commit.beyond else {
            return;
        };
        ack.delivered.extend(self.close_listens(no, beyond, now));
        if let Some(next) = &beyond.next {
            ack.told.extend(self.continue_as(no, next, now));
        }
        if beyond.unwinds {
            ack.told
                .extend(self.ask_children(&commit.run, &InboxBody::Compensate, now));
        }
        for delivery in &beyond.sends {
            ack.told.extend(self.deliver(delivery, now).ok());
        }
        // A cancelled parent may have ended it just now.
        let row = self.rows.get(no);
        let waits = row.is_some_and(|row| !row.run.status.is_terminal());
        for listen in beyond.listens.iter().filter(|_| waits) {
            ack.delivered.extend(self.listen(no, listen, now));
        }
        for join in beyond.joins.iter().filter(|_| waits) {
            ack.delivered.extend(self.join(no, join, now));
        }
    }

    /// Hands those who wait for the end of a run on to the one that it continues as, and a request
    /// to cancel that it has got and whose answer it cannot be any more.
    fn continue_as(&mut self, no: usize, next: &RunId, now: Timestamp) -> Option<DeliveryAck> {
        self.change(no, |row| row.run.next = Some(next.clone()));
        let next = self.no(next)?;
        let joins = self.joins.remove(&no).unwrap_or_default();
        if !joins.is_empty() {
            self.change(next, |row| row.run.is_joined = true);
            self.joins.entry(next).or_default().extend(joins);
        }
        let asked = self.rows.get(no)?.asked.clone()?;
        let is_over = self.rows.get(next)?.run.status.is_terminal();
        (!is_over).then(|| self.item(next, &asked, now, now))
    }

    /// Opens a wait for the end of a run; answers with that end if it has come.
    fn join(&mut self, no: usize, join: &NewJoin, now: Timestamp) -> Option<InboxItem> {
        let mut target = self.no(&join.run);
        while let Some(at) = target {
            self.change(at, |row| row.run.is_joined = true);
            match self.rows.get(at).and_then(|row| row.run.next.as_ref()) {
                Some(next) => target = self.no(next),
                None => break,
            }
        }
        // The same commit sent again: the end may have come meanwhile.
        let here = |item: &InboxItem| matches!(&item.body, InboxBody::RunEnded { seq, .. } if *seq == join.seq);
        if let Some(item) = self.rows.get(no)?.items().into_iter().find(here) {
            return Some(item);
        }
        let outcome = match target.and_then(|at| self.rows.get(at)) {
            None => Err(rules::nothing_to_wait_for(&join.run)),
            Some(row) if row.run.status.is_terminal() => {
                let run = &row.run;
                rules::outcome(run.status, run.output.clone(), run.failure.clone())
            }
            Some(_) => {
                self.wait_for_end(target?, (no, join.seq));
                return None;
            }
        };
        let seq = join.seq;
        let body = InboxBody::RunEnded { seq, outcome };
        self.change(no, |row| row.make_due(now));
        self.put_item(no, Item { body, signal: None })
    }

    fn wait_for_end(&mut self, target: usize, waiter: (usize, Seq)) {
        let is_open = |joins: &[Join]| joins.iter().any(|(_, it)| *it == waiter);
        if self.joins.get(&target).is_some_and(|joins| is_open(joins)) {
            return;
        }
        for joins in self.joins.values_mut() {
            joins.retain(|(_, it)| *it != waiter);
        }
        self.last_join += 1;
        let place = self.last_join;
        self.joins.entry(target).or_default().push((place, waiter));
    }

    /// Tells of the end of a run: those who wait for it, and its children if it was cancelled.
    pub(super) fn ended(&mut self, no: usize, now: Timestamp) -> Vec<DeliveryAck> {
        let mut told = Vec::new();
        let Some(row) = self.rows.get(no) else {
            return told;
        };
        let run = row.run.clone();
        let mut joins = self.joins.remove(&no).unwrap_or_default();
        joins.retain(|(_, (at, _))| {
            let row = self.rows.get(*at);
            row.is_some_and(|row| !row.run.status.is_terminal())
        });
        joins.sort_by_key(|(place, (at, _))| {
            (self.rows.get(*at).map(|row| row.run.id.clone()), *place)
        });
        for (_, (at, seq)) in joins {
            let outcome = rules::outcome(run.status, run.output.clone(), run.failure.clone());
            let body = InboxBody::RunEnded { seq, outcome };
            told.extend(self.tell(at, body, now));
        }
        if run.status == RunStatus::Cancelled {
            told.extend(self.ask_children(&run.id, &InboxBody::Cancel, now));
        }
        told
    }

    /// Sends a request to each child that is cancelled with its parent.
    fn ask_children(&mut self, run: &RunId, body: &InboxBody, now: Timestamp) -> Vec<DeliveryAck> {
        let children = self.children.get(run).cloned().unwrap_or_default();
        let is_asked = |at| Some((at, self.cancelled_along(at)?));
        let asked: Vec<_> = children.into_iter().filter_map(is_asked).collect();
        let asked = asked.into_iter().map(|(child, on_cancel)| {
            let request = rules::request_to_child(on_cancel, body);
            self.item(child, &request, now, now)
        });
        asked.collect()
    }

    /// How a child that has not ended is cancelled with its parent, if it is.
    fn cancelled_along(&self, at: usize) -> Option<OnCancel> {
        let run = self.rows.get(at).map(|row| &row.run)?;
        let on_cancel = run.parent.as_ref()?.on_cancel;
        let is_asked = on_cancel != OnCancel::Abandon && !run.status.is_terminal();
        is_asked.then_some(on_cancel)
    }

    /// Puts an item into the inbox of a run and wakes it.
    pub(super) fn tell(
        &mut self,
        no: usize,
        body: InboxBody,
        now: Timestamp,
    ) -> Option<DeliveryAck> {
        let item = self.put_item(no, Item { body, signal: None })?;
        self.wake(no, now);
        let run = &self.rows.get(no)?.run;
        Some(DeliveryAck::Delivered {
            run: run.id.clone(),
            item,
            wakes: run.wakes,
            owner: run.owner.clone(),
        })
    }
}
