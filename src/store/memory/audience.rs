//! Who waits for events, and what is kept for those to come.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use crate::id::Seq;
use crate::model::{EventId, Facts};
use crate::payload::Payload;
use crate::store::event::NewListen;
use crate::time::Timestamp;

/// Everything about events.
#[derive(Default, Clone)]
pub(super) struct Events {
    /// Open waits, longest-waiting first.
    pub(super) listens: BTreeMap<u64, Listen>,
    /// Their places by anchor.
    pub(super) anchors: HashMap<i64, BTreeSet<u64>>,
    /// Their places by run and operation.
    pub(super) by_run: BTreeMap<(usize, Seq), u64>,
    /// Events that waits to come may take, oldest first.
    pub(super) kept: BTreeMap<u64, Kept>,
    /// What was published, and until when that is known.
    pub(super) known: HashMap<EventId, Timestamp>,
    /// What runs have heard of the events that are kept.
    pub(super) heard: BTreeSet<(EventId, usize)>,
    pub(super) last: u64,
}

/// An open wait.
#[derive(Clone)]
pub(super) struct Listen {
    pub(super) no: usize,
    pub(super) new: NewListen,
}

/// An event that is kept.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) id: EventId,
    pub(super) facts: Facts,
    pub(super) payload: Payload,
    pub(super) until: Timestamp,
}

impl Events {
    /// Forgets what is over.
    pub(super) fn prune(&mut self, now: Timestamp) {
        self.known.retain(|_, until| *until > now);
        let heard = &mut self.heard;
        self.kept.retain(|_, kept| {
            let stays = kept.until > now;
            if !stays {
                heard.retain(|(id, _)| *id != kept.id);
            }
            stays
        });
    }

    /// The longest-waiting wait of each run that the event matches.
    pub(super) fn heard_by(&self, facts: &Facts) -> BTreeMap<usize, (u64, Seq)> {
        let mut found: BTreeMap<usize, (u64, Seq)> = BTreeMap::new();
        let places = facts
            .as_slice()
            .iter()
            .filter_map(|it| self.anchors.get(it));
        for place in places.flatten() {
            let Some(listen) = self.listens.get(place) else {
                continue;
            };
            if !facts.fulfil(&listen.new.facts) {
                continue;
            }
            let one = (*place, listen.new.seq);
            let first = found.entry(listen.no).or_insert(one);
            *first = one.min(*first);
        }
        found
    }

    /// Closes a wait.
    pub(super) fn close(&mut self, no: usize, seq: Seq) {
        let place = self.by_run.remove(&(no, seq));
        let listen = place.and_then(|place| self.listens.remove(&place).zip(Some(place)));
        if let Some((listen, place)) = listen {
            let anchor = listen.new.facts.anchor();
            if let Some(places) = self.anchors.get_mut(&anchor) {
                places.remove(&place);
                if places.is_empty() {
                    self.anchors.remove(&anchor);
                }
            }
        }
    }

    /// The open waits of a run, longest-waiting first.
    pub(super) fn open_of(&self, no: usize) -> Vec<NewListen> {
        let first = (no, Seq(0));
        let mut places: Vec<u64> = self
            .by_run
            .range(first..)
            .take_while(|((of, _), _)| *of == no)
            .map(|(_, place)| *place)
            .collect();
        places.sort_unstable();
        let listens = places.iter().filter_map(|place| self.listens.get(place));
        listens.map(|listen| listen.new.clone()).collect()
    }
}
