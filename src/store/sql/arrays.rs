//! PostgreSQL: a batch as arrays, one for each column; the numbers of the values are those of
//! [`batch`](super::statements::batch).

use std::borrow::Cow;

use serde::Serialize;

use super::rows::{BLOCKED, ENDED, KEPT, WAITS, sorted_tags};
use super::statements::batch::Shape;
use crate::driver::sql::{Arg, Args};
use crate::model::{Checkpoint, Fingerprint, NewRun};
use crate::payload::Payload;
use crate::store::commit::RunCommit;
use crate::time::Timestamp;

type Ints = Vec<Option<i64>>;
type Texts<'a> = Vec<Option<Cow<'a, str>>>;
type Blobs<'a> = Vec<Option<&'a [u8]>>;

/// A batch, or a part of one, as the values of its statement.
#[derive(Default)]
pub(super) struct Arrays<'a> {
    pub(super) shape: Shape,
    starts: Starts<'a>,
    runs: Runs<'a>,
    checkpoints: Checkpoints<'a>,
    taken: (Ints, Ints),
    published: (Ints, Texts<'a>, Blobs<'a>),
    withdrawn: (Ints, Ints),
    waiters: (Ints, Ints, Texts<'a>),
}

#[derive(Default)]
struct Starts<'a> {
    id: Texts<'a>,
    workflow: Texts<'a>,
    version: Ints,
    owner: Texts<'a>,
    due_at: Ints,
    tags: Texts<'a>,
    input: Blobs<'a>,
    fingerprint: Ints,
    tag_place: Ints,
    tag: Texts<'a>,
}

#[derive(Default)]
struct Runs<'a> {
    run: Texts<'a>,
    token: Ints,
    status: Texts<'a>,
    wake_at: Ints,
    seen_wakes: Ints,
    recoveries: Ints,
    rev: Ints,
    changed_at: Ints,
    failure: Texts<'a>,
    output: Blobs<'a>,
    fate: Ints,
}

#[derive(Default)]
struct Checkpoints<'a> {
    place: Ints,
    seq: Ints,
    ord: Ints,
    kind: Texts<'a>,
    name: Texts<'a>,
    status: Texts<'a>,
    attempt: Ints,
    wake_at: Ints,
    started_at: Ints,
    finished_at: Ints,
    rev: Ints,
    site: Texts<'a>,
    failure: Texts<'a>,
    events: Texts<'a>,
    result: Blobs<'a>,
}

impl<'a> Arrays<'a> {
    /// Adds runs to be stored.
    pub(super) fn start(&mut self, new: &'a NewRun, place: usize) {
        self.shape.starts = true;
        let starts = &mut self.starts;
        starts.id.push(text(new.id.as_str()));
        starts.workflow.push(text(&new.workflow.name));
        starts.version.push(Some(new.workflow.version.into()));
        starts.owner.push(
            new.owner
                .as_ref()
                .map(|owner| Cow::Borrowed(owner.as_str())),
        );
        starts.due_at.push(Some(new.due_at.as_millis()));
        starts.input.push(Some(new.input.as_bytes()));
        starts
            .fingerprint
            .push(new.fingerprint.map(Fingerprint::to_stored));
        let tags = sorted_tags(new);
        starts
            .tags
            .push((!tags.is_empty()).then(|| json(&tags)).flatten());
        for tag in tags {
            self.shape.start_tags = true;
            starts.tag_place.push(number(place + 1));
            starts.tag.push(Some(Cow::Borrowed(tag)));
        }
    }

    /// Adds what the owner of a run writes, but for its waits.
    pub(super) fn commit(&mut self, commit: &'a RunCommit, place: usize) {
        self.shape.runs = true;
        let place = number(place + 1);
        let fate = if !commit.releases() {
            KEPT
        } else if commit.status.is_terminal() {
            ENDED
        } else if commit.status.is_set_aside() {
            BLOCKED
        } else {
            WAITS
        };
        self.shape.ends |= fate == ENDED;
        let runs = &mut self.runs;
        runs.run.push(text(commit.run.as_str()));
        runs.token.push(number(commit.token.0));
        runs.status.push(text(commit.status.as_str()));
        runs.wake_at.push(Some(commit.wake_at.as_millis()));
        runs.seen_wakes.push(number(commit.seen_wakes));
        runs.recoveries.push(Some(commit.recoveries.into()));
        runs.rev.push(number(commit.rev));
        runs.changed_at.push(Some(commit.at.as_millis()));
        runs.failure.push(commit.failure.as_ref().and_then(json));
        runs.output
            .push(commit.output.as_ref().map(Payload::as_bytes));
        runs.fate.push(Some(fate.into()));
        for (at, one) in commit.checkpoints.iter().enumerate() {
            // One statement cannot put the same row twice; the last one stays.
            let is_replaced = |later: &Checkpoint| later.seq == one.seq;
            if !commit.checkpoints.iter().skip(at + 1).any(is_replaced) {
                self.checkpoint(one, place);
            }
        }
        for id in &commit.taken {
            self.shape.taken = true;
            self.taken.0.push(place);
            self.taken.1.push(Some(*id));
        }
        for (at, (name, payload)) in commit.published.iter().enumerate() {
            let mut later = commit.published.iter().skip(at + 1);
            if later.any(|(later, _)| later == name) {
                continue;
            }
            self.shape.published = true;
            self.published.0.push(place);
            self.published.1.push(text(name));
            self.published.2.push(Some(payload.as_bytes()));
        }
        if fate == ENDED {
            return;
        }
        for seq in &commit.withdrawn {
            self.shape.withdrawn = true;
            self.withdrawn.0.push(place);
            self.withdrawn.1.push(Some(seq.0.into()));
        }
    }

