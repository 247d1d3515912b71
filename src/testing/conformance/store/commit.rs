//! Clauses 1 to 6: what the owner of a run writes.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "what fails is meant to fail its case"
)]

use std::time::Duration;

use super::actor::{Actor, ids, instance, run, step, text};
use crate::id::{FencingToken, Seq};
use crate::model::{
    Checkpoint, CheckpointKind, CheckpointStatus, Failure, LogLevel, RunStatus, StepEvent,
    StepEventKind,
};
use crate::payload::Payload;
use crate::store::{Batch, BatchAck, Custody, NewWaiter, StartAck, StoreError};
use crate::time::Timestamp;

const SECOND: Duration = Duration::from_secs(1);

/// Clause 1.
pub async fn a_batch_stores_a_run_before_it_commits_it(actor: Actor) {
    let mut new = actor.new_run("a");
    new.owner = Some(instance("one"));
    let mut commit = actor.change("a", 1, RunStatus::Running);
    commit.checkpoints.push(step(0, "paid"));
    let batch = Batch {
        starts: vec![new],
        commits: vec![commit],
        ..Batch::default()
    };
    let ack = actor.store.commit(&batch).await.unwrap();
    assert_eq!(ack.starts, [StartAck::Created]);
    assert!(ack.commits.iter().all(Result::is_ok), "{:?}", ack.commits);
    let record = actor.load("a").await;
    assert_eq!(record.run.status, RunStatus::Running);
    assert_eq!(record.history, [step(0, "paid")]);
}

/// Clause 1.
pub async fn a_refused_commit_does_not_stop_the_others(actor: Actor) {
    for id in ["a", "b", "c"] {
        actor.start_held(id, "one").await;
    }
    let mut commits = vec![
        actor.change("a", 1, RunStatus::Running),
        actor.change("b", 7, RunStatus::Completed),
        actor.change("c", 1, RunStatus::Completed),
    ];
    for commit in &mut commits {
        commit.checkpoints.push(step(0, "paid"));
        commit.published.push(("key".into(), text("value")));
        commit.tags.push("tag".into());
    }
    let batch = Batch {
        commits,
        ..Batch::default()
    };
    let ack = actor.store.commit(&batch).await.unwrap();
    assert_eq!(
        ack.commits.iter().map(Result::is_ok).collect::<Vec<_>>(),
        [true, false, true]
    );
    let refused = actor.load("b").await;
    assert_eq!(refused.run.status, RunStatus::Pending);
    assert_eq!(refused.run.tags, []);
    assert_eq!(refused.history, []);
    assert_eq!(actor.store.published(&run("b"), "key").await.unwrap(), None);
    assert_eq!(actor.run("a").await.status, RunStatus::Running);
    assert_eq!(actor.load("c").await.history, [step(0, "paid")]);
}

/// Clause 2.
pub async fn a_second_start_changes_nothing(actor: Actor) {
    assert_eq!(actor.start("a").await, StartAck::Created);
    let claimed = actor.claim_all("one").await;
    assert_eq!(ids(&claimed), ["a"]);
    let mut again = actor.new_run("a");
    again.input = text("another input");
    again.tags = vec!["tag".into()];
    let status = RunStatus::Running;
    assert_eq!(actor.start_as(again).await, StartAck::Existing { status });
    let run = actor.run("a").await;
    assert_eq!(run.input, text("input"));
    assert_eq!(run.tags, []);
    assert_eq!(run.owner, Some(instance("one")));
}

/// Clause 2.
pub async fn two_starts_of_one_id_in_a_batch_make_one_run(actor: Actor) {
    let mut second = actor.new_run("a");
    second.input = text("another input");
    let batch = Batch {
        starts: vec![actor.new_run("a"), second],
        ..Batch::default()
    };
    let ack = actor.store.commit(&batch).await.unwrap();
    let status = RunStatus::Pending;
    assert_eq!(
        ack.starts,
        [StartAck::Created, StartAck::Existing { status }]
    );
    assert_eq!(actor.run("a").await.input, text("input"));
}

/// Clause 2.
pub async fn a_stored_run_is_pending_under_its_owner(actor: Actor) {
    let mut new = actor.new_run("a");
    new.tags = vec!["vip".into(), "eu".into(), "vip".into()];
    actor.start_as(new).await;
    actor.start_held("b", "one").await;
    let free = actor.run("a").await;
    assert_eq!(
        (free.status, free.token),
        (RunStatus::Pending, FencingToken(0))
    );
    assert_eq!(free.owner, None);
    assert_eq!(free.tags, ["eu".into(), "vip".into()]);
    assert_eq!((free.created_at, free.wake_at), (actor.now(), actor.now()));
    let held = actor.run("b").await;
    assert_eq!(
        (held.status, held.token),
        (RunStatus::Pending, FencingToken(1))
    );
    assert_eq!(held.owner, Some(instance("one")));
    assert_eq!(ids(&actor.claim_all("two").await), ["a"]);
}

