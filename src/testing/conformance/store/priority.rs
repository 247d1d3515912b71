//! Clauses 21, 27 and 66: which run is claimed before which.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "what fails is meant to fail its case"
)]

use std::{collections::BTreeSet, time::Duration};

use super::actor::{Actor, checkout, ids, instance, run};
use crate::model::{AuditEntry, By, NewRun, OnCancel, Parent, RunQuery, WorkflowKey};
use crate::store::{Claim, Fork};

const LEASE: Duration = Duration::from_secs(30);

/// Starts a run with a priority that is due after so many milliseconds.
async fn start(actor: &Actor, id: &str, priority: i32, millis: u64) {
    let mut new = actor.new_run(id);
    new.priority = priority;
    new.due_at = actor.now() + Duration::from_millis(millis);
    actor.start_as(new).await;
}

/// Clause 21.
pub async fn the_most_urgent_run_is_claimed_first(actor: Actor) {
    for (id, priority, millis) in [
        ("least", i32::MIN, 1),
        ("usual, longer due", 0, 2),
        ("a little", 1, 9),
        ("later", 7, 60_000),
        ("most", i32::MAX, 8),
        ("less", -1, 3),
        ("less, later", -1, 50_000),
        ("usual", 0, 5),
        ("more", 5, 7),
        ("more, longer due", 5, 6),
    ] {
        start(&actor, id, priority, millis).await;
    }
    actor.pass(Duration::from_millis(10));
    // One by one, several of one priority, several priorities at once.
    for (limit, expected) in [
        (1, &["most"][..]),
        (2, &["more, longer due", "more"]),
        (2, &["a little", "usual, longer due"]),
        (9, &["usual", "less", "least"]),
        (9, &[]),
    ] {
        assert_eq!(ids(&actor.claim("one", limit).await), expected);
    }
    actor.pass(Duration::from_secs(70));
    let rest = actor.claim_all("one").await;
    assert_eq!(ids(&rest), ["later", "less, later"]);
}

/// Clause 21.
pub async fn all_priorities_are_claimed_at_once(actor: Actor) {
    for (id, priority) in [("a", -3), ("b", 0), ("c", 4), ("d", 0), ("e", 4), ("f", -3)] {
        start(&actor, id, priority, 0).await;
    }
    // Those of one priority that are due at the same time: who was started first.
    let claimed = actor.claim_all("one").await;
    assert_eq!(ids(&claimed), ["c", "e", "b", "d", "a", "f"]);
    let priorities = claimed.runs.iter().map(|it| it.run.priority);
    assert_eq!(priorities.collect::<Vec<_>>(), [4, 4, 0, 0, -3, -3]);
}

/// Clause 21: a priority is no lead over runs of other workflows and namespaces, which are left
/// alone, and stand in nobody's way.
pub async fn a_run_that_is_left_alone_is_in_nobodys_way(actor: Actor) {
    let mut other = actor.new_run("other");
    (other.workflow, other.priority) = (WorkflowKey::new("refund", 1), 9);
    actor.start_as(other).await;
    let mut shop = actor.new_run("shop");
    (shop.namespace, shop.priority) = ("shop".into(), -9);
    actor.start_as(shop).await;
    start(&actor, "more", 3, 0).await;
    start(&actor, "usual", 0, 0).await;
    let (by, workflows) = (instance("one"), [checkout()]);
    for (namespace, limit, expected) in [
        (Some("shop"), 5, &["shop"][..]),
        (Some("default"), 1, &["more"]),
        (None, 5, &["usual"]),
    ] {
        let claim = Claim {
            instance: &by,
            workflows: &workflows,
            namespace,
            limit,
        };
        let claimed = actor.store.claim(claim).await.unwrap();
        assert_eq!(ids(&claimed), expected, "{namespace:?}");
    }
}

