//! Signals inside a write transaction: to a waiter, to the buffer, and back.

use std::collections::BTreeMap;

use sea_orm::QueryResult;

use super::record;
use super::rows::list;
use super::statements::{postgres, sqlite};
use super::transaction::Transaction;
use crate::driver::sql::{Args, Dialect};
use crate::id::Seq;
use crate::model::{Failure, InboxBody, InboxItem, SignalId};
use crate::payload::Payload;
use crate::store::commit::{Delivery, DeliveryAck, NewWaiter};
use crate::store::error::StoreError;
use crate::time::Timestamp;

/// A signal that lay in an inbox when its wait was closed.
pub(super) type Untaken = (SignalId, Payload);

impl Transaction<'_, '_> {
    /// Delivers a signal, unless it was delivered before.
    pub(super) async fn signal(&mut self, delivery: &Delivery) -> Result<DeliveryAck, StoreError> {
        let Delivery::Signal { id, payload, .. } = delivery else {
            return Err(self.failed("not a signal"));
        };
        let id = *id;
        let args = signal_args(delivery, self.now).unwrap_or_default();
        if self.session.is_scripted() {
            let sets = self.run(sqlite::SIGNAL, &args).await?;
            return match sets.first(1) {
                _ if sets.changes(0) == 0 => Ok(DeliveryAck::Duplicate),
                Some(waiter) => self.hand_over(waiter, id, payload).await,
                None => Ok(DeliveryAck::Buffered),
            };
        }
        if self.session.dialect() == Dialect::Postgres {
            let sets = self.run(postgres::SIGNAL, &args).await?;
            return self.answer(sets.first(0), payload);
        }
        let texts = &self.texts().deliver;
        if self.run(texts.insert_signal, &args).await?.changes(0) == 0 {
            return Ok(DeliveryAck::Duplicate);
        }
        let sets = self.run(texts.find_waiter, &args).await?;
        match sets.first(0) {
            Some(waiter) => self.take_waiter(waiter, id, payload).await,
            None => Ok(DeliveryAck::Buffered),
        }
    }

    /// What became of a signal that one statement has dealt with.
    pub(super) fn answer(
        &self,
        row: Option<&QueryResult>,
        payload: &Payload,
    ) -> Result<DeliveryAck, StoreError> {
        let Some(row) = row else {
            return Err(self.failed("no answer"));
        };
        if record::get::<i64>(row, 0)? == 1 {
            return Ok(DeliveryAck::Duplicate);
        }
        let Some(item) = record::get::<Option<i64>>(row, 4)? else {
            return Ok(DeliveryAck::Buffered);
        };
        let (seq, payload) = (Seq(record::count(row, 5)?), payload.clone());
        Ok(DeliveryAck::Delivered {
            run: record::run_id(row, 1)?,
            item: InboxItem::new(item, InboxBody::Signal { seq, payload }),
            wakes: record::count(row, 2)?,
            owner: record::owner(row, 3)?,
        })
    }

    /// Hands signals that were not taken on, the oldest first.
    pub(super) async fn redeliver(&mut self, untaken: Vec<Untaken>) -> Result<(), StoreError> {
        let texts = &self.texts().deliver;
        for (id, payload) in self.oldest_first(untaken).await? {
            let args = Args::new().with(bytes(id)).with(payload.as_bytes());
            let sets = self.run(texts.find_next_waiter, &args).await?;
            match sets.first(0) {
                Some(waiter) => drop(self.take_waiter(waiter, id, &payload).await?),
                None => drop(self.run(texts.buffer_again, &args).await?),
            }
        }
        Ok(())
    }

