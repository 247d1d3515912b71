//! Forgetting. What may go is found by reading; a transaction of a bounded size then looks again,
//! under locks, and removes it. A crash leaves a run whole or gone, and the next sweep goes on.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use super::error::is_conflict;
use super::gates::Gates;
use super::record;
use super::rows::list;
use super::statements::{candidates, end_at, lock_candidates, prune_texts};
use super::store::SqlStore;
use super::transaction::Transaction;
use crate::driver::sql::Args;
use crate::id::RunId;
use crate::model::{RunStatus, SignalId};
use crate::store::error::StoreError;
use crate::store::prune::{
    Forget, Forgotten, Prune, PruneCursor, PruneStore, Pruned, first_of_chain,
};
use crate::time::Timestamp;

/// What is being done, for errors.
const OPERATION: &str = "forget what is over";

/// Operations that one transaction removes, before it takes no further run: some ten milliseconds
/// of a database.
const MOST_OPERATIONS: u64 = 5_000;

/// Looks for events that are over in one transaction: some hundred of them each time.
const MOST_LOOKS_AT_EVENTS: u32 = 10;

/// How often a transaction is tried again that the database has undone for another one's sake.
const MAX_CONFLICTS: u32 = 8;

#[async_trait]
impl PruneStore for SqlStore {
    async fn prune(&self, prune: &Prune) -> Result<Pruned, StoreError> {
        let Some(last_end) = prune.last_end() else {
            return Ok(Pruned::default());
        };
        let found = self.candidates(prune, last_end).await?;
        let mut pruned = Pruned {
            runs: 0,
            next: found.next,
        };
        if found.free.is_empty() {
            return Ok(pruned);
        }
        let mut conflicts = 0;
        let gone = loop {
            match self.write_prune(prune, &found.free).await {
                Err(error) if is_conflict(&error) && conflicts < MAX_CONFLICTS => conflicts += 1,
                gone => break gone?,
            }
        };
        pruned.runs = gone.runs;
        // The rest of what was found comes with the next call.
        pruned.next = gone.stopped_at.or(pruned.next);
        Ok(pruned)
    }

    async fn end_of_newest(
        &self,
        statuses: &[RunStatus],
        keep: u64,
    ) -> Result<Option<Timestamp>, StoreError> {
        let Some(place) = keep.checked_sub(1).filter(|_| !statuses.is_empty()) else {
            return Ok(None);
        };
        let text = end_at(self.dialect(), statuses);
        let args = Args::new().with(i64::try_from(place).unwrap_or(i64::MAX));
        let sets = self.query("look for an end", text, &args).await?;
        let end = sets.first(0).map(|row| record::get(row, 0)).transpose()?;
        Ok(end.map(Timestamp::from_millis))
    }

    async fn forget(&self, forget: &Forget) -> Result<Forgotten, StoreError> {
        let after = forget.after.map(bytes).unwrap_or_default();
        let limit = i64::from(forget.limit);
        let args = Args::new().with(after.clone()).with(limit);
        let texts = prune_texts(self.dialect());
        let sets = self.query("read signals", texts.signals, &args).await?;
        let (mut last, mut is_any_old) = (None, false);
        for row in sets.rows(0) {
            last = record::signal_id(row, 0)?;
            let is_taken = record::get::<i64>(row, 1)? == 0;
            let sent_at = Timestamp::from_millis(record::get(row, 2)?);
            is_any_old |= is_taken && sent_at < forget.signals_before;
        }
        let is_cut = i64::try_from(sets.rows(0).len()).is_ok_and(|rows| rows >= limit);
        let mut forgotten = Forgotten {
            signals: 0,
            next: last.filter(|_| is_cut),
        };
        let mut session = self.write(OPERATION).await?;
        let mut transaction = self.transaction(&mut session, OPERATION);
        transaction.begin(Gates::NONE).await?;
        for _ in 0..MOST_LOOKS_AT_EVENTS {
            if !transaction.forget_events().await? {
                break;
            }
        }
        if let Some(last) = last.filter(|_| is_any_old) {
            let args = Args::new()
                .with(after)
                .with(bytes(last))
                .with(forget.signals_before.as_millis());
            let sets = transaction.run(texts.forget_signals, &args).await?;
            forgotten.signals = sets.changes(0);
        }
        transaction.end().await?;
        session.finish();
        Ok(forgotten)
    }
}

fn bytes(id: SignalId) -> Vec<u8> {
    id.0.as_bytes().to_vec()
}

/// Ended runs that were looked at.
struct Found {
    /// Those that may go, by their ends.
    free: Vec<(PruneCursor, i64)>,
    next: Option<PruneCursor>,
}

/// What a transaction has removed.
#[derive(Default)]
struct Gone {
    runs: u64,
    /// The last run that was dealt with, if some were left for the next call.
    stopped_at: Option<PruneCursor>,
}

/// A run that may go and is locked.
struct Free {
    no: i64,
    id: RunId,
    next: Option<RunId>,
}

/// The cutoffs of the rules, and what they are about.
fn statuses(prune: &Prune) -> Vec<RunStatus> {
    let rules = prune.rules.iter().map(|(status, _)| *status);
    rules.filter(|status| status.is_terminal()).collect()
}