    /// Adds the waits that the owner of a run opens. The order decides who waits longest.
    pub(super) fn waits(&mut self, commit: &'a RunCommit, place: usize) {
        if commit.status.is_terminal() {
            return;
        }
        for one in &commit.waiters {
            self.shape.waiters = true;
            self.waiters.0.push(number(place + 1));
            self.waiters.1.push(Some(one.seq.0.into()));
            self.waiters.2.push(text(&one.token));
        }
    }

    fn checkpoint(&mut self, one: &'a Checkpoint, place: Option<i64>) {
        self.shape.checkpoints = true;
        let list = &mut self.checkpoints;
        list.place.push(place);
        list.seq.push(Some(one.seq.0.into()));
        list.ord.push(one.ord.map(i64::from));
        list.kind.push(text(one.kind.as_str()));
        list.name.push(text(&one.name));
        list.status.push(text(one.status.as_str()));
        list.attempt.push(Some(one.attempt.into()));
        list.wake_at.push(one.wake_at.map(Timestamp::as_millis));
        list.started_at.push(Some(one.started_at.as_millis()));
        list.finished_at
            .push(one.finished_at.map(Timestamp::as_millis));
        list.rev.push(number(one.rev));
        list.site.push(one.site.as_deref().map(Cow::Borrowed));
        list.failure.push(one.failure.as_ref().and_then(json));
        list.events.push(
            (!one.events.is_empty())
                .then(|| json(&one.events))
                .flatten(),
        );
        list.result.push(one.result.as_ref().map(Payload::as_bytes));
    }

    /// How many waits are opened.
    pub(super) fn waiters(&self) -> usize {
        self.waiters.0.len()
    }

    /// The values, in the order of their numbers.
    pub(super) fn into_args(self, now: Timestamp) -> Args<'a> {
        let (starts, runs, list) = (self.starts, self.runs, self.checkpoints);
        let count = number(runs.run.len());
        Args::new()
            .with(now.as_millis())
            .with(starts.id)
            .with(starts.workflow)
            .with(starts.version)
            .with(starts.owner)
            .with(starts.due_at)
            .with(starts.tags)
            .with(starts.input)
            .with(starts.tag_place)
            .with(starts.tag)
            .with(runs.run)
            .with(runs.token)
            .with(runs.status)
            .with(runs.wake_at)
            .with(runs.seen_wakes)
            .with(runs.recoveries)
            .with(runs.rev)
            .with(runs.changed_at)
            .with(runs.failure)
            .with(runs.output)
            .with(runs.fate)
            .with(Arg::Int(count))
            .with(list.place)
            .with(list.seq)
            .with(list.ord)
            .with(list.kind)
            .with(list.name)
            .with(list.status)
            .with(list.attempt)
            .with(list.wake_at)
            .with(list.started_at)
            .with(list.finished_at)
            .with(list.rev)
            .with(list.site)
            .with(list.failure)
            .with(list.events)
            .with(list.result)
            .with(self.taken.0)
            .with(self.taken.1)
            .with(self.published.0)
            .with(self.published.1)
            .with(self.published.2)
            .with(self.withdrawn.0)
            .with(self.withdrawn.1)
            .with(self.waiters.0)
            .with(self.waiters.1)
            .with(self.waiters.2)
            .with(starts.fingerprint)
    }
}

fn text(text: &str) -> Option<Cow<'_, str>> {
    Some(Cow::Borrowed(text))
}

fn json(value: &(impl Serialize + ?Sized)) -> Option<Cow<'static, str>> {
    serde_json::to_string(value).ok().map(Cow::Owned)
}

/// Counters and tokens stay far below the largest number of a database.
fn number<T: TryInto<i64>>(value: T) -> Option<i64> {
    Some(value.try_into().unwrap_or(i64::MAX))
}
