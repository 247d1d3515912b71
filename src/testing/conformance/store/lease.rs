//! Clauses 20 to 28: who drives which run.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "what fails is meant to fail its case"
)]

use std::{collections::BTreeSet, time::Duration};

use super::actor::{Actor, checkout, ids, instance, run, step};
use crate::id::FencingToken;
use crate::model::{Failure, InstanceReport, RunStatus, WorkflowKey};
use crate::store::{Claim, LivenessLock, Recovery, StoreError};

const SECOND: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(30);

async fn enroll(actor: &Actor, id: &str) -> LivenessLock {
    actor.store.enroll(&instance(id), LEASE).await.unwrap()
}

async fn recover(actor: &Actor, by: &str) -> Recovery {
    actor
        .store
        .recover(&instance(by), 3, &|_| None)
        .await
        .unwrap()
}

/// Clause 20.
pub async fn a_claimed_run_is_not_claimed_twice(actor: Actor) {
    for number in 0..20 {
        actor.start(&format!("run {number}")).await;
    }
    let claims = ["one", "two", "three"].map(|by| actor.claim(by, 8));
    let [one, two, three] = claims;
    let (one, two, three) = futures_util::join!(one, two, three);
    let all: Vec<&str> = [&one, &two, &three].into_iter().flat_map(ids).collect();
    let different: BTreeSet<&str> = all.iter().copied().collect();
    assert_eq!((all.len(), different.len()), (20, 20));
}

/// Clause 20.
pub async fn a_token_grows_with_each_claim(actor: Actor) {
    actor.start("a").await;
    let mut last = FencingToken(0);
    for by in ["one", "two", "one"] {
        let claimed = actor.claim_all(by).await;
        let run = &claimed.runs.first().unwrap().run;
        assert!(run.token > last);
        assert_eq!(
            (run.status, &run.owner),
            (RunStatus::Running, &Some(instance(by)))
        );
        last = run.token;
        let mut commit = actor.release("a", last.0);
        commit.wake_at = actor.now();
        actor.commit(commit).await.unwrap();
    }
}

/// Clause 21.
pub async fn the_longest_due_run_is_claimed_first(actor: Actor) {
    for (id, millis) in [("c", 30), ("a", 10), ("d", 9_000), ("b", 20)] {
        let mut new = actor.new_run(id);
        new.due_at = actor.now() + Duration::from_millis(millis);
        actor.start_as(new).await;
    }
    assert_eq!(ids(&actor.claim_all("one").await), [""; 0]);
    actor.pass(SECOND);
    let first = actor.claim("one", 2).await;
    assert_eq!(ids(&first), ["a", "b"]);
    assert!(actor.next_due().await.is_some_and(|due| due <= actor.now()));
    let second = actor.claim("one", 2).await;
    assert_eq!(ids(&second), ["c"]);
    let next = actor.now() + Duration::from_secs(8);
    assert_eq!(actor.next_due().await, Some(next));
}

/// Clause 21.
pub async fn runs_of_other_workflows_are_left_alone(actor: Actor) {
    for (id, key) in [
        ("a", WorkflowKey::new("refund", 1)),
        ("b", WorkflowKey::new("checkout", 2)),
    ] {
        let mut new = actor.new_run(id);
        new.workflow = key;
        actor.start_as(new).await;
    }
    actor.start("c").await;
    let claimed = actor.claim_all("one").await;
    assert_eq!(ids(&claimed), ["c"]);
    assert_eq!(actor.next_due().await, None);
    let claim = Claim {
        instance: &instance("one"),
        workflows: &[checkout(), WorkflowKey::new("refund", 1)],
        namespace: None,
        limit: 10,
    };
    assert_eq!(ids(&actor.store.claim(claim).await.unwrap()), ["a"]);
}

/// Clauses 21 and 27.
pub async fn runs_of_other_namespaces_are_left_alone(actor: Actor) {
    for (id, namespace, wait) in [("a", "default", 1), ("b", "shop", 2), ("c", "other", 3)] {
        let mut new = actor.new_run(id);
        new.namespace = namespace.into();
        new.due_at = actor.now() + Duration::from_millis(wait);
        actor.start_as(new).await;
    }
    let (by, due) = (instance("one"), actor.now() + Duration::from_millis(2));
    let look = actor.store.look(&by, &[checkout()], Some("shop")).await;
    assert_eq!(look.unwrap().next_due, Some(due));
    actor.pass(Duration::from_millis(5));
    for (namespace, expected) in [
        (Some("none"), &[][..]),
        (Some("shop"), &["b"]),
        (Some("shop"), &[]),
        (None, &["a", "c"]),
    ] {
        let claim = Claim {
            instance: &by,
            workflows: &[checkout()],
            namespace,
            limit: 10,
        };
        let claimed = actor.store.claim(claim).await.unwrap();
        assert_eq!(ids(&claimed), expected, "{namespace:?}");
    }
}

