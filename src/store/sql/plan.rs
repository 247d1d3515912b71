//! A batch laid out as the parameters and statements of a script.

use super::rows::{self, Arena, List};
use super::statements;
use crate::driver::sql::Args;
use crate::model::RunStatus;
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
    AddTags,
    TagRuns,
    CloseWaits,
    CheckUntaken,
    OpenWaits,
    CheckOpened,
    Commit,
}

impl Part {
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Begin => statements::BEGIN,
            Self::FindStarts => statements::FIND_STARTS,
            Self::InsertRuns => statements::INSERT_RUNS,
            Self::InsertInputs => statements::INSERT_INPUTS,
            Self::TagStarts => statements::TAG_STARTS,
            Self::PutCheckpoints => statements::PUT_CHECKPOINTS,
            Self::TakeItems => statements::TAKE_ITEMS,
            Self::KeepRuns => statements::KEEP_RUNS,
            Self::CheckKept => statements::CHECK_KEPT,
            Self::ReleaseRuns => statements::RELEASE_RUNS,
            Self::CheckReleased => statements::CHECK_RELEASED,
            Self::Publish => statements::PUBLISH,
            Self::AddTags => statements::ADD_TAGS,
            Self::TagRuns => statements::TAG_RUNS,
            Self::CloseWaits => statements::CLOSE_WAITS,
            Self::CheckUntaken => statements::CHECK_UNTAKEN,
            Self::OpenWaits => statements::OPEN_WAITS,
            Self::CheckOpened => statements::CHECK_OPENED,
            Self::Commit => statements::COMMIT,
        }
    }
}

/// Everything that a batch binds.
pub(super) struct Plan {
    /// The statements for the starts, beginning with BEGIN.
    pub(super) starts: Vec<Part>,
    /// The statements for the commits, ending with COMMIT.
    pub(super) commits: Vec<Part>,
    /// The parameters, which are the same for every statement.
    pub(super) args: Args,
    /// The kept runs as a list, and which commit each row is.
    pub(super) kept: (String, Vec<usize>),
    /// The released runs as a list, and which commit each row is.
    pub(super) released: (String, Vec<usize>),
}

impl Plan {
    pub(super) fn new(batch: &Batch, now: Timestamp) -> Self {
        let mut lists = Lists::new();
        for new in &batch.starts {
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
    tags: List,
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
            tags: List::new(),
        }
    }

    fn add(&mut self, at: usize, commit: &RunCommit) {
        let arena = &mut self.arena;
        if commit.releases() {
            let left = match commit.status {
                RunStatus::Blocked => rows::BLOCKED,
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
        if !commit.tags.is_empty() {
            rows::owned(&mut self.tags, commit, &commit.tags);
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
        add(!self.tags.is_empty(), &[Part::AddTags, Part::TagRuns]);
        let closes = self.has_ends || !self.withdrawn.is_empty();
        add(closes, &[Part::CloseWaits, Part::CheckUntaken]);
        add(
            !self.waiters.is_empty(),
            &[Part::OpenWaits, Part::CheckOpened],
        );
        add(true, &[Part::Commit]);
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
            .with(self.tags.into_text())
            .with(kept_rows)
            .with(released_rows)
            .with(waiter_rows);
        Plan {
            starts: Vec::new(),
            commits: Vec::new(),
            args,
            kept: (kept, self.kept_at),
            released: (released, self.released_at),
        }
    }
}
