//! Clauses 57 to 59, 64 and 65: what is forgotten.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "what fails is meant to fail its case"
)]

use std::time::Duration;

use uuid::Uuid;

use super::actor::{Actor, instance, run, step, text};
use crate::model::{AuditEntry, By, OnCancel, Parent, RunQuery, RunStatus, SignalId};
use crate::store::{Delivery, DeliveryAck, Forget, Forgotten, Prune, Pruned, StartAck};
use crate::time::Timestamp;

const TICK: Duration = Duration::from_millis(1);

impl Actor {
    /// Starts a run, and ends it a millisecond before the next one.
    async fn brief(&self, id: &str, status: RunStatus) {
        self.start_held(id, "one").await;
        self.end_at(id, status).await;
    }

    async fn end_at(&self, id: &str, status: RunStatus) {
        let mut end = self.change(id, 1, status);
        if status == RunStatus::Completed {
            end.output = Some(text("output"));
        }
        self.commit(end).await.unwrap();
        self.pass(TICK);
    }

    async fn begin_child(&self, id: &str, parent: &str) {
        let mut new = self.new_run(id);
        new.parent = Some(Parent::new(run(parent), OnCancel::Abandon));
        new.owner = Some(instance("one"));
        self.start_as(new).await;
    }

    async fn prune(&self, prune: &Prune) -> Pruned {
        self.store.prune(prune).await.unwrap()
    }

    /// Removes every run that may go, and says how many went.
    async fn prune_all(&self, status: RunStatus) -> u64 {
        let pruned = self.prune(&Prune::new(vec![(status, self.now())])).await;
        assert_eq!(pruned.next, None);
        pruned.runs
    }

    /// The runs that are left, by id.
    async fn left(&self) -> Vec<String> {
        let page = self.store.list(&RunQuery::default()).await.unwrap();
        let mut ids: Vec<_> = page.runs.iter().map(|it| it.id.to_string()).collect();
        ids.sort();
        ids
    }

    /// Ends `from` as the beginning of `to`.
    async fn continue_as(&self, from: &str, to: &str) {
        let mut end = self.change(from, 1, RunStatus::Completed);
        end.output = Some(text("output"));
        let mut next = self.new_run(to);
        next.owner = Some(instance("one"));
        let beyond = end.beyond();
        beyond.starts.push(next);
        beyond.next = Some(run(to));
        self.commit(end).await.unwrap();
        self.pass(TICK);
    }

    /// Sends a signal with an id of its own.
    async fn send(&self, token: &str, number: u128) -> DeliveryAck {
        let delivery = Delivery::Signal {
            id: SignalId(Uuid::from_u128(number)),
            token: token.into(),
            payload: text(token),
            at: self.now(),
        };
        self.deliver(delivery).await.unwrap()
    }

    async fn forget(&self, before: Timestamp) -> Forgotten {
        self.store.forget(&Forget::new(before)).await.unwrap()
    }
}

/// Clause 57.
pub async fn an_old_run_goes_with_everything(actor: Actor) {
    actor.start_held("a", "one").await;
    let mut end = actor.change("a", 1, RunStatus::Completed);
    end.checkpoints = vec![step(0, "first"), step(1, "second")];
    end.published.push(("key".into(), text("value")));
    end.tags.push("vip".into());
    end.output = Some(text("output"));
    actor.commit(end).await.unwrap();
    actor.pass(TICK);
    actor.brief("failed", RunStatus::Failed).await;
    actor.brief("later", RunStatus::Completed).await;
    actor.start("lives").await;
    let line = AuditEntry::new(run("a"), actor.now(), &By::program(), "test");
    let log = async || actor.store.audit_log(&run("a"), 9).await.unwrap().len();
    let item = Delivery::Requeue {
        run: run("failed"),
        at: actor.now(),
    };
    // A line about "a", which nothing else of this case writes.
    actor.store.deliver_audited(&item, &line).await.unwrap();
    assert_eq!(log().await, 1);

    let second_end = actor.run("later").await.finished_at.unwrap();
    let prune = Prune::new(vec![(RunStatus::Completed, second_end)]);
    assert_eq!(actor.prune(&prune).await.runs, 1);
    assert_eq!(actor.left().await, ["failed", "later", "lives"]);
    assert!(actor.store.load(&run("a")).await.unwrap().is_none());
    assert_eq!(actor.store.published(&run("a"), "key").await.unwrap(), None);
    let tagged = RunQuery {
        tag: Some("vip".into()),
        ..RunQuery::default()
    };
    assert!(actor.store.list(&tagged).await.unwrap().runs.is_empty());
    assert_eq!(log().await, 1);
    // Its id is free, and it begins with nothing.
    assert_eq!(actor.start_held("a", "one").await, StartAck::Created);
    assert_eq!(actor.load("a").await.history, []);
    actor.end_at("a", RunStatus::Completed).await;
    let mut prune = Prune::new(vec![(RunStatus::Completed, actor.now())]);
    prune.with_log = true;
    assert_eq!(actor.prune(&prune).await.runs, 2);
    assert_eq!(log().await, 0);
    assert_eq!(actor.left().await, ["failed", "lives"]);
}