/// Clause 22.
pub async fn a_claim_returns_history_and_inbox(actor: Actor) {
    for id in ["a", "b"] {
        actor.start_held(id, "one").await;
        let mut commit = actor.release(id, 1);
        commit.checkpoints = vec![step(0, id), step(1, id)];
        commit.tags.push(id.into());
        commit.wake_at = actor.now();
        actor.commit(commit).await.unwrap();
    }
    actor.start_held("c", "one").await;
    actor.wait("a", 1, 2, "approve").await;
    actor.signal("approve", 1).await;
    let claimed = actor.claim_all("two").await;
    assert_eq!(ids(&claimed), ["a", "b"]);
    for record in &claimed.runs {
        let stored = actor.load(record.run.id.as_str()).await;
        assert_eq!(format!("{record:?}"), format!("{stored:?}"));
        assert_eq!(record.history.len(), 2);
    }
    assert_eq!(claimed.runs.first().unwrap().inbox.len(), 1);
}

/// Clauses 23 and 25.
pub async fn the_runs_of_an_instance_that_died_are_due_at_once(actor: Actor) {
    let lock = enroll(&actor, "one").await;
    let _mine = enroll(&actor, "two").await;
    actor.start("a").await;
    actor.claim_all("one").await;
    actor.start_held("b", "one").await;
    assert_eq!(recover(&actor, "two").await, Recovery::default());
    if !lock.is_held() {
        // A store without locks: only the lease tells.
        actor.pass(LEASE);
    }
    lock.release().await;
    let found = recover(&actor, "two").await;
    assert_eq!((found.dead, found.runs), (vec![instance("one")], 2));
    assert_eq!(recover(&actor, "two").await.dead, []);
    // Only what ran has been recovered.
    assert_eq!(actor.run("a").await.recoveries, 1);
    assert_eq!(actor.run("b").await.recoveries, 0);
    assert_eq!(ids(&actor.claim_all("two").await), ["a", "b"]);
    let late = actor
        .commit(actor.change("a", 1, RunStatus::Completed))
        .await
        .unwrap_err();
    assert!(matches!(late, StoreError::LeaseLost { .. }), "{late}");
}

/// Clause 25, and 3: the old owner is refused before anybody has claimed the run.
pub async fn a_recovered_run_refuses_its_old_owner(actor: Actor) {
    let lock = enroll(&actor, "one").await;
    actor.start_held("a", "one").await;
    lock.release().await;
    actor.pass(LEASE);
    assert_eq!(recover(&actor, "two").await.runs, 1);
    let late = actor
        .commit(actor.change("a", 1, RunStatus::Suspended))
        .await
        .unwrap_err();
    assert!(matches!(late, StoreError::LeaseLost { .. }), "{late}");
    assert_eq!(ids(&actor.claim_all("two").await), ["a"]);
}

/// Clause 25: it stood still in the middle of a start or a claim, and was declared dead meanwhile.
pub async fn what_is_written_after_the_take_over_is_taken_over_too(actor: Actor) {
    let _lock = enroll(&actor, "one").await;
    actor.start("claimed").await;
    actor.pass(LEASE);
    assert_eq!(recover(&actor, "two").await.dead, [instance("one")]);
    assert_eq!(ids(&actor.claim_all("one").await), ["claimed"]);
    actor.start_held("started", "one").await;
    actor.start_held("own", "two").await;
    let found = recover(&actor, "two").await;
    assert_eq!((found.dead, found.runs), (vec![instance("one")], 2));
    let late = actor
        .commit(actor.change("started", 1, RunStatus::Suspended))
        .await
        .unwrap_err();
    assert!(matches!(late, StoreError::LeaseLost { .. }), "{late}");
    let mut claimed = actor.claim_all("two").await;
    claimed.runs.sort_by(|a, b| a.run.id.cmp(&b.run.id));
    assert_eq!(ids(&claimed), ["claimed", "started"]);
    assert_eq!(recover(&actor, "two").await, Recovery::default());
}

/// Clauses 24 and 25.
pub async fn an_instance_whose_lease_ran_out_is_lost(actor: Actor) {
    let _lock = enroll(&actor, "one").await;
    actor.start_held("a", "one").await;
    actor.pass(LEASE - SECOND);
    actor
        .store
        .heartbeat(&instance("one"), LEASE)
        .await
        .unwrap();
    actor.pass(LEASE - SECOND);
    assert_eq!(recover(&actor, "two").await, Recovery::default());
    actor.pass(SECOND);
    let found = recover(&actor, "two").await;
    assert_eq!((found.dead, found.runs), (vec![instance("one")], 1));
    let lost = actor
        .store
        .heartbeat(&instance("one"), LEASE)
        .await
        .unwrap_err();
    assert!(matches!(lost, StoreError::InstanceLost { .. }), "{lost}");
}

