//! Rows on their way to the database: a JSON list and one blob for their payloads.

use serde::Serialize;

use crate::model::{Checkpoint, Fingerprint, NewRun};
use crate::payload::Payload;
use crate::store::commit::{NewWaiter, RunCommit};

/// Rows as a JSON array of arrays.
pub(super) struct List {
    text: Vec<u8>,
    rows: i64,
}

impl List {
    pub(super) fn new() -> Self {
        Self {
            text: vec![b'['],
            rows: 0,
        }
    }

    /// How many rows it has.
    pub(super) const fn len(&self) -> i64 {
        self.rows
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rows == 0
    }

    pub(super) fn row(&mut self, fill: impl FnOnce(&mut Fields<'_>)) {
        self.text
            .extend_from_slice(if self.rows == 0 { b"[" } else { b",[" });
        self.rows += 1;
        fill(&mut Fields {
            text: &mut self.text,
            is_first: true,
        });
        self.text.push(b']');
    }

    pub(super) fn into_text(mut self) -> String {
        self.text.push(b']');
        String::from_utf8(self.text).unwrap_or_default()
    }
}

/// The fields of one row.
pub(super) struct Fields<'a> {
    text: &'a mut Vec<u8>,
    is_first: bool,
}

impl Fields<'_> {
    /// Adds a field. Numbers, texts and lists of them always have a JSON form.
    pub(super) fn put(&mut self, value: impl Serialize) -> &mut Self {
        if !std::mem::replace(&mut self.is_first, false) {
            self.text.push(b',');
        }
        if serde_json::to_writer(&mut *self.text, &value).is_err() {
            self.text.extend_from_slice(b"null");
        }
        self
    }

    /// Adds a field that holds JSON as a text, or null.
    pub(super) fn json(&mut self, value: Option<impl Serialize>) -> &mut Self {
        self.put(value.and_then(|value| serde_json::to_string(&value).ok()))
    }

    /// Adds the two fields that say where a payload lies.
    fn payload(&mut self, arena: &mut Arena, payload: Option<&Payload>) -> &mut Self {
        let place = payload.map(|payload| arena.put(payload));
        self.put(place.map(|(start, _)| start))
            .put(place.map(|(_, length)| length))
    }
}

/// A value as JSON. Numbers, texts, failures and lists of them always have a JSON form.
pub(super) fn list(values: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(values).unwrap_or_default()
}

/// All payloads of a batch, one after the other.
pub(super) struct Arena(Vec<u8>);

impl Arena {
    pub(super) fn new() -> Self {
        // Never empty: SQLite takes the `substr` of an empty blob for NULL.
        Self(vec![0])
    }

    /// Where the payload lies, counted from 1, and how long it is.
    pub(super) fn put(&mut self, payload: &Payload) -> (usize, usize) {
        let start = self.0.len() + 1;
        self.0.extend_from_slice(payload.as_bytes());
        (start, payload.as_bytes().len())
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// How a commit leaves its run; the last number in its row.
pub(super) const WAITS: u8 = 0;
pub(super) const BLOCKED: u8 = 1;
pub(super) const ENDED: u8 = 2;
pub(super) const KEPT: u8 = 3;

/// The tags of a new run, sorted and once each.
pub(super) fn sorted_tags(new: &NewRun) -> Vec<&str> {
    let mut tags: Vec<&str> = new.tags.iter().map(AsRef::as_ref).collect();
    tags.sort_unstable();
    tags.dedup();
    tags
}

/// The row of a start.
pub(super) fn start(list: &mut List, arena: &mut Arena, new: &NewRun) {
    let tags = sorted_tags(new);
    list.row(|row| {
        row.put(new.id.as_str())
            .put(&*new.workflow.name)
            .put(new.workflow.version)
            .put(new.owner.as_ref().map(AsRef::<str>::as_ref))
            .put(new.due_at)
            .json((!tags.is_empty()).then_some(tags))
            .payload(arena, Some(&new.input))
            .put(new.fingerprint.map(Fingerprint::to_stored));
    });
}

/// The row of a run that is kept, or released and left as `left` says.
pub(super) fn run(list: &mut List, arena: &mut Arena, commit: &RunCommit, left: u8) {
    list.row(|row| {
        row.put(commit.run.as_str())
            .put(commit.token)
            .put(commit.status.as_str())
            .put(commit.wake_at)
            .put(commit.seen_wakes)
            .put(commit.recoveries)
            .put(commit.rev)
            .put(commit.at)
            .json(commit.failure.as_ref())
            .payload(arena, commit.output.as_ref())
            .put(left);
    });
}

/// The row of a checkpoint.
pub(super) fn checkpoint(
    list: &mut List,
    arena: &mut Arena,
    commit: &RunCommit,
    checkpoint: &Checkpoint,
) {
    let events = &checkpoint.events;
    list.row(|row| {
        row.put(commit.run.as_str())
            .put(commit.token)
            .put(checkpoint.seq)
            .put(checkpoint.ord)
            .put(checkpoint.kind.as_str())
            .put(&*checkpoint.name)
            .put(checkpoint.status.as_str())
            .put(checkpoint.attempt)
            .put(checkpoint.wake_at)
            .put(checkpoint.started_at)
            .put(checkpoint.finished_at)
            .put(checkpoint.rev)
            .put(checkpoint.site.as_deref())
            .json(checkpoint.failure.as_ref())
            .json((!events.is_empty()).then_some(events))
            .payload(arena, checkpoint.result.as_ref());
    });
}

/// The row of something that belongs to a run: its id and token, then `value`.
pub(super) fn owned(list: &mut List, commit: &RunCommit, value: impl Serialize) {
    list.row(|row| {
        row.put(commit.run.as_str()).put(commit.token).put(value);
    });
}

/// The row of a published value.
pub(super) fn published(
    list: &mut List,
    arena: &mut Arena,
    commit: &RunCommit,
    (key, payload): (&str, &Payload),
) {
    list.row(|row| {
        row.put(commit.run.as_str())
            .put(commit.token)
            .put(key)
            .payload(arena, Some(payload));
    });
}

/// The row of a wait to be opened.
pub(super) fn waiter(list: &mut List, commit: &RunCommit, waiter: &NewWaiter) {
    list.row(|row| {
        row.put(commit.run.as_str())
            .put(commit.token)
            .put(waiter.seq)
            .put(&*waiter.token);
    });
}
