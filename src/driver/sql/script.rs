//! Scripts: statements that are carried out one after the other on one connection.
//!
//! On SQLite a statement of its own costs a hop to the connection's thread and back (10 to 20 µs),
//! which is more than most statements take; there a script is one text and one hop. Elsewhere each
//! statement is a round trip.

use std::borrow::Cow;

use sea_orm::QueryResult;

/// What each statement of a script returned, in order.
#[derive(Default)]
pub(crate) struct Sets {
    pub(super) sets: Vec<Set>,
}

/// What one statement returned.
#[derive(Default)]
pub(crate) struct Set {
    pub(super) rows: Vec<QueryResult>,
    pub(super) changes: u64,
}

impl Sets {
    /// How many statements were carried out.
    pub(crate) fn len(&self) -> usize {
        self.sets.len()
    }

    /// The rows of statement `at`, counted from 0.
    pub(crate) fn rows(&self, at: usize) -> &[QueryResult] {
        self.sets.get(at).map_or(&[], |set| &set.rows)
    }

    /// How many rows statement `at` has changed; MySQL counts rows that it has found.
    pub(crate) fn changes(&self, at: usize) -> u64 {
        self.sets.get(at).map_or(0, |set| set.changes)
    }

    /// The same without the first statement.
    pub(crate) fn without_first(mut self) -> Self {
        if !self.sets.is_empty() {
            self.sets.remove(0);
        }
        self
    }

    /// The first row of each statement that returned any.
    pub(crate) fn answers(&self) -> Vec<&QueryResult> {
        self.sets
            .iter()
            .filter_map(|set| set.rows.first())
            .collect()
    }

    /// The only row of statement `at`.
    pub(crate) fn first(&self, at: usize) -> Option<&QueryResult> {
        self.rows(at).first()
    }
}

/// The statements of a script. Databases keep a prepared statement by its text, so texts that are
/// used often come from a fixed set.
#[derive(Debug, Clone)]
pub(crate) struct Script(Vec<Cow<'static, str>>);

impl Script {
    /// The statements as one text.
    pub(super) fn joined(self) -> Cow<'static, str> {
        let mut texts = self.0;
        match texts.len() {
            1 => texts.pop().unwrap_or_default(),
            _ => Cow::Owned(texts.concat()),
        }
    }

    pub(super) fn into_texts(self) -> Vec<Cow<'static, str>> {
        self.0
    }
}

impl From<&'static str> for Script {
    fn from(text: &'static str) -> Self {
        Self(vec![Cow::Borrowed(text)])
    }
}

impl From<String> for Script {
    fn from(text: String) -> Self {
        Self(vec![Cow::Owned(text)])
    }
}

impl From<&[&'static str]> for Script {
    fn from(texts: &[&'static str]) -> Self {
        Self(texts.iter().copied().map(Cow::Borrowed).collect())
    }
}

impl<const N: usize> From<[&'static str; N]> for Script {
    fn from(texts: [&'static str; N]) -> Self {
        Self::from(texts.as_slice())
    }
}

impl From<Vec<&'static str>> for Script {
    fn from(texts: Vec<&'static str>) -> Self {
        Self::from(texts.as_slice())
    }
}