/// Clause 57.
pub async fn a_rule_about_runs_that_have_not_ended_removes_nothing(actor: Actor) {
    actor.start("waits").await;
    actor.brief("done", RunStatus::Completed).await;
    for status in [RunStatus::Pending, RunStatus::Blocked] {
        assert_eq!(actor.prune_all(status).await, 0);
    }
    assert_eq!(
        actor.prune(&Prune::new(Vec::new())).await,
        Pruned::default()
    );
    assert_eq!(actor.left().await, ["done", "waits"]);
}

/// Clause 57.
pub async fn a_child_goes_after_its_parent(actor: Actor) {
    actor.start_held("parent", "one").await;
    actor.begin_child("child", "parent").await;
    actor.end_at("child", RunStatus::Completed).await;
    assert_eq!(actor.prune_all(RunStatus::Completed).await, 0);
    // The parent may begin again and wait for the child anew.
    actor.end_at("parent", RunStatus::Failed).await;
    assert_eq!(actor.prune_all(RunStatus::Completed).await, 0);
    assert_eq!(actor.prune_all(RunStatus::Failed).await, 1);
    assert_eq!(actor.prune_all(RunStatus::Completed).await, 1);
    assert_eq!(actor.left().await, Vec::<String>::new());
}

/// Clause 57.
pub async fn a_run_whose_child_lives_stays(actor: Actor) {
    actor.start_held("parent", "one").await;
    actor.begin_child("child", "parent").await;
    actor.end_at("parent", RunStatus::Completed).await;
    assert_eq!(actor.prune_all(RunStatus::Completed).await, 0);
    actor.end_at("child", RunStatus::Failed).await;
    assert_eq!(actor.prune_all(RunStatus::Completed).await, 1);
    assert_eq!(actor.left().await, ["child"]);
}

/// Clause 58.
pub async fn the_middle_of_a_chain_goes(actor: Actor) {
    actor.start_held("order", "one").await;
    actor.continue_as("order", "order~1").await;
    actor.continue_as("order~1", "order~2").await;
    actor.continue_as("order~2", "order~3").await;
    assert_eq!(actor.prune_all(RunStatus::Completed).await, 2);
    assert_eq!(actor.left().await, ["order", "order~3"]);
    // Who waits for the first one waits for the last one still.
    assert_eq!(actor.run("order").await.next, Some(run("order~3")));
    actor.end_at("order~3", RunStatus::Completed).await;
    assert_eq!(actor.prune_all(RunStatus::Completed).await, 1);
    assert_eq!(actor.prune_all(RunStatus::Completed).await, 1);
    assert_eq!(actor.left().await, Vec::<String>::new());
}

/// Clause 58: a name that only looks like that of a link.
pub async fn a_run_that_is_no_link_stays_while_its_successor_does(actor: Actor) {
    actor.brief("order", RunStatus::Failed).await;
    actor.start_held("order~1", "one").await;
    actor.continue_as("order~1", "order~2").await;
    assert_eq!(actor.prune_all(RunStatus::Completed).await, 0);
    assert_eq!(actor.left().await, ["order", "order~1", "order~2"]);
}

