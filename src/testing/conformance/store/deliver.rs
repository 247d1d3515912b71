//! Clauses 9, 10 and 13: items, cancel requests and requeues.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "what fails is meant to fail its case"
)]

use super::actor::{Actor, ids, instance, step, text};
use crate::id::Seq;
use crate::model::{CheckpointKind, CheckpointStatus, Failure, InboxBody, RunStatus};
use crate::store::{DeliveryAck, StoreError};
use crate::time::Timestamp;

fn result(attempt: u32) -> InboxBody {
    InboxBody::StepResult {
        seq: Seq(0),
        attempt,
        outcome: Ok(text("paid")),
    }
}

/// Clause 9.
pub async fn an_item_wakes_its_run(actor: Actor) {
    actor.start_held("a", "one").await;
    let ack = actor.item("a", result(1)).await.unwrap();
    let DeliveryAck::Delivered {
        wakes, owner, item, ..
    } = ack
    else {
        assert_eq!(ack, DeliveryAck::Duplicate, "it was delivered");
        return;
    };
    assert_eq!((wakes, owner), (1, Some(instance("one"))));
    assert_eq!(actor.load("a").await.inbox, [item]);
    actor.commit(actor.release("a", 1)).await.unwrap();
    let failed = Err(Failure::fatal("declined", "no money"));
    let failed = InboxBody::StepResult {
        seq: Seq(0),
        attempt: 2,
        outcome: failed,
    };
    actor.item("a", failed.clone()).await.unwrap();
    let claimed = actor.claim_all("two").await;
    let inbox = &claimed.runs.first().unwrap().inbox;
    let bodies: Vec<_> = inbox.iter().map(|item| item.body.clone()).collect();
    assert_eq!(bodies, [result(1), failed]);
}

/// Clause 9: what waits already is recognised, so that a batch can be sent again.
pub async fn an_item_that_waits_already_is_a_duplicate(actor: Actor) {
    actor.start_held("a", "one").await;
    for body in [result(1), InboxBody::Cancel] {
        let first = actor.item("a", body.clone()).await.unwrap();
        assert!(matches!(first, DeliveryAck::Delivered { .. }), "{first:?}");
        assert_eq!(actor.item("a", body).await.unwrap(), DeliveryAck::Duplicate);
    }
    assert_eq!(actor.run("a").await.wakes, 2);
}

/// Clause 9.
pub async fn an_item_for_an_ended_or_unknown_run_is_refused(actor: Actor) {
    let refused = actor.item("a", result(1)).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::UnknownRun { .. }),
        "{refused}"
    );
    actor.start_held("a", "one").await;
    actor
        .commit(actor.change("a", 1, RunStatus::Completed))
        .await
        .unwrap();
    for body in [result(1), InboxBody::Cancel] {
        let refused = actor.item("a", body).await.unwrap_err();
        let is_status = matches!(
            refused,
            StoreError::WrongStatus {
                status: RunStatus::Completed,
                ..
            }
        );
        assert!(is_status, "{refused}");
    }
}

/// Clause 10.
pub async fn a_cancel_ends_a_run_that_nobody_holds(actor: Actor) {
    actor.start("a").await;
    let ack = actor.cancel("a").await.unwrap();
    assert!(
        matches!(
            ack,
            DeliveryAck::Ended {
                status: RunStatus::Cancelled,
                ..
            }
        ),
        "{ack:?}"
    );
    let run = actor.run("a").await;
    assert_eq!(
        (run.status, run.finished_at),
        (RunStatus::Cancelled, Some(actor.now()))
    );
    // As where its owner ends it.
    let failure = run.failure.unwrap();
    assert!(failure.has_code("cancelled"), "{failure:?}");
    assert_eq!(ids(&actor.claim_all("one").await), [""; 0]);
}

/// Clause 10.
pub async fn a_cancel_marks_a_run_that_is_held(actor: Actor) {
    actor.start_held("a", "one").await;
    actor.cancel("a").await.unwrap();
    let record = actor.load("a").await;
    assert_eq!(
        (record.run.status, record.run.wakes),
        (RunStatus::Cancelling, 1)
    );
    assert_eq!(record.inbox.first().unwrap().body, InboxBody::Cancel);
}