/// Clause 3.
pub async fn a_stale_token_cannot_commit(actor: Actor) {
    actor.start("a").await;
    actor.claim_all("one").await;
    actor.commit(actor.release("a", 1)).await.unwrap();
    let mut wake = actor.release("a", 1);
    wake.wake_at = actor.now();
    actor.commit(wake).await.unwrap();
    actor.claim_all("two").await;
    let mut late = actor.change("a", 1, RunStatus::Completed);
    late.checkpoints.push(step(0, "late"));
    let refused = actor.commit(late).await.unwrap_err();
    let StoreError::LeaseLost { held, current, .. } = refused else {
        assert!(matches!(refused, StoreError::LeaseLost { .. }), "{refused}");
        return;
    };
    assert_eq!((held, current), (FencingToken(1), FencingToken(2)));
    let record = actor.load("a").await;
    assert_eq!(record.run.status, RunStatus::Running);
    assert_eq!(record.history, []);
}

/// Clause 3.
pub async fn a_commit_of_an_unknown_run_is_refused(actor: Actor) {
    let refused = actor
        .commit(actor.change("a", 1, RunStatus::Running))
        .await
        .unwrap_err();
    assert!(
        matches!(refused, StoreError::UnknownRun { .. }),
        "{refused}"
    );
}

/// Clause 4.
pub async fn a_checkpoint_replaces_the_one_at_its_seq(actor: Actor) {
    actor.start_held("a", "one").await;
    for result in ["first", "second"] {
        let mut commit = actor.change("a", 1, RunStatus::Running);
        commit.checkpoints = vec![step(1, result), step(0, result)];
        actor.commit(commit).await.unwrap();
    }
    assert_eq!(
        actor.load("a").await.history,
        [step(0, "second"), step(1, "second")]
    );
}

/// Clause 4: every field, and payloads byte by byte.
pub async fn a_checkpoint_comes_back_as_it_was_put(actor: Actor) {
    actor.start_held("a", "one").await;
    let at = Timestamp::from_millis(-5);
    let name = "\u{1F4B6} \"'\\\n;";
    let mut full = Checkpoint::new(Seq(0), CheckpointKind::Remote, name.into(), at);
    full.status = CheckpointStatus::Retrying;
    full.ord = Some(u32::MAX);
    full.attempt = 3;
    full.result = Some(Payload::from_bytes(vec![0, 255, b'\'', b'"', 0]));
    let cause = Failure::retryable("issuer said '51'");
    full.failure = Some(Failure::fatal("declined", "card \"declined\"").caused_by(cause));
    full.wake_at = Some(Timestamp::MAX);
    full.site = Some("build src/a.rs:1:2".into());
    let (level, message) = (LogLevel::Warn, "slow".to_owned());
    full.events = vec![StepEvent::new(at, 2, StepEventKind::Log { level, message })];
    full.finished_at = Some(at);
    full.rev = 9;
    let mut empty = Checkpoint::new(Seq(1), CheckpointKind::Now, "".into(), at);
    empty.result = Some(Payload::from_bytes(Vec::new()));
    let bare = Checkpoint::new(Seq(2), CheckpointKind::Sleep, "".into(), at);
    let put = vec![full, empty, bare];
    let mut commit = actor.change("a", 1, RunStatus::Running);
    commit.checkpoints.clone_from(&put);
    actor.commit(commit).await.unwrap();
    assert_eq!(actor.load("a").await.history, put);
}

/// Clause 4.
pub async fn a_published_value_replaces_the_one_before(actor: Actor) {
    actor.start_held("a", "one").await;
    for value in ["half", "done"] {
        let mut commit = actor.change("a", 1, RunStatus::Running);
        commit.published = vec![
            ("progress".into(), text("none")),
            ("progress".into(), text(value)),
        ];
        actor.commit(commit).await.unwrap();
    }
    let found = actor.store.published(&run("a"), "progress").await.unwrap();
    assert_eq!(found, Some(text("done")));
    assert_eq!(
        actor.store.published(&run("a"), "other").await.unwrap(),
        None
    );
}

