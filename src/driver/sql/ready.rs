//! The texts of statements as a database gets them.

use std::{borrow::Cow, sync::Arc};

use hashbrown::HashMap;
use parking_lot::RwLock;

use super::dialect::Dialect;

/// The texts of statements as a database gets them: with our tables where they are, and with its
/// placeholders. Those that are part of the program are made ready once, because that takes longer
/// than some of them do.
pub(crate) struct Texts {
    dialect: Dialect,
    /// Where our tables are, on PostgreSQL.
    schema: Option<Arc<str>>,
    /// By where a text lies in memory; one that is part of the program stays there.
    ready: RwLock<HashMap<(usize, usize), Arc<Ready>>>,
}

/// A text, and which values it needs, by number, in order.
pub(super) struct Ready {
    pub(super) text: String,
    pub(super) used: Vec<usize>,
}

impl Texts {
    pub(super) fn new(dialect: Dialect, schema: Option<Arc<str>>) -> Self {
        Self {
            dialect,
            schema,
            ready: RwLock::default(),
        }
    }

    pub(super) const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The text with our tables where they are. In our texts each name that begins like this is
    /// one of ours.
    pub(super) fn qualified<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match &self.schema {
            Some(schema) => Cow::Owned(text.replace("durable_", &format!("\"{schema}\".durable_"))),
            None => Cow::Borrowed(text),
        }
    }

    /// A statement ready to be sent, for which `count` values are at hand. `is_fixed` says that the
    /// text is part of the program.
    pub(super) fn ready(&self, text: &str, is_fixed: bool, count: usize) -> Arc<Ready> {
        // SQLite takes as many values as there are, whichever the text names.
        let is_kept = is_fixed && self.dialect != Dialect::Sqlite;
        let key = is_kept.then(|| (text.as_ptr().addr(), text.len()));
        if let Some(found) = key.and_then(|key| self.ready.read().get(&key).cloned()) {
            return found;
        }
        let qualified = self.qualified(text);
        let (text, used) = self.dialect.place(&qualified, count);
        let text = text.into_owned();
        let made = Arc::new(Ready { text, used });
        if let Some(key) = key {
            self.ready.write().insert(key, Arc::clone(&made));
        }
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_the_program_is_made_ready_once() {
        let texts = Texts::new(Dialect::Postgres, Some("app".into()));
        let text = "SELECT $2 FROM durable_runs";
        let ready = texts.ready(text, true, 2);
        assert_eq!(ready.text, "SELECT $1 FROM \"app\".durable_runs");
        assert_eq!(ready.used, [2]);
        assert!(Arc::ptr_eq(&ready, &texts.ready(text, true, 2)));
        assert!(!Arc::ptr_eq(&ready, &texts.ready(text, false, 2)));
    }
}
