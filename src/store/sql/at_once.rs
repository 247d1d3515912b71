//! A batch as one message of MySQL, from the beginning of the transaction to its end: one round
//! trip where each statement would be one.
//!
//! The lists of the batch are variables that the message sets first, since several statements read
//! them. What the writer would look at between two statements the message looks at itself: a sum
//! that is too large ends it where it is, and the batch is undone and written statement by
//! statement. A crash leaves all of it or nothing, by the transaction.

use super::bind::is_bound;
use super::care::has_labels;
use super::plan::{Part, Plan};
use super::statements::mysql;
use super::writing::Writing;
use crate::driver::sql::{Dialect, written, written_with};
use crate::store::commit::RunCommit;
use crate::store::error::StoreError;

/// The bytes of lists and payloads in one message at the most: written as digits they take twice
/// as much.
const MOST_BYTES: usize = 256 * 1024;

/// A number to which only 0 can be added.
const LARGEST: &str = "SELECT 9223372036854775807 + ";

impl Writing<'_, '_> {
    /// Whether the batch may be one message.
    pub(super) fn is_at_once(&self) -> bool {
        let is_plain = |commit: &RunCommit| !has_labels(commit) && commit.beyond.is_none();
        self.transaction.session.dialect() == Dialect::MySql
            && self.care.is_strict
            && self.batch.deliveries.is_empty()
            && self.batch.commits.iter().all(is_plain)
            && !self.batch.starts.iter().any(is_bound)
    }

    /// Writes the batch. `false` if that was undone, because it needs a closer look.
    pub(super) async fn at_once(&mut self) -> Result<bool, StoreError> {
        let plan = Plan::new(self.batch, &self.first_starts, self.transaction.now);
        if plan.args.bytes() > MOST_BYTES {
            return Ok(false);
        }
        let Some(message) = Message::of(self, &plan) else {
            return Ok(false);
        };
        let text = message.texts.join("; ");
        let (sets, end) = self.transaction.session.message(&text).await;
        match end {
            Ok(()) => {}
            Err(error) if error.is_out_of_range() => {
                self.transaction.undo().await?;
                return Ok(false);
            }
            Err(error) => return Err(self.transaction.failed(error)),
        }
        if let Some(at) = message.found_at {
            self.read_existing(sets.rows(at))?;
        }
        Ok(true)
    }
}

/// The statements of a message.
struct Message {
    texts: Vec<String>,
    /// Which of them finds the starts that exist.
    found_at: Option<usize>,
}

impl Message {
    fn of(writing: &Writing<'_, '_>, plan: &Plan) -> Option<Self> {
        let texts = writing.transaction.texts();
        let commit = texts.commit.as_ref()?;
        let mut message = Self {
            texts: mysql::BEGIN.map(str::to_owned).to_vec(),
            found_at: None,
        };
        let gates = writing.care.gates.statement(Dialect::MySql);
        message.texts.extend(gates);
        let variables_at = message.texts.len();
        let mut named = Vec::new();
        let mut write = |text: &str| {
            written_with(text, |number| {
                if !named.contains(&number) {
                    named.push(number);
                }
                format!("@axum{number}")
            })
        };
        for part in plan.starts.iter().chain(&plan.commits) {
            match part {
                // What they look at is looked at beside the statement itself.
                Part::Begin
                | Part::Commit
                | Part::CheckKept
                | Part::CheckReleased
                | Part::CheckOpened => continue,
                Part::CheckUntaken => {
                    let question = commit.untaken.strip_prefix("SELECT ")?;
                    message.texts.push(write(&format!("{LARGEST}({question})")));
                    continue;
                }
                Part::FindStarts => message.found_at = Some(message.texts.len()),
                _ => {}
            }
            message
                .texts
                .push(write(part.text(commit, texts.find_starts)));
            if let Some(expected) = plan.expected(*part) {
                let check = format!("{LARGEST}(ROW_COUNT() <> {expected})");
                message.texts.push(check);
                let count = commit.count_open.filter(|_| *part == Part::OpenWaits);
                if let Some(count) = count.filter(|_| plan.waiters > 1) {
                    let check = format!("{LARGEST}(({count}) <> {expected})");
                    message.texts.push(write(&check));
                }
            }
        }
        message.texts.push("COMMIT".to_owned());
        message.set(variables_at, &named, plan);
        Some(message)
    }

    /// Puts the variables for these values of the plan before statement `at`.
    fn set(&mut self, at: usize, named: &[usize], plan: &Plan) {
        if named.is_empty() {
            return;
        }
        let one = |number: &usize| format!("@axum{number} = ${number}");
        let all: Vec<String> = named.iter().map(one).collect();
        let text = format!("SET {}", all.join(", "));
        let text = written(Dialect::MySql, &text, &plan.args);
        self.texts.insert(at, text);
        self.found_at = self.found_at.map(|found| found + 1);
    }
}

impl Plan {
    /// How many rows a statement has to change.
    fn expected(&self, part: Part) -> Option<usize> {
        match part {
            Part::KeepRuns => Some(self.kept.1.len()),
            Part::ReleaseRuns => Some(self.released.1.len()),
            Part::OpenWaits => Some(self.waiters),
            _ => None,
        }
    }
}