/// Clause 5.
pub async fn a_released_run_is_due_at_its_time(actor: Actor) {
    actor.start_held("a", "one").await;
    let mut commit = actor.release("a", 1);
    commit.wake_at = actor.now() + SECOND;
    actor.commit(commit).await.unwrap();
    assert_eq!(actor.run("a").await.owner, None);
    let early = actor.claim_all("two").await;
    assert_eq!(ids(&early), [""; 0]);
    assert_eq!(actor.next_due().await, Some(actor.now() + SECOND));
    actor.pass(SECOND);
    assert_eq!(ids(&actor.claim_all("two").await), ["a"]);
}

/// Clause 5.
pub async fn a_release_that_missed_a_wake_is_due_at_once(actor: Actor) {
    actor.start_held("a", "one").await;
    actor.wait("a", 1, 0, "approve").await;
    actor.signal("approve", 1).await;
    actor.commit(actor.release("a", 1)).await.unwrap();
    assert_eq!(ids(&actor.claim_all("two").await), ["a"]);
    let mut commit = actor.release("a", 2);
    commit.seen_wakes = 1;
    actor.commit(commit).await.unwrap();
    assert_eq!(ids(&actor.claim_all("two").await), [""; 0]);
}

/// Clause 5.
pub async fn an_ended_or_blocked_run_is_never_due(actor: Actor) {
    for (id, status) in [("a", RunStatus::Failed), ("b", RunStatus::Blocked)] {
        actor.start_held(id, "one").await;
        let mut commit = actor.change(id, 1, status);
        commit.custody = Custody::Keep;
        commit.wake_at = actor.now();
        commit.failure = Some(Failure::fatal("broken", "it broke"));
        actor.commit(commit).await.unwrap();
        let run = actor.run(id).await;
        assert_eq!(
            (run.status, run.owner, run.wake_at),
            (status, None, Timestamp::MAX)
        );
        assert_eq!(run.failure, Some(Failure::fatal("broken", "it broke")));
        assert_eq!(run.finished_at.is_some(), status.is_terminal());
    }
    assert_eq!(ids(&actor.claim_all("two").await), [""; 0]);
}

/// Clause 6.
pub async fn a_cancelling_run_stays_so_until_it_ends(actor: Actor) {
    actor.start_held("a", "one").await;
    actor.cancel("a").await.unwrap();
    actor
        .commit(actor.change("a", 1, RunStatus::Running))
        .await
        .unwrap();
    assert_eq!(actor.run("a").await.status, RunStatus::Cancelling);
    let mut commit = actor.release("a", 1);
    commit.wake_at = actor.now();
    actor.commit(commit).await.unwrap();
    let claimed = actor.claim_all("two").await;
    let statuses: Vec<_> = claimed
        .runs
        .iter()
        .map(|record| record.run.status)
        .collect();
    assert_eq!(statuses, [RunStatus::Cancelling]);
    let mut end = actor.change("a", 2, RunStatus::Completed);
    end.output = Some(text("receipt"));
    actor.commit(end).await.unwrap();
    let run = actor.run("a").await;
    assert_eq!(
        (run.status, run.output),
        (RunStatus::Completed, Some(text("receipt")))
    );
}

/// The promise of [`commit`](crate::store::CommitStore::commit): sending a batch again is safe.
pub async fn a_batch_sent_again_changes_nothing(actor: Actor) {
    actor.start_held("a", "one").await;
    actor.start_held("b", "one").await;
    actor.signal("early", 1).await;
    let mut wait = actor.change("a", 1, RunStatus::Suspended);
    wait.checkpoints.push(step(0, "paid"));
    wait.tags.push("vip".into());
    wait.waiters.push(NewWaiter::new(Seq(1), "early".into()));
    wait.waiters.push(NewWaiter::new(Seq(2), "late".into()));
    let mut end = actor.change("b", 1, RunStatus::Completed);
    end.output = Some(text("receipt"));
    let batch = Batch {
        starts: vec![actor.new_run("c")],
        commits: vec![wait, end],
        ..Batch::default()
    };
    let first = actor.store.commit(&batch).await.unwrap();
    let mut records = Vec::new();
    for id in ["a", "b", "c"] {
        records.push(format!("{:?}", actor.load(id).await));
    }
    let second = actor.store.commit(&batch).await.unwrap();
    let acks = |ack: BatchAck| -> Vec<_> { ack.commits.into_iter().map(Result::unwrap).collect() };
    assert_eq!(acks(second), acks(first));
    for (id, record) in ["a", "b", "c"].into_iter().zip(records) {
        assert_eq!(format!("{:?}", actor.load(id).await), record);
    }
}
