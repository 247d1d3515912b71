//! Clauses 60 to 63: events, those who wait for them and those who will.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "what fails is meant to fail its case"
)]

use std::time::Duration;

use serde_json::{Value, json};

use super::actor::{Actor, ids, instance, run, step};
use crate::id::Seq;
use crate::model::{
    AuditEntry, By, CheckpointKind, CheckpointStatus, EventId, Facts, InboxBody, InboxItem,
    RunStatus,
};
use crate::payload::Payload;
use crate::store::{
    Amendment, Batch, CommitAck, Custody, Delivery, DeliveryAck, NewListen, Removal, RunCommit,
};

const NAME: &str = "paid";
const HOUR: Duration = Duration::from_secs(3_600);

/// An event that is kept for an hour.
fn event(actor: &Actor, payload: &Value) -> Delivery {
    let payload = Payload::encode(payload).unwrap();
    let at = actor.now();
    Delivery::Event {
        id: EventId::generate(),
        name: NAME.into(),
        facts: Facts::of_event(NAME, &payload),
        payload,
        keep_until: Some(at + HOUR),
        known_until: at + HOUR,
        at,
    }
}

/// The same for those alone who wait already.
fn for_now(actor: &Actor, payload: &Value) -> Delivery {
    let mut event = event(actor, payload);
    if let Delivery::Event { keep_until, .. } = &mut event {
        *keep_until = None;
    }
    event
}

fn id_of(event: &Delivery) -> EventId {
    match event {
        Delivery::Event { id, .. } => *id,
        _ => panic!("{event:?}"),
    }
}

fn wait(seq: u32, conditions: &[(&str, Value)]) -> NewListen {
    let mut facts = Facts::of_any(NAME);
    for (path, value) in conditions {
        facts.and(NAME, path, value);
    }
    NewListen::new(Seq(seq), NAME.into(), facts)
}

fn listens(actor: &Actor, id: &str, waits: impl IntoIterator<Item = NewListen>) -> RunCommit {
    let mut commit = actor.change(id, 1, RunStatus::Suspended);
    commit.beyond().listens.extend(waits);
    commit
}

async fn listen(actor: &Actor, id: &str, waits: impl IntoIterator<Item = NewListen>) -> CommitAck {
    actor.commit(listens(actor, id, waits)).await.unwrap()
}

/// Publishes, and says which runs were told.
async fn publish(actor: &Actor, event: &Delivery) -> Vec<String> {
    match actor.deliver(event.clone()).await.unwrap() {
        DeliveryAck::Published { told } => told
            .into_iter()
            .map(|one| match one {
                DeliveryAck::Delivered { run, .. } => run.to_string(),
                other => panic!("{other:?}"),
            })
            .collect(),
        other => panic!("{other:?}"),
    }
}

/// Events as a run has them: the wait and the payload.
fn events_in(items: &[InboxItem]) -> Vec<(u32, Value)> {
    let events = items.iter().filter_map(|item| match &item.body {
        InboxBody::Event { seq, payload, .. } => Some((seq.0, payload.decode().unwrap())),
        _ => None,
    });
    events.collect()
}

async fn heard(actor: &Actor, id: &str) -> Vec<(u32, Value)> {
    events_in(&actor.load(id).await.inbox)
}

/// The commit by which a run takes all that lies in its inbox.
async fn takes(actor: &Actor, id: &str) -> RunCommit {
    let mut commit = actor.change(id, 1, RunStatus::Running);
    for item in actor.load(id).await.inbox {
        commit.taken.push(item.id);
        if let InboxBody::Event { id, .. } = item.body {
            commit.beyond().heard.push(id);
        }
    }
    commit
}

/// Clause 60.
pub async fn an_event_goes_to_every_run_that_it_matches(actor: Actor) {
    let waits = [
        ("any", vec![]),
        ("seven", vec![("order", json!(7))]),
        ("both", vec![("order", json!(7)), ("by.name", json!("Ada"))]),
        ("eight", vec![("order", json!(8))]),
        ("half", vec![("order", json!(7)), ("by.name", json!("Bob"))]),
        ("free", vec![("by", json!({"name": "Ada"}))]),
    ];
    for (id, conditions) in &waits {
        actor.start_held(id, "one").await;
        listen(&actor, id, [wait(2, conditions)]).await;
    }
    actor.commit(actor.release("free", 1)).await.unwrap();
    let payload = json!({"order": 7, "by": {"name": "Ada"}});
    let event = event(&actor, &payload);
    assert_eq!(
        publish(&actor, &event).await,
        ["any", "both", "free", "seven"]
    );
    for (id, _) in &waits {
        let expected = match *id {
            "eight" | "half" => vec![],
            _ => vec![(2, payload.clone())],
        };
        assert_eq!(heard(&actor, id).await, expected, "{id}");
    }
    assert_eq!(actor.run("any").await.wakes, 1);
    assert_eq!(ids(&actor.claim_all("two").await), ["free"]);
}

