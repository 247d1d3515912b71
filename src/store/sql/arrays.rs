//! PostgreSQL: a batch as arrays; the numbers of the values are those of
//! [`batch`](super::statements::batch), and so is what lies where in them.

use std::borrow::Cow;

use hashbrown::HashMap;
use serde::Serialize;

use super::rows::{BLOCKED, ENDED, KEPT, WAITS, sorted_tags};
use super::statements::batch::{CHECKPOINT_NUMBERS, NULL, RUN_NUMBERS, START_NUMBERS, Shape};
use crate::driver::sql::{Arg, Args};
use crate::model::{Checkpoint, Fingerprint, NewRun};
use crate::payload::Payload;
use crate::store::commit::RunCommit;
use crate::time::Timestamp;

type Numbers = Vec<i64>;
type Texts<'a> = Vec<Option<Cow<'a, str>>>;
type Blobs<'a> = Vec<Option<&'a [u8]>>;

/// A batch, or a part of one, as the values of its statement.
#[derive(Default)]
pub(super) struct Arrays<'a> {
    pub(super) shape: Shape,
    words: Words<'a>,
    starts: Starts<'a>,
    runs: Runs<'a>,
    checkpoints: Checkpoints<'a>,
    taken: (Numbers, Numbers),
    published: (Numbers, Texts<'a>, Blobs<'a>),
    withdrawn: (Numbers, Numbers),
    waiters: (Numbers, Numbers, Texts<'a>),
}

/// Each text of the batch once.
#[derive(Default)]
struct Words<'a> {
    list: Texts<'a>,
    numbers: HashMap<Cow<'a, str>, i64>,
}

#[derive(Default)]
struct Starts<'a> {
    id: Texts<'a>,
    input: Blobs<'a>,
    numbers: Numbers,
    tag_place: Numbers,
    tag: Texts<'a>,
}

#[derive(Default)]
struct Runs<'a> {
    run: Texts<'a>,
    numbers: Numbers,
    output: Blobs<'a>,
}

#[derive(Default)]
struct Checkpoints<'a> {
    result: Blobs<'a>,
    numbers: Numbers,
}

impl<'a> Words<'a> {
    /// The number of a text, counted from 1.
    fn number(&mut self, text: impl Into<Cow<'a, str>>) -> i64 {
        let text = text.into();
        if let Some(number) = self.numbers.get(&*text) {
            return *number;
        }
        self.list.push(Some(text.clone()));
        let number = number(self.list.len());
        self.numbers.insert(text, number);
        number
    }

    /// The same for one that may be missing.
    fn maybe(&mut self, text: Option<impl Into<Cow<'a, str>>>) -> i64 {
        text.map_or(0, |text| self.number(text))
    }
}

impl<'a> Arrays<'a> {
    /// Nothing yet, with room for the rows of so many commits.
    pub(super) fn with_room(commits: usize) -> Self {
        let mut arrays = Self::default();
        arrays.runs.numbers.reserve(commits * RUN_NUMBERS);
        let numbers = commits * CHECKPOINT_NUMBERS;
        arrays.checkpoints.numbers.reserve(numbers);
        arrays
    }

    /// Adds runs to be stored.
    pub(super) fn start(&mut self, new: &'a NewRun, place: usize) {
        self.shape.starts = true;
        let (starts, words) = (&mut self.starts, &mut self.words);
        starts.id.push(text(new.id.as_str()));
        starts.input.push(Some(new.input.as_bytes()));
        let tags = sorted_tags(new);
        let row: [i64; START_NUMBERS] = [
            words.number(&*new.workflow.name),
            new.workflow.version.into(),
            words.maybe(new.owner.as_ref().map(AsRef::<str>::as_ref)),
            new.due_at.as_millis(),
            words.maybe((!tags.is_empty()).then(|| json(&tags)).flatten()),
            new.fingerprint.map_or(NULL, Fingerprint::to_stored),
        ];
        starts.numbers.extend(row);
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
        let (runs, words) = (&mut self.runs, &mut self.words);
        runs.run.push(text(commit.run.as_str()));
        let output = commit.output.as_ref().map_or(0, |output| {
            runs.output.push(Some(output.as_bytes()));
            number(runs.output.len())
        });
        let row: [i64; RUN_NUMBERS] = [
            number(commit.token.0),
            words.number(commit.status.as_str()),
            commit.wake_at.as_millis(),
            number(commit.seen_wakes),
            commit.recoveries.into(),
            number(commit.rev),
            commit.at.as_millis(),
            words.maybe(commit.failure.as_ref().and_then(json)),
            output,
            fate.into(),
        ];
        runs.numbers.extend(row);
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
            self.taken.1.push(*id);
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
            self.withdrawn.1.push(seq.0.into());
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
            self.waiters.1.push(one.seq.0.into());
            self.waiters.2.push(text(&one.token));
        }
    }

    fn checkpoint(&mut self, one: &'a Checkpoint, place: i64) {
        self.shape.checkpoints = true;
        let (list, words) = (&mut self.checkpoints, &mut self.words);
        let events = (!one.events.is_empty()).then(|| json(&one.events));
        list.result.push(one.result.as_ref().map(Payload::as_bytes));
        let row: [i64; CHECKPOINT_NUMBERS] = [
            place,
            one.seq.0.into(),
            one.ord.map_or(NULL, i64::from),
            words.number(one.kind.as_str()),
            words.number(&*one.name),
            words.number(one.status.as_str()),
            one.attempt.into(),
            one.wake_at.map_or(NULL, Timestamp::as_millis),
            one.started_at.as_millis(),
            one.finished_at.map_or(NULL, Timestamp::as_millis),
            number(one.rev),
            words.maybe(one.site.as_deref()),
            words.maybe(one.failure.as_ref().and_then(json)),
            words.maybe(events.flatten()),
        ];
        list.numbers.extend(row);
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
            .with(starts.input)
            .with(starts.numbers)
            .with(starts.tag_place)
            .with(starts.tag)
            .with(self.words.list)
            .with(runs.run)
            .with(runs.numbers)
            .with(runs.output)
            .with(Arg::Int(Some(count)))
            .with(list.result)
            .with(list.numbers)
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
    }
}

fn text(text: &str) -> Option<Cow<'_, str>> {
    Some(Cow::Borrowed(text))
}

fn json(value: &(impl Serialize + ?Sized)) -> Option<String> {
    serde_json::to_string(value).ok()
}

/// Counters and tokens stay far below the largest number of a database.
fn number<T: TryInto<i64>>(value: T) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}
