//! The answers of a store in a form in which those of several stores can be compared.

#![expect(clippy::unwrap_used, reason = "a call that fails fails its case")]

use std::collections::BTreeMap;

use super::actor::{Actor, checkout, instance, run};
use super::random::Dice;
use crate::id::InstanceId;
use crate::model::{Checkpoint, InboxItem, Run, RunQuery, WorkflowKey};
use crate::store::{Batch, BatchAck, CommitAck, DeliveryAck, Outlook, RunRecord, StartAck};

/// A run as far as it can be seen; payloads as their bytes, which `Debug` hides.
pub(super) fn shown(run: &Run) -> String {
    format!(
        "{run:?} {:?} {:?}",
        run.input.as_bytes(),
        run.output.as_ref().map(|one| one.as_bytes())
    )
}

pub(super) type Seen = (String, Vec<Checkpoint>, Vec<InboxItem>);

pub(super) fn seen(record: &RunRecord, ids: &mut Ids) -> Seen {
    let inbox = record.inbox.iter().map(|item| ids.renumber(item));
    (shown(&record.run), record.history.clone(), inbox.collect())
}

/// The ids of inbox items that a store has given out, in the order in which they were seen. Their
/// order is a promise, their values are not: a transaction that was undone may have used some up.
#[derive(Default)]
pub(super) struct Ids {
    own: Vec<i64>,
    places: BTreeMap<i64, i64>,
}

impl Ids {
    /// How many items were seen.
    pub(super) fn seen(&self) -> u32 {
        u32::try_from(self.own.len()).unwrap()
    }

    /// The item with its place in this order as its id.
    fn renumber(&mut self, item: &InboxItem) -> InboxItem {
        let next = i64::from(self.seen());
        let place = *self.places.entry(item.id).or_insert(next);
        if place == next {
            self.own.push(item.id);
        }
        InboxItem::new(place, item.body.clone())
    }

    /// The answer with the places of its items.
    pub(super) fn renumber_told(&mut self, ack: &mut DeliveryAck) {
        match ack {
            DeliveryAck::Delivered { item, .. } => *item = self.renumber(item),
            DeliveryAck::Ended { told, .. } | DeliveryAck::Published { told } => {
                told.iter_mut().for_each(|it| self.renumber_told(it));
            }
            DeliveryAck::Buffered | DeliveryAck::Duplicate | DeliveryAck::Requeued { .. } => {}
        }
    }

    /// The batch with the store's own ids in place of those places.
    pub(super) fn translate(&self, batch: &Batch) -> Batch {
        let mut commits = batch.commits.clone();
        for id in commits.iter_mut().flat_map(|commit| &mut commit.taken) {
            let place = usize::try_from(*id).ok();
            let own = place.and_then(|place| self.own.get(place));
            *id = own.copied().unwrap_or(i64::MAX);
        }
        Batch {
            starts: batch.starts.clone(),
            deliveries: batch.deliveries.clone(),
            commits,
        }
    }
}

pub(super) type Answer = (
    Vec<StartAck>,
    Vec<Result<DeliveryAck, String>>,
    Vec<Result<CommitAck, String>>,
);

pub(super) fn answer(ack: BatchAck, ids: &mut Ids) -> Answer {
    let mut deliveries = Vec::new();
    for one in ack.deliveries {
        deliveries.push(one.map_err(|error| error.to_string()).map(|mut ack| {
            ids.renumber_told(&mut ack);
            ack
        }));
    }
    let mut commits = Vec::new();
    for one in ack.commits {
        let items = one.map_err(|error| error.to_string());
        commits.push(items.map(|mut ack| {
            ack.told.iter_mut().for_each(|it| ids.renumber_told(it));
            for item in &mut ack.delivered {
                *item = ids.renumber(item);
            }
            ack
        }));
    }
    (ack.starts, deliveries, commits)
}

/// Everything that can be read.
pub(super) async fn everything(actor: &Actor, ids: &mut Ids) -> (Vec<Option<Seen>>, Vec<String>) {
    let mut records = Vec::new();
    let mut rest = Vec::new();
    for number in 0..Dice::RUNS {
        let id = run(&Dice::run(number));
        let found = actor.store.load(&id).await.unwrap();
        records.push(found.as_ref().map(|record| seen(record, ids)));
        let published = actor.store.published(&id, "key 1").await.unwrap();
        rest.push(format!("{:?}", published.map(|it| it.as_bytes().to_vec())));
    }
    for number in 0..Dice::INSTANCES {
        let id = instance(&Dice::instance_of(number));
        let held = actor.store.held(&id).await.unwrap();
        rest.push(format!(
            "{held:?} {:?}",
            look(actor, &id, &[checkout()], None).await
        ));
    }
    let query = RunQuery {
        limit: 3,
        ..RunQuery::default()
    };
    rest.extend(pages(actor, query).await);
    (records, rest)
}

/// What there is to do. In which order the woken runs are listed, nobody promises.
pub(super) async fn look(
    actor: &Actor,
    instance: &InstanceId,
    workflows: &[WorkflowKey],
    namespace: Option<&str>,
) -> Outlook {
    let mut outlook = actor
        .store
        .look(instance, workflows, namespace)
        .await
        .unwrap();
    outlook.woken.sort();
    outlook
}

/// All pages of a list.
pub(super) async fn pages(actor: &Actor, mut query: RunQuery) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let page = actor.store.list(&query).await.unwrap();
        all.extend(page.runs.iter().map(shown));
        all.push(format!("{:?}", page.next));
        query.after = page.next;
        if query.after.is_none() {
            return all;
        }
    }
}
