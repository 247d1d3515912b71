//! A batch as one statement of PostgreSQL.

use std::collections::BTreeMap;

use super::arrays::Arrays;
use super::record;
use super::rows::list;
use super::statements::{
    batch::{self, Shape},
    postgres::LOCK_RUNS,
};
use super::writing::Writing;
use crate::driver::sql::{Arg, Args};
use crate::payload::Payload;
use crate::store::commit::{Delivery, RunCommit};
use crate::store::error::StoreError;

impl Writing<'_, '_> {
    /// Writes the batch, inside a transaction or as one of its own.
    pub(super) async fn by_arrays(&mut self) -> Result<(), StoreError> {
        let locks = self.care.locks && !self.batch.commits.is_empty();
        if !locks && self.batch.deliveries.is_empty() {
            return self.write(true, true).await;
        }
        if !self.batch.starts.is_empty() {
            self.write(true, false).await?;
        }
        if locks || self.batch.deliveries.len() > 1 {
            self.lock_runs().await?;
        }
        self.deliver().await?;
        if locks {
            self.refuse_stale().await?;
        }
        if self.batch.commits.is_empty() {
            return Ok(());
        }
        self.write(false, true).await
    }

    /// Writes the starts, the commits, or both.
    async fn write(&mut self, with_starts: bool, with_commits: bool) -> Result<(), StoreError> {
        let mut arrays = Arrays::with_room(self.commits.len());
        if with_starts {
            for (place, at) in self.first_starts.iter().enumerate() {
                if let Some(new) = self.batch.starts.get(*at) {
                    arrays.start(new, place);
                }
            }
        }
        if with_commits {
            let places = self.places();
            for (place, at) in places.iter().enumerate() {
                if let Some(commit) = self.batch.commits.get(*at) {
                    arrays.commit(commit, place);
                }
            }
            // Waits keep the order of the batch: it decides who waits longest.
            let mut by_batch: Vec<(usize, usize)> = places.iter().copied().zip(0..).collect();
            by_batch.sort_unstable();
            for (at, place) in by_batch {
                if let Some(commit) = self.batch.commits.get(at) {
                    arrays.waits(commit, place);
                }
            }
        }
        // Where something may be handed on, waits are opened after that.
        let opens_later = !self.care.is_strict && (arrays.shape.ends || arrays.shape.withdrawn);
        let waiters = arrays.waiters();
        let shape = Shape {
            is_strict: self.care.is_strict,
            waiters: arrays.shape.waiters && !opens_later,
            ..arrays.shape
        };
        if !(shape.starts || shape.runs) {
            return Ok(());
        }
        let args = arrays.into_args(self.transaction.now);
        let sets = self.transaction.run(batch::text(shape), &args).await?;
        let Some(row) = sets.first(0) else {
            return Err(self.transaction.failed("no answer"));
        };
        if shape.starts {
            self.read_found(record::get(row, 0)?).await?;
        }
        if record::get::<i64>(row, 2)? == 1 {
            self.close().await?;
        }
        let opened = if shape.waiters {
            record::count(row, 3)?
        } else {
            0_usize
        };
        if waiters != opened {
            self.open().await?;
        }
        Ok(())
    }

    /// The commits that are written, sorted by run, so that everybody locks in the same order.
    fn places(&self) -> Vec<usize> {
        let commits = self.batch.commits.iter().zip(&self.commits).enumerate();
        let mut places: Vec<(&RunCommit, usize)> = commits
            .filter(|(_, (_, ack))| ack.is_ok())
            .map(|(at, (commit, _))| (commit, at))
            .collect();
        places.sort_unstable_by(|one, other| one.0.run.cmp(&other.0.run));
        places.into_iter().map(|(_, at)| at).collect()
    }

    /// Takes which starts were not created; runs that a twin has just stored are looked up.
    async fn read_found(&mut self, found: Option<String>) -> Result<(), StoreError> {
        let Some(found) = found else {
            return Ok(());
        };
        let found: Vec<(usize, Option<String>)> = Payload::from_bytes(found).decode()?;
        for (place, status) in &found {
            self.found_start(*place, status.as_deref());
        }
        if found.iter().all(|(_, status)| status.is_some()) {
            return Ok(());
        }
        let ids = self
            .first_starts
            .iter()
            .filter_map(|at| self.batch.starts.get(*at));
        let ids = list(&ids.map(|new| new.id.as_str()).collect::<Vec<_>>());
        let text = self.transaction.texts().find_starts;
        let sets = self.transaction.run(text, &Args::new().with(ids)).await?;
        for row in sets.rows(0) {
            let place = record::count::<usize>(row, 0)?;
            if found.contains(&(place, None)) {
                self.read_existing(std::slice::from_ref(row))?;
            }
        }
        Ok(())
    }

    /// Locks every run of the batch, so that nobody changes its token.
    async fn lock_runs(&mut self) -> Result<(), StoreError> {
        let args = self.locked_runs();
        self.transaction.run(LOCK_RUNS, &args).await.map(drop)
    }

    /// Finds commits whose token does not hold; a delivery of the same batch may be the reason.
    async fn refuse_stale(&mut self) -> Result<(), StoreError> {
        let commits = self.batch.commits.iter();
        let tokens: Vec<_> = commits.map(|one| (one.run.as_str(), one.token.0)).collect();
        let places: Vec<usize> = (0..tokens.len()).collect();
        self.refuse(list(&tokens), &places).await
    }
}

impl<'a> Writing<'a, '_> {
    /// Which runs are to be locked, and those of how many waiters of which tokens.
    pub(super) fn locked_runs(&self) -> Args<'a> {
        let mut ids: Vec<&str> = self
            .batch
            .commits
            .iter()
            .map(|one| one.run.as_str())
            .collect();
        let mut signals: BTreeMap<&str, i64> = BTreeMap::new();
        for delivery in &self.batch.deliveries {
            match delivery {
                Delivery::Signal { token, .. } => *signals.entry(token).or_default() += 1,
                // It locks the runs that it goes to when it knows them.
                Delivery::Event { .. } => {}
                Delivery::Item { run, .. } | Delivery::Requeue { run, .. } => {
                    ids.push(run.as_str());
                }
            }
        }
        Args::new()
            .with(Arg::Texts(
                ids.iter().map(|id| Some((*id).into())).collect(),
            ))
            .with(Arg::Texts(
                signals.keys().map(|token| Some((*token).into())).collect(),
            ))
            .with(Arg::Ints(signals.values().copied().map(Some).collect()))
    }
}
