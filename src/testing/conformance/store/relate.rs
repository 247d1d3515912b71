//! Clauses 14 to 19: what commits change outside of their runs.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "what fails is meant to fail its case"
)]

use super::actor::{Actor, ids, instance, run, step, text};
use crate::id::Seq;
use crate::model::{Failure, InboxBody, NewRun, OnCancel, Parent, RunQuery, RunStatus, SignalId};
use crate::payload::Payload;
use crate::store::{Batch, Delivery, DeliveryAck, NewJoin, RunCommit, StartAck, StoreError};

type End = Result<Payload, Failure>;

/// A commit of `parent` under token 1 that starts `child` and waits for its end at `seq`.
fn starts(actor: &Actor, parent: &str, child: &str, seq: u32) -> RunCommit {
    let mut commit = actor.change(parent, 1, RunStatus::Suspended);
    commit.beyond().starts.push(child_of(actor, parent, child));
    let join = NewJoin::new(Seq(seq), run(child));
    commit.beyond().joins.push(join);
    commit
}

fn child_of(actor: &Actor, parent: &str, child: &str) -> NewRun {
    let mut new = actor.new_run(child);
    new.owner = Some(instance("one"));
    new.parent = Some(Parent::new(run(parent), OnCancel::Cascade));
    new
}

fn joins(actor: &Actor, id: &str, target: &str, seq: u32) -> RunCommit {
    let mut commit = actor.change(id, 1, RunStatus::Suspended);
    commit
        .beyond()
        .joins
        .push(NewJoin::new(Seq(seq), run(target)));
    commit
}

/// An end that completes.
fn completes(actor: &Actor, id: &str) -> RunCommit {
    let mut commit = actor.change(id, 1, RunStatus::Completed);
    commit.output = Some(text("done"));
    commit
}

/// The ends that lie in the inbox of a run.
async fn ends(actor: &Actor, id: &str) -> Vec<(u32, End)> {
    let record = actor.load(id).await;
    let ends = record.inbox.into_iter().filter_map(|item| match item.body {
        InboxBody::RunEnded { seq, outcome } => Some((seq.0, outcome)),
        InboxBody::Signal { .. }
        | InboxBody::Event { .. }
        | InboxBody::StepResult { .. }
        | InboxBody::Cancel
        | InboxBody::Compensate
        | InboxBody::Pause { .. } => None,
    });
    ends.collect()
}

fn code(end: &End) -> &str {
    end.as_ref()
        .unwrap_err()
        .code
        .as_deref()
        .unwrap_or_default()
}

/// Clause 14.
pub async fn a_run_starts_another_with_its_commit(actor: Actor) {
    actor.start_held("a", "one").await;
    let ack = actor.commit(starts(&actor, "a", "child", 0)).await.unwrap();
    assert_eq!(ack.starts, [StartAck::Created]);
    assert_eq!(ack.delivered, []);
    let child = actor.run("child").await;
    assert_eq!(child.status, RunStatus::Pending);
    assert_eq!(child.input, text("input"));
    assert_eq!(child.owner, Some(instance("one")));
    assert_eq!(child.parent, Some(Parent::new(run("a"), OnCancel::Cascade)));
    assert!(child.is_joined);
    let query = RunQuery {
        parent: Some(run("a")),
        ..RunQuery::default()
    };
    let page = actor.store.list(&query).await.unwrap();
    let listed: Vec<_> = page.runs.iter().map(|run| run.id.as_str()).collect();
    assert_eq!(listed, ["child"]);
}

/// Clause 14.
pub async fn a_refused_commit_starts_nothing(actor: Actor) {
    actor.start_held("a", "one").await;
    let mut commit = starts(&actor, "a", "child", 0);
    commit.token.0 = 0;
    let error = actor.commit(commit).await.unwrap_err();
    assert!(matches!(error, StoreError::LeaseLost { .. }), "{error}");
    assert!(actor.store.run(&run("child")).await.unwrap().is_none());
}

/// Clause 14.
pub async fn a_run_that_exists_keeps_its_parent(actor: Actor) {
    for id in ["a", "b", "child"] {
        actor.start_held(id, "one").await;
    }
    let ack = actor.commit(starts(&actor, "a", "child", 0)).await.unwrap();
    let status = RunStatus::Pending;
    assert_eq!(ack.starts, [StartAck::Existing { status }]);
    assert_eq!(actor.run("child").await.parent, None);
    actor.commit(starts(&actor, "a", "other", 1)).await.unwrap();
    actor.commit(starts(&actor, "b", "other", 1)).await.unwrap();
    let parent = actor.run("other").await.parent.unwrap();
    assert_eq!(parent.run, run("a"));
}

