//! Events: from publisher to waits, kept for waits to come, and who has heard them.

use super::audience::{Kept, Listen};
use super::state::{Item, State};
use crate::id::Seq;
use crate::model::{EventId, InboxBody, InboxItem};
use crate::store::commit::{Beyond, Delivery, DeliveryAck};
use crate::store::event::NewListen;
use crate::time::Timestamp;

impl State {
    /// Publishes an event that was not published before.
    pub(super) fn publish_event(&mut self, event: &Delivery, now: Timestamp) -> DeliveryAck {
        let Delivery::Event {
            id,
            facts,
            payload,
            keep_until,
            known_until,
            ..
        } = event
        else {
            return DeliveryAck::Duplicate;
        };
        self.events.prune(now);
        if self.events.known.contains_key(id) {
            return DeliveryAck::Duplicate;
        }
        if *known_until > now {
            self.events.known.insert(*id, *known_until);
        }
        if let Some(until) = keep_until.filter(|until| *until > now) {
            self.events.last += 1;
            let kept = Kept {
                id: *id,
                facts: facts.clone(),
                payload: payload.clone(),
                until,
            };
            self.events.kept.insert(self.events.last, kept);
        }
        let mut waits: Vec<(usize, Seq)> = self
            .events
            .heard_by(facts)
            .into_iter()
            .map(|(no, (_, seq))| (no, seq))
            .filter(|(no, _)| {
                self.rows
                    .get(*no)
                    .is_some_and(|row| !row.run.status.is_terminal())
            })
            .collect();
        waits.sort_by_key(|(no, _)| self.rows.get(*no).map(|row| row.run.id.clone()));
        let mut told = Vec::new();
        for (no, seq) in waits {
            self.events.close(no, seq);
            let body = InboxBody::Event {
                seq,
                id: *id,
                payload: payload.clone(),
            };
            told.extend(self.tell(no, body, now));
        }
        DeliveryAck::Published { told }
    }

    /// Notes what a run has heard and closes waits; what lay untaken in them may go to others of
    /// the run.
    pub(super) fn close_listens(
        &mut self,
        no: usize,
        beyond: &Beyond,
        now: Timestamp,
    ) -> Vec<InboxItem> {
        for id in &beyond.heard {
            if self.events.kept.values().any(|kept| kept.id == *id) {
                self.events.heard.insert((*id, no));
            }
        }
        if self.drop_listens(no, &beyond.closed) {
            self.take_kept(no, now)
        } else {
            Vec::new()
        }
    }

    /// Closes waits of a run; whether an event lay untaken in one of them.
    pub(super) fn drop_listens(&mut self, no: usize, seqs: &[Seq]) -> bool {
        for seq in seqs {
            self.events.close(no, *seq);
        }
        let Some(row) = self.rows.get_mut(no) else {
            return false;
        };
        let before = row.inbox.len();
        let is_closed =
            |item: &Item| matches!(&item.body, InboxBody::Event { seq, .. } if seqs.contains(seq));
        row.inbox.retain(|_, item| !is_closed(item));
        row.inbox.len() < before
    }

    /// Closes every wait of a run that has ended.
    pub(super) fn end_listens(&mut self, no: usize) {
        for listen in self.events.open_of(no) {
            self.events.close(no, listen.seq);
        }
    }

    /// Lets the open waits of a run take what is kept.
    pub(super) fn take_kept(&mut self, no: usize, now: Timestamp) -> Vec<InboxItem> {
        let open = self.events.open_of(no);
        let taken = open
            .iter()
            .filter_map(|listen| self.listen(no, listen, now));
        taken.collect()
    }

    /// Opens a wait; answers with the event that it got at once.
    pub(super) fn listen(
        &mut self,
        no: usize,
        new: &NewListen,
        now: Timestamp,
    ) -> Option<InboxItem> {
        let row = self.rows.get(no)?;
        // The same commit sent again: the wait may have got its event meanwhile.
        let here = |item: &InboxItem| matches!(&item.body, InboxBody::Event { seq, .. } if *seq == new.seq);
        if let Some(item) = row.items().into_iter().find(here) {
            return Some(item);
        }
        let has = |id: EventId| {
            let mut bodies = row.inbox.values().map(|item| &item.body);
            bodies.any(|body| matches!(body, InboxBody::Event { id: it, .. } if *it == id))
        };
        let mut kept = self.events.kept.values();
        let found = kept.find(|kept| {
            kept.until > now
                && kept.facts.fulfil(&new.facts)
                && !self.events.heard.contains(&(kept.id, no))
                && !has(kept.id)
        });
        if let Some(Kept { id, payload, .. }) = found.cloned() {
            self.events.close(no, new.seq);
            let seq = new.seq;
            let body = InboxBody::Event { seq, id, payload };
            self.change(no, |row| row.make_due(now));
            return self.put_item(no, Item { body, signal: None });
        }
        let events = &mut self.events;
        let open = events.by_run.get(&(no, new.seq));
        let open = open.and_then(|place| events.listens.get(place));
        if open.is_none_or(|listen| listen.new != *new) {
            events.close(no, new.seq);
            events.last += 1;
            let place = events.last;
            let anchor = new.facts.anchor();
            events.anchors.entry(anchor).or_default().insert(place);
            events.by_run.insert((no, new.seq), place);
            let new = new.clone();
            events.listens.insert(place, Listen { no, new });
        }
        None
    }
}
