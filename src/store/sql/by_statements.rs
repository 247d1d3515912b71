//! A batch as a statement for each kind of change: MySQL, where it cannot be one message, and SQLite
//! in a transaction of the host.

use super::plan::{Part, Plan};
use super::record;
use super::statements::CommitTexts;
use super::writing::Writing;
use crate::store::error::StoreError;

impl Writing<'_, '_> {
    /// Writes the batch inside a transaction.
    pub(super) async fn by_statements(&mut self) -> Result<(), StoreError> {
        let plan = Plan::new(self.batch, &self.first_starts, self.transaction.now);
        self.step_through(&plan, &plan.starts).await?;
        self.deliver().await?;
        self.step_through(&plan, &plan.commits).await
    }

    async fn step_through(&mut self, plan: &Plan, parts: &[Part]) -> Result<(), StoreError> {
        let texts = self.transaction.texts();
        let Some(commit) = &texts.commit else {
            return Ok(());
        };
        for part in parts {
            let text = match part {
                Part::Begin
                | Part::Commit
                | Part::CheckKept
                | Part::CheckReleased
                | Part::CheckOpened => continue,
                Part::CheckUntaken => commit.untaken,
                part => part.text(commit, texts.find_starts),
            };
            let sets = self.transaction.run(text, &plan.args).await?;
            let changes = usize::try_from(sets.changes(0)).unwrap_or(usize::MAX);
            match part {
                Part::FindStarts => self.read_existing(sets.rows(0))?,
                Part::KeepRuns if changes != plan.kept.1.len() => {
                    self.refuse(plan.kept.0.clone(), &plan.kept.1).await?;
                }
                Part::ReleaseRuns if changes != plan.released.1.len() => {
                    self.refuse(plan.released.0.clone(), &plan.released.1)
                        .await?;
                }
                Part::CheckUntaken => {
                    let found = sets
                        .first(0)
                        .map(|row| record::get::<i64>(row, 0))
                        .transpose()?;
                    if found == Some(1) {
                        self.close().await?;
                    }
                }
                Part::OpenWaits
                    if changes != plan.waiters || !self.are_open(commit, plan).await? =>
                {
                    self.open().await?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether the waits of a plan are open, where as many changes leave it in doubt. Of a single
    /// wait they do not.
    async fn are_open(&mut self, texts: &CommitTexts, plan: &Plan) -> Result<bool, StoreError> {
        let Some(text) = texts.count_open.filter(|_| plan.waiters > 1) else {
            return Ok(true);
        };
        let sets = self.transaction.run(text, &plan.args).await?;
        let open = sets.first(0).map(|row| record::count::<usize>(row, 0));
        Ok(open.transpose()? == Some(plan.waiters))
    }
}
