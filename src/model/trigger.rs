//! What starts runs of a workflow besides a caller: events.

use std::{sync::Arc, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{
    address,
    event::{EventId, Facts},
    inbox::SignalId,
};
use crate::id::RunId;
use crate::payload::Payload;
use crate::time::Timestamp;

/// Events that start runs of a workflow: those of one name, or some of them.
///
/// # Examples
///
/// ```
/// use axum_durable::model::Trigger;
///
/// let large = Trigger::new("order.placed").matching("freight", true);
/// assert_eq!(large.event(), "order.placed");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    event: Arc<str>,
    facts: Facts,
}

impl Trigger {
    /// All events called `event`.
    #[must_use]
    pub fn new(event: impl Into<Arc<str>>) -> Self {
        let event = event.into();
        let facts = Facts::of_any(&event);
        Self { event, facts }
    }

    /// Only those whose payload has `value` at `path`: the names of fields from the outside in,
    /// with dots between them; the empty path is the whole payload. May be called several times;
    /// then all must be so.
    #[must_use]
    pub fn matching(mut self, path: impl AsRef<str>, value: impl Into<Value>) -> Self {
        self.facts.and(&self.event, path.as_ref(), &value.into());
        self
    }

    /// The name of the events.
    #[must_use]
    pub fn event(&self) -> &str {
        &self.event
    }

    /// Whether an event of this name is one of them.
    pub(crate) fn fires(&self, event: &Facts) -> bool {
        event.fulfil(&self.facts)
    }
}

impl<T: Into<Arc<str>>> From<T> for Trigger {
    fn from(event: T) -> Self {
        Self::new(event)
    }
}

/// How many events become one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Accumulate {
    /// The last one, once none has come for so long.
    Debounce {
        /// How long.
        quiet: Duration,
    },
    /// All that have come, once there are so many, or so long after the first.
    Batch {
        /// How many at the most.
        most: usize,
        /// How long after the first.
        within: Duration,
    },
}

impl Accumulate {
    /// The most events of a batch: an accumulator holds them as its history.
    pub const MOST: usize = 1_000;

    /// What the workflow that accumulates for another one is called.
    pub(crate) fn workflow(&self, target: &str) -> Arc<str> {
        match self {
            Self::Debounce { .. } => format!("__evt_debounce:{target}").into(),
            Self::Batch { .. } => format!("__evt_batch:{target}").into(),
        }
    }
}

/// An event on its way to an accumulator.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Happened {
    /// The event.
    #[schemars(with = "String")]
    pub(crate) event: EventId,
    /// When it was published.
    #[schemars(with = "i64")]
    pub(crate) at: Timestamp,
    /// Its payload.
    #[schemars(with = "Value")]
    pub(crate) payload: Payload,
}

/// The signal that brings an event to the accumulator which listens at `token`: one, however often
/// the event is published.
///
/// Signals that lie ready are taken in the order of their ids. The id of an event that its publisher
/// has not named begins with its time and a count; these stay, so that such events keep their order.
pub(crate) fn accumulated(token: &str, event: EventId) -> SignalId {
    /// The bytes of such an id that are chance.
    const CHANCE: usize = 4;
    let mut id = address::delivery_id(token, &event.0.to_string()).0;
    if event.0.get_version_num() == 7 {
        let mut bytes = event.0.into_bytes();
        let hash = id.into_bytes();
        let ends = bytes.iter_mut().zip(hash).rev().take(CHANCE);
        ends.for_each(|(byte, hash)| *byte = hash);
        id = Uuid::from_bytes(bytes);
    }
    SignalId(id)
}

/// The run that an event starts: one of each workflow, however often the event is published.
pub(crate) fn started_by(event: EventId, workflow: &str) -> RunId {
    RunId::from_trusted(format!("evt:{}:{workflow}", event.0))
}

/// The longest name of a workflow that events start. The ids of its runs, and those of the runs
/// that accumulate for it and count their successors, begin or end with it.
pub(crate) const LONGEST_TARGET: usize = 140;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::id::MAX_NAME_BYTES;

    #[test]
    fn a_trigger_fires_for_what_it_matches() {
        let trigger = Trigger::new("paid").matching("by.vip", true);
        let event = |value: &Value| Facts::of_event("paid", &Payload::encode(value).unwrap());
        assert!(trigger.fires(&event(&json!({"by": {"vip": true}}))));
        assert!(!trigger.fires(&event(&json!({"by": {"vip": false}}))));
        assert!(Trigger::from("paid").fires(&event(&json!(1))));
    }

    #[test]
    fn what_is_made_of_a_long_name_is_an_id() {
        let name = "x".repeat(LONGEST_TARGET);
        let quiet = Duration::ZERO;
        let base = Accumulate::Debounce { quiet }.workflow(&name);
        for id in [
            started_by(EventId::generate(), &name).to_string(),
            format!("{base}~{}", u64::MAX),
        ] {
            assert!(id.len() <= MAX_NAME_BYTES, "{} bytes", id.len());
        }
    }

    #[test]
    fn events_without_a_name_keep_their_order() {
        let events: Vec<_> = (0..1_000).map(|_| EventId::generate()).collect();
        let signals: Vec<_> = events.iter().map(|it| accumulated("a", *it)).collect();
        assert!(signals.is_sorted());
        assert_ne!(accumulated("a", events[0]), accumulated("b", events[0]));
        let named = EventId::named("paid", "7");
        assert_eq!(accumulated("a", named), accumulated("a", named));
    }

    /// What is stored by one release is found by the next.
    #[test]
    fn addresses_stay_the_same() {
        let event = EventId::named("paid", "7");
        assert_eq!(
            started_by(event, "ship").as_str(),
            format!("evt:{}:ship", event.0)
        );
        let text = serde_json::to_string(&Happened {
            event,
            at: Timestamp::from_millis(5),
            payload: Payload::encode(&json!([1])).unwrap(),
        });
        assert_eq!(
            text.unwrap(),
            format!(r#"{{"event":"{}","at":5,"payload":[1]}}"#, event.0)
        );
        assert_eq!(
            &*Accumulate::Batch {
                most: 1,
                within: Duration::ZERO
            }
            .workflow("digest"),
            "__evt_batch:digest"
        );
    }
}
