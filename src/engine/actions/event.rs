//! Publishing an event.

use std::{sync::Arc, time::Duration};

use crate::engine::{core::Core, tell::tell_all};
use crate::model::{EventId, Facts};
use crate::payload::Payload;
use crate::store::{Delivery, DeliveryAck, StoreError};

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
    },
    /// The same id was published before.
    Duplicate,
}

/// The event as it is stored.
pub(crate) fn publication(core: &Core, request: EventRequest) -> Delivery {
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
/// for it, and for waits to come.
pub(crate) async fn publish_event(
    core: &Core,
    request: EventRequest,
) -> Result<EventOutcome, StoreError> {
    request.payload.fits(core.config.max_payload)?;
    let ack = core.journal.deliver(publication(core, request)).await?;
    let outcome = match &ack {
        DeliveryAck::Published { told } => EventOutcome::Published { runs: told.len() },
        _ => EventOutcome::Duplicate,
    };
    tell_all(core, &[ack]);
    Ok(outcome)
}