    /// Sorts signals by the order of delivery.
    async fn oldest_first(
        &mut self,
        mut untaken: Vec<Untaken>,
    ) -> Result<Vec<Untaken>, StoreError> {
        if untaken.len() > 1 {
            let mut places = BTreeMap::new();
            for (id, _) in &untaken {
                let args = Args::new().with(bytes(*id));
                let sets = self.run(self.texts().deliver.place_of, &args).await?;
                let place = sets.first(0).map(|row| record::get(row, 0)).transpose()?;
                places.insert(*id, place.unwrap_or(None::<i64>));
            }
            // Those of a time without places are older, and their ids are in order.
            untaken.sort_by_key(|(id, _)| (places.get(id).copied().flatten(), *id));
        }
        Ok(untaken)
    }

    /// Removes a waiter that was found and hands it the signal.
    async fn take_waiter(
        &mut self,
        waiter: &QueryResult,
        id: SignalId,
        payload: &Payload,
    ) -> Result<DeliveryAck, StoreError> {
        let no: i64 = record::get(waiter, 2)?;
        let args = Args::new().with(no).with(bytes(id));
        self.run(self.texts().deliver.take_waiter, &args).await?;
        self.hand_over(waiter, id, payload).await
    }

    /// Puts a signal into the inbox of the run whose waiter was taken.
    async fn hand_over(
        &mut self,
        waiter: &QueryResult,
        id: SignalId,
        payload: &Payload,
    ) -> Result<DeliveryAck, StoreError> {
        let run_no = record::get(waiter, 0)?;
        let seq = Seq(record::count(waiter, 1)?);
        let payload = payload.clone();
        self.put_item(run_no, InboxBody::Signal { seq, payload }, Some(id))
            .await
    }

    /// Puts an item into an inbox and wakes the run.
    pub(super) async fn put_item(
        &mut self,
        run_no: i64,
        body: InboxBody,
        signal: Option<SignalId>,
    ) -> Result<DeliveryAck, StoreError> {
        let parts = Parts::of(&body);
        let args = Args::new()
            .with(run_no)
            .with(self.now.as_millis())
            .with(parts.kind)
            .with(parts.seq)
            .with(parts.attempt)
            .with(signal.map(bytes))
            .with(parts.failure)
            .with(parts.payload);
        let sets = self.run(self.texts().deliver.put_item, &args).await?;
        let (item, run) = match sets.answers().as_slice() {
            [item, run] => (record::get(item, 0)?, *run),
            [both] => (record::get(both, 3)?, *both),
            _ => return Err(self.failed("the run has vanished")),
        };
        Ok(DeliveryAck::Delivered {
            run: record::run_id(run, 0)?,
            item: InboxItem::new(item, body),
            wakes: record::count(run, 1)?,
            owner: record::owner(run, 2)?,
        })
    }

    /// Opens a wait; answers with the signal that it got at once.
    pub(super) async fn open_wait(
        &mut self,
        run_no: i64,
        waiter: &NewWaiter,
    ) -> Result<Option<InboxItem>, StoreError> {
        let seq = i64::from(waiter.seq.0);
        let args = Args::new().with(run_no).with(seq).with(&*waiter.token);
        let texts = &self.texts().deliver;
        let sets = self.run(texts.look_at_wait, &args).await?;
        let item = |id, payload: Option<Payload>| {
            let payload = payload.unwrap_or_default();
            let seq = waiter.seq;
            InboxItem::new(id, InboxBody::Signal { seq, payload })
        };
        // The same commit sent again: the wait may have got its signal meanwhile.
        if let Some(row) = sets.first(0) {
            return Ok(Some(item(record::get(row, 0)?, record::payload(row, 1)?)));
        }
        if sets.first(1).is_some() {
            return Ok(None);
        }
        let Some(row) = sets.first(2) else {
            self.run(texts.open_wait, &args).await?;
            return Ok(None);
        };
        let id: Vec<u8> = record::get(row, 0)?;
        let payload = record::payload(row, 1)?.unwrap_or_default();
        let args = Args::new()
            .with(run_no)
            .with(seq)
            .with(id)
            .with(payload.as_bytes())
            .with(self.now.as_millis());
        let sets = self.run(texts.take_buffered, &args).await?;
        let id = sets
            .answers()
            .first()
            .map(|row| record::get(row, 0))
            .transpose()?;
        Ok(id.map(|id| item(id, Some(payload))))
    }

