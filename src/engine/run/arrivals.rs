//! What has arrived for a run, as far as its memory knows.

use std::collections::BTreeSet;

use crate::model::InboxItem;

/// What has arrived for a run, as far as its memory knows.
///
/// An item comes in one of three ways: whoever delivered it hands it over, the answer to the commit
/// that opens a wait brings it, or the inbox is read. They take different times, so an item may come
/// twice, and one that was stored first may come last. That is why ids are kept, and not only the
/// largest one.
#[derive(Debug, Default)]
pub(crate) struct Arrivals(Option<Box<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// What no operation has taken yet.
    items: Vec<InboxItem>,
    /// What has come and may still be read in the inbox.
    ids: BTreeSet<i64>,
    /// Whether something may lie there that has not come.
    must_read: bool,
    /// While the inbox is being read: what has left it since. The answer may be older.
    left: Option<Vec<i64>>,
}

impl Arrivals {
    /// What a run finds that is claimed.
    pub(crate) fn new(items: Vec<InboxItem>) -> Self {
        let mut this = Self::default();
        if !items.is_empty() {
            let known = this.known();
            known.ids = items.iter().map(|item| item.id).collect();
            known.items = items;
        }
        this
    }

    fn known(&mut self) -> &mut Known {
        self.0.get_or_insert_default()
    }

    /// Notes that an item has come; `false` if it had come before.
    pub(crate) fn note(&mut self, id: i64) -> bool {
        self.known().ids.insert(id)
    }

    /// Keeps an item for an operation to come.
    pub(crate) fn keep(&mut self, item: InboxItem) {
        self.known().items.push(item);
    }

    /// Takes the oldest of the kept items that is wanted.
    pub(crate) fn take(&mut self, is_wanted: impl FnMut(&InboxItem) -> bool) -> Option<InboxItem> {
        let items = &mut self.0.as_mut()?.items;
        let place = items.iter().position(is_wanted)?;
        Some(items.remove(place))
    }

    /// Takes all kept items that are wanted.
    pub(crate) fn take_all(
        &mut self,
        mut is_wanted: impl FnMut(&InboxItem) -> bool,
    ) -> Vec<InboxItem> {
        let items = self.0.as_mut().map(|known| &mut known.items);
        items.map_or_else(Vec::new, |items| {
            items.extract_if(.., |item| is_wanted(item)).collect()
        })
    }

    /// Items are no longer in the inbox: a commit that has taken them is durable.
    pub(crate) fn left(&mut self, ids: &[i64]) {
        let Some(known) = &mut self.0 else { return };
        match &mut known.left {
            Some(left) => left.extend_from_slice(ids),
            None => ids.iter().for_each(|id| {
                known.ids.remove(id);
            }),
        }
        self.shrink();
    }

    /// The inbox is to be read.
    pub(crate) fn ask_to_read(&mut self) {
        self.known().must_read = true;
    }

    /// Whether the inbox is to be read now. One reading at a time is under way.
    pub(crate) fn begin_reading(&mut self) -> bool {
        let Some(known) = &mut self.0 else {
            return false;
        };
        let begins = known.must_read && known.left.is_none();
        if begins {
            known.must_read = false;
            known.left = Some(Vec::new());
        }
        begins
    }

    /// The inbox was read, and everything in it noted.
    pub(crate) fn end_reading(&mut self) {
        let left = self.0.as_mut().and_then(|known| known.left.take());
        self.left(&left.unwrap_or_default());
    }

    /// Most runs wait with nothing here, for long.
    fn shrink(&mut self) {
        let is_empty = |it: &Known| {
            it.items.is_empty() && it.ids.is_empty() && !it.must_read && it.left.is_none()
        };
        if self.0.as_deref().is_some_and(is_empty) {
            self.0 = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_late_is_new_and_what_comes_twice_is_not() {
        let mut arrivals = Arrivals::default();
        assert!(arrivals.note(7));
        assert!(arrivals.note(3));
        assert!(!arrivals.note(7));
    }

    #[test]
    fn an_old_answer_brings_nothing_back() {
        let mut arrivals = Arrivals::default();
        arrivals.note(7);
        arrivals.ask_to_read();
        assert!(arrivals.begin_reading());
        // Stored while the answer is on its way.
        arrivals.left(&[7]);
        assert!(!arrivals.note(7));
        arrivals.end_reading();
        assert!(arrivals.0.is_none());
    }

    #[test]
    fn there_is_one_reading_at_a_time_and_another_one_after_it() {
        let mut arrivals = Arrivals::default();
        assert!(!arrivals.begin_reading());
        arrivals.ask_to_read();
        assert!(arrivals.begin_reading());
        arrivals.ask_to_read();
        assert!(!arrivals.begin_reading());
        arrivals.end_reading();
        assert!(arrivals.begin_reading());
    }
}
