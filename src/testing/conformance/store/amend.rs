//! Clauses 50 to 56: what operators change, and the log of it.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "what fails is meant to fail its case"
)]

use super::actor::{Actor, ids, instance, run, signal_of, step, text};
use crate::id::Seq;
use crate::model::{
    AuditEntry, By, Checkpoint, CheckpointKind, Failure, InboxBody, RunQuery, RunStatus,
};
use crate::store::{
    Amended, Amendment, Delivery, DeliveryAck, Fork, Removal, StartAck, StoreError,
};
use crate::time::Timestamp;

impl Actor {
    pub(super) fn line(&self, id: &str, action: &str) -> AuditEntry {
        let by = By::program().actor("ada").reason("it is stuck");
        AuditEntry::new(run(id), self.now(), &by, action)
    }

    /// A change of a run as it stands now, that is due at once.
    async fn amendment(&self, id: &str, status: RunStatus) -> Amendment {
        let seen = self.run(id).await;
        let line = self.line(id, "skip-step");
        Amendment::new(&seen, status, self.now(), line)
    }

    async fn amend(&self, amendment: &Amendment) -> Amended {
        self.store.amend(amendment).await.unwrap()
    }

    async fn log(&self, id: &str) -> Vec<AuditEntry> {
        self.store.audit_log(&run(id), 100).await.unwrap()
    }

    async fn end(&self, id: &str, token: u64, status: RunStatus) {
        let commit = self.change(id, token, status);
        self.commit(commit).await.unwrap();
    }
}

fn pause() -> InboxBody {
    InboxBody::Pause {
        why: Failure::fatal("paused", "ada: maintenance"),
    }
}

/// Clause 50.
pub async fn an_amendment_takes_a_run_from_its_owner(actor: Actor) {
    actor.start_held("a", "one").await;
    let mut commit = actor.change("a", 1, RunStatus::Suspended);
    commit.rev = 3;
    commit.checkpoints.push(step(0, "first"));
    actor.commit(commit).await.unwrap();
    let mut amendment = actor.amendment("a", RunStatus::Suspended).await;
    amendment.put(step(0, "mended"));
    let owner = Some(instance("one"));
    assert_eq!(
        actor.amend(&amendment).await,
        Amended::Done {
            owner,
            told: Vec::new()
        }
    );
    let record = actor.load("a").await;
    assert_eq!((record.run.token.0, record.run.rev), (2, 4));
    assert_eq!(record.run.owner, None);
    let [mended] = record.history.as_slice() else {
        assert!(record.history.is_empty(), "one checkpoint");
        return;
    };
    assert_eq!((mended.rev, &mended.result), (4, &Some(text("mended"))));
    let late = actor.change("a", 1, RunStatus::Completed);
    let refused = actor.commit(late).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::LeaseLost { .. }),
        "{refused:?}"
    );
    assert_eq!(actor.log("a").await, [actor.line("a", "skip-step")]);
    assert_eq!(ids(&actor.claim_all("two").await), ["a"]);
}

/// Clause 50.
pub async fn an_amendment_of_a_run_that_has_moved_on_changes_nothing(actor: Actor) {
    actor.start("a").await;
    let early = actor.amendment("a", RunStatus::Pending).await;
    actor.claim_all("one").await;
    assert_eq!(actor.amend(&early).await, Amended::Stale);
    let claimed = actor.amendment("a", RunStatus::Failed).await;
    let mut commit = actor.change("a", 1, RunStatus::Running);
    commit.rev = 1;
    actor.commit(commit).await.unwrap();
    assert_eq!(actor.amend(&claimed).await, Amended::Stale);
    let by_rev = actor.amendment("a", RunStatus::Failed).await;
    actor.cancel("a").await.unwrap();
    assert_eq!(actor.amend(&by_rev).await, Amended::Stale);
    let run_now = actor.run("a").await;
    assert_eq!(
        (run_now.status, run_now.token.0),
        (RunStatus::Cancelling, 1)
    );
    assert_eq!(actor.log("a").await, []);
    let mut unknown = by_rev;
    unknown.commit.run = run("nobody");
    let refused = actor.store.amend(&unknown).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::UnknownRun { .. }),
        "{refused:?}"
    );
}

