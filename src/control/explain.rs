//! Why a run stands where it stands, in words.

use serde::Serialize;

use crate::id::{RunId, Seq};
use crate::model::{Checkpoint, CheckpointKind, Run, RunStatus};
use crate::store::RunRecord;
use crate::time::Timestamp;

/// Why a run stands where it stands, and what will wake it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The run.
    pub run_id: RunId,
    /// Where it stands.
    pub status: RunStatus,
    /// One sentence.
    pub reason: String,
    /// What moves it on; empty if nothing does by itself.
    pub wakes: String,
    /// Each operation that it waits for.
    pub waiting_for: Vec<Waiting>,
    /// The run that was started because this one was given up.
    pub dead_letter: Option<RunId>,
}

/// An operation that a run waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Waiting {
    /// Its position.
    pub seq: Seq,
    /// Which operation it is.
    pub kind: CheckpointKind,
    /// Its name: the signal's token or the step's name.
    pub name: String,
    /// Since when, in milliseconds since 1970.
    pub since: Timestamp,
    /// When time alone moves it on: the end of a sleep, a timeout, the next attempt.
    pub until: Option<Timestamp>,
    /// Attempts begun, for a step.
    pub attempt: u32,
}

impl Waiting {
    /// What a checkpoint without outcome waits for.
    #[must_use]
    pub fn of(checkpoint: &Checkpoint) -> Option<Self> {
        checkpoint.status.is_open().then(|| Self {
            seq: checkpoint.seq,
            kind: checkpoint.kind,
            name: checkpoint.name.to_string(),
            since: checkpoint.started_at,
            until: checkpoint.wake_at,
            attempt: checkpoint.attempt,
        })
    }

    fn sentence(&self, now: Timestamp) -> String {
        let since = format_span(now.since(self.since).as_secs());
        let until = self.until.map(|at| format_span(at.since(now).as_secs()));
        let name = &self.name;
        match (self.kind, until) {
            (CheckpointKind::Signal, None) => {
                format!("waiting for signal `{name}` since {since}, without end")
            }
            (CheckpointKind::Signal, Some(until)) => {
                format!("waiting for signal `{name}` since {since}, times out in {until}")
            }
            (CheckpointKind::Event, None) => {
                format!("waiting for event `{name}` since {since}, without end")
            }
            (CheckpointKind::Event, Some(until)) => {
                format!("waiting for event `{name}` since {since}, times out in {until}")
            }
            (CheckpointKind::Task, None) => {
                format!("waiting for the outcome of task `{name}` since {since}, without end")
            }
            (CheckpointKind::Task, Some(until)) => format!(
                "waiting for the outcome of task `{name}` since {since}, times out in {until}"
            ),
            (CheckpointKind::Update, None) => {
                format!("waiting for update `{name}` since {since}, without end")
            }
            (CheckpointKind::Update, Some(until)) => {
                format!("waiting for update `{name}` since {since}, times out in {until}")
            }
            (CheckpointKind::EntityCall, until) => entity_sentence(name, &since, until),
            (CheckpointKind::Webhook, None) => {
                format!("waiting for a post to webhook `{name}` since {since}, without end")
            }
            (CheckpointKind::Webhook, Some(until)) => format!(
                "waiting for a post to webhook `{name}` since {since}, times out in {until}"
            ),
            (CheckpointKind::Breakpoint, _) => {
                format!("standing at breakpoint `{name}` since {since}, until it is continued")
            }
            (CheckpointKind::Sleep, Some(until)) => format!("asleep for another {until}"),
            (CheckpointKind::Child, _) => {
                format!("waiting for child `{name}` since {since}")
            }
            (CheckpointKind::Remote | CheckpointKind::Compensation, None) => {
                format!(
                    "attempt {} of step `{name}` is at a worker since {since}",
                    self.attempt
                )
            }
            (_, Some(until)) => {
                let attempt = self.attempt;
                format!("step `{name}` moves on after attempt {attempt} in {until}")
            }
            (kind, None) => format!("waiting for {kind} `{name}` since {since}"),
        }
    }
}