/// Clauses 23 and 24.
pub async fn a_lost_instance_can_enroll_anew(actor: Actor) {
    let lock = enroll(&actor, "one").await;
    actor.pass(LEASE);
    assert_eq!(recover(&actor, "two").await.dead, [instance("one")]);
    lock.release().await;
    let _lock = enroll(&actor, "one").await;
    actor
        .store
        .heartbeat(&instance("one"), LEASE)
        .await
        .unwrap();
    assert_eq!(recover(&actor, "two").await, Recovery::default());
}

/// Clause 25.
pub async fn an_instance_does_not_recover_itself(actor: Actor) {
    drop(enroll(&actor, "one").await);
    actor.start_held("a", "one").await;
    actor.pass(LEASE);
    assert_eq!(recover(&actor, "one").await, Recovery::default());
    assert_eq!(
        actor.store.held(&instance("one")).await.unwrap(),
        [run("a")]
    );
}

/// Clause 25.
pub async fn a_run_that_is_recovered_too_often_is_dead(actor: Actor) {
    actor.start("a").await;
    let panicked = Failure::retryable("the body panicked");
    for round in 1..=4_u32 {
        let lock = enroll(&actor, "one").await;
        let claimed = actor.claim_all("one").await;
        let run = &claimed.runs.first().unwrap().run;
        assert_eq!(run.recoveries, round - 1);
        let mut commit = actor.change("a", run.token.0, RunStatus::Running);
        commit.recoveries = run.recoveries;
        commit.failure = Some(panicked.clone());
        actor.commit(commit).await.unwrap();
        lock.release().await;
        actor.pass(LEASE);
        let found = recover(&actor, "two").await;
        let given_up = round > 3;
        assert_eq!(found.given_up.len(), usize::from(given_up));
        assert_eq!(found.runs, u64::from(!given_up));
    }
    let run = actor.run("a").await;
    assert_eq!(
        (run.status, run.finished_at),
        (RunStatus::Dead, Some(actor.now()))
    );
    let failure = run.failure.unwrap();
    assert!(failure.has_code("too_many_recoveries"), "{failure}");
    assert_eq!(failure.cause.as_deref(), Some(&panicked));
    assert_eq!(ids(&actor.claim_all("two").await), [""; 0]);
}

/// Clause 26.
pub async fn who_resigns_gives_everything_back(actor: Actor) {
    let _lock = enroll(&actor, "one").await;
    actor.start("a").await;
    actor.claim_all("one").await;
    actor.store.resign(&instance("one")).await.unwrap();
    assert_eq!(actor.store.held(&instance("one")).await.unwrap(), []);
    assert_eq!(recover(&actor, "two").await, Recovery::default());
    let claimed = actor.claim_all("two").await;
    assert_eq!(claimed.runs.first().unwrap().run.recoveries, 0);
}

/// Clause 27.
pub async fn a_woken_run_is_listed_until_its_owner_has_seen_it(actor: Actor) {
    for id in ["a", "b"] {
        actor.start_held(id, "one").await;
    }
    actor.cancel("b").await.unwrap();
    assert_eq!(actor.woken("one").await, [run("b")]);
    assert_eq!(actor.woken("two").await, []);
    let mut commit = actor.change("b", 1, RunStatus::Running);
    commit.seen_wakes = 1;
    actor.commit(commit).await.unwrap();
    assert_eq!(actor.woken("one").await, []);
}

/// Clauses 28 and 45.
pub async fn an_instance_is_listed_with_what_it_said(actor: Actor) {
    let _one = enroll(&actor, "one").await;
    let _two = enroll(&actor, "two").await;
    actor.start("a").await;
    actor.start("b").await;
    assert_eq!(actor.claim_all("one").await.runs.len(), 2);
    let report = InstanceReport {
        host: "rack-7".to_owned(),
        workflows: vec!["checkout v1".to_owned()],
        ..InstanceReport::default()
    };
    for id in ["one", "stranger"] {
        let id = instance(id);
        actor.store.report(&id, &report).await.unwrap();
    }
    let listed = actor.store.instances().await.unwrap();
    let now = actor.now();
    let known: Vec<_> = listed.iter().map(|it| (it.id.as_str(), it.runs)).collect();
    assert_eq!(known, [("one", 2), ("two", 0)]);
    assert_eq!(listed[0].report.as_ref(), Some(&report));
    assert_eq!(listed[0].reported_at, Some(now));
    assert_eq!((&listed[1].report, listed[1].reported_at), (&None, None));
    assert!(listed.iter().all(|it| it.lease_until == now + LEASE));
    actor.store.resign(&instance("one")).await.unwrap();
    let listed = actor.store.instances().await.unwrap();
    assert_eq!(listed.len(), 1);
}