/// Clause 51.
pub async fn an_amendment_restarts_a_run_with_another_input(actor: Actor) {
    actor.start_held("a", "one").await;
    let mut commit = actor.change("a", 1, RunStatus::Failed);
    commit.checkpoints = vec![step(0, "first"), step(1, "second")];
    commit.published.push(("key".into(), text("value")));
    commit.failure = Some(Failure::fatal("declined", "no money"));
    actor.commit(commit).await.unwrap();
    let mut amendment = actor.amendment("a", RunStatus::Pending).await;
    amendment.input = Some(text("other"));
    amendment.removed = Removal::Everything;
    assert_eq!(
        actor.amend(&amendment).await,
        Amended::Done {
            owner: None,
            told: Vec::new()
        }
    );
    let record = actor.load("a").await;
    assert_eq!(record.run.input, text("other"));
    assert_eq!(record.history, []);
    assert_eq!((record.run.failure, record.run.finished_at), (None, None));
    let published = actor.store.published(&run("a"), "key").await.unwrap();
    assert!(published.is_none());
    let claimed = actor.claim_all("two").await;
    assert_eq!(claimed.runs.first().unwrap().run.input, text("other"));
}

/// Clause 51: a restart hands on what was delivered to the waits of the first life.
pub async fn a_restart_hands_on_what_was_not_taken(actor: Actor) {
    actor.start_held("a", "one").await;
    actor.start_held("b", "one").await;
    actor.wait("a", 1, 0, "go").await;
    actor.wait("a", 1, 1, "stop").await;
    actor.signal("go", 1).await;
    actor.wait("b", 1, 0, "go").await;
    let mut blocked = actor.change("a", 1, RunStatus::Blocked);
    blocked.seen_wakes = 0;
    actor.commit(blocked).await.unwrap();
    let mut amendment = actor.amendment("a", RunStatus::Pending).await;
    amendment.removed = Removal::Everything;
    actor.amend(&amendment).await;
    assert_eq!(actor.load("a").await.inbox, []);
    let inbox = actor.load("b").await.inbox;
    let bodies: Vec<_> = inbox.iter().filter_map(|it| signal_of(&it.body)).collect();
    assert_eq!(bodies, [(0, "go 1".to_owned())]);
    assert_eq!(actor.signal("stop", 1).await, DeliveryAck::Buffered);
}

/// Clause 51.
pub async fn a_wait_that_was_skipped_gets_no_signal(actor: Actor) {
    for (id, removes) in [("a", true), ("b", false)] {
        actor.start_held(id, "one").await;
        let token = format!("go {id}");
        let mut commit = actor.change(id, 1, RunStatus::Suspended);
        let waiting = Checkpoint::new(Seq(0), CheckpointKind::Signal, "go".into(), actor.now());
        commit.checkpoints = vec![waiting, step(1, "kept")];
        let waiter = crate::store::NewWaiter::new(Seq(0), token.as_str().into());
        commit.waiters.push(waiter);
        actor.commit(commit).await.unwrap();
        actor.signal(&token, 1).await;
        let mut amendment = actor.amendment(id, RunStatus::Suspended).await;
        if removes {
            amendment.removed = Removal::These(vec![Seq(0)]);
        } else {
            amendment.put(step(0, "skipped"));
        }
        actor.amend(&amendment).await;
        let record = actor.load(id).await;
        assert_eq!(record.inbox, []);
        let seqs: Vec<u32> = record.history.iter().map(|it| it.seq.0).collect();
        assert_eq!(seqs, if removes { vec![1] } else { vec![0, 1] });
        // It went back to the buffer, where the next wait finds it.
        actor.start_held(&token, "one").await;
        let ack = actor.wait(&token, 1, 0, &token).await;
        assert_eq!(ack.delivered.len(), 1, "{ack:?}");
    }
}

/// Clause 51, with clause 12.
pub async fn an_amended_end_empties_waiters_and_inbox(actor: Actor) {
    actor.start_held("a", "one").await;
    actor.wait("a", 1, 0, "go").await;
    actor.wait("a", 1, 1, "stop").await;
    actor.signal("stop", 1).await;
    let mut amendment = actor.amendment("a", RunStatus::Failed).await;
    amendment.commit.failure = Some(Failure::fatal("forced", "by hand"));
    actor.amend(&amendment).await;
    let record = actor.load("a").await;
    assert_eq!(record.run.status, RunStatus::Failed);
    assert_eq!(record.run.failure.unwrap().code.as_deref(), Some("forced"));
    assert_eq!(record.run.finished_at, Some(actor.now()));
    assert_eq!(record.inbox, []);
    assert_eq!(actor.next_due().await, None);
    assert_eq!(actor.signal("go", 1).await, DeliveryAck::Buffered);
}