    /// Closes the waits at `seqs` and takes what was delivered to them and not taken.
    pub(super) async fn close_waits(
        &mut self,
        run_no: i64,
        seqs: &[Seq],
    ) -> Result<Vec<Untaken>, StoreError> {
        let mut found = Vec::new();
        for seq in seqs {
            let args = Args::new().with(run_no).with(i64::from(seq.0));
            let sets = self.run(self.texts().deliver.close_wait, &args).await?;
            found.append(&mut untaken(sets.rows(1))?);
        }
        Ok(found)
    }

    /// Closes every wait of runs that ended, empties their inboxes and takes the signals in them.
    pub(super) async fn close_all(&mut self, runs: &[i64]) -> Result<Vec<Untaken>, StoreError> {
        if runs.is_empty() {
            return Ok(Vec::new());
        }
        let args = Args::new().with(list(runs));
        let sets = self.run(self.texts().deliver.close_all, &args).await?;
        untaken(sets.rows(1))
    }
}

/// The values of the statements that take a signal; `None` for another delivery.
pub(super) fn signal_args(delivery: &Delivery, now: Timestamp) -> Option<Args<'_>> {
    let Delivery::Signal {
        id,
        token,
        payload,
        at,
    } = delivery
    else {
        return None;
    };
    let args = Args::new()
        .with(bytes(*id))
        .with(&**token)
        .with(payload.as_bytes())
        .with(at.as_millis())
        .with(now.as_millis());
    Some(args)
}

fn untaken(rows: &[QueryResult]) -> Result<Vec<Untaken>, StoreError> {
    let mut found = Vec::new();
    for row in rows {
        if let (Some(id), Some(payload)) = (record::signal_id(row, 0)?, record::payload(row, 1)?) {
            found.push((id, payload));
        }
    }
    Ok(found)
}

fn bytes(id: SignalId) -> Vec<u8> {
    id.0.as_bytes().to_vec()
}

/// The columns of an item.
pub(super) struct Parts {
    pub(super) kind: &'static str,
    pub(super) seq: Option<i64>,
    pub(super) attempt: Option<i64>,
    failure: Option<String>,
    payload: Option<Vec<u8>>,
}

impl Parts {
    pub(super) fn of(body: &InboxBody) -> Self {
        let mut parts = Self {
            kind: "cancel",
            seq: None,
            attempt: None,
            failure: None,
            payload: None,
        };
        match body {
            InboxBody::Signal { seq, payload } => {
                parts.kind = "signal";
                parts.seq = Some(seq.0.into());
                parts.payload = Some(payload.as_bytes().to_vec());
            }
            // Events have statements of their own, for many runs at once.
            InboxBody::Event { seq, payload, .. } => {
                parts.kind = "event";
                parts.seq = Some(seq.0.into());
                parts.payload = Some(payload.as_bytes().to_vec());
            }
            InboxBody::StepResult {
                seq,
                attempt,
                outcome,
            } => {
                parts.kind = "step_result";
                parts.seq = Some(seq.0.into());
                parts.attempt = Some((*attempt).into());
                parts.hold(outcome);
            }
            InboxBody::RunEnded { seq, outcome } => {
                parts.kind = "run_ended";
                parts.seq = Some(seq.0.into());
                parts.hold(outcome);
            }
            InboxBody::Cancel => {}
            InboxBody::Compensate => parts.kind = "compensate",
            InboxBody::Pause { why } => {
                parts.kind = "pause";
                parts.failure = serde_json::to_string(why).ok();
            }
        }
        parts
    }

    fn hold(&mut self, outcome: &Result<Payload, Failure>) {
        match outcome {
            Ok(payload) => self.payload = Some(payload.as_bytes().to_vec()),
            Err(failure) => self.failure = serde_json::to_string(failure).ok(),
        }
    }
}