/// Clause 60: of several waits of a run the longest-waiting one, and after that none.
pub async fn a_run_hears_an_event_once(actor: Actor) {
    actor.start_held("a", "one").await;
    let first = wait(0, &[("order", json!(7))]);
    listen(&actor, "a", [first, wait(1, &[])]).await;
    let paid = event(&actor, &json!({"order": 7}));
    assert_eq!(publish(&actor, &paid).await, ["a"]);
    assert_eq!(heard(&actor, "a").await, [(0, json!({"order": 7}))]);
    // A wait that comes while it lies in the inbox, and one that comes after it was taken.
    assert_eq!(listen(&actor, "a", [wait(2, &[])]).await.delivered, []);
    let mut commit = takes(&actor, "a").await;
    commit.beyond().listens.push(wait(3, &[]));
    assert_eq!(actor.commit(commit).await.unwrap().delivered, []);
    assert_eq!(heard(&actor, "a").await, []);
    publish(&actor, &event(&actor, &json!(8))).await;
    assert_eq!(heard(&actor, "a").await, [(1, json!(8))]);
}

/// Clause 60.
pub async fn an_event_is_published_once(actor: Actor) {
    actor.start_held("a", "one").await;
    let paid = for_now(&actor, &json!(1));
    assert_eq!(publish(&actor, &paid).await, Vec::<String>::new());
    listen(&actor, "a", [wait(0, &[])]).await;
    let again = actor.deliver(paid.clone()).await.unwrap();
    assert_eq!(again, DeliveryAck::Duplicate);
    assert_eq!(heard(&actor, "a").await, []);
    actor.pass(HOUR * 2);
    let again = || {
        let mut again = paid.clone();
        if let Delivery::Event { known_until, .. } = &mut again {
            *known_until = actor.now() + HOUR;
        }
        again
    };
    assert_eq!(publish(&actor, &again()).await, ["a"], "it is forgotten");
    // A copy that lies untaken is not in the way of a later one.
    listen(&actor, "a", [wait(1, &[])]).await;
    actor.pass(HOUR * 2);
    assert_eq!(publish(&actor, &again()).await, ["a"]);
    assert_eq!(heard(&actor, "a").await, [(0, json!(1)), (1, json!(1))]);
}

/// Clause 61.
pub async fn a_wait_takes_the_oldest_event_that_is_kept(actor: Actor) {
    actor.start_held("a", "one").await;
    for order in [6, 7] {
        publish(&actor, &event(&actor, &json!({"order": order, "at": 1}))).await;
        actor.pass(HOUR / 4);
    }
    publish(&actor, &event(&actor, &json!({"order": 7, "at": 2}))).await;
    publish(&actor, &for_now(&actor, &json!({"order": 7, "at": 3}))).await;
    let seven = [("order", json!(7))];
    let ack = listen(&actor, "a", [wait(0, &seven), wait(1, &[])]).await;
    assert_eq!(ack.delivered, actor.load("a").await.inbox);
    let expected = [
        (0, json!({"order": 7, "at": 1})),
        (1, json!({"order": 6, "at": 1})),
    ];
    assert_eq!(heard(&actor, "a").await, expected);
    assert_eq!(actor.run("a").await.wakes, 0);
    // Others have them too, until they are over.
    actor.start_held("b", "one").await;
    actor.pass(HOUR / 2 + HOUR / 4);
    listen(&actor, "b", [wait(0, &[])]).await;
    assert_eq!(
        heard(&actor, "b").await,
        [(0, json!({"order": 7, "at": 2}))]
    );
    actor.start_held("c", "one").await;
    actor.pass(HOUR);
    listen(&actor, "c", [wait(0, &[])]).await;
    assert_eq!(heard(&actor, "c").await, []);
    // Forgetting them leaves nothing in the way of others.
    assert_eq!(publish(&actor, &event(&actor, &json!(1))).await, ["c"]);
}

/// Clause 61: a run that is released with a wait that is answered is due.
pub async fn a_released_run_that_hears_at_once_is_due(actor: Actor) {
    actor.start_held("a", "one").await;
    publish(&actor, &event(&actor, &json!(1))).await;
    let mut commit = listens(&actor, "a", [wait(0, &[])]);
    commit.custody = Custody::Release;
    actor.commit(commit).await.unwrap();
    assert_eq!(ids(&actor.claim_all("two").await), ["a"]);
}

