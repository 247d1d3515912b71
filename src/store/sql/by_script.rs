//! A batch as a script of SQLite: usually one hop.

use super::care::has_labels;
use super::error::is_cut;
use super::plan::{Part, Plan};
use super::writing::Writing;
use crate::store::error::StoreError;

impl Writing<'_, '_> {
    /// Writes the batch, from BEGIN to COMMIT.
    pub(super) async fn by_script(&mut self) -> Result<(), StoreError> {
        let plan = Plan::new(self.batch, &self.first_starts, self.transaction.now);
        let mut parts = plan.starts.clone();
        if !self.batch.deliveries.is_empty() {
            self.carry_out(&plan, &parts).await?;
            parts.clear();
            self.deliver().await?;
        }
        parts.extend_from_slice(&plan.commits);
        if self.batch.commits.iter().any(has_labels) {
            self.carry_out(&plan, &parts).await?;
            parts.clear();
            self.add_labels().await?;
        }
        if self.reaches_beyond() || self.tells {
            self.carry_out(&plan, &parts).await?;
            parts.clear();
            self.reach_beyond().await?;
        }
        parts.push(Part::Commit);
        self.carry_out(&plan, &parts).await?;
        if self.tells {
            self.reach_beyond().await?;
            self.carry_out(&plan, &[Part::Commit]).await?;
        }
        Ok(())
    }

    /// Carries out statements, and what a check among them calls for.
    async fn carry_out(&mut self, plan: &Plan, parts: &[Part]) -> Result<(), StoreError> {
        let texts = self.transaction.texts();
        let Some(commit) = &texts.commit else {
            return Ok(());
        };
        let mut rest = parts;
        while !rest.is_empty() {
            let script = rest.iter().map(|part| part.text(commit, texts.find_starts));
            let script: Vec<&'static str> = script.collect();
            let (sets, end) = self.transaction.session.attempt(script, &plan.args).await;
            let (done, left) = rest.split_at_checked(sets.len()).unwrap_or((rest, &[]));
            if let Some(at) = done.iter().position(|part| *part == Part::FindStarts) {
                self.read_existing(sets.rows(at))?;
            }
            let Err(error) = end else { return Ok(()) };
            match left.split_first() {
                Some((check, after)) if is_cut(&error) => {
                    self.act_on(plan, *check).await?;
                    // Others are to be told before the end of the transaction.
                    rest = match after.split_last() {
                        Some((Part::Commit, before)) if self.tells => before,
                        _ => after,
                    };
                }
                _ => return Err(self.transaction.failed(error)),
            }
        }
        Ok(())
    }

    async fn act_on(&mut self, plan: &Plan, check: Part) -> Result<(), StoreError> {
        match check {
            Part::CheckKept => self.refuse(plan.kept.0.clone(), &plan.kept.1).await,
            Part::CheckReleased => self.refuse(plan.released.0.clone(), &plan.released.1).await,
            Part::CheckUntaken => self.close().await,
            Part::CheckOpened => self.open().await,
            _ => Err(self
                .transaction
                .failed("an unknown check has stopped the script")),
        }
    }
}
