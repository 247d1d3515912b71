//! Clauses 40 to 44: what can be read.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "what fails is meant to fail its case"
)]

use std::{sync::Arc, time::Duration};

use super::actor::{Actor, instance, run, step, text};
use crate::id::Seq;
use crate::model::{CheckpointStatus, OnCancel, Parent, RunPage, RunQuery, RunStatus, WorkflowKey};
use crate::payload::Payload;
use crate::store::StoreError;

fn listed(page: &RunPage) -> Vec<&str> {
    page.runs.iter().map(|run| run.id.as_str()).collect()
}

async fn list(actor: &Actor, query: RunQuery) -> RunPage {
    actor.store.list(&query).await.unwrap()
}

/// Clause 41.
pub async fn an_unknown_run_is_none(actor: Actor) {
    assert!(actor.store.load(&run("a")).await.unwrap().is_none());
    assert!(actor.store.run(&run("a")).await.unwrap().is_none());
    assert_eq!(actor.store.published(&run("a"), "key").await.unwrap(), None);
    assert_eq!(actor.store.changed_since(&run("a"), 0).await.unwrap(), []);
}

/// Clause 42.
pub async fn a_list_goes_on_where_the_last_page_ended(actor: Actor) {
    // Two runs each millisecond, so that pages end between runs of the same start.
    for number in 0..10 {
        actor.start(&format!("run.{number}")).await;
        if number % 2 == 1 {
            actor.pass(Duration::from_millis(1));
        }
    }
    let mut query = RunQuery {
        limit: 3,
        ..RunQuery::default()
    };
    let mut seen: Vec<String> = Vec::new();
    loop {
        let page = list(&actor, query.clone()).await;
        seen.extend(listed(&page).into_iter().map(str::to_owned));
        // What is started meanwhile is newer and does not move the pages.
        actor.start(&format!("later {}", seen.len())).await;
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    let expected: Vec<String> = (0..10)
        .rev()
        .map(|number| format!("run.{number}"))
        .collect();
    assert_eq!(seen, expected);
}

/// Clause 42.
pub async fn a_list_holds_what_was_asked_for(actor: Actor) {
    for (id, tag) in [("a", "vip"), ("b", "eu"), ("c", "vip")] {
        let mut new = actor.new_run(id);
        new.tags = vec![tag.into()];
        actor.start_as(new).await;
    }
    let mut other = actor.new_run("d");
    other.workflow = WorkflowKey::new("refund", 1);
    actor.start_as(other).await;
    actor.start_held("e", "one").await;
    let mut end = actor.change("e", 1, RunStatus::Completed);
    end.output = Some(text("receipt"));
    end.tags.push("eu".into());
    actor.commit(end).await.unwrap();
    actor.cancel("b").await.unwrap();

    let by = |statuses: &[RunStatus], workflow: Option<&str>, tag: Option<&str>| RunQuery {
        statuses: statuses.to_vec(),
        workflow: workflow.map(Arc::from),
        tag: tag.map(Arc::from),
        ..RunQuery::default()
    };
    let all = list(&actor, RunQuery::default()).await;
    assert_eq!(listed(&all), ["e", "d", "c", "b", "a"]);
    assert!(
        all.runs
            .iter()
            .all(|run| run.input == Payload::default() && run.output.is_none())
    );
    assert_eq!(all.next, None);
    let ended = [RunStatus::Completed, RunStatus::Cancelled];
    assert_eq!(
        listed(&list(&actor, by(&ended, None, None)).await),
        ["e", "b"]
    );
    assert_eq!(
        listed(&list(&actor, by(&[], Some("refund"), None)).await),
        ["d"]
    );
    assert_eq!(
        listed(&list(&actor, by(&[], None, Some("eu"))).await),
        ["e", "b"]
    );
    let mixed = by(&[RunStatus::Pending], Some("checkout"), Some("vip"));
    assert_eq!(listed(&list(&actor, mixed).await), ["c", "a"]);
    let held = by(&[RunStatus::Pending, RunStatus::Running], None, None);
    assert_eq!(listed(&list(&actor, held).await), ["d", "c", "a"]);
    let stopped = by(&[RunStatus::Cancelled, RunStatus::Dead], None, None);
    assert_eq!(listed(&list(&actor, stopped).await), ["b"]);
    let stopped_eu = by(&[RunStatus::Cancelled], None, Some("eu"));
    assert_eq!(listed(&list(&actor, stopped_eu).await), ["b"]);
}

/// Clause 42.
pub async fn a_list_leaves_out_what_was_not_asked_for(actor: Actor) {
    actor.start_held("a", "one").await;
    let mut tagged = actor.new_run("b");
    tagged.tags = vec!["eu".into(), "vip".into()];
    actor.start_as(tagged).await;
    let mut other = actor.new_run("c");
    other.workflow = WorkflowKey::new("refund", 1);
    actor.start_as(other).await;
    let mut child = actor.change("a", 1, RunStatus::Running);
    let mut new = actor.new_run("d");
    new.parent = Some(Parent::new(run("a"), OnCancel::Cascade));
    child.beyond().starts.push(new);
    actor.commit(child).await.unwrap();
    let mut query = RunQuery::default();
    query.except.tags = vec!["eu".into(), "none".into()];
    assert_eq!(listed(&list(&actor, query.clone()).await), ["d", "c", "a"]);
    query.except.workflows = vec!["refund".into()];
    assert_eq!(listed(&list(&actor, query.clone()).await), ["d", "a"]);
    query.has_parent = Some(false);
    assert_eq!(listed(&list(&actor, query.clone()).await), ["a"]);
    query.has_parent = Some(true);
    assert_eq!(listed(&list(&actor, query.clone()).await), ["d"]);
    query.has_parent = None;
    query.has_children = Some(true);
    assert_eq!(listed(&list(&actor, query.clone()).await), ["a"]);
    query.has_children = Some(false);
    assert_eq!(listed(&list(&actor, query.clone()).await), ["d"]);
    query.except.namespaces = vec!["default".into()];
    assert!(listed(&list(&actor, query).await).is_empty());
}

/// Clause 42.
pub async fn a_list_is_narrowed_by_id_and_start(actor: Actor) {
    let mut starts = Vec::new();
    for id in ["order-1", "order-2", "Order-3", "other", "order%"] {
        starts.push(actor.now());
        actor.start(id).await;
        actor.pass(Duration::from_millis(10));
    }
    let begins = |prefix: &str| RunQuery {
        id_prefix: Some(prefix.into()),
        ..RunQuery::default()
    };
    for (prefix, expected) in [
        ("order-", &["order-2", "order-1"][..]),
        ("order", &["order%", "order-2", "order-1"]),
        ("order%", &["order%"]),
        ("order-1", &["order-1"]),
        ("O", &["Order-3"]),
        ("_", &[]),
    ] {
        let page = list(&actor, begins(prefix)).await;
        assert_eq!(listed(&page), expected, "{prefix}");
    }
    assert_eq!(listed(&list(&actor, begins("")).await).len(), 5);
    let between = RunQuery {
        since: starts.get(1).copied(),
        until: starts.get(3).copied(),
        ..RunQuery::default()
    };
    let page = list(&actor, between).await;
    assert_eq!(listed(&page), ["other", "Order-3", "order-2"]);
}

/// Clause 43.
pub async fn what_several_runs_wait_for_is_read_at_once(actor: Actor) {
    for id in ["a", "b", "c"] {
        actor.start_held(id, "one").await;
        let mut commit = actor.change(id, 1, RunStatus::Suspended);
        commit.rev = 1;
        let mut waits = step(1, "result");
        waits.status = CheckpointStatus::Waiting;
        waits.result = None;
        let mut retries = waits.clone();
        retries.seq = Seq(2);
        retries.status = CheckpointStatus::Retrying;
        commit.checkpoints = vec![step(0, "result"), waits, retries];
        actor.commit(commit).await.unwrap();
    }
    let asked = [run("a"), run("none"), run("c")];
    let open = actor.store.open_operations(&asked).await.unwrap();
    let open: Vec<_> = open
        .iter()
        .map(|(run, one)| (run.as_str(), one.seq.0, one.status))
        .collect();
    let waiting = CheckpointStatus::Waiting;
    let retrying = CheckpointStatus::Retrying;
    assert_eq!(
        open,
        [
            ("a", 1, waiting),
            ("a", 2, retrying),
            ("c", 1, waiting),
            ("c", 2, retrying)
        ]
    );
    assert_eq!(actor.store.open_operations(&[]).await.unwrap(), []);
}

/// Clause 42.
pub async fn a_made_up_cursor_is_refused(actor: Actor) {
    let query = RunQuery {
        after: Some("'; DROP TABLE".to_owned()),
        ..RunQuery::default()
    };
    let refused = actor.store.list(&query).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::InvalidCursor { .. }),
        "{refused}"
    );
}

