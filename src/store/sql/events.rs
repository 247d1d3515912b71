//! Events inside a write transaction: to the waits that they match, kept for waits to come.
//!
//! Who publishes and who opens a wait hold the gate of the event's name, so neither misses the
//! other. Who publishes has locked the runs before it looks at their waits: whoever opens, closes
//! or ends those meanwhile was first, or comes after. A crash leaves all of it or nothing.

use super::record;
use super::statements::events::{EventTexts, events};
use super::transaction::Transaction;
use crate::driver::sql::Args;
use crate::id::Seq;
use crate::model::{EventId, Facts, InboxBody, InboxItem};
use crate::payload::Payload;
use crate::store::commit::{Beyond, Delivery, DeliveryAck};
use crate::store::error::StoreError;

/// How much of what is over one look finds; the statements say so.
const EXPIRED_AT_ONCE: usize = 100;

impl Transaction<'_, '_> {
    fn events(&self) -> &'static EventTexts {
        events(self.session.dialect())
    }

    /// Publishes an event, unless it was published before.
    pub(super) async fn publish_event(
        &mut self,
        event: &Delivery,
    ) -> Result<DeliveryAck, StoreError> {
        let Delivery::Event {
            id,
            name,
            facts,
            payload,
            keep_until,
            known_until,
            ..
        } = event
        else {
            return Err(self.failed("this is no event"));
        };
        self.forget_events().await?;
        let now = self.now.as_millis();
        let args = Args::new().with(bytes(*id)).with(known_until.as_millis());
        let sets = self.run(self.events().publish, &args.with(now)).await?;
        if sets.changes(1) == 0 {
            return Ok(DeliveryAck::Duplicate);
        }
        let list = list(facts.as_slice());
        if let Some(until) = keep_until.filter(|until| *until > self.now) {
            let args = Args::new()
                .with(bytes(*id))
                .with(&**name)
                .with(until.as_millis())
                .with(payload.as_bytes())
                .with(list.clone());
            self.run(self.events().keep, &args).await?;
        }
        let waits = self.waits_for(facts, list).await?;
        let told = self.hand_event_over(&waits, *id, payload).await?;
        Ok(DeliveryAck::Published { told })
    }

    /// Forgets what is over, some of it at a time, and says whether there may be more.
    pub(super) async fn forget_events(&mut self) -> Result<bool, StoreError> {
        let args = Args::new().with(self.now.as_millis());
        let sets = self.run(self.events().expired, &args).await?;
        let mut over = Vec::new();
        for row in sets.rows(0) {
            over.push(record::get::<i64>(row, 0)?);
        }
        if !over.is_empty() {
            let args = Args::new().with(list(&over));
            self.run(self.events().forget, &args).await?;
        }
        let at_once = usize::try_from(sets.changes(1))
            .unwrap_or(0)
            .max(over.len());
        Ok(at_once >= EXPIRED_AT_ONCE)
    }

    /// The longest-waiting wait of each run that hears an event: run, seq, number.
    async fn waits_for(
        &mut self,
        facts: &Facts,
        list: String,
    ) -> Result<Vec<[i64; 3]>, StoreError> {
        let args = Args::new().with(list);
        if let Some(lock) = self.events().lock
            && self.run(lock, &args).await?.first(0).is_none()
        {
            return Ok(Vec::new());
        }
        let sets = self.run(self.events().find, &args).await?;
        let mut waits: Vec<[i64; 3]> = Vec::new();
        for row in sets.rows(0) {
            let run_no = record::get(row, 0)?;
            // The waits of a run stand together.
            let is_told = waits.last().is_some_and(|[told, ..]| *told == run_no);
            if !is_told && facts.fulfil(&stored(record::get(row, 3)?)?) {
                waits.push([run_no, record::get(row, 1)?, record::get(row, 2)?]);
            }
        }
        Ok(waits)
    }

    async fn hand_event_over(
        &mut self,
        waits: &[[i64; 3]],
        id: EventId,
        payload: &Payload,
    ) -> Result<Vec<DeliveryAck>, StoreError> {
        if waits.is_empty() {
            return Ok(Vec::new());
        }
        let args = Args::new()
            .with(serde_json::to_string(waits).unwrap_or_default())
            .with(bytes(id))
            .with(payload.as_bytes())
            .with(self.now.as_millis());
        let sets = self.run(self.events().hand_over, &args).await?;
        let mut told = Vec::with_capacity(waits.len());
        for row in sets.rows(sets.len().saturating_sub(1)) {
            let seq = Seq(record::count(row, 4)?);
            let item = item(record::get(row, 3)?, seq, id, payload.clone());
            told.push(DeliveryAck::Delivered {
                run: record::run_id(row, 0)?,
                item,
                wakes: record::count(row, 1)?,
                owner: record::owner(row, 2)?,
            });
        }
        Ok(told)
    }

    /// Notes what a run has heard and closes waits; what lay untaken in them may go to others of
    /// the run.
    pub(super) async fn close_listens(
        &mut self,
        run_no: i64,
        beyond: &Beyond,
    ) -> Result<Vec<InboxItem>, StoreError> {
        for id in &beyond.heard {
            let args = Args::new().with(run_no).with(bytes(*id));
            self.run(self.events().heard, &args).await?;
        }
        self.drop_listens(run_no, &beyond.closed).await
    }

    /// Closes waits of a run, and lets the others take what lay untaken in them.
    pub(super) async fn drop_listens(
        &mut self,
        run_no: i64,
        seqs: &[Seq],
    ) -> Result<Vec<InboxItem>, StoreError> {
        let mut dropped = 0;
        for seq in seqs {
            let args = Args::new().with(run_no).with(i64::from(seq.0));
            dropped += self.run(self.events().close, &args).await?.changes(1);
        }
        let mut taken = Vec::new();
        if dropped > 0 {
            let args = Args::new().with(run_no);
            let sets = self.run(self.events().open_waits, &args).await?;
            for row in sets.rows(0) {
                let seq = Seq(record::count(row, 0)?);
                let facts = stored(record::get(row, 1)?)?;
                taken.extend(self.listen(run_no, seq, &facts).await?);
            }
        }
        Ok(taken)
    }

    /// Opens a wait; answers with the event that it got at once.
    pub(super) async fn listen(
        &mut self,
        run_no: i64,
        wait: Seq,
        facts: &Facts,
    ) -> Result<Option<InboxItem>, StoreError> {
        let seq = i64::from(wait.0);
        let place = || Args::new().with(run_no).with(seq);
        let sets = self.run(self.events().look, &place()).await?;
        // The same commit sent again: the wait may have got its event meanwhile.
        if let Some(row) = sets.first(0) {
            let payload = record::payload(row, 2)?.unwrap_or_default();
            let id = record::event_id(row, 1)?;
            return Ok(Some(item(record::get(row, 0)?, wait, id, payload)));
        }
        let [anchor, others @ ..] = facts.as_slice() else {
            return Err(self.failed("a wait asks for nothing"));
        };
        let args = Args::new()
            .with(run_no)
            .with(*anchor)
            .with(list(others))
            .with(self.now.as_millis());
        let found = self.run(self.events().kept, &args).await?;
        if let Some(row) = found.first(0) {
            let (id, payload) = (record::event_id(row, 0)?, record::payload(row, 1)?);
            let payload = payload.unwrap_or_default();
            let args = place()
                .with(bytes(id))
                .with(payload.as_bytes())
                .with(self.now.as_millis());
            let sets = self.run(self.events().take, &args).await?;
            let Some(row) = sets.answers().first().copied() else {
                return Err(self.failed("no answer"));
            };
            return Ok(Some(item(record::get(row, 0)?, wait, id, payload)));
        }
        let facts = list(facts.as_slice());
        let there: Option<String> = match sets.first(1) {
            Some(row) => Some(record::get(row, 0)?),
            None => None,
        };
        if there.as_ref() != Some(&facts) {
            let args = place().with(*anchor).with(facts);
            self.run(self.events().open, &args).await?;
        }
        Ok(None)
    }
}

const fn item(id: i64, seq: Seq, event: EventId, payload: Payload) -> InboxItem {
    let body = InboxBody::Event {
        seq,
        id: event,
        payload,
    };
    InboxItem::new(id, body)
}

fn stored(text: String) -> Result<Facts, StoreError> {
    Ok(Facts::from_stored(Payload::from_bytes(text).decode()?))
}

fn list(numbers: &[i64]) -> String {
    serde_json::to_string(numbers).unwrap_or_default()
}

fn bytes(id: EventId) -> Vec<u8> {
    id.0.as_bytes().to_vec()
}
