//! What many runs of a batch have to do with each other, a statement for each kind of change:
//! children that were stored, waits for the ends of runs, and ends that are told of.
//!
//! All of it is part of the transaction of the batch: a crash between two of these statements leaves
//! nothing of them, and whoever takes the runs over writes the same again.

use std::collections::{BTreeMap, BTreeSet};

use super::record;
use super::relation::outcome;
use super::rows::{Arena, List, list};
use super::statements::relations::{RelationTexts, relations};
use super::transaction::Transaction;
use crate::driver::sql::Args;
use crate::id::{InstanceId, RunId, Seq};
use crate::model::{Failure, InboxBody, InboxItem, RunStatus};
use crate::payload::Payload;
use crate::store::commit::DeliveryAck;
use crate::store::error::StoreError;
use crate::store::rules;
use sea_orm::QueryResult;

/// How a run has ended.
type Outcome = Result<Payload, Failure>;

/// A run as it was found by its id.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) no: i64,
    pub(super) status: RunStatus,
}

/// A wait for the end of a run about to be opened.
pub(super) struct Wait<'a> {
    /// The run that waits.
    pub(super) run_no: i64,
    /// Its operation that waits.
    pub(super) seq: Seq,
    /// The run whose end it waits for.
    pub(super) run: &'a RunId,
}

/// A run that is marked as one that is waited for.
struct Marked {
    no: i64,
    next: Option<RunId>,
    /// Its end, if that has come.
    outcome: Option<Outcome>,
}

/// Where a wait stands before it is opened.
enum Stand {
    New,
    Open,
    Answered(InboxItem),
}

/// A wait whose run is told of an end.
struct Joiner {
    /// Which of the ends.
    place: usize,
    run_no: i64,
    seq: Seq,
}

/// A run that was woken.
struct Woken {
    run: RunId,
    wakes: u64,
    owner: Option<InstanceId>,
}

