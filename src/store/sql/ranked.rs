//! Claims by priority where one statement cannot go from one priority to the next, as on MySQL:
//! there each has a statement of its own, which begins in the middle of the index.
//!
//! It is needed only where runs have priorities. Those of runs that have ended count too, until
//! these are pruned: each costs a look.

use super::read::all;
use super::record;
use super::statements::RankedTexts;
use super::store::SqlStore;
use super::transaction::Transaction;
use crate::driver::sql::{Args, Sets};
use crate::store::error::StoreError;

impl Transaction<'_, '_> {
    /// Finds and locks the runs to claim, at most `limit`. `args` has the values of a claim of so
    /// many and of that priority.
    pub(super) async fn find_ranked(
        &mut self,
        texts: &RankedTexts,
        args: impl Fn(i64, Option<i64>) -> Args<'static>,
        limit: u32,
    ) -> Result<Vec<i64>, StoreError> {
        let mut numbers = Vec::new();
        let mut above = i64::MAX;
        loop {
            let room = i64::from(limit) - i64::try_from(numbers.len()).unwrap_or(i64::MAX);
            if room <= 0 {
                return Ok(numbers);
            }
            let next = self.run(texts.next, &Args::new().with(above)).await?;
            let next = number(&next)?;
            // The usual runs, whose priority is 0 and not stored, stand in between.
            let at = match next {
                _ if above > 0 => next.unwrap_or(0).max(0),
                Some(next) => next,
                None => return Ok(numbers),
            };
            let args = args(room, (at != 0).then_some(at));
            let found = self.run(texts.claim, &args).await?;
            numbers.extend(all(found.rows(0), |row| record::get::<i64>(row, 0))?);
            above = at;
        }
    }
}

impl SqlStore {
    /// When the next run with a priority falls due, of which `highest` is the highest. `args` has
    /// the values of a look for that priority.
    pub(super) async fn next_ranked(
        &self,
        texts: &RankedTexts,
        args: impl Fn(Option<i64>) -> Args<'static>,
        highest: i64,
    ) -> Result<Option<i64>, StoreError> {
        const OPERATION: &str = "look for work";
        let mut soonest: Option<i64> = None;
        let mut at = Some(highest);
        while let Some(priority) = at {
            let args = args(at);
            let due = self.query(OPERATION, texts.look, &args).await?;
            soonest = soonest.into_iter().chain(number(&due)?).min();
            let below = Args::new().with(priority);
            at = number(&self.query(OPERATION, texts.next, &below).await?)?;
        }
        Ok(soonest)
    }
}

/// The only number of an answer, if it has one.
fn number(sets: &Sets) -> Result<Option<i64>, StoreError> {
    let number = sets.first(0).map(|row| record::get::<Option<i64>>(row, 0));
    Ok(number.transpose()?.flatten())
}