/// Clause 59.
pub async fn old_runs_go_part_by_part(actor: Actor) {
    for number in 0..7 {
        actor
            .brief(&format!("a{number}"), RunStatus::Completed)
            .await;
        actor
            .brief(&format!("kept{number}"), RunStatus::Failed)
            .await;
    }
    let mut prune = Prune::new(vec![(RunStatus::Completed, actor.now())]);
    prune.limit = 4;
    let mut removed = Vec::new();
    loop {
        let pruned = actor.prune(&prune).await;
        removed.push(pruned.runs);
        prune.after = pruned.next;
        if pruned.next.is_none() {
            break;
        }
    }
    // The last ends are those of a run that goes and of one that stays.
    assert_eq!(removed, [2, 2, 2, 1]);
    assert_eq!(actor.left().await.len(), 7);
}

/// Clause 64.
pub async fn the_newest_ends_are_counted(actor: Actor) {
    let end = async |keep| {
        let both = [RunStatus::Completed, RunStatus::Failed];
        actor.store.end_of_newest(&both, keep).await.unwrap()
    };
    assert_eq!(end(1).await, None);
    actor.brief("a", RunStatus::Completed).await;
    actor.brief("b", RunStatus::Failed).await;
    actor.brief("c", RunStatus::Cancelled).await;
    actor.brief("d", RunStatus::Completed).await;
    actor.start("lives").await;
    for (keep, id) in [(1, "d"), (2, "b"), (3, "a")] {
        assert_eq!(end(keep).await, actor.run(id).await.finished_at, "{keep}");
    }
    assert_eq!(end(4).await, None);
    assert_eq!(end(0).await, None);
    // The two newest stay.
    let prune = Prune::new(vec![
        (RunStatus::Completed, end(2).await.unwrap()),
        (RunStatus::Failed, end(2).await.unwrap()),
    ]);
    assert_eq!(actor.prune(&prune).await.runs, 1);
    assert_eq!(actor.left().await, ["b", "c", "d", "lives"]);
}

/// Clause 65.
pub async fn the_id_of_a_taken_signal_is_forgotten(actor: Actor) {
    actor.start_held("a", "one").await;
    actor.wait("a", 1, 0, "go").await;
    actor.wait("a", 1, 1, "go").await;
    actor.send("go", 1).await;
    let taken = actor.load("a").await.inbox.first().unwrap().id;
    let mut take = actor.change("a", 1, RunStatus::Running);
    take.taken.push(taken);
    take.checkpoints.push(step(0, "go"));
    actor.commit(take).await.unwrap();
    actor.send("go", 2).await;
    actor.send("later", 3).await;
    actor.pass(TICK);
    // One is taken, one lies in an inbox, one is buffered.
    assert_eq!(actor.forget(actor.now() - TICK).await.signals, 0);
    assert_eq!(actor.forget(actor.now()).await.signals, 1);
    assert_eq!(actor.send("go", 2).await, DeliveryAck::Duplicate);
    assert_eq!(actor.send("later", 3).await, DeliveryAck::Duplicate);
    // The one in the inbox goes back where it came from.
    actor.end_at("a", RunStatus::Completed).await;
    assert_eq!(actor.forget(actor.now()).await.signals, 0);
    actor.start_held("b", "one").await;
    actor.wait("b", 1, 0, "go").await;
    assert_eq!(actor.load("b").await.inbox.len(), 1);
    // A forgotten id is a new one.
    assert_eq!(actor.send("go", 1).await, DeliveryAck::Buffered);
}

/// Clause 65.
pub async fn ids_are_forgotten_part_by_part(actor: Actor) {
    actor.start_held("a", "one").await;
    for number in 0..5 {
        actor.wait("a", 1, number, "go").await;
        actor.send("go", number.into()).await;
    }
    let mut end = actor.change("a", 1, RunStatus::Completed);
    end.taken = actor.load("a").await.inbox.iter().map(|it| it.id).collect();
    actor.commit(end).await.unwrap();
    actor.pass(TICK);
    let mut forget = Forget::new(actor.now());
    forget.limit = 2;
    let mut signals = 0;
    loop {
        let forgotten = actor.store.forget(&forget).await.unwrap();
        assert!(forgotten.signals <= 2);
        signals += forgotten.signals;
        forget.after = forgotten.next;
        if forgotten.next.is_none() {
            break;
        }
    }
    assert_eq!(signals, 5);
}
