//! Publishing an event.

use std::{sync::Arc, time::Duration};

use crate::engine::{
    core::Core,
    tell::tell_all,
    triggers::{Started, started},
};
use crate::model::{EventId, Facts};
use crate::payload::Payload;
use crate::store::{Batch, BatchAck, Delivery, DeliveryAck, StartAck, StoreError};

/// How long an id is known that nobody but us repeats: a commit whose answer was lost is sent again
/// at once, or after an outage.
const KNOWN_FOR: Duration = Duration::from_secs(15 * 60);

/// How long an id is known that a publisher has given: longer than senders of webhooks try again,
/// which is three days as a rule.
const NAMED_KNOWN_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// An event to publish.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EventRequest {
    /// Its name.
    pub name: Arc<str>,
    /// The value.
    pub payload: Payload,
    /// Makes repetitions harmless: under an id that was given before for the same name, nothing
    /// happens.
    pub id: Option<Arc<str>>,
    /// How long waits to come may take it; `None` for the engine's
    /// [`event_ttl`](super::super::EngineConfig::event_ttl).
    pub keep: Option<Duration>,
}

impl EventRequest {
    /// An event with an id of its own, kept as long as usual.
    #[must_use]
    pub const fn new(name: Arc<str>, payload: Payload) -> Self {
        Self {
            name,
            payload,
            id: None,
            keep: None,
        }
    }
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventOutcome {
    /// It is stored, for those who waited and for those who will.
    Published {
        /// How many runs were waiting for it.
        runs: usize,
        /// How many runs it has started.
        started: usize,
    },
    /// The same id was published before.
    Duplicate,
}

/// An event about to be published, and what it starts.
#[derive(Debug)]
pub(crate) struct Publication {
    pub(crate) event: Delivery,
    pub(crate) started: Started,
}

impl Publication {
    /// What the event starts stands where the run does that publishes it, and is as urgent. What
    /// accumulates belongs to many.
    pub(crate) fn is_from(&mut self, namespace: &Arc<str>, priority: i32) {
        let Started { starts, direct, .. } = &mut self.started;
        for new in starts.iter_mut().take(*direct) {
            new.namespace.clone_from(namespace);
            new.priority = priority;
        }
    }

    /// All of it as one transaction.
    pub(crate) fn into_batch(self) -> Batch {
        let Self { event, started } = self;
        let mut batch = Batch {
            starts: started.starts,
            ..Batch::default()
        };
        batch.deliveries.push(event);
        batch.deliveries.extend(started.signals);
        batch
    }
}

/// The event as it is stored, and what is stored with it.
pub(crate) fn publication(core: &Core, request: EventRequest) -> Publication {
    let event = stored(core, request);
    let started = started(core, &event);
    Publication { event, started }
}

fn stored(core: &Core, request: EventRequest) -> Delivery {
    let EventRequest {
        name,
        payload,
        id,
        keep,
    } = request;
    let at = core.now();
    let keep = keep.unwrap_or(core.config.event_ttl);
    let known = if id.is_some() {
        NAMED_KNOWN_FOR
    } else {
        KNOWN_FOR
    };
    let id = id.map_or_else(EventId::generate, |id| EventId::named(&name, &id));
    Delivery::Event {
        id,
        facts: Facts::of_event(&name, &payload),
        name,
        payload,
        keep_until: (!keep.is_zero()).then(|| at + keep),
        // One that is kept must not be kept twice.
        known_until: at + known.max(keep),
        at,
    }
}

/// Publishes an event. When this returns it is stored: in the inboxes of the runs that were waiting
/// for it, and for waits to come; and so are the runs that it starts.
pub(crate) async fn publish_event(
    core: &Core,
    request: EventRequest,
) -> Result<EventOutcome, StoreError> {
    request.payload.fits(core.config.max_payload)?;
    let publication = publication(core, request);
    if publication.started.is_empty() {
        let ack = core.journal.deliver(publication.event).await?;
        let outcome = outcome(&ack, 0);
        tell_all(core, &[ack]);
        return Ok(outcome);
    }
    let direct = publication.started.direct;
    let ack = commit(core, &publication.into_batch()).await?;
    let direct = ack.starts.iter().take(direct);
    let started = direct.filter(|it| **it == StartAck::Created).count();
    if ack.starts.contains(&StartAck::Created) {
        core.look_for_due();
    }
    let told = ack.deliveries.into_iter().collect::<Result<Vec<_>, _>>()?;
    if told.contains(&DeliveryAck::Buffered) {
        // Nobody may be there to take it.
        core.accumulators.look_now.notify_one();
    }
    let outcome = told
        .first()
        .map_or(EventOutcome::Duplicate, |ack| outcome(ack, started));
    tell_all(core, &told);
    Ok(outcome)
}

const fn outcome(ack: &DeliveryAck, started: usize) -> EventOutcome {
    match ack {
        DeliveryAck::Published { told } => EventOutcome::Published {
            runs: told.len(),
            started,
        },
        DeliveryAck::Delivered { .. }
        | DeliveryAck::Buffered
        | DeliveryAck::Duplicate
        | DeliveryAck::Ended { .. }
        | DeliveryAck::Requeued { .. } => EventOutcome::Duplicate,
    }
}

/// Writes an event and what it starts. It does not go through the journal, which may write them in
/// different batches.
///
/// An answer that is lost is asked for again: everything in the batch is known by its id. Who gets
/// an error publishes again under the id that he has given.
async fn commit(core: &Core, batch: &Batch) -> Result<BatchAck, StoreError> {
    const TRIES: u32 = 6;
    let mut wait = Duration::from_millis(10);
    for _ in 1..TRIES {
        match core.store.commit(batch).await {
            Err(error) if error.is_transient() => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "event not published, trying again"
                );
            }
            answer => return answer,
        }
        tokio::time::sleep(wait).await;
        wait *= 2;
    }
    core.store.commit(batch).await
}