/// Clause 10, for a request to compensate.
pub async fn a_run_that_is_to_compensate_is_left_to_an_owner(actor: Actor) {
    for (id, status) in [
        ("waits", RunStatus::Suspended),
        ("broken", RunStatus::Blocked),
        ("paused", RunStatus::Paused),
    ] {
        actor.start_held(id, "one").await;
        let mut commit = actor.release(id, 1);
        commit.status = status;
        commit.wake_at = Timestamp::MAX;
        actor.commit(commit).await.unwrap();
        let ack = actor.item(id, InboxBody::Compensate).await.unwrap();
        assert!(matches!(ack, DeliveryAck::Delivered { .. }), "{ack:?}");
        let again = actor.item(id, InboxBody::Compensate).await.unwrap();
        assert_eq!(again, DeliveryAck::Duplicate);
        // Half of its steps may be undone already.
        let ack = actor.cancel(id).await.unwrap();
        assert!(matches!(ack, DeliveryAck::Delivered { .. }), "{ack:?}");
        assert_eq!(actor.run(id).await.status, RunStatus::Cancelling);
    }
    let claimed = actor.claim_all("one").await;
    let mut found = ids(&claimed);
    found.sort_unstable();
    assert_eq!(found, ["broken", "paused", "waits"]);
    for record in &claimed.runs {
        let bodies: Vec<_> = record.inbox.iter().map(|item| &item.body).collect();
        assert_eq!(bodies, [&InboxBody::Compensate, &InboxBody::Cancel]);
    }
}

/// Clause 3, for a run whose owner was passed over: its claim is lost.
pub async fn a_run_that_was_ended_from_outside_refuses_its_last_owner(actor: Actor) {
    actor.start_held("a", "one").await;
    actor.commit(actor.release("a", 1)).await.unwrap();
    actor.cancel("a").await.unwrap();
    let refused = actor.commit(actor.release("a", 1)).await.unwrap_err();
    assert!(matches!(refused, StoreError::LeaseLost { .. }), "{refused}");
    assert_eq!(actor.run("a").await.status, RunStatus::Cancelled);
}

/// Clause 13.
pub async fn a_requeue_tries_the_failed_step_again(actor: Actor) {
    actor.start_held("a", "one").await;
    let mut commit = actor.change("a", 1, RunStatus::Failed);
    commit.failure = Some(Failure::fatal("declined", "no money"));
    commit.recoveries = 2;
    commit.checkpoints = (0..6).map(|seq| step(seq, "result")).collect();
    for (seq, status) in [
        (1, CheckpointStatus::Fatal),
        (2, CheckpointStatus::Abandoned),
        (3, CheckpointStatus::Failed),
        (5, CheckpointStatus::Waiting),
    ] {
        commit.checkpoints.get_mut(seq).unwrap().status = status;
    }
    commit.checkpoints.get_mut(5).unwrap().kind = CheckpointKind::Signal;
    actor.commit(commit).await.unwrap();
    let ack = actor.requeue("a").await.unwrap();
    assert!(matches!(ack, DeliveryAck::Requeued { .. }), "{ack:?}");
    let record = actor.load("a").await;
    let left: Vec<u32> = record
        .history
        .iter()
        .map(|checkpoint| checkpoint.seq.0)
        .collect();
    assert_eq!(left, [0, 3, 4]);
    let run = record.run;
    assert_eq!(
        (run.status, run.failure, run.recoveries),
        (RunStatus::Pending, None, 0)
    );
    assert_eq!((run.finished_at, run.wake_at), (None, actor.now()));
    assert_eq!(ids(&actor.claim_all("two").await), ["a"]);
}

/// Clause 13.
pub async fn only_an_ended_or_blocked_run_is_requeued(actor: Actor) {
    actor.start_held("a", "one").await;
    let refused = actor.requeue("a").await.unwrap_err();
    assert!(
        matches!(refused, StoreError::WrongStatus { .. }),
        "{refused}"
    );
    actor
        .commit(actor.change("a", 1, RunStatus::Blocked))
        .await
        .unwrap();
    assert!(actor.requeue("a").await.is_ok());
    let token = actor
        .claim_all("one")
        .await
        .runs
        .first()
        .unwrap()
        .run
        .token
        .0;
    actor
        .commit(actor.change("a", token, RunStatus::Completed))
        .await
        .unwrap();
    let refused = actor.requeue("a").await.unwrap_err();
    assert!(
        matches!(refused, StoreError::WrongStatus { .. }),
        "{refused}"
    );
    let refused = actor.requeue("b").await.unwrap_err();
    assert!(
        matches!(refused, StoreError::UnknownRun { .. }),
        "{refused}"
    );
}
