//! Runs as they stand in a list: each with what it is doing and what for.

use hashbrown::HashMap;

use super::gateway::Control;
use crate::id::RunId;
use crate::model::{Checkpoint, CheckpointKind, CheckpointStatus, Run, RunQuery, RunStatus};
use crate::store::StoreError;
use crate::time::Timestamp;

/// A run in a list.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Row {
    /// The run, without input and output.
    pub run: Run,
    /// What it is doing.
    pub display: Display,
}

impl Row {
    /// A run with what it is doing.
    #[must_use]
    pub const fn new(run: Run, display: Display) -> Self {
        Self { run, display }
    }
}

/// A page of a list.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RowPage {
    /// The runs, newest first.
    pub rows: Vec<Row>,
    /// What to pass as [`RunQuery::after`] for the next page; `None` at the end.
    pub next: Option<String>,
}

/// What a run is doing: its status, made more exact by what it waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Display {
    /// A word: the name of the status, or `delayed`, `sleeping`, `waiting_signal`, `waiting_task`,
    /// `waiting_webhook`, `waiting_update`, `breakpoint`, `waiting_child`, `waiting_worker`,
    /// `retrying`, `no_handler`.
    pub word: &'static str,
    /// What it waits for, or why it ended; empty where the word says it all.
    pub reason: String,
    /// When time alone moves it on.
    pub until: Option<Timestamp>,
    /// Since when it waits.
    pub since: Option<Timestamp>,
}

impl Display {
    const fn plain(word: &'static str) -> Self {
        Self {
            word,
            reason: String::new(),
            until: None,
            since: None,
        }
    }

    fn because(word: &'static str, run: &Run) -> Self {
        let failure = run.failure.as_ref();
        Self {
            reason: failure.map_or_else(String::new, |it| it.message.clone()),
            ..Self::plain(word)
        }
    }

    /// What `run` does while it has these open operations.
    #[must_use]
    pub fn of(run: &Run, open: &[Checkpoint], now: Timestamp, is_known_here: bool) -> Self {
        let word = run.status.as_str();
        let has_no_handler = run.owner.is_none() && run.wake_at <= now && !is_known_here;
        match run.status {
            RunStatus::Pending | RunStatus::Suspended | RunStatus::Running if has_no_handler => {
                Self {
                    reason: format!("no handler for {} in this process", run.workflow),
                    ..Self::plain("no_handler")
                }
            }
            RunStatus::Pending if run.wake_at > now => Self {
                until: Some(run.wake_at),
                ..Self::plain("delayed")
            },
            RunStatus::Suspended => {
                let first = open.iter().min_by_key(|it| importance(it));
                first.map_or_else(
                    || Self::because("retrying", run),
                    |it| Self::waiting(it, open.iter().filter(|it| is_cause(it)).count()),
                )
            }
            // Until its first commit nothing else tells that an instance executes it.
            RunStatus::Pending if run.owner.is_some() => Self::plain("running"),
            RunStatus::Pending | RunStatus::Running => Self::plain(word),
            RunStatus::Completed | RunStatus::Cancelling | RunStatus::Cancelled => {
                Self::plain(word)
            }
            RunStatus::Blocked
            | RunStatus::Paused
            | RunStatus::Failed
            | RunStatus::Dead
            | RunStatus::CompensationFailed => Self::because(word, run),
        }
    }

    fn waiting(first: &Checkpoint, of: usize) -> Self {
        let name = &first.name;
        let (word, mut reason) = match (first.status, first.kind) {
            (CheckpointStatus::Retrying, _) => {
                let failure = first.failure.as_ref();
                let why = failure.map_or("no reason was recorded", |it| &it.message);
                let attempt = first.attempt;
                ("retrying", format!("{name}, attempt {attempt}: {why}"))
            }
            (_, CheckpointKind::Sleep) => ("sleeping", String::new()),
            (_, CheckpointKind::Signal) => ("waiting_signal", name.to_string()),
            (_, CheckpointKind::Event) => ("waiting_event", name.to_string()),
            (_, CheckpointKind::Breakpoint) => ("breakpoint", name.to_string()),
            (_, CheckpointKind::Webhook) => ("waiting_webhook", name.to_string()),
            (_, CheckpointKind::Update) => ("waiting_update", name.to_string()),
            (_, CheckpointKind::Task) => ("waiting_task", name.to_string()),
            (_, CheckpointKind::Child) => ("waiting_child", name.to_string()),
            (_, CheckpointKind::Remote | CheckpointKind::Compensation) => {
                ("waiting_worker", name.to_string())
            }
            (_, kind) => ("suspended", format!("{kind} {name}")),
        };
        if of > 1 {
            reason = format!("{reason} and {} more", of - 1).trim().to_owned();
        }
        Self {
            word,
            reason,
            until: first.wake_at,
            since: Some(first.started_at),
        }
    }
}

/// Which of several open operations a row names: first what goes wrong, then what someone has to
/// do, then what a worker does, then what time does; last what someone may do.
const fn importance(checkpoint: &Checkpoint) -> u8 {
    match (checkpoint.status, checkpoint.kind) {
        (CheckpointStatus::Retrying, _) => 0,
        (_, CheckpointKind::Update) => 4,
        (_, kind) if kind.waits_for_news() => 1,
        (_, CheckpointKind::Sleep) => 3,
        _ => 2,
    }
}

/// Whether an open operation is what holds a run up. One that takes updates beside other waits is
/// an offer.
fn is_cause(checkpoint: &Checkpoint) -> bool {
    checkpoint.kind != CheckpointKind::Update
}

impl Control {
    /// A page of runs, each with what it is doing.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn rows(&self, query: &RunQuery) -> Result<RowPage, StoreError> {
        let page = self.list(query).await?;
        Ok(RowPage {
            rows: self.as_rows(page.runs).await?,
            next: page.next,
        })
    }

    /// One run with what it is doing; `None` if there is none with this id.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn row(&self, run: &RunId) -> Result<Option<Row>, StoreError> {
        let run = self.run(run).await?;
        let rows = self.as_rows(run.into_iter().collect()).await?;
        Ok(rows.into_iter().next())
    }

    /// Runs that were read here, with what they are doing, in the same order.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn as_rows(&self, runs: Vec<Run>) -> Result<Vec<Row>, StoreError> {
        let waiting = runs.iter().filter(|run| run.status == RunStatus::Suspended);
        let waiting: Vec<_> = waiting.collect();
        let mut open = HashMap::<RunId, Vec<Checkpoint>>::new();
        if !waiting.is_empty() {
            for (run, checkpoint) in self.open_operations(&waiting).await? {
                open.entry(run).or_default().push(checkpoint);
            }
        }
        let rows = runs.into_iter().map(|run| {
            let open = open.get(&run.id).map_or(&[][..], Vec::as_slice);
            let display = self.display(&run, open);
            Row { run, display }
        });
        Ok(rows.collect())
    }

    /// What a run is doing while it has these open operations.
    #[must_use]
    pub fn display(&self, run: &Run, open: &[Checkpoint]) -> Display {
        let now = self.engine().clock().now();
        let is_known = self.engine().registry().workflow(&run.workflow).is_some();
        Display::of(run, open, now, is_known)
    }
}