/// Clause 61: a batch that is sent again opens no second wait.
pub async fn a_wait_for_an_event_is_opened_once(actor: Actor) {
    actor.start_held("a", "one").await;
    let commit = listens(&actor, "a", [wait(0, &[]), wait(1, &[])]);
    for _ in 0..2 {
        assert_eq!(actor.commit(commit.clone()).await.unwrap().delivered, []);
    }
    publish(&actor, &event(&actor, &json!(1))).await;
    let again = actor.commit(commit).await.unwrap();
    assert_eq!(events_in(&again.delivered), [(0, json!(1))]);
    publish(&actor, &event(&actor, &json!(2))).await;
    publish(&actor, &event(&actor, &json!(3))).await;
    assert_eq!(heard(&actor, "a").await, [(0, json!(1)), (1, json!(2))]);
}

/// Clause 62.
pub async fn an_event_of_a_closed_wait_may_be_taken_again(actor: Actor) {
    actor.start_held("a", "one").await;
    listen(&actor, "a", [wait(0, &[]), wait(1, &[])]).await;
    publish(&actor, &event(&actor, &json!(1))).await;
    let mut commit = actor.change("a", 1, RunStatus::Suspended);
    commit.beyond().closed.push(Seq(0));
    let ack = actor.commit(commit).await.unwrap();
    assert_eq!(events_in(&ack.delivered), [(1, json!(1))]);
    let mut commit = actor.change("a", 1, RunStatus::Suspended);
    commit.beyond().closed.push(Seq(1));
    actor.commit(commit.clone()).await.unwrap();
    assert_eq!(heard(&actor, "a").await, []);
    assert_eq!(
        publish(&actor, &for_now(&actor, &json!(2))).await,
        Vec::<String>::new()
    );
    commit.beyond().listens.push(wait(2, &[]));
    let ack = actor.commit(commit).await.unwrap();
    assert_eq!(events_in(&ack.delivered), [(2, json!(1))]);
    // One that is not kept goes with its wait.
    listen(&actor, "a", [wait(3, &[])]).await;
    publish(&actor, &for_now(&actor, &json!(4))).await;
    let mut commit = listens(&actor, "a", [wait(4, &[])]);
    commit.beyond().closed.push(Seq(3));
    assert_eq!(actor.commit(commit).await.unwrap().delivered, []);
}

/// Clauses 12, 13 and 63.
pub async fn an_end_closes_waits_for_events(actor: Actor) {
    for id in ["failed", "cancelled", "amended"] {
        actor.start_held(id, "one").await;
        let mut commit = listens(&actor, id, [wait(0, &[]), wait(1, &[])]);
        let mut waiting = step(0, "");
        waiting.kind = CheckpointKind::Event;
        waiting.status = CheckpointStatus::Waiting;
        commit.checkpoints.push(waiting);
        actor.commit(commit).await.unwrap();
    }
    publish(&actor, &event(&actor, &json!(1))).await;
    let failed = actor.change("failed", 1, RunStatus::Failed);
    actor.commit(failed).await.unwrap();
    actor.commit(actor.release("cancelled", 1)).await.unwrap();
    actor.cancel("cancelled").await.unwrap();
    let seen = actor.run("amended").await;
    let line = |id: &str| AuditEntry::new(run(id), actor.now(), &By::default(), "end");
    let amendment = Amendment::new(&seen, RunStatus::Failed, actor.now(), line("amended"));
    actor.store.amend(&amendment).await.unwrap();
    assert_eq!(
        publish(&actor, &event(&actor, &json!(2))).await,
        Vec::<String>::new()
    );
    for id in ["failed", "cancelled", "amended"] {
        assert_eq!(heard(&actor, id).await, [], "{id}");
    }
    actor.requeue("failed").await.unwrap();
    assert_eq!(actor.load("failed").await.history, []);
    assert_eq!(
        publish(&actor, &for_now(&actor, &json!(3))).await,
        Vec::<String>::new()
    );
    let claimed = actor.claim_all("two").await;
    assert_eq!(ids(&claimed), ["failed"]);
    let mut commit = listens(&actor, "failed", [wait(0, &[])]);
    commit.token = claimed.runs.first().unwrap().run.token;
    let ack = actor.commit(commit).await.unwrap();
    assert_eq!(
        events_in(&ack.delivered),
        [(0, json!(1))],
        "it was not heard"
    );
    actor
        .store
        .remove(&run("cancelled"), &line("cancelled"))
        .await
        .unwrap();
}