/// Clause 52.
pub async fn an_audited_delivery_leaves_a_line_if_it_is_taken(actor: Actor) {
    actor.start_held("a", "one").await;
    actor.end("a", 1, RunStatus::Failed).await;
    let requeue = Delivery::Requeue {
        run: run("a"),
        at: actor.now(),
    };
    let line = actor.line("a", "requeue");
    let ack = actor.store.deliver_audited(&requeue, &line).await.unwrap();
    assert_eq!(ack, DeliveryAck::Requeued { run: run("a") });
    assert_eq!(actor.run("a").await.status, RunStatus::Pending);
    let refused = actor.store.deliver_audited(&requeue, &line).await;
    assert!(
        matches!(refused, Err(StoreError::WrongStatus { .. })),
        "{refused:?}"
    );
    assert_eq!(actor.log("a").await, [line]);
    // The connection of a refused call is as good as before.
    actor.start("b").await;
    assert_eq!(ids(&actor.claim_all("two").await), ["a", "b"]);
}

/// Clause 53.
pub async fn a_fork_begins_with_its_history(actor: Actor) {
    let mut new = actor.new_run("copy");
    new.tags.push("eu".into());
    let lines = vec![
        actor.line("copy", "forked-from"),
        actor.line("a", "fork").with_detail("copy"),
    ];
    let fork = Fork::new(new, vec![step(0, "first"), step(1, "second")], lines);
    let ack = actor.store.fork(&fork).await.unwrap();
    assert_eq!(ack, StartAck::Created);
    let record = actor.load("copy").await;
    assert_eq!(
        (record.run.status, record.run.rev, record.run.owner),
        (RunStatus::Pending, 1, None)
    );
    let results: Vec<_> = record.history.into_iter().map(|it| it.result).collect();
    assert_eq!(results, [Some(text("first")), Some(text("second"))]);
    assert_eq!(actor.log("copy").await, [actor.line("copy", "forked-from")]);
    let detail = actor.log("a").await.pop().unwrap().detail;
    assert_eq!(detail.as_deref(), Some("copy"));
    let claimed = actor.claim_all("one").await;
    assert_eq!(ids(&claimed), ["copy"]);
    let changed = actor.store.changed_since(&run("copy"), 0).await.unwrap();
    assert_eq!(changed.len(), 2);

    // Under the id of a run that exists nothing happens to it.
    for id in ["copy", "fresh"] {
        if id == "fresh" {
            actor.start(id).await;
        }
        let fork = Fork::new(
            actor.new_run(id),
            vec![step(7, "x")],
            vec![actor.line(id, "forked-from")],
        );
        let before = actor.load(id).await;
        let ack = actor.store.fork(&fork).await.unwrap();
        let status = before.run.status;
        assert_eq!(ack, StartAck::Existing { status });
        assert_eq!(actor.load(id).await.history, before.history);
    }
    assert_eq!(actor.log("fresh").await, []);
    assert_eq!(actor.log("copy").await.len(), 1);
}

/// Clauses 54 and 55.
pub async fn a_removed_run_leaves_only_its_log(actor: Actor) {
    let mut new = actor.new_run("a");
    new.tags.push("eu".into());
    new.owner = Some(instance("one"));
    actor.start_as(new).await;
    let mut commit = actor.change("a", 1, RunStatus::Completed);
    commit.checkpoints.push(step(0, "first"));
    commit.published.push(("key".into(), text("value")));
    commit.output = Some(text("done"));
    commit.tags.push("late".into());
    actor.commit(commit).await.unwrap();
    let line = actor.line("a", "delete");
    actor.store.remove(&run("a"), &line).await.unwrap();
    assert!(actor.store.load(&run("a")).await.unwrap().is_none());
    for tag in [None, Some("eu"), Some("late")] {
        let query = RunQuery {
            tag: tag.map(Into::into),
            ..RunQuery::default()
        };
        assert_eq!(actor.store.list(&query).await.unwrap().runs.len(), 0);
    }
    assert_eq!(actor.log("a").await, [line]);
    let late = actor.change("a", 1, RunStatus::Running);
    let refused = actor.commit(late).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::UnknownRun { .. }),
        "{refused:?}"
    );
    // The id is free, and nothing of the first run is left.
    assert_eq!(actor.start("a").await, StartAck::Created);
    let record = actor.load("a").await;
    assert_eq!((record.history, record.run.output), (Vec::new(), None));
    assert_eq!(record.run.tags, []);
    let published = actor.store.published(&run("a"), "key").await.unwrap();
    assert!(published.is_none());
    let query = RunQuery::default();
    assert_eq!(actor.store.list(&query).await.unwrap().runs.len(), 1);
}