/// Clause 43.
pub async fn changes_are_found_by_revision(actor: Actor) {
    actor.start_held("a", "one").await;
    for rev in 1..=3 {
        let mut commit = actor.change("a", 1, RunStatus::Running);
        commit.rev = rev;
        for seq in [0, u32::try_from(rev).unwrap()] {
            let mut checkpoint = step(seq, "result");
            checkpoint.rev = rev;
            commit.checkpoints.push(checkpoint);
        }
        actor.commit(commit).await.unwrap();
    }
    let changed = actor.store.changed_since(&run("a"), 1).await.unwrap();
    let changed: Vec<_> = changed.iter().map(|one| (one.seq.0, one.rev)).collect();
    assert_eq!(changed, [(0, 3), (2, 2), (3, 3)]);
    assert_eq!(actor.store.changed_since(&run("a"), 3).await.unwrap(), []);
    assert_eq!(actor.run("a").await.rev, 3);
}

/// Clause 44.
pub async fn held_lists_what_an_instance_owns(actor: Actor) {
    for id in ["a", "b", "c"] {
        actor.start_held(id, "one").await;
    }
    actor.start("d").await;
    actor.commit(actor.release("b", 1)).await.unwrap();
    assert_eq!(
        actor.store.held(&instance("one")).await.unwrap(),
        [run("a"), run("c")]
    );
    assert_eq!(actor.store.held(&instance("two")).await.unwrap(), []);
}
