//! Clauses 47 and 64: search attributes and namespaces.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "what fails is meant to fail its case"
)]

use serde_json::{Value, json};

use super::actor::{Actor, instance, run};
use crate::model::{AttributePatch, Attributes, NewRun, OnCancel, Parent, RunQuery, RunStatus};
use crate::store::{Batch, RunCommit, StartAck};

impl Actor {
    fn with_attributes(&self, id: &str, attributes: &Value) -> NewRun {
        let mut new = self.new_run(id);
        new.owner = Some(instance("one"));
        new.attributes = Attributes::of(attributes).unwrap();
        new
    }

    fn patch(&self, id: &str, token: u64, changes: &Value) -> RunCommit {
        let mut commit = self.change(id, token, RunStatus::Running);
        commit.attributes = AttributePatch::of(changes).unwrap();
        commit
    }

    async fn attributes(&self, id: &str) -> Value {
        let run = self.load(id).await.run;
        serde_json::to_value(run.attributes).unwrap()
    }

    /// The runs that meet all conditions, newest first.
    async fn found(&self, conditions: &[&str]) -> Vec<String> {
        let filters = conditions.iter().map(|text| text.parse().unwrap());
        let query = RunQuery {
            attributes: filters.collect(),
            ..RunQuery::default()
        };
        self.ids(&query).await
    }

    async fn ids(&self, query: &RunQuery) -> Vec<String> {
        let page = self.store.list(query).await.unwrap();
        page.runs.iter().map(|run| run.id.to_string()).collect()
    }
}

/// Clause 66.
pub async fn attributes_are_merged_key_by_key(actor: Actor) {
    let start = json!({"a": 1, "b": "x", "c": 0.1, "d": true, "e": "ä \"'\\ "});
    actor.start_as(actor.with_attributes("r", &start)).await;
    actor.start_held("other", "one").await;
    assert_eq!(actor.attributes("r").await, start);
    assert_eq!(actor.attributes("other").await, json!({}));
    let changes = json!({"a": null, "b": 2.5, "none": null, "f": -1e300});
    let batch = Batch {
        commits: vec![
            actor.patch("r", 1, &changes),
            actor.patch("other", 1, &json!({"a": false})),
        ],
        ..Batch::default()
    };
    let expected = json!({"b": 2.5, "c": 0.1, "d": true, "e": "ä \"'\\ ", "f": -1e300});
    // Once more, as after a lost answer.
    for _ in 0..2 {
        for ack in actor.store.commit(&batch).await.unwrap().commits {
            ack.unwrap();
        }
        assert_eq!(actor.attributes("r").await, expected);
        assert_eq!(actor.attributes("other").await, json!({"a": false}));
    }
    let page = actor.store.list(&RunQuery::default()).await.unwrap();
    let listed = page.runs.iter().find(|it| it.id == run("r")).unwrap();
    assert_eq!(serde_json::to_value(&listed.attributes).unwrap(), expected);
    // What goes is found no more, and what has another kind is found as that.
    assert_eq!(actor.found(&["a:eq:1"]).await.len(), 0);
    assert_eq!(actor.found(&["b:eq:x"]).await.len(), 0);
    assert_eq!(actor.found(&["b:gte:2.5"]).await, ["r"]);
    let all = json!({"b": null, "c": null, "d": null, "e": null, "f": null});
    actor.commit(actor.patch("r", 1, &all)).await.unwrap();
    assert_eq!(actor.attributes("r").await, json!({}));
    assert_eq!(actor.found(&["d:eq:true"]).await.len(), 0);
}

/// Clauses 3 and 64.
pub async fn a_refused_commit_changes_no_attributes(actor: Actor) {
    actor
        .start_as(actor.with_attributes("a", &json!({"n": 1})))
        .await;
    actor.start_held("b", "one").await;
    let batch = Batch {
        commits: vec![
            actor.patch("a", 0, &json!({"n": 2})),
            actor.patch("b", 1, &json!({"n": 3})),
            actor.patch("nobody", 1, &json!({"n": 4})),
        ],
        ..Batch::default()
    };
    let ack = actor.store.commit(&batch).await.unwrap();
    let written: Vec<bool> = ack.commits.iter().map(Result::is_ok).collect();
    assert_eq!(written, [false, true, false]);
    assert_eq!(actor.attributes("a").await, json!({"n": 1}));
    assert_eq!(actor.attributes("b").await, json!({"n": 3}));
    // A second start leaves the first run as it is.
    let again = actor.with_attributes("a", &json!({"n": 9, "m": 9}));
    let ack = actor.start_as(again).await;
    assert!(matches!(ack, StartAck::Existing { .. }));
    assert_eq!(actor.attributes("a").await, json!({"n": 1}));
    assert_eq!(actor.found(&["n:gt:3"]).await.len(), 0);
}