fn with_cutoffs<'a>(args: Args<'a>, prune: &Prune) -> Args<'a> {
    let ends = statuses(prune).into_iter();
    let ends = ends.map(|status| prune.end_of(status).map_or(0, Timestamp::as_millis));
    ends.fold(args, Args::with)
}

impl SqlStore {
    async fn candidates(&self, prune: &Prune, last_end: Timestamp) -> Result<Found, StoreError> {
        let after = prune
            .after
            .map_or((i64::MIN, 0), |it| (it.ended_at.as_millis(), it.no));
        let limit = i64::from(prune.limit);
        let args = Args::new()
            .with(after.0)
            .with(after.1)
            .with(last_end.as_millis())
            .with(limit);
        let text = candidates(self.dialect(), &statuses(prune));
        let args = with_cutoffs(args, prune);
        let sets = self.query("look for ended runs", text, &args).await?;
        let (mut free, mut last) = (Vec::new(), None);
        for row in sets.rows(0) {
            let no = record::get(row, 0)?;
            let at = PruneCursor {
                ended_at: Timestamp::from_millis(record::get(row, 2)?),
                no,
            };
            last = Some(at);
            let id = record::run_id(row, 1)?;
            // The first of a chain stays while there is a next one.
            let is_first =
                record::get::<Option<String>>(row, 4)?.is_some() && first_of_chain(&id).is_none();
            if record::get::<i64>(row, 3)? == 1 && !is_first {
                free.push((at, no));
            }
        }
        let is_cut = i64::try_from(sets.rows(0).len()).is_ok_and(|rows| rows >= limit);
        let next = last.filter(|_| is_cut);
        Ok(Found { free, next })
    }

    async fn write_prune(
        &self,
        prune: &Prune,
        found: &[(PruneCursor, i64)],
    ) -> Result<Gone, StoreError> {
        let mut session = self.write(OPERATION).await?;
        let mut transaction = self.transaction(&mut session, OPERATION);
        transaction.begin(Gates::NONE).await?;
        let gone = transaction.prune(prune, found).await?;
        transaction.end().await?;
        session.finish();
        Ok(gone)
    }
}

impl Transaction<'_, '_> {
    async fn prune(
        &mut self,
        prune: &Prune,
        found: &[(PruneCursor, i64)],
    ) -> Result<Gone, StoreError> {
        let texts = prune_texts(self.session.dialect());
        let (found, stopped_at) = self.within_bounds(found).await?;
        let args = with_cutoffs(Args::new().with(list(&found)), prune);
        let text = lock_candidates(self.session.dialect(), &statuses(prune));
        let sets = self.run(text, &args).await?;
        let mut gone: BTreeSet<RunId> = BTreeSet::new();
        let mut nos = Vec::new();
        for row in sets.rows(0) {
            let free = Free {
                no: record::get(row, 0)?,
                id: record::run_id(row, 1)?,
                next: record::get::<Option<String>>(row, 2)?.map(RunId::from_trusted),
            };
            if self.is_no_link(&free, &gone).await? {
                nos.push(free.no);
                gone.insert(free.id);
            }
        }
        if !nos.is_empty() {
            self.run(texts.remove_runs, &Args::new().with(list(&nos)))
                .await?;
            if prune.with_log {
                let ids: Vec<&str> = gone.iter().map(RunId::as_str).collect();
                self.run(texts.remove_lines, &Args::new().with(list(&ids)))
                    .await?;
            }
        }
        let runs = u64::try_from(nos.len()).unwrap_or(u64::MAX);
        Ok(Gone { runs, stopped_at })
    }

    /// The numbers of as many runs as one transaction may remove, and where they end if some are
    /// left.
    async fn within_bounds(
        &mut self,
        found: &[(PruneCursor, i64)],
    ) -> Result<(Vec<i64>, Option<PruneCursor>), StoreError> {
        let nos: Vec<i64> = found.iter().map(|(_, no)| *no).collect();
        let text = prune_texts(self.session.dialect()).count_operations;
        let sets = self.run(text, &Args::new().with(list(&nos))).await?;
        let mut operations = BTreeMap::<i64, u64>::new();
        for row in sets.rows(0) {
            operations.insert(record::get(row, 0)?, record::count(row, 1)?);
        }
        let (mut taken, mut sum) = (Vec::new(), 0);
        for (at, (_, no)) in found.iter().enumerate() {
            if sum >= MOST_OPERATIONS {
                let last = at.checked_sub(1).and_then(|last| found.get(last));
                return Ok((taken, last.map(|(at, _)| *at)));
            }
            sum += operations.get(no).copied().unwrap_or(0);
            taken.push(*no);
        }
        Ok((taken, None))
    }

    /// Whether the run has no successor that is left, or the first run of its chain now names that.
    async fn is_no_link(&mut self, run: &Free, gone: &BTreeSet<RunId>) -> Result<bool, StoreError> {
        let Some(next) = run.next.as_ref().filter(|next| !gone.contains(next)) else {
            return Ok(true);
        };
        let Some(first) = first_of_chain(&run.id) else {
            return Ok(false);
        };
        let args = Args::new()
            .with(first.as_str().to_owned())
            .with(run.id.as_str().to_owned())
            .with(next.as_str().to_owned());
        let text = prune_texts(self.session.dialect()).skip_link;
        Ok(self.run(text, &args).await?.changes(0) == 1)
    }
}