/// Clause 54.
pub async fn only_an_ended_run_is_removed(actor: Actor) {
    actor.start_held("a", "one").await;
    let line = actor.line("a", "delete");
    for status in [
        RunStatus::Running,
        RunStatus::Suspended,
        RunStatus::Blocked,
        RunStatus::Paused,
    ] {
        let token = actor.run("a").await.token.0;
        actor.end("a", token, status).await;
        let refused = actor.store.remove(&run("a"), &line).await.unwrap_err();
        assert!(
            matches!(refused, StoreError::WrongStatus { .. }),
            "{refused:?}"
        );
    }
    let refused = actor.store.remove(&run("b"), &line).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::UnknownRun { .. }),
        "{refused:?}"
    );
    assert_eq!(actor.log("a").await, []);
}

/// Clause 55.
pub async fn a_log_is_listed_newest_first(actor: Actor) {
    actor.start("a").await;
    actor.start("b").await;
    for action in ["skip-step", "pause", "resume"] {
        let mut amendment = actor.amendment("a", RunStatus::Suspended).await;
        amendment.audit = actor.line("a", action).with_detail("seq 3");
        actor.amend(&amendment).await;
    }
    let newest = actor.store.audit_log(&run("a"), 2).await.unwrap();
    let actions: Vec<_> = newest.iter().map(|line| &*line.action).collect();
    assert_eq!(actions, ["resume", "pause"]);
    assert_eq!(newest.first().unwrap().actor.as_deref(), Some("ada"));
    assert_eq!(actor.log("b").await, []);
    let mut amendment = actor.amendment("b", RunStatus::Suspended).await;
    amendment.audit = AuditEntry::new(run("b"), actor.now(), &By::program(), "resume");
    actor.amend(&amendment).await;
    let line = actor.log("b").await.pop().unwrap();
    assert_eq!(line, amendment.audit);
}

/// Clause 56.
pub async fn a_paused_run_is_left_alone(actor: Actor) {
    actor.start_held("a", "one").await;
    actor.wait("a", 1, 0, "go").await;
    let mut paused = actor.change("a", 1, RunStatus::Paused);
    paused.wake_at = actor.now();
    actor.commit(paused).await.unwrap();
    let run_now = actor.run("a").await;
    assert_eq!((run_now.owner, run_now.wake_at), (None, Timestamp::MAX));
    // A signal is taken and kept, and wakes nobody.
    let ack = actor.signal("go", 1).await;
    assert!(matches!(ack, DeliveryAck::Delivered { .. }), "{ack:?}");
    assert_eq!(actor.run("a").await.wake_at, Timestamp::MAX);
    actor.start("b").await;
    actor
        .amend(&actor.amendment("b", RunStatus::Paused).await)
        .await;
    assert_eq!(actor.next_due().await, None);
    assert_eq!(ids(&actor.claim_all("two").await), Vec::<&str>::new());
    let resumed = actor.amendment("a", RunStatus::Suspended).await;
    actor.amend(&resumed).await;
    let claimed = actor.claim_all("two").await;
    assert_eq!(ids(&claimed), ["a"]);
    assert_eq!(claimed.runs.first().unwrap().inbox.len(), 1);
    actor.requeue("b").await.unwrap_err();
    actor.cancel("b").await.unwrap();
    assert_eq!(actor.run("b").await.status, RunStatus::Cancelled);
}

/// Clause 56.
pub async fn a_request_to_pause_waits_in_the_inbox(actor: Actor) {
    actor.start_held("a", "one").await;
    let ack = actor.item("a", pause()).await.unwrap();
    assert!(matches!(ack, DeliveryAck::Delivered { .. }), "{ack:?}");
    let again = actor.item("a", pause()).await.unwrap();
    assert_eq!(again, DeliveryAck::Duplicate);
    let record = actor.load("a").await;
    let [item] = record.inbox.as_slice() else {
        assert!(record.inbox.is_empty(), "one item");
        return;
    };
    assert_eq!(item.body, pause());
    let mut paused = actor.change("a", 1, RunStatus::Paused);
    paused.taken.push(item.id);
    paused.seen_wakes = 1;
    actor.commit(paused).await.unwrap();
    assert_eq!(actor.load("a").await.inbox, []);
    for status in [
        RunStatus::Paused,
        RunStatus::Blocked,
        RunStatus::Cancelling,
        RunStatus::Failed,
    ] {
        let id = status.as_str();
        actor.start_held(id, "one").await;
        if status == RunStatus::Cancelling {
            actor.cancel(id).await.unwrap();
        } else {
            actor.end(id, 1, status).await;
        }
        let refused = actor.item(id, pause()).await.unwrap_err();
        assert!(
            matches!(refused, StoreError::WrongStatus { .. }),
            "{refused:?}"
        );
    }
}