/// Clause 15.
pub async fn an_end_is_told_to_those_who_wait_for_it(actor: Actor) {
    actor.start_held("a", "one").await;
    actor.start_held("b", "one").await;
    actor.commit(starts(&actor, "a", "child", 3)).await.unwrap();
    actor.commit(joins(&actor, "b", "child", 5)).await.unwrap();
    let ack = actor.commit(completes(&actor, "child")).await.unwrap();
    let told = ack.told.iter().map(|one| match one {
        DeliveryAck::Delivered { run, wakes, .. } => (run.as_str(), *wakes),
        other => panic!("{other:?}"),
    });
    assert_eq!(told.collect::<Vec<_>>(), [("a", 1), ("b", 1)]);
    assert_eq!(ends(&actor, "a").await, [(3, Ok(text("done")))]);
    assert_eq!(ends(&actor, "b").await, [(5, Ok(text("done")))]);
    // Once: an end that is written again tells nobody.
    let again = actor.commit(completes(&actor, "child")).await.unwrap();
    assert_eq!(again.told, []);
}

/// Clause 15.
pub async fn an_end_wakes_a_run_that_nobody_holds(actor: Actor) {
    actor.start_held("a", "one").await;
    let mut commit = starts(&actor, "a", "child", 0);
    commit.custody = crate::store::Custody::Release;
    actor.commit(commit).await.unwrap();
    assert_eq!(ids(&actor.claim_all("two").await), [""; 0]);
    let mut commit = actor.change("child", 1, RunStatus::Failed);
    commit.failure = Some(Failure::fatal("declined", "no money"));
    actor.commit(commit).await.unwrap();
    let claimed = actor.claim_all("two").await;
    assert_eq!(ids(&claimed), ["a"]);
    let ends = ends(&actor, "a").await;
    assert_eq!(code(&ends.first().unwrap().1), "declined");
}

/// Clause 15.
pub async fn the_end_of_a_child_from_outside_is_told_too(actor: Actor) {
    actor.start_held("a", "one").await;
    actor.commit(starts(&actor, "a", "child", 0)).await.unwrap();
    actor.commit(actor.release("child", 1)).await.unwrap();
    let ack = actor.cancel("child").await.unwrap();
    let DeliveryAck::Ended { status, told, .. } = ack else {
        panic!("{ack:?}");
    };
    assert_eq!((status, told.len()), (RunStatus::Cancelled, 1));
    assert_eq!(
        code(&ends(&actor, "a").await.first().unwrap().1),
        "cancelled"
    );
    assert_eq!(actor.run("a").await.wakes, 1);
}

/// Clause 15.
pub async fn a_child_that_is_given_up_is_told_of(actor: Actor) {
    actor.start_held("a", "one").await;
    let mut commit = starts(&actor, "a", "child", 0);
    for new in &mut commit.beyond().starts {
        new.owner = Some(instance("two"));
    }
    actor.commit(commit).await.unwrap();
    let lease = std::time::Duration::from_secs(1);
    let lock = actor.store.enroll(&instance("one"), lease).await.unwrap();
    actor
        .commit(actor.change("child", 1, RunStatus::Running))
        .await
        .unwrap();
    let recovery = actor
        .store
        .recover(&instance("one"), 0, &|_| None)
        .await
        .unwrap();
    assert_eq!(recovery.given_up, [run("child")]);
    let ends = ends(&actor, "a").await;
    assert_eq!(code(&ends.first().unwrap().1), "too_many_recoveries");
    lock.release().await;
}

/// Clause 15.
pub async fn an_ended_waiter_is_told_nothing(actor: Actor) {
    actor.start_held("a", "one").await;
    actor.commit(starts(&actor, "a", "child", 0)).await.unwrap();
    actor.commit(completes(&actor, "a")).await.unwrap();
    let ack = actor.commit(completes(&actor, "child")).await.unwrap();
    assert_eq!(ack.told, []);
    assert_eq!(actor.load("a").await.inbox, []);
}

/// Clause 16.
pub async fn an_end_that_has_come_is_told_at_once(actor: Actor) {
    actor.start_held("a", "one").await;
    actor.start_held("done", "one").await;
    actor.commit(completes(&actor, "done")).await.unwrap();
    let ack = actor.commit(joins(&actor, "a", "done", 2)).await.unwrap();
    assert_eq!(ack.delivered, actor.load("a").await.inbox);
    assert_eq!(ends(&actor, "a").await, [(2, Ok(text("done")))]);
    let again = actor.commit(joins(&actor, "a", "done", 2)).await.unwrap();
    assert_eq!(again.delivered, ack.delivered);
    assert_eq!(actor.run("a").await.wakes, 0);
    actor
        .commit(joins(&actor, "a", "nowhere", 3))
        .await
        .unwrap();
    let ends = ends(&actor, "a").await;
    assert_eq!(code(&ends.last().unwrap().1), "unknown_run");
}

