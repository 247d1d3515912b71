//! Random events and waits for them.

use std::time::Duration;

use serde_json::{Value, json};

use super::random::Dice;
use crate::id::Seq;
use crate::model::{EventId, Facts};
use crate::payload::Payload;
use crate::store::{Delivery, NewListen, RunCommit};
use crate::time::Timestamp;

const NAMES: [&str; 2] = ["paid", "shipped \"now\""];

impl Dice {
    fn event_name(&mut self) -> &'static str {
        if self.happens(2) { NAMES[0] } else { NAMES[1] }
    }

    fn value(&mut self) -> Value {
        json!({ "order": self.below(3), "by": { "name": self.below(2) } })
    }

    /// An event, now and then one that was published before.
    pub(super) fn event(&mut self, now: Timestamp) -> Delivery {
        let again = self.published.last().cloned();
        if let Some(again) = again.filter(|_| self.happens(6)) {
            self.tally.count("event again");
            return again;
        }
        let name = self.event_name();
        // What is no JSON can be published too, by those who do not go through the engine.
        let payload = if self.happens(6) {
            self.payload()
        } else {
            Payload::encode(&self.value()).unwrap_or_default()
        };
        let keep = Duration::from_millis(self.below(20_000).into());
        let is_kept = !self.happens(3);
        self.tally.count(if is_kept {
            "event"
        } else {
            "event that is not kept"
        });
        let event = Delivery::Event {
            id: EventId(self.uuid()),
            name: name.into(),
            facts: Facts::of_event(name, &payload),
            payload,
            keep_until: is_kept.then(|| now + keep),
            known_until: now + keep + Duration::from_millis(self.below(20_000).into()),
            at: now,
        };
        self.published.push(event.clone());
        event
    }

    /// Adds waits for events to a commit, closes some, and says what the run has heard.
    pub(super) fn add_listens(&mut self, commit: &mut RunCommit) {
        for seq in 0..5 {
            if self.happens(8) {
                self.tally.count("close a wait for an event");
                commit.beyond().closed.push(Seq(seq));
            }
            if self.happens(4) {
                self.tally.count("wait for an event");
                let name = self.event_name();
                let mut facts = Facts::of_any(name);
                for (path, below) in [("order", 3), ("by.name", 2)] {
                    if self.happens(3) {
                        facts.and(name, path, &json!(self.below(below)));
                    }
                }
                let listen = NewListen::new(Seq(seq), name.into(), facts);
                commit.beyond().listens.push(listen);
            }
        }
        let heard = self.published.last().cloned();
        if let Some(Delivery::Event { id, .. }) = heard.filter(|_| self.happens(4)) {
            self.tally.count("hear an event");
            commit.beyond().heard.push(id);
        }
    }
}