/// Clauses 19 and 60.
pub async fn a_commit_publishes_events(actor: Actor) {
    actor.start_held("a", "one").await;
    actor.start_held("b", "one").await;
    listen(&actor, "b", [wait(0, &[])]).await;
    let emits = |token: u64| {
        let mut commit = actor.change("a", token, RunStatus::Completed);
        commit.beyond().sends.push(event(&actor, &json!("done")));
        commit
    };
    actor.commit(emits(0)).await.unwrap_err();
    assert_eq!(heard(&actor, "b").await, []);
    let ack = actor.commit(emits(1)).await.unwrap();
    assert!(
        matches!(&*ack.told, [DeliveryAck::Published { told }] if told.len() == 1),
        "{ack:?}"
    );
    assert_eq!(heard(&actor, "b").await, [(0, json!("done"))]);
}

/// Clause 60: a batch both publishes and opens waits; what is opened later finds what was kept.
pub async fn an_event_and_a_wait_of_one_batch_meet(actor: Actor) {
    for id in ["a", "b"] {
        actor.start_held(id, "one").await;
    }
    let paid = event(&actor, &json!(1));
    let batch = Batch {
        deliveries: vec![paid.clone(), paid],
        commits: vec![
            listens(&actor, "a", [wait(0, &[])]),
            listens(&actor, "b", [wait(0, &[])]),
        ],
        ..Batch::default()
    };
    let ack = actor.store.commit(&batch).await.unwrap();
    assert_eq!(
        ack.deliveries.last().unwrap().as_ref().unwrap(),
        &DeliveryAck::Duplicate
    );
    for id in ["a", "b"] {
        assert_eq!(heard(&actor, id).await, [(0, json!(1))]);
    }
}

/// Clauses 9 and 60.
pub async fn a_paused_run_takes_events(actor: Actor) {
    actor.start_held("a", "one").await;
    let mut commit = listens(&actor, "a", [wait(0, &[])]);
    commit.status = RunStatus::Paused;
    commit.custody = Custody::Release;
    actor.commit(commit).await.unwrap();
    assert_eq!(publish(&actor, &event(&actor, &json!(1))).await, ["a"]);
    assert_eq!(heard(&actor, "a").await, [(0, json!(1))]);
    assert_eq!(ids(&actor.claim_all("two").await), Vec::<&str>::new());
}

/// Clauses 53 and 62.
pub async fn a_skipped_wait_hears_no_event(actor: Actor) {
    actor.start_held("a", "one").await;
    listen(&actor, "a", [wait(0, &[]), wait(1, &[])]).await;
    publish(&actor, &event(&actor, &json!(1))).await;
    let seen = actor.run("a").await;
    let line = AuditEntry::new(run("a"), actor.now(), &By::default(), "skip");
    let mut amendment = Amendment::new(&seen, RunStatus::Suspended, actor.now(), line);
    amendment.removed = Removal::These(vec![Seq(0)]);
    actor.store.amend(&amendment).await.unwrap();
    assert_eq!(heard(&actor, "a").await, [(1, json!(1))]);
    assert_eq!(actor.run("a").await.owner, None);
}

/// Clause 62: what is known of each event stays apart, however many there are.
pub async fn many_runs_hear_many_events(actor: Actor) {
    const MANY: u32 = 40;
    let mut batch = Batch::default();
    for number in 0..MANY {
        let mut new = actor.new_run(&format!("run {number}"));
        new.owner = Some(instance("one"));
        batch.starts.push(new);
        let conditions = [("order", json!(number % 4))];
        let commit = listens(&actor, &format!("run {number}"), [wait(0, &conditions)]);
        batch.commits.push(commit);
    }
    actor.store.commit(&batch).await.unwrap();
    let batch = Batch {
        deliveries: (0..4)
            .map(|order| event(&actor, &json!({"order": order})))
            .collect(),
        ..Batch::default()
    };
    let known: Vec<EventId> = batch.deliveries.iter().map(id_of).collect();
    let ack = actor.store.commit(&batch).await.unwrap();
    for one in ack.deliveries {
        let DeliveryAck::Published { told } = one.unwrap() else {
            panic!("it was published before");
        };
        assert_eq!(told.len(), 10);
    }
    for number in 0..MANY {
        let inbox = actor.load(&format!("run {number}")).await.inbox;
        let expected = known.get(usize::try_from(number % 4).unwrap()).unwrap();
        let item = inbox.first().unwrap();
        assert!(
            matches!(&item.body, InboxBody::Event { id, .. } if id == expected),
            "{item:?}"
        );
    }
}
