//! Page cursors: where a page of runs ended, as a text that callers pass back.

use super::error::StoreError;
use crate::id::RunId;
use crate::time::Timestamp;

/// The last run of a page, by the key in which lists are sorted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cursor {
    /// When that run was started.
    pub(super) created_at: Timestamp,
    /// Its id, which decides among runs of one millisecond.
    pub(super) id: RunId,
}

impl Cursor {
    /// `<milliseconds>.<run id>`; the id may hold dots, the number holds none.
    pub(super) fn to_text(&self) -> String {
        format!("{}.{}", self.created_at.as_millis(), self.id)
    }

    pub(super) fn parse(text: &str) -> Result<Self, StoreError> {
        let invalid = || StoreError::InvalidCursor {
            cursor: text.to_owned(),
        };
        let (millis, id) = text.split_once('.').ok_or_else(invalid)?;
        let millis = millis.parse().map_err(|_| invalid())?;
        let id = RunId::parse(id).map_err(|_| invalid())?;
        Ok(Self {
            created_at: Timestamp::from_millis(millis),
            id,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back() {
        let cursor = Cursor {
            created_at: Timestamp::from_millis(-7),
            id: RunId::from_trusted("a.b"),
        };
        assert_eq!(Cursor::parse(&cursor.to_text()).unwrap(), cursor);
        assert!(Cursor::parse("x.b").is_err());
        assert!(Cursor::parse("7.").is_err());
    }
}
