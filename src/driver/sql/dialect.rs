//! What differs between databases in every statement: how placeholders are written.

use std::borrow::Cow;

use sea_orm::DbBackend;

/// Which database, and so which SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
    /// MySQL and MariaDB, as far as they agree.
    MySql,
}

impl Dialect {
    /// The name in messages.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::MySql => "mysql",
        }
    }

    /// Which dialect a connection of SeaORM speaks.
    pub(crate) const fn of(backend: DbBackend) -> Option<Self> {
        match backend {
            DbBackend::Sqlite => Some(Self::Sqlite),
            DbBackend::Postgres => Some(Self::Postgres),
            DbBackend::MySql => Some(Self::MySql),
            _ => None,
        }
    }

    /// Writes the placeholders as the database wants them, and lists which values it then needs,
    /// by number, in order. `count` values are at hand.
    ///
    /// Our texts say `$3` for the third value of the *script*, in each of its statements. SQLite
    /// takes that as it is. PostgreSQL refuses values that a statement does not name, so they are
    /// numbered anew; MySQL knows only `?`, once for each use.
    pub(crate) fn place(self, text: &str, count: usize) -> (Cow<'_, str>, Vec<usize>) {
        match self {
            Self::Sqlite => (Cow::Borrowed(text), (1..=count).collect()),
            Self::Postgres => renumbered(text),
            Self::MySql => with_marks(text),
        }
    }
}

/// Each placeholder of a text: where it stands, how long it is, and its number.
fn placeholders(text: &str) -> impl Iterator<Item = (usize, usize, usize)> + '_ {
    text.match_indices('$').filter_map(move |(at, _)| {
        let digits = text.get(at + 1..)?;
        let end = digits.find(|c: char| !c.is_ascii_digit());
        let digits = digits.get(..end.unwrap_or(digits.len()))?;
        Some((at, digits.len() + 1, digits.parse().ok()?))
    })
}

fn renumbered(text: &str) -> (Cow<'_, str>, Vec<usize>) {
    let mut used: Vec<usize> = placeholders(text).map(|(_, _, number)| number).collect();
    used.sort_unstable();
    used.dedup();
    if used.last().is_none_or(|last| *last == used.len()) {
        return (Cow::Borrowed(text), used);
    }
    let text = rewritten(text, |number| {
        let place = used.binary_search(&number).map_or(number, |at| at + 1);
        format!("${place}")
    });
    (Cow::Owned(text), used)
}

fn with_marks(text: &str) -> (Cow<'_, str>, Vec<usize>) {
    let mut used = Vec::new();
    let text = rewritten(text, |number| {
        used.push(number);
        "?".to_owned()
    });
    (Cow::Owned(text), used)
}

/// The text with each placeholder as `write` says.
pub(super) fn rewritten(text: &str, mut write: impl FnMut(usize) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (at, length, number) in placeholders(text) {
        out.push_str(text.get(done..at).unwrap_or_default());
        out.push_str(&write(number));
        done = at + length;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_database_gets_its_own_placeholders() {
        let text = "SELECT $3, '$[0]' WHERE a = $12 AND b = $3";
        let (sqlite, all) = Dialect::Sqlite.place(text, 12);
        assert_eq!((&*sqlite, all.len()), (text, 12));
        let (postgres, used) = Dialect::Postgres.place(text, 12);
        assert_eq!(postgres, "SELECT $1, '$[0]' WHERE a = $2 AND b = $1");
        assert_eq!(used, [3, 12]);
        let (mysql, used) = Dialect::MySql.place(text, 12);
        assert_eq!(mysql, "SELECT ?, '$[0]' WHERE a = ? AND b = ?");
        assert_eq!(used, [3, 12, 3]);
    }

    #[test]
    fn a_text_that_needs_no_change_is_not_copied() {
        let (text, used) = Dialect::Postgres.place("SELECT $2, $1", 2);
        assert!(matches!(text, Cow::Borrowed(_)));
        assert_eq!(used, [1, 2]);
    }
}
