//! Clause 46: the flow that a run was begun under.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "what fails is meant to fail its case"
)]

use std::time::Duration;

use super::actor::{Actor, checkout, run};
use crate::id::RunId;
use crate::model::{AuditEntry, By, Fingerprint, FlowQuery, LiveFlows, RunStatus, WorkflowKey};
use crate::store::{Amendment, Fork, Removal};

/// Larger than the signed numbers of a database.
const OLD: Fingerprint = Fingerprint::new(u64::MAX - 1);
const NEW: Fingerprint = Fingerprint::new(1);

impl Actor {
    async fn begin(&self, id: &str, workflow: WorkflowKey, flow: Option<Fingerprint>) {
        let mut new = self.new_run(id);
        (new.workflow, new.fingerprint) = (workflow, flow);
        self.start_as(new).await;
        self.pass(Duration::from_millis(1));
    }

    async fn live_flows(&self, query: &FlowQuery) -> LiveFlows {
        self.store.live_flows(query).await.unwrap()
    }
}

/// The flows with their runs, in a form to compare.
fn counted(found: &LiveFlows) -> Vec<(String, Option<Fingerprint>, u64, Vec<&str>)> {
    let flows = found.flows.iter().map(|flow| {
        let oldest = flow.oldest.iter().map(RunId::as_str).collect();
        let code = flow.workflow.to_string();
        (code, flow.fingerprint, flow.runs, oldest)
    });
    flows.collect()
}

/// Clause 46.
pub async fn a_run_keeps_the_flow_that_it_was_begun_under(actor: Actor) {
    actor.begin("a", checkout(), Some(OLD)).await;
    actor.begin("b", checkout(), None).await;
    assert_eq!(actor.run("a").await.fingerprint, Some(OLD));
    assert_eq!(actor.load("b").await.run.fingerprint, None);
    let claimed = actor.claim_all("one").await.runs;
    let flows: Vec<_> = claimed.iter().map(|it| it.run.fingerprint).collect();
    assert_eq!(flows, [Some(OLD), None]);
    let failed = actor.change("a", 1, RunStatus::Failed);
    actor.commit(failed).await.unwrap();
    let line = |id: &str| AuditEntry::new(run(id), actor.now(), &By::program(), "test");

    let mut fork = actor.new_run("fork");
    fork.fingerprint = Some(OLD);
    let fork = Fork::new(fork, Vec::new(), vec![line("fork")]);
    actor.store.fork(&fork).await.unwrap();
    assert_eq!(actor.run("fork").await.fingerprint, Some(OLD));

    let seen = actor.run("a").await;
    let mut amendment = Amendment::new(&seen, RunStatus::Failed, actor.now(), line("a"));
    amendment.fingerprint = Some(NEW);
    actor.store.amend(&amendment).await.unwrap();
    assert_eq!(actor.run("a").await.fingerprint, Some(OLD));
    let seen = actor.run("a").await;
    let mut amendment = Amendment::new(&seen, RunStatus::Pending, actor.now(), line("a"));
    amendment.fingerprint = Some(NEW);
    amendment.removed = Removal::Everything;
    actor.store.amend(&amendment).await.unwrap();
    assert_eq!(actor.run("a").await.fingerprint, Some(NEW));
}

/// Clause 46.
pub async fn live_runs_are_counted_by_their_flow(actor: Actor) {
    for (id, flow) in [("a", OLD), ("b", NEW), ("c", OLD), ("d", OLD), ("e", NEW)] {
        actor.begin(id, checkout(), Some(flow)).await;
    }
    actor.begin("f", checkout(), None).await;
    actor
        .begin("g", WorkflowKey::new("refund", 2), Some(OLD))
        .await;
    for id in ["a", "e"] {
        actor.cancel(id).await.unwrap();
    }
    let code = checkout().to_string();
    let expected = [
        (code.clone(), None, 1, vec!["f"]),
        (code.clone(), Some(NEW), 1, vec!["b"]),
        (code.clone(), Some(OLD), 2, vec!["c", "d"]),
        ("refund@2".to_owned(), Some(OLD), 1, vec!["g"]),
    ];
    let found = actor.live_flows(&FlowQuery::new(5, 9)).await;
    assert_eq!(counted(&found), expected);
    assert!(found.is_complete);
    // One more run than may be looked at.
    let found = actor.live_flows(&FlowQuery::new(4, 9)).await;
    assert!(!found.is_complete);
    let mut query = FlowQuery::new(5, 1);
    query.workflow = Some(checkout().name);
    let found = actor.live_flows(&query).await;
    let named: Vec<_> = counted(&found).into_iter().map(|(.., it)| it).collect();
    assert_eq!(named, [["f"], ["b"], ["c"]]);
    assert!(found.is_complete);
    let nothing = actor.live_flows(&FlowQuery::new(0, 1)).await;
    assert!(!nothing.is_complete);
}
