//! Random forgetting, for the comparison of stores.

#![expect(clippy::unwrap_used, reason = "a call that fails fails its case")]

use super::differential::Field;
use crate::model::RunStatus;
use crate::store::{Forget, Prune};

impl Field {
    pub(super) async fn prune(&mut self) {
        let now = self.first().now();
        let statuses = [
            RunStatus::Completed,
            RunStatus::Failed,
            RunStatus::Cancelled,
        ];
        let rules = statuses.into_iter().filter(|_| self.dice.below(2) == 0);
        let rules: Vec<_> = rules.map(|status| (status, now)).collect();
        let keep = u64::from(self.dice.below(4));
        self.each(async |store| {
            let newest = store.actor.store.end_of_newest(&statuses, keep);
            newest.await.unwrap()
        })
        .await;
        let mut prune = Prune::new(rules);
        prune.with_log = self.dice.below(2) == 0;
        self.dice.tally.count("prune");
        self.each(async |store| {
            let pruned = store.actor.store.prune(&prune).await.unwrap();
            (pruned.runs, pruned.next.is_some())
        })
        .await;
        let id = self.dice.run_id();
        self.read_log(&id).await;
    }

    pub(super) async fn forget(&mut self) {
        let mut forget = Forget::new(self.first().now());
        forget.limit = self.dice.below(20) + 1;
        self.dice.tally.count("forget signals");
        self.each(async |store| store.actor.store.forget(&forget).await.unwrap())
            .await;
    }
}
