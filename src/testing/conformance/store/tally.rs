//! How often each kind of operation came up.

use std::{collections::BTreeMap, fmt};

/// How often each kind of operation came up.
#[derive(Debug, Clone, Default)]
pub struct Tally(BTreeMap<&'static str, u32>);

impl Tally {
    pub(super) fn count(&mut self, kind: &'static str) {
        *self.0.entry(kind).or_default() += 1;
    }

    /// How many kinds came up.
    #[must_use]
    pub fn kinds(&self) -> usize {
        self.0.len()
    }

    /// How many operations there were.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.0.values().sum()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} operations of {} kinds:", self.total(), self.kinds())?;
        for (kind, count) in &self.0 {
            write!(f, " {kind} {count},")?;
        }
        Ok(())
    }
}