/// Clause 16: a run that is released with a wait that is answered is due.
pub async fn a_released_run_whose_wait_has_ended_is_due(actor: Actor) {
    actor.start_held("a", "one").await;
    actor.start_held("done", "one").await;
    actor.commit(completes(&actor, "done")).await.unwrap();
    let mut commit = joins(&actor, "a", "done", 2);
    commit.custody = crate::store::Custody::Release;
    actor.commit(commit).await.unwrap();
    assert_eq!(ids(&actor.claim_all("two").await), ["a"]);
}

/// Clause 16: a batch that is sent again opens no second wait.
pub async fn a_wait_for_an_end_is_opened_once(actor: Actor) {
    actor.start_held("a", "one").await;
    for _ in 0..2 {
        actor.commit(starts(&actor, "a", "child", 0)).await.unwrap();
    }
    actor.commit(completes(&actor, "child")).await.unwrap();
    assert_eq!(ends(&actor, "a").await.len(), 1);
}

/// Clause 17.
pub async fn a_cancelled_run_takes_its_children_along(actor: Actor) {
    actor.start_held("a", "one").await;
    for (seq, child) in (0..).zip(["held", "free", "done", "left"]) {
        let mut commit = starts(&actor, "a", child, seq);
        for new in &mut commit.beyond().starts {
            if child == "left" {
                new.parent = Some(Parent::new(run("a"), OnCancel::Abandon));
            }
        }
        actor.commit(commit).await.unwrap();
    }
    actor
        .commit(starts(&actor, "free", "deep", 0))
        .await
        .unwrap();
    actor.commit(actor.release("free", 1)).await.unwrap();
    actor.commit(completes(&actor, "done")).await.unwrap();
    let cancelled = actor.change("a", 1, RunStatus::Cancelled);
    let ack = actor.commit(cancelled).await.unwrap();
    assert_eq!(ack.told.len(), 2, "{:?}", ack.told);
    let mut found = Vec::new();
    for id in ["held", "free", "done", "left", "deep"] {
        found.push(actor.run(id).await.status);
    }
    let expected = [
        RunStatus::Cancelling,
        RunStatus::Cancelled,
        RunStatus::Completed,
        RunStatus::Pending,
        RunStatus::Cancelling,
    ];
    assert_eq!(found, expected);
}

/// Clause 17, for children that undo their steps whatever their parent does.
pub async fn a_cancelled_run_asks_some_children_to_compensate(actor: Actor) {
    actor.start_held("a", "one").await;
    for (seq, child) in (0..).zip(["held", "free"]) {
        let mut commit = starts(&actor, "a", child, seq);
        for new in &mut commit.beyond().starts {
            new.parent = Some(Parent::new(run("a"), OnCancel::Request));
        }
        actor.commit(commit).await.unwrap();
    }
    actor.commit(actor.release("free", 1)).await.unwrap();
    let cancelled = actor.change("a", 1, RunStatus::Cancelled);
    let ack = actor.commit(cancelled).await.unwrap();
    assert_eq!(ack.told.len(), 2, "{:?}", ack.told);
    for id in ["held", "free"] {
        let record = actor.load(id).await;
        let parent = Some(Parent::new(run("a"), OnCancel::Request));
        assert_eq!(record.run.parent, parent);
        assert_eq!(record.run.status, RunStatus::Cancelling, "{id}");
        let asked: Vec<_> = record.inbox.iter().map(|item| &item.body).collect();
        assert_eq!(asked, [&InboxBody::Compensate], "{id}");
    }
    assert_eq!(ids(&actor.claim_all("two").await), ["free"]);
}

/// Clause 17, for a run that undoes its steps.
pub async fn a_run_that_compensates_asks_its_children_to(actor: Actor) {
    actor.start_held("a", "one").await;
    for (seq, child) in (0..).zip(["held", "free", "left"]) {
        let mut commit = starts(&actor, "a", child, seq);
        for new in &mut commit.beyond().starts {
            if child == "left" {
                new.parent = Some(Parent::new(run("a"), OnCancel::Abandon));
            }
        }
        actor.commit(commit).await.unwrap();
    }
    actor.commit(actor.release("free", 1)).await.unwrap();
    let mut commit = actor.change("a", 1, RunStatus::Running);
    commit.beyond().unwinds = true;
    let ack = actor.commit(commit).await.unwrap();
    assert_eq!(ack.told.len(), 2, "{:?}", ack.told);
    for id in ["held", "free"] {
        let record = actor.load(id).await;
        assert_eq!(record.run.status, RunStatus::Cancelling);
        assert_eq!(record.inbox.first().unwrap().body, InboxBody::Compensate);
    }
    assert_eq!(actor.run("left").await.status, RunStatus::Pending);
}