/// Clause 20.
pub async fn a_run_with_a_priority_is_not_claimed_twice(actor: Actor) {
    for number in 0..20 {
        start(&actor, &format!("run {number}"), number % 4 - 1, 0).await;
    }
    let [one, two, three] = ["one", "two", "three"].map(|by| actor.claim(by, 20));
    let (one, two, three) = futures_util::join!(one, two, three);
    let all: Vec<&str> = [&one, &two, &three].into_iter().flat_map(ids).collect();
    let different: BTreeSet<&str> = all.iter().copied().collect();
    assert_eq!((all.len(), different.len()), (20, 20));
}

/// Clause 27.
pub async fn the_next_due_run_may_have_any_priority(actor: Actor) {
    let began = actor.now();
    for (id, priority, millis) in [("a", 0, 40), ("b", 9, 30), ("c", -9, 20), ("d", 3, 10)] {
        start(&actor, id, priority, millis).await;
    }
    for (id, millis) in [("d", 10), ("c", 20), ("b", 30), ("a", 40)] {
        let due = began + Duration::from_millis(millis);
        assert_eq!(actor.next_due().await, Some(due));
        actor.pass(Duration::from_millis(10));
        assert_eq!(ids(&actor.claim_all("one").await), [id]);
    }
    assert_eq!(actor.next_due().await, None);
}

/// Clause 21: a run that is given back, released or requeued waits with its priority again.
pub async fn a_run_keeps_its_priority(actor: Actor) {
    let lock = actor.store.enroll(&instance("one"), LEASE).await.unwrap();
    for (id, priority) in [("usual", 0), ("less", -2), ("more", 2)] {
        start(&actor, id, priority, 0).await;
    }
    let order = ["more", "usual", "less"];
    assert_eq!(ids(&actor.claim_all("one").await), order);
    lock.release().await;
    actor.pass(LEASE);
    let two = instance("two");
    let recovery = actor.store.recover(&two, 3, &|_| None).await.unwrap();
    assert_eq!(recovery.runs, 3);
    let claimed = actor.claim_all("two").await;
    assert_eq!(ids(&claimed), order);
    for record in claimed.runs {
        let mut commit = actor.release(record.run.id.as_str(), record.run.token.0);
        commit.wake_at = actor.now();
        actor.commit(commit).await.unwrap();
    }
    assert_eq!(ids(&actor.claim_all("two").await), order);
    for id in order {
        actor.cancel(id).await.unwrap();
    }
    actor.store.resign(&two).await.unwrap();
    assert_eq!(ids(&actor.claim_all("two").await), order);
}

/// Clause 66.
pub async fn a_started_run_has_its_priority_wherever_it_comes_from(actor: Actor) {
    let with = |id: &str, priority: i32| -> NewRun {
        let mut new = actor.new_run(id);
        new.priority = priority;
        new
    };
    let mut parent = with("parent", 3);
    parent.owner = Some(instance("one"));
    actor.start_as(parent.clone()).await;
    // A second start changes nothing.
    parent.priority = 8;
    actor.start_as(parent).await;
    let mut child = with("child", i32::MIN);
    child.parent = Some(Parent::new(run("parent"), OnCancel::Cascade));
    let mut commit = actor.release("parent", 1);
    commit.beyond().starts.push(child);
    commit.beyond().starts.push(with("sibling", 0));
    actor.commit(commit).await.unwrap();
    let line = AuditEntry::new(run("fork"), actor.now(), &By::program(), "fork");
    let fork = Fork::new(with("fork", i32::MAX), Vec::new(), vec![line]);
    actor.store.fork(&fork).await.unwrap();
    for (id, priority) in [
        ("parent", 3),
        ("child", i32::MIN),
        ("sibling", 0),
        ("fork", i32::MAX),
    ] {
        assert_eq!(actor.run(id).await.priority, priority, "{id}");
        assert_eq!(actor.load(id).await.run.priority, priority, "{id}");
    }
    let listed = actor.store.list(&RunQuery::default()).await;
    let listed = listed.unwrap().runs;
    let child = listed.iter().find(|it| it.id == run("child")).unwrap();
    assert_eq!(child.priority, i32::MIN);
    assert_eq!(
        ids(&actor.claim_all("one").await),
        ["fork", "sibling", "child"]
    );
}