impl Transaction<'_, '_> {
    pub(super) fn relations(&self) -> &'static RelationTexts {
        relations(self.session.dialect())
    }

    /// The numbers and statuses of runs, as far as they exist.
    pub(super) async fn find_runs(
        &mut self,
        ids: impl IntoIterator<Item = &RunId>,
    ) -> Result<BTreeMap<RunId, Found>, StoreError> {
        let ids: BTreeSet<&str> = ids.into_iter().map(RunId::as_str).collect();
        let mut found = BTreeMap::new();
        if ids.is_empty() {
            return Ok(found);
        }
        let args = Args::new().with(list(&ids));
        let sets = self.run(self.relations().find, &args).await?;
        for row in sets.rows(0) {
            let (no, status) = (record::get(row, 1)?, record::status(row, 2)?);
            found.insert(record::run_id(row, 0)?, Found { no, status });
        }
        Ok(found)
    }

    /// Opens waits for the ends of runs; answers, for each, with that end if it has come. No two
    /// of them are of the same operation.
    ///
    /// The runs are locked first: whoever ends one meanwhile either was first, and its end is seen
    /// here, or comes after and finds the wait.
    pub(super) async fn join(
        &mut self,
        waits: &[Wait<'_>],
    ) -> Result<Vec<Option<InboxItem>>, StoreError> {
        let marked = self.mark(waits.iter().map(|wait| wait.run)).await?;
        let stands = self.look(waits, &marked).await?;
        let mut answers: Vec<Option<InboxItem>> = Vec::with_capacity(waits.len());
        let (mut open, mut ends, mut ended) = (List::new(), Ends::new(), Vec::new());
        for (wait, stand) in waits.iter().zip(stands) {
            let mut answer = None;
            match stand {
                Stand::Open => {}
                Stand::Answered(item) => answer = Some(item),
                Stand::New => {
                    let target = last_of(&marked, wait.run);
                    let unknown = || Some(Err(rules::nothing_to_wait_for(wait.run)));
                    let outcome = target.map_or_else(unknown, |target| target.outcome.clone());
                    if let Some(outcome) = outcome {
                        let stored = ends.store(&outcome);
                        ends.row(wait.run_no, wait.seq, &stored);
                        ended.push((answers.len(), wait, outcome));
                    } else {
                        wait.row(&mut open, target);
                    }
                }
            }
            answers.push(answer);
        }
        if !open.is_empty() {
            let args = Args::new().with(open.into_text());
            self.run(self.relations().open, &args).await?;
        }
        if !ended.is_empty() {
            self.answer_joins(ends, ended, &mut answers).await?;
        }
        Ok(answers)
    }

    /// Where waits stand before they are opened.
    async fn look(
        &mut self,
        waits: &[Wait<'_>],
        marked: &BTreeMap<RunId, Marked>,
    ) -> Result<Vec<Stand>, StoreError> {
        let mut rows = List::new();
        for wait in waits {
            wait.row(&mut rows, last_of(marked, wait.run));
        }
        let args = Args::new().with(rows.into_text());
        let sets = self.run(self.relations().look, &args).await?;
        let mut stands: Vec<Stand> = waits.iter().map(|_| Stand::New).collect();
        for row in sets.rows(1) {
            let at: usize = record::count(row, 0)?;
            stands
                .get_mut(at)
                .into_iter()
                .for_each(|it| *it = Stand::Open);
        }
        // The same commit sent again: the end may have come meanwhile.
        for row in sets.rows(0) {
            let at: usize = record::count(row, 0)?;
            if let Some((wait, stand)) = waits.get(at).zip(stands.get_mut(at)) {
                let id = record::get(row, 1)?;
                // Of several the first one, in whatever order the database lists them.
                if matches!(stand, Stand::Answered(earlier) if earlier.id < id) {
                    continue;
                }
                let outcome = match record::failure(row, 2)? {
                    Some(failure) => Err(failure),
                    None => Ok(record::payload(row, 3)?.unwrap_or_default()),
                };
                *stand = Stand::Answered(wait.item(id, outcome));
            }
        }
        Ok(stands)
    }

    /// Puts the ends that have come into the inboxes of those who would wait for them; the owner
    /// of each learns of them by the answers, at the given places.
    async fn answer_joins(
        &mut self,
        ends: Ends,
        ended: Vec<(usize, &Wait<'_>, Outcome)>,
        answers: &mut [Option<InboxItem>],
    ) -> Result<(), StoreError> {
        let ids = self.put_ends(ends).await?;
        let numbers: BTreeSet<i64> = ended.iter().map(|(_, wait, _)| wait.run_no).collect();
        let args = Args::new().with(list(&numbers)).with(self.now.as_millis());
        self.run(self.relations().make_due, &args).await?;
        for (at, wait, outcome) in ended {
            let id = ids.get(&(wait.run_no, wait.seq)).copied();
            let id = id.ok_or_else(|| self.failed("no answer"))?;
            if let Some(answer) = answers.get_mut(at) {
                *answer = Some(wait.item(id, outcome));
            }
        }
        Ok(())
    }

    /// Locks runs and those that they have continued as, and marks them as waited for.
    pub(super) async fn mark_one(&mut self, run: &RunId) -> Result<(), StoreError> {
        self.mark(std::iter::once(run)).await.map(drop)
    }

    async fn mark(
        &mut self,
        runs: impl Iterator<Item = &RunId>,
    ) -> Result<BTreeMap<RunId, Marked>, StoreError> {
        let texts = self.relations();
        let mut marked = BTreeMap::new();
        let mut asked: BTreeSet<RunId> = runs.cloned().collect();
        while !asked.is_empty() {
            let args = Args::new().with(list(&asked));
            let sets = self.run(texts.mark, &args).await?;
            asked.clear();
            for row in sets.rows(texts.mark.len() - 1) {
                let next: Option<String> = record::get(row, 4)?;
                let next = next.map(RunId::from_trusted);
                let outcome = outcome(row, [2, 3, 5])?;
                asked.extend(next.clone());
                let no = record::get(row, 1)?;
                let found = Marked { no, next, outcome };
                marked.insert(record::run_id(row, 0)?, found);
            }
            asked.retain(|next| !marked.contains_key(next));
        }
        Ok(marked)
    }

    /// Tells those who wait for them of the ends of runs; what they got, for each end.
    pub(super) async fn tell(&mut self, ends: &[i64]) -> Result<Vec<Vec<DeliveryAck>>, StoreError> {
        let texts = self.relations();
        let mut told: Vec<Vec<DeliveryAck>> = ends.iter().map(|_| Vec::new()).collect();
        if ends.is_empty() {
            return Ok(told);
        }
        let args = Args::new().with(list(ends));
        let sets = self.run(texts.joiners, &args).await?;
        let joiners = joiners(sets.rows(0), ends)?;
        if !joiners.is_empty() {
            let outcomes = self.outcomes(&joiners, ends).await?;
            self.tell_joiners(joiners, &outcomes, &mut told).await?;
        }
        self.run(texts.forget, &args).await?;
        Ok(told)
    }

    /// How the runs that somebody waits for have ended, by their places.
    async fn outcomes(
        &mut self,
        joiners: &[Joiner],
        ends: &[i64],
    ) -> Result<BTreeMap<usize, Outcome>, StoreError> {
        let places: BTreeSet<usize> = joiners.iter().map(|it| it.place).collect();
        let places: BTreeMap<i64, usize> = places
            .into_iter()
            .filter_map(|place| Some((*ends.get(place)?, place)))
            .collect();
        let numbers: Vec<i64> = places.keys().copied().collect();
        let args = Args::new().with(list(&numbers));
        let sets = self.run(self.relations().ended, &args).await?;
        let mut outcomes = BTreeMap::new();
        for row in sets.rows(0) {
            let place = places.get(&record::get(row, 0)?);
            if let (Some(place), Some(outcome)) = (place, outcome(row, [1, 2, 3])?) {
                outcomes.insert(*place, outcome);
            }
        }
        Ok(outcomes)
    }

    async fn tell_joiners(
        &mut self,
        mut joiners: Vec<Joiner>,
        outcomes: &BTreeMap<usize, Outcome>,
        told: &mut [Vec<DeliveryAck>],
    ) -> Result<(), StoreError> {
        joiners.retain(|it| outcomes.contains_key(&it.place));
        let mut ends = Ends::new();
        let stored: BTreeMap<usize, Stored> = outcomes
            .iter()
            .map(|(place, outcome)| (*place, ends.store(outcome)))
            .collect();
        let mut times: BTreeMap<i64, u64> = BTreeMap::new();
        for joiner in &joiners {
            if let Some(stored) = stored.get(&joiner.place) {
                ends.row(joiner.run_no, joiner.seq, stored);
                *times.entry(joiner.run_no).or_default() += 1;
            }
        }
        let ids = self.put_ends(ends).await?;
        let woken = self.wake(&times).await?;
        for joiner in joiners {
            let at = (joiner.run_no, joiner.seq);
            let found = ids.get(&at).zip(woken.get(&joiner.run_no));
            let (id, woken) = found.ok_or_else(|| self.failed("the run has vanished"))?;
            // Each item is a wake of its own; the row has the last one.
            let left = times.entry(joiner.run_no).or_default();
            *left = left.saturating_sub(1);
            if let (Some(told), Some(outcome)) =
                (told.get_mut(joiner.place), outcomes.get(&joiner.place))
            {
                told.push(DeliveryAck::Delivered {
                    run: woken.run.clone(),
                    item: ended(*id, joiner.seq, outcome.clone()),
                    wakes: woken.wakes.saturating_sub(*left),
                    owner: woken.owner.clone(),
                });
            }
        }
        Ok(())
    }

    /// Puts ends into inboxes; the numbers of the items, by run number and operation.
    async fn put_ends(&mut self, ends: Ends) -> Result<BTreeMap<(i64, Seq), i64>, StoreError> {
        let text = self.relations().put_ends;
        let args = Args::new()
            .with(ends.rows.into_text())
            .with(ends.arena.into_bytes());
        let sets = self.run(text, &args).await?;
        let rows = sets.rows(text.len() - 1).iter();
        rows.map(|row| {
            let at = (record::get(row, 0)?, Seq(record::count(row, 1)?));
            Ok((at, record::get(row, 2)?))
        })
        .collect()
    }

    /// Wakes runs, each as often as `times` says.
    async fn wake(
        &mut self,
        times: &BTreeMap<i64, u64>,
    ) -> Result<BTreeMap<i64, Woken>, StoreError> {
        let text = self.relations().wake;
        let mut rows = List::new();
        for (no, times) in times {
            rows.row(|row| {
                row.put(no).put(times);
            });
        }
        let args = Args::new()
            .with(rows.into_text())
            .with(self.now.as_millis());
        let sets = self.run(text, &args).await?;
        let rows = sets.rows(text.len() - 1).iter();
        rows.map(|row| {
            let woken = Woken {
                run: record::run_id(row, 1)?,
                wakes: record::count(row, 2)?,
                owner: record::owner(row, 3)?,
            };
            Ok((record::get(row, 0)?, woken))
        })
        .collect()
    }
}

impl Wait<'_> {
    fn row(&self, rows: &mut List, target: Option<&Marked>) {
        rows.row(|row| {
            row.put(self.run_no)
                .put(self.seq)
                .put(target.map(|target| target.no));
        });
    }

    const fn item(&self, id: i64, outcome: Outcome) -> InboxItem {
        ended(id, self.seq, outcome)
    }
}

/// Ends on their way into inboxes.
struct Ends {
    rows: List,
    arena: Arena,
}

/// An outcome in its stored form: a failure as JSON, or where its payload lies.
struct Stored {
    failure: Option<String>,
    at: Option<(usize, usize)>,
}

impl Ends {
    fn new() -> Self {
        Self {
            rows: List::new(),
            arena: Arena::new(),
        }
    }

    /// Takes an outcome, once for all who get it.
    fn store(&mut self, outcome: &Outcome) -> Stored {
        match outcome {
            Ok(payload) => Stored {
                failure: None,
                at: Some(self.arena.put(payload)),
            },
            Err(failure) => Stored {
                failure: Some(list(failure)),
                at: None,
            },
        }
    }

    fn row(&mut self, run_no: i64, seq: Seq, stored: &Stored) {
        self.rows.row(|row| {
            row.put(run_no)
                .put(seq)
                .put(&stored.failure)
                .put(stored.at.map(|(start, _)| start))
                .put(stored.at.map(|(_, length)| length));
        });
    }
}

/// The run that `id` has become; none if it does not exist.
fn last_of<'m>(marked: &'m BTreeMap<RunId, Marked>, id: &RunId) -> Option<&'m Marked> {
    let mut found = marked.get(id)?;
    // A chain is no longer than what was found.
    for _ in 0..marked.len() {
        match &found.next {
            Some(next) => found = marked.get(next)?,
            None => break,
        }
    }
    Some(found)
}

/// Who waits for `ends`, by end, and for each in the order in which they were locked.
fn joiners(rows: &[QueryResult], ends: &[i64]) -> Result<Vec<Joiner>, StoreError> {
    let places: BTreeMap<i64, usize> = ends.iter().copied().zip(0..).collect();
    let mut joiners = Vec::with_capacity(rows.len());
    for row in rows {
        if let Some(place) = places.get(&record::get(row, 0)?) {
            joiners.push(Joiner {
                place: *place,
                run_no: record::get(row, 1)?,
                seq: Seq(record::count(row, 2)?),
            });
        }
    }
    joiners.sort_by_key(|joiner| joiner.place);
    Ok(joiners)
}

const fn ended(id: i64, seq: Seq, outcome: Outcome) -> InboxItem {
    InboxItem::new(id, InboxBody::RunEnded { seq, outcome })
}