/// Clause 17.
pub async fn a_run_that_ends_otherwise_leaves_its_children(actor: Actor) {
    actor.start_held("a", "one").await;
    actor.commit(starts(&actor, "a", "child", 0)).await.unwrap();
    actor
        .commit(actor.change("a", 1, RunStatus::Failed))
        .await
        .unwrap();
    assert_eq!(actor.run("child").await.status, RunStatus::Pending);
}

/// Clause 18.
pub async fn who_waits_for_a_run_waits_for_its_successor(actor: Actor) {
    actor.start_held("a", "one").await;
    actor.start_held("late", "one").await;
    actor.commit(starts(&actor, "a", "child", 0)).await.unwrap();
    let mut commit = actor.change("child", 1, RunStatus::Completed);
    commit
        .beyond()
        .starts
        .push(child_of(&actor, "a", "child~1"));
    commit.beyond().next = Some(run("child~1"));
    let ack = actor.commit(commit).await.unwrap();
    assert_eq!((ack.starts, ack.told), (vec![StartAck::Created], vec![]));
    let old = actor.run("child").await;
    assert_eq!(
        (old.status, old.next),
        (RunStatus::Completed, Some(run("child~1")))
    );
    assert!(actor.run("child~1").await.is_joined);
    actor
        .commit(joins(&actor, "late", "child", 7))
        .await
        .unwrap();
    assert_eq!(ends(&actor, "a").await, []);
    actor.commit(completes(&actor, "child~1")).await.unwrap();
    assert_eq!(ends(&actor, "a").await, [(0, Ok(text("done")))]);
    assert_eq!(ends(&actor, "late").await, [(7, Ok(text("done")))]);
}

/// Clause 19.
pub async fn a_commit_sends_to_other_runs(actor: Actor) {
    actor.start_held("a", "one").await;
    actor.start_held("b", "one").await;
    actor.wait("b", 1, 0, "approve").await;
    let send = |token: u64| {
        let mut commit = actor.change("a", token, RunStatus::Running);
        commit.checkpoints.push(step(0, "sent"));
        let (id, at) = (SignalId::generate(), actor.now());
        commit.beyond().sends.push(Delivery::Signal {
            id,
            token: "approve".into(),
            payload: text("yes"),
            at,
        });
        let body = InboxBody::Cancel;
        let run = run("nowhere");
        commit.beyond().sends.push(Delivery::Item { run, body, at });
        commit
    };
    actor.commit(send(0)).await.unwrap_err();
    assert_eq!(actor.load("b").await.inbox, []);
    let ack = actor.commit(send(1)).await.unwrap();
    assert_eq!(ack.told.len(), 1, "{:?}", ack.told);
    assert_eq!(actor.load("b").await.inbox.len(), 1);
    assert_eq!(actor.load("a").await.history.len(), 1);
}

/// Clauses 14 to 19, of several runs in one batch: a commit waits for a run that another one starts.
pub async fn commits_of_one_batch_find_each_others_runs(actor: Actor) {
    actor.start_held("a", "one").await;
    actor.start_held("b", "one").await;
    let batch = Batch {
        commits: vec![
            joins(&actor, "a", "child", 0),
            starts(&actor, "b", "child", 0),
        ],
        ..Batch::default()
    };
    let ack = actor.store.commit(&batch).await.unwrap();
    assert!(ack.commits.iter().all(Result::is_ok));
    actor.commit(completes(&actor, "child")).await.unwrap();
    for id in ["a", "b"] {
        assert_eq!(ends(&actor, id).await, [(0, Ok(text("done")))]);
    }
}

/// Clauses 12 and 13.
pub async fn a_requeued_run_waits_for_ends_anew(actor: Actor) {
    actor.start_held("a", "one").await;
    let mut commit = starts(&actor, "a", "child", 0);
    let mut waits = step(0, "");
    waits.kind = crate::model::CheckpointKind::Child;
    waits.status = crate::model::CheckpointStatus::Waiting;
    commit.checkpoints.push(waits);
    actor.commit(commit).await.unwrap();
    actor
        .commit(actor.change("a", 1, RunStatus::Failed))
        .await
        .unwrap();
    actor.requeue("a").await.unwrap();
    assert_eq!(actor.load("a").await.history, []);
}
