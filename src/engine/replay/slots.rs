//! The operations that a workflow holds, by position.

use std::collections::VecDeque;

use super::slot::Slot;
use crate::id::Seq;

/// The operations that a workflow holds, by position.
///
/// Positions only grow, so a sorted queue finds, appends and removes the oldest as fast as a map,
/// and one operation, which is what most waiting runs hold, takes 16 bytes in place of 144.
#[derive(Debug, Default)]
pub(crate) struct Slots(VecDeque<(Seq, Box<Slot>)>);

impl Slots {
    fn place(&self, seq: Seq) -> Result<usize, usize> {
        self.0.binary_search_by_key(&seq, |(at, _)| *at)
    }

    /// Adds an operation whose position is larger than all others.
    pub(crate) fn push(&mut self, seq: Seq, slot: Slot) {
        if self.0.capacity() == 0 {
            self.0.reserve_exact(1);
        }
        self.0.push_back((seq, Box::new(slot)));
    }

    pub(crate) fn contains(&self, seq: Seq) -> bool {
        self.place(seq).is_ok()
    }

    pub(crate) fn get(&self, seq: Seq) -> Option<&Slot> {
        let place = self.place(seq).ok()?;
        self.0.get(place).map(|(_, slot)| &**slot)
    }

    pub(crate) fn get_mut(&mut self, seq: Seq) -> Option<&mut Slot> {
        let place = self.place(seq).ok()?;
        self.0.get_mut(place).map(|(_, slot)| &mut **slot)
    }

    pub(crate) fn remove(&mut self, seq: Seq) -> Option<Box<Slot>> {
        let place = self.place(seq).ok()?;
        self.0.remove(place).map(|(_, slot)| slot)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Seq, &Slot)> {
        self.0.iter().map(|(seq, slot)| (*seq, &**slot))
    }
}