/// Clause 66.
pub async fn a_started_run_has_its_attributes_wherever_it_comes_from(actor: Actor) {
    actor.start_held("parent", "one").await;
    let mut child = actor.with_attributes("child", &json!({"region": "eu"}));
    child.owner = None;
    child.namespace = "shop".into();
    child.parent = Some(Parent::new(run("parent"), OnCancel::Cascade));
    let mut commit = actor.change("parent", 1, RunStatus::Running);
    commit.beyond().starts.push(child);
    actor.commit(commit).await.unwrap();
    assert_eq!(actor.attributes("child").await, json!({"region": "eu"}));
    assert_eq!(&*actor.load("child").await.run.namespace, "shop");
    assert_eq!(&*actor.load("parent").await.run.namespace, "default");
    // Whoever claims it has them too.
    let claimed = actor.claim("two", 10).await;
    let claimed = claimed.runs.iter().find(|it| it.run.id == run("child"));
    let claimed = &claimed.unwrap().run;
    let attributes = serde_json::to_value(&claimed.attributes).unwrap();
    assert_eq!(attributes, json!({"region": "eu"}));
    assert_eq!(&*claimed.namespace, "shop");
    // A removed run leaves none to the next one of its id.
    actor.cancel("child").await.unwrap();
    let ended = actor.load("child").await.run;
    if !ended.status.is_terminal() {
        let end = actor.change("child", ended.token.0, RunStatus::Cancelled);
        actor.commit(end).await.unwrap();
    }
    let line = actor.line("child", "delete");
    actor.store.remove(&run("child"), &line).await.unwrap();
    actor.start("child").await;
    assert_eq!(actor.found(&["region:eq:eu"]).await.len(), 0);
    assert_eq!(actor.attributes("child").await, json!({}));
}

/// Clause 47.
pub async fn a_list_is_narrowed_by_attributes(actor: Actor) {
    for (id, attributes) in [
        ("a", json!({"total": 5, "region": "eu", "vip": true})),
        ("b", json!({"total": 50, "region": "us", "vip": false})),
        ("c", json!({"total": 500.5, "region": "eu "})),
        ("d", json!({"total": "5", "region": "EU"})),
        ("e", json!({"total": -3})),
        ("f", json!({})),
    ] {
        actor.start_as(actor.with_attributes(id, &attributes)).await;
        actor.pass(std::time::Duration::from_millis(1));
    }
    for (conditions, expected) in [
        (&["total:eq:5"][..], &["a"][..]),
        (&["total:eq:5.0"], &["a"]),
        (&["total:eq:\"5\""], &["d"]),
        (&["total:ne:5"], &["e", "c", "b"]),
        (&["total:gt:5"], &["c", "b"]),
        (&["total:gte:5"], &["c", "b", "a"]),
        (&["total:lt:5"], &["e"]),
        (&["total:lte:5"], &["e", "a"]),
        (&["total:lt:0"], &["e"]),
        (&["total:gte:5", "total:lt:500"], &["b", "a"]),
        (&["region:eq:eu"], &["a"]),
        (&["region:ne:eu"], &["d", "c", "b"]),
        (&["region:gte:eu"], &["c", "b", "a"]),
        (&["region:lt:eu"], &["d"]),
        (&["vip:eq:true"], &["a"]),
        (&["vip:lt:true"], &["b"]),
        (&["vip:ne:1"], &[]),
        (&["none:ne:1"], &[]),
        (&["total:gt:0", "region:eq:us", "vip:eq:false"], &["b"]),
        (&["total:gt:0", "region:eq:us", "vip:eq:true"], &[]),
    ] {
        assert_eq!(actor.found(conditions).await, expected, "{conditions:?}");
    }
    // With other filters, in pages.
    let mut query = RunQuery {
        attributes: vec!["total:lt:1000".parse().unwrap()],
        workflow: Some("checkout".into()),
        limit: 2,
        ..RunQuery::default()
    };
    let page = actor.store.list(&query).await.unwrap();
    query.after = page.next;
    assert_eq!(actor.ids(&query).await, ["b", "a"]);
    query.workflow = Some("refund".into());
    assert_eq!(actor.ids(&query).await.len(), 0);
}

/// Clause 47.
pub async fn a_list_is_narrowed_by_namespace(actor: Actor) {
    for (id, namespace) in [
        ("a", "default"),
        ("b", "shop"),
        ("c", "Shop"),
        ("d", "shop"),
    ] {
        let mut new = actor.new_run(id);
        new.namespace = namespace.into();
        actor.start_as(new).await;
        actor.pass(std::time::Duration::from_millis(1));
    }
    let mut query = RunQuery::default();
    for (namespace, expected) in [
        ("default", &["a"][..]),
        ("shop", &["d", "b"]),
        ("Shop", &["c"]),
        ("none", &[]),
    ] {
        query.namespace = Some(namespace.into());
        assert_eq!(actor.ids(&query).await, expected, "{namespace}");
    }
    query.namespace = Some("shop".into());
    query.limit = 1;
    let page = actor.store.list(&query).await.unwrap();
    query.after = page.next;
    assert_eq!(actor.ids(&query).await, ["b"]);
}
