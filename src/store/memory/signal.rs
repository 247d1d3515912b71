//! Signals: from sender to waiter, into the buffer, and back when a wait is closed untaken.

use std::sync::Arc;

use super::state::{Item, Sent, State, Untaken};
use crate::id::Seq;
use crate::model::{InboxBody, InboxItem, SignalId};
use crate::payload::Payload;
use crate::store::commit::{DeliveryAck, NewWaiter};
use crate::time::Timestamp;

impl State {
    /// Delivers a signal that was not seen before.
    pub(super) fn signal(
        &mut self,
        id: SignalId,
        token: &Arc<str>,
        payload: &Payload,
        [sent_at, now]: [Timestamp; 2],
    ) -> DeliveryAck {
        if self.signals.contains_key(&id) {
            return DeliveryAck::Duplicate;
        }
        self.last_signal += 1;
        let sent = Sent {
            token: Arc::clone(token),
            sent_at,
            place: self.last_signal,
        };
        self.signals.insert(id, sent.clone());
        self.pass_on(id, &sent, payload.clone(), now)
    }

    /// Hands a signal to the longest-waiting waiter, or to the buffer.
    fn pass_on(
        &mut self,
        id: SignalId,
        sent: &Sent,
        payload: Payload,
        now: Timestamp,
    ) -> DeliveryAck {
        let delivered = self.take_waiter(&sent.token).and_then(|(no, seq)| {
            let body = InboxBody::Signal {
                seq,
                payload: payload.clone(),
            };
            let signal = Some(id);
            let item = self.put_item(no, Item { body, signal })?;
            self.wake(no, now);
            let run = &self.rows.get(no)?.run;
            Some(DeliveryAck::Delivered {
                run: run.id.clone(),
                item,
                wakes: run.wakes,
                owner: run.owner.clone(),
            })
        });
        delivered.unwrap_or_else(|| {
            self.buffer
                .entry(Arc::clone(&sent.token))
                .or_default()
                .insert(sent.place, (id, payload));
            DeliveryAck::Buffered
        })
    }

    fn take_waiter(&mut self, token: &Arc<str>) -> Option<(usize, Seq)> {
        let queue = self.waiters.get_mut(token)?;
        let (_, (no, seq)) = queue.pop_first()?;
        if queue.is_empty() {
            self.waiters.remove(token);
        }
        self.rows.get_mut(no)?.waiters.remove(&seq);
        Some((no, seq))
    }

    /// Closes the waits at `seqs` and takes what was delivered to them and not taken.
    pub(super) fn close_waits(&mut self, no: usize, seqs: &[Seq]) -> Vec<Untaken> {
        for seq in seqs {
            self.close_wait(no, *seq);
        }
        let Some(row) = self.rows.get_mut(no) else {
            return Vec::new();
        };
        let is_closed = |item: &mut Item| matches!(&item.body, InboxBody::Signal { seq, .. } if seqs.contains(seq));
        row.inbox
            .extract_if(.., |_, item| is_closed(item))
            .filter_map(untaken)
            .collect()
    }

    /// Closes every wait of a run that ended, empties its inbox and takes the signals in it.
    pub(super) fn close_all(&mut self, no: usize) -> Vec<Untaken> {
        let Some(row) = self.rows.get_mut(no) else {
            return Vec::new();
        };
        let inbox = std::mem::take(&mut row.inbox);
        let open: Vec<Seq> = row.waiters.keys().copied().collect();
        for seq in open {
            self.close_wait(no, seq);
        }
        self.end_listens(no);
        inbox.into_iter().filter_map(untaken).collect()
    }

    fn close_wait(&mut self, no: usize, seq: Seq) {
        let Some(row) = self.rows.get_mut(no) else {
            return;
        };
        let Some((token, place)) = row.waiters.remove(&seq) else {
            return;
        };
        if let Some(queue) = self.waiters.get_mut(&token) {
            queue.remove(&place);
            if queue.is_empty() {
                self.waiters.remove(&token);
            }
        }
    }

    /// Hands untaken signals on, the oldest first.
    pub(super) fn redeliver(&mut self, untaken: Vec<Untaken>, now: Timestamp) {
        let known = |(id, payload)| Some((self.signals.get(&id)?.clone(), id, payload));
        let mut known: Vec<_> = untaken.into_iter().filter_map(known).collect();
        known.sort_by_key(|(sent, ..)| sent.place);
        for (sent, id, payload) in known {
            self.pass_on(id, &sent, payload, now);
        }
    }

    /// Opens a wait; answers with the buffered signal that it got at once.
    pub(super) fn open_wait(
        &mut self,
        no: usize,
        waiter: &NewWaiter,
        now: Timestamp,
    ) -> Option<InboxItem> {
        let row = self.rows.get(no)?;
        // The same commit sent again: the wait may have got its signal meanwhile.
        let here = |item: &InboxItem| matches!(&item.body, InboxBody::Signal { seq, .. } if *seq == waiter.seq);
        if let Some(item) = row.items().into_iter().find(here) {
            return Some(item);
        }
        if row
            .waiters
            .get(&waiter.seq)
            .is_some_and(|(token, _)| *token == waiter.token)
        {
            return None;
        }
        self.close_wait(no, waiter.seq);
        if let Some((id, payload)) = self.take_buffered(&waiter.token) {
            let body = InboxBody::Signal {
                seq: waiter.seq,
                payload,
            };
            let signal = Some(id);
            self.change(no, |row| row.make_due(now));
            return self.put_item(no, Item { body, signal });
        }
        self.last_waiter += 1;
        let place = self.last_waiter;
        let token = Arc::clone(&waiter.token);
        self.waiters
            .entry(Arc::clone(&token))
            .or_default()
            .insert(place, (no, waiter.seq));
        self.rows
            .get_mut(no)?
            .waiters
            .insert(waiter.seq, (token, place));
        None
    }

    fn take_buffered(&mut self, token: &Arc<str>) -> Option<Untaken> {
        let queue = self.buffer.get_mut(token)?;
        let first = queue.pop_first();
        if queue.is_empty() {
            self.buffer.remove(token);
        }
        first.map(|(_, signal)| signal)
    }
}

fn untaken((_, item): (i64, Item)) -> Option<Untaken> {
    match (item.signal, item.body) {
        (Some(id), InboxBody::Signal { payload, .. }) => Some((id, payload)),
        _ => None,
    }
}
