//! Clauses 18 and 25: what is left to others when a run ends.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "what fails is meant to fail its case"
)]

use super::actor::{Actor, ids, instance, run, text};
use crate::model::{InboxBody, OnCancel, Parent, Run, RunStatus};

/// Clause 25.
pub async fn a_run_that_is_given_up_leaves_one_letter(actor: Actor) {
    let mut new = actor.new_run("a");
    new.owner = Some(instance("two"));
    new.tags = vec!["vip".into()];
    new.input = text("the input");
    actor.start_as(new).await;
    let lease = std::time::Duration::from_secs(1);
    let lock = actor.store.enroll(&instance("one"), lease).await.unwrap();
    let letter = |dead: &Run| {
        assert_eq!(dead.status, RunStatus::Dead);
        let code = dead.failure.as_ref().and_then(|it| it.code.as_deref());
        assert_eq!(code, Some("too_many_recoveries"));
        let mut new = actor.new_run(&format!("{}~dead", dead.id));
        new.input = dead.input.clone();
        new.tags.clone_from(&dead.tags);
        new.parent = Some(Parent::new(dead.id.clone(), OnCancel::Abandon));
        Some(new)
    };
    let commit = actor.change("a", 1, RunStatus::Running);
    actor.commit(commit).await.unwrap();
    let one = instance("one");
    for _ in 0..2 {
        actor.store.recover(&one, 0, &letter).await.unwrap();
    }
    let told = actor.run("a~dead").await;
    assert_eq!(
        (told.status, told.input),
        (RunStatus::Pending, text("the input"))
    );
    assert_eq!((told.tags, told.owner), (vec!["vip".into()], None));
    assert_eq!(told.parent.unwrap().run, run("a"));
    lock.release().await;
}

/// Clause 18, for a request that the owner has not seen.
pub async fn a_cancel_goes_on_to_the_next_run(actor: Actor) {
    let continues = |id: &str, token: u64, owner: Option<&str>| {
        let mut commit = actor.change(id, token, RunStatus::Completed);
        let mut new = actor.new_run(&format!("{id}~1"));
        new.owner = owner.map(instance);
        commit.beyond().next = Some(new.id.clone());
        commit.beyond().starts.push(new);
        commit
    };
    for (id, body) in [("a", InboxBody::Cancel), ("b", InboxBody::Compensate)] {
        actor.start_held(id, "one").await;
        actor.item(id, body.clone()).await.unwrap();
        let ack = actor.commit(continues(id, 1, Some("one"))).await.unwrap();
        assert_eq!(ack.told.len(), 1, "{:?}", ack.told);
        let next = actor.load(&format!("{id}~1")).await;
        assert_eq!(next.run.status, RunStatus::Cancelling);
        assert_eq!(next.inbox.first().unwrap().body, body);
    }
    // Nobody holds the next run.
    actor.start_held("c", "one").await;
    actor.cancel("c").await.unwrap();
    actor.commit(continues("c", 1, None)).await.unwrap();
    assert_eq!(actor.run("c~1").await.status, RunStatus::Cancelled);
    // What was asked in an earlier life is forgotten.
    actor.start_held("d", "one").await;
    actor.cancel("d").await.unwrap();
    let cancelled = actor.change("d", 1, RunStatus::Cancelled);
    actor.commit(cancelled).await.unwrap();
    actor.requeue("d").await.unwrap();
    let claimed = actor.claim_all("one").await;
    assert_eq!(ids(&claimed), ["d"]);
    let token = claimed.runs.first().unwrap().run.token.0;
    let ack = actor.commit(continues("d", token, Some("one"))).await;
    assert_eq!(ack.unwrap().told, []);
    assert_eq!(actor.run("d~1").await.status, RunStatus::Pending);
}