fn entity_sentence(operation: &str, since: &str, until: Option<String>) -> String {
    let end = until.map_or_else(
        || "without end".to_owned(),
        |it| format!("times out in {it}"),
    );
    format!("waiting for the answer of an entity to `{operation}` since {since}, {end}")
}

/// A span of time for people: its two largest units.
fn format_span(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => format!("{minutes}m {}s", seconds % 60),
        (0, hours, minutes) => format!("{hours}h {minutes}m"),
        (days, hours, _) => format!("{days}d {hours}h"),
    }
}

/// Explains a run from its rows.
pub(crate) fn explain(record: &RunRecord, now: Timestamp, is_known_here: bool) -> Explanation {
    let run = &record.run;
    // What an ended run was waiting for stays in its history, but nobody waits any more.
    let waits = record.history.iter().filter_map(Waiting::of);
    let waiting_for: Vec<_> = waits.filter(|_| !run.status.is_terminal()).collect();
    Explanation {
        run_id: run.id.clone(),
        status: run.status,
        reason: reason(run, &waiting_for, now, is_known_here),
        wakes: wakes(run, &waiting_for, now),
        waiting_for,
        dead_letter: None,
    }
}

fn reason(run: &Run, waiting: &[Waiting], now: Timestamp, is_known_here: bool) -> String {
    let failure = || {
        run.failure
            .as_ref()
            .map_or("no reason was recorded", |it| &it.message)
    };
    match run.status {
        RunStatus::Pending | RunStatus::Suspended | RunStatus::Running
            if run.owner.is_none() && !is_known_here =>
        {
            let key = &run.workflow;
            format!(
                "workflow `{key}` is not registered in this process; it waits for one that has it"
            )
        }
        RunStatus::Pending if run.wake_at > now => {
            format!(
                "delayed for another {}",
                format_span(run.wake_at.since(now).as_secs())
            )
        }
        RunStatus::Pending => "stored, not begun yet".to_owned(),
        RunStatus::Running => "executing".to_owned(),
        RunStatus::Suspended if waiting.is_empty() => {
            format!("it is tried again after: {}", failure())
        }
        RunStatus::Suspended => {
            let sentences: Vec<_> = waiting.iter().map(|it| it.sentence(now)).collect();
            sentences.join("; ")
        }
        RunStatus::Blocked => format!("set aside: {}", failure()),
        RunStatus::Paused => failure().to_owned(),
        RunStatus::Cancelling => "asked to cancel, and its owner has not ended it yet".to_owned(),
        RunStatus::Completed => "completed".to_owned(),
        RunStatus::Failed => format!("failed: {}", failure()),
        RunStatus::Cancelled => "cancelled".to_owned(),
        RunStatus::Dead => format!("given up after too many recoveries: {}", failure()),
        RunStatus::CompensationFailed => format!("an undo failed: {}", failure()),
    }
}

fn wakes(run: &Run, waiting: &[Waiting], now: Timestamp) -> String {
    if run.status.is_terminal() || run.status.is_set_aside() {
        return match run.status {
            RunStatus::Completed => String::new(),
            RunStatus::Paused => "nothing by itself; resume it".to_owned(),
            _ => "nothing by itself; requeue it once the cause is mended".to_owned(),
        };
    }
    let holder = match &run.owner {
        Some(owner) => format!("instance `{owner}` holds it and another takes over if it dies"),
        None if run.wake_at == Timestamp::MAX => "any instance once something arrives".to_owned(),
        None if run.wake_at <= now => "any instance at its next look".to_owned(),
        None => format!(
            "any instance in {}",
            format_span(run.wake_at.since(now).as_secs())
        ),
    };
    let signals = waiting.iter().filter(|it| it.kind.waits_for_news());
    let signals: Vec<_> = signals
        .map(|it| format!("{} `{}`", it.kind, it.name))
        .collect();
    if signals.is_empty() {
        holder
    } else {
        format!("{}; {holder}", signals.join(" or "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_show_their_two_largest_units() {
        let cases = [
            (0, "0s"),
            (59, "59s"),
            (61, "1m 1s"),
            (3_700, "1h 1m"),
            (90_000, "1d 1h"),
        ];
        for (seconds, text) in cases {
            assert_eq!(format_span(seconds), text);
        }
    }
}
