//! A batch laid out as the parameters and statements of a script.

use super::rows::{self, Arena, List};
use super::statements::{CommitTexts, sqlite};
use crate::driver::sql::Args;
use crate::store::commit::{Batch, RunCommit};
use crate::time::Timestamp;

/// One statement of the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Begin,
    FindStarts,
    InsertRuns,
    InsertInputs,
    TagStarts,
    PutCheckpoints,
    TakeItems,
    KeepRuns,
    CheckKept,
    ReleaseRuns,
    CheckReleased,
    Publish,
    CloseWaits,
    CloseListens,
    CheckUntaken,
    OpenWaits,
    CheckOpened,
    Commit,
}

impl Part {
    /// Its text. Checks and the ends of the transaction are texts of SQLite's scripts; where each
    /// statement is a round trip, the writer does both.
    pub(super) const fn text(self, texts: &CommitTexts, find_starts: &'static str) -> &'static str {
        match self {
            Self::Begin => sqlite::BEGIN,
            Self::FindStarts => find_starts,
            Self::InsertRuns => texts.insert_runs,
            Self::InsertInputs => texts.insert_inputs,
            Self::TagStarts => texts.tag_starts,
            Self::PutCheckpoints => texts.put_checkpoints,
            Self::TakeItems => texts.take_items,
            Self::KeepRuns => texts.keep_runs,
            Self::CheckKept => sqlite::CHECK_KEPT,
            Self::ReleaseRuns => texts.release_runs,
            Self::CheckReleased => sqlite::CHECK_RELEASED,
            Self::Publish => texts.publish,
            Self::CloseWaits => texts.close_waits,
            Self::CloseListens => texts.close_listens,
            Self::CheckUntaken => sqlite::CHECK_UNTAKEN,
            Self::OpenWaits => texts.open_waits,
            Self::CheckOpened => sqlite::CHECK_OPENED,
            Self::Commit => sqlite::COMMIT,
        }
    }
}

/// Everything that a batch binds.
pub(super) struct Plan {
    /// The statements for the starts, beginning with BEGIN.
    pub(super) starts: Vec<Part>,
    /// The statements for the commits, without COMMIT.
    pub(super) commits: Vec<Part>,
    /// The parameters, which are the same for every statement.
    pub(super) args: Args<'static>,
    /// How many waits are opened.
    pub(super) waiters: usize,
    /// The kept runs as a list, and which commit each row is.
    pub(super) kept: (String, Vec<usize>),
    /// The released runs as a list, and which commit each row is.
    pub(super) released: (String, Vec<usize>),
}

impl Plan {
    /// `starts` are the places of the starts to be stored, each id once.
    pub(super) fn new(batch: &Batch, starts: &[usize], now: Timestamp) -> Self {
        let mut lists = Lists::new();
        for new in starts.iter().filter_map(|at| batch.starts.get(*at)) {
            rows::start(&mut lists.starts, &mut lists.arena, new);
        }
        for (at, commit) in batch.commits.iter().enumerate() {
            lists.add(at, commit);
        }
        let has_tags = batch.starts.iter().any(|new| !new.tags.is_empty());
        Self {
            starts: start_parts(!lists.starts.is_empty(), has_tags),
            commits: lists.commit_parts(),
            ..lists.into_plan(now)
        }
    }
}

fn start_parts(has_starts: bool, has_tags: bool) -> Vec<Part> {
    let mut parts = vec![Part::Begin];
    if has_starts {
        parts.extend([Part::FindStarts, Part::InsertRuns, Part::InsertInputs]);
    }
    if has_tags {
        parts.push(Part::TagStarts);
    }
    parts
}

struct Lists {
    arena: Arena,
    starts: List,
    kept: List,
    kept_at: Vec<usize>,
    released: List,
    released_at: Vec<usize>,
    has_ends: bool,
    checkpoints: List,
    taken: List,
    published: List,
    withdrawn: List,
    waiters: List,
}

impl Lists {
    fn new() -> Self {
        Self {
            arena: Arena::new(),
            starts: List::new(),
            kept: List::new(),
            kept_at: Vec::new(),
            released: List::new(),
            released_at: Vec::new(),
            has_ends: false,
            checkpoints: List::new(),
            taken: List::new(),
            published: List::new(),
            withdrawn: List::new(),
            waiters: List::new(),
        }
    }

    fn add(&mut self, at: usize, commit: &RunCommit) {
        let arena = &mut self.arena;
        if commit.releases() {
            let left = match commit.status {
                status if status.is_set_aside() => rows::BLOCKED,
                status if status.is_terminal() => rows::ENDED,
                _ => rows::WAITS,
            };
            rows::run(&mut self.released, arena, commit, left);
            self.released_at.push(at);
        } else {
            rows::run(&mut self.kept, arena, commit, rows::WAITS);
            self.kept_at.push(at);
        }
        for one in &commit.checkpoints {
            rows::checkpoint(&mut self.checkpoints, arena, commit, one);
        }
        for id in &commit.taken {
            rows::owned(&mut self.taken, commit, id);
        }
        for (key, payload) in &commit.published {
            rows::published(&mut self.published, arena, commit, (key, payload));
        }
        // The end of a run closes its waits anyway, and opens none.
        if commit.status.is_terminal() {
            self.has_ends = true;
            return;
        }
        for seq in &commit.withdrawn {
            rows::owned(&mut self.withdrawn, commit, seq);
        }
        for one in &commit.waiters {
            rows::waiter(&mut self.waiters, commit, one);
        }
    }

    fn commit_parts(&self) -> Vec<Part> {
        let mut parts = Vec::with_capacity(16);
        let mut add = |wanted: bool, some: &[Part]| {
            if wanted {
                parts.extend_from_slice(some);
            }
        };
        add(!self.checkpoints.is_empty(), &[Part::PutCheckpoints]);
        add(!self.taken.is_empty(), &[Part::TakeItems]);
        add(!self.kept.is_empty(), &[Part::KeepRuns, Part::CheckKept]);
        add(
            !self.released.is_empty(),
            &[Part::ReleaseRuns, Part::CheckReleased],
        );
        add(!self.published.is_empty(), &[Part::Publish]);
        let closes = self.has_ends || !self.withdrawn.is_empty();
        add(closes, &[Part::CloseWaits]);
        add(self.has_ends, &[Part::CloseListens]);
        add(closes, &[Part::CheckUntaken]);
        add(
            !self.waiters.is_empty(),
            &[Part::OpenWaits, Part::CheckOpened],
        );
        parts
    }

    fn into_plan(self, now: Timestamp) -> Plan {
        let (kept_rows, released_rows) = (self.kept.len(), self.released.len());
        let waiter_rows = self.waiters.len();
        let (kept, released) = (self.kept.into_text(), self.released.into_text());
        let args = Args::new()
            .with(self.starts.into_text())
            .with(self.arena.into_bytes())
            .with(now.as_millis())
            .with(kept.clone())
            .with(released.clone())
            .with(self.checkpoints.into_text())
            .with(self.taken.into_text())
            .with(self.published.into_text())
            .with(self.withdrawn.into_text())
            .with(self.waiters.into_text())
            .with(kept_rows)
            .with(released_rows)
            .with(waiter_rows);
        Plan {
            starts: Vec::new(),
            commits: Vec::new(),
            args,
            waiters: usize::try_from(waiter_rows).unwrap_or_default(),
            kept: (kept, self.kept_at),
            released: (released, self.released_at),
        }
    }
}
