//! Signals inside a write transaction: to a waiter, to the buffer, and back.

use sea_orm::QueryResult;

use super::error::backend;
use super::record;
use super::statements::{
    CLOSE_ALL, CLOSE_WAIT, LOOK_AT_WAIT, OPEN_WAIT, PASS_ON, PUT_ITEM, SIGNAL, TAKE_BUFFERED,
};
use crate::driver::sql::{Args, Script, Session, Sets};
use crate::id::Seq;
use crate::model::{InboxBody, InboxItem, SignalId};
use crate::payload::Payload;
use crate::store::commit::{DeliveryAck, NewWaiter};
use crate::store::error::StoreError;
use crate::time::Timestamp;

/// A write transaction under way.
pub(super) struct Transaction<'a, 's> {
    pub(super) session: &'a mut Session<'s>,
    /// What is being done, for errors.
    pub(super) operation: &'static str,
    pub(super) now: Timestamp,
}

/// A signal that lay in an inbox when its wait was closed.
pub(super) type Untaken = (SignalId, Payload);

impl Transaction<'_, '_> {
    pub(super) async fn run(
        &mut self,
        script: impl Into<Script>,
        args: Args,
    ) -> Result<Sets, StoreError> {
        let operation = self.operation;
        self.session
            .run(script, args)
            .await
            .map_err(|error| backend(operation, error))
    }

    /// Delivers a signal, unless it was delivered before.
    pub(super) async fn signal(
        &mut self,
        id: SignalId,
        token: &str,
        payload: &Payload,
        at: Timestamp,
    ) -> Result<DeliveryAck, StoreError> {
        let args = Args::new()
            .with(bytes(id))
            .with(token.to_owned())
            .with(payload.as_bytes().to_vec())
            .with(at.as_millis());
        let sets = self.run(SIGNAL, args).await?;
        if sets.changes(0) == 0 {
            return Ok(DeliveryAck::Duplicate);
        }
        match sets.first(1) {
            Some(waiter) => self.hand_over(waiter, id, payload).await,
            None => Ok(DeliveryAck::Buffered),
        }
    }

    /// Hands signals that were not taken on, the oldest first.
    pub(super) async fn redeliver(&mut self, mut untaken: Vec<Untaken>) -> Result<(), StoreError> {
        untaken.sort_by_key(|(id, _)| *id);
        for (id, payload) in untaken {
            let args = Args::new()
                .with(bytes(id))
                .with(payload.as_bytes().to_vec());
            let sets = self.run(PASS_ON, args).await?;
            if let Some(waiter) = sets.first(0) {
                self.hand_over(waiter, id, &payload).await?;
            }
        }
        Ok(())
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
        let sets = self.run(PUT_ITEM, args).await?;
        let (Some(item), Some(run)) = (sets.first(0), sets.first(1)) else {
            return Err(backend(self.operation, "the run has vanished"));
        };
        Ok(DeliveryAck::Delivered {
            run: record::run_id(run, 0)?,
            item: InboxItem::new(record::get(item, 0)?, body),
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
        let args = Args::new()
            .with(run_no)
            .with(seq)
            .with(waiter.token.to_string());
        let sets = self.run(LOOK_AT_WAIT, args.clone()).await?;
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
            self.run(OPEN_WAIT, args).await?;
            return Ok(None);
        };
        let id: Vec<u8> = record::get(row, 0)?;
        let payload = record::payload(row, 1)?.unwrap_or_default();
        let args = Args::new()
            .with(run_no)
            .with(seq)
            .with(id)
            .with(payload.as_bytes().to_vec())
            .with(self.now.as_millis());
        let sets = self.run(TAKE_BUFFERED, args).await?;
        let id = sets.first(2).map(|row| record::get(row, 0)).transpose()?;
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
            let sets = self.run(CLOSE_WAIT, args).await?;
            found.append(&mut untaken(sets.rows(1))?);
        }
        Ok(found)
    }

    /// Closes every wait of a run that ended, empties its inbox and takes the signals in it.
    pub(super) async fn close_all(&mut self, run_no: i64) -> Result<Vec<Untaken>, StoreError> {
        let sets = self.run(CLOSE_ALL, Args::new().with(run_no)).await?;
        untaken(sets.rows(1))
    }
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
            InboxBody::StepResult {
                seq,
                attempt,
                outcome,
            } => {
                parts.kind = "step_result";
                parts.seq = Some(seq.0.into());
                parts.attempt = Some((*attempt).into());
                match outcome {
                    Ok(payload) => parts.payload = Some(payload.as_bytes().to_vec()),
                    Err(failure) => parts.failure = serde_json::to_string(failure).ok(),
                }
            }
            InboxBody::Cancel => {}
        }
        parts
    }
}
