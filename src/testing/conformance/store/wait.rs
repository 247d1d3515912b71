//! Clauses 7, 8, 11 and 12: signals and those who wait for them.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "what fails is meant to fail its case"
)]

use std::time::Duration;

use uuid::Uuid;

use super::actor::{Actor, ids, run, signal_of, text};
use crate::id::Seq;
use crate::model::{RunStatus, SignalId};
use crate::store::{Batch, Delivery, DeliveryAck, NewWaiter};

/// Which signals lie in the inbox of a run, oldest first.
async fn inbox(actor: &Actor, id: &str) -> Vec<(u32, String)> {
    let record = actor.load(id).await;
    record
        .inbox
        .iter()
        .filter_map(|item| signal_of(&item.body))
        .collect()
}

fn at(seq: u32, payload: &str) -> (u32, String) {
    (seq, payload.to_owned())
}

/// Clause 7.
pub async fn a_signal_goes_to_the_longest_waiting_waiter(actor: Actor) {
    for id in ["b", "a"] {
        actor.start_held(id, "one").await;
        actor.wait(id, 1, 3, "approve").await;
        actor.pass(Duration::from_millis(1));
    }
    let ack = actor.signal("approve", 1).await;
    let DeliveryAck::Delivered {
        run: got,
        wakes,
        item,
        ..
    } = ack
    else {
        assert_eq!(ack, DeliveryAck::Buffered, "it was delivered");
        return;
    };
    assert_eq!((got, wakes), (run("b"), 1));
    assert_eq!(actor.load("b").await.inbox, [item]);
    assert!(matches!(
        actor.signal("approve", 2).await,
        DeliveryAck::Delivered { .. }
    ));
    assert_eq!(actor.signal("approve", 3).await, DeliveryAck::Buffered);
    assert_eq!(inbox(&actor, "b").await, [at(3, "approve 1")]);
    assert_eq!(inbox(&actor, "a").await, [at(3, "approve 2")]);
}

/// Clause 7. An earlier wait of the same operation, or a signal that it got, is gone by then.
pub async fn waits_of_one_batch_wait_in_its_order(actor: Actor) {
    for id in ["taken", "withdrawn", "fresh"] {
        actor.start_held(id, "one").await;
    }
    actor.wait("taken", 1, 0, "approve").await;
    actor.signal("approve", 0).await;
    actor.wait("withdrawn", 1, 0, "approve").await;
    let again = |id: &str| {
        let mut commit = actor.change(id, 1, RunStatus::Suspended);
        let wait = NewWaiter::new(Seq(0), "approve".into());
        commit.waiters.push(wait);
        commit
    };
    let mut taken = again("taken");
    taken
        .taken
        .push(actor.load("taken").await.inbox.first().unwrap().id);
    let mut withdrawn = again("withdrawn");
    withdrawn.withdrawn.push(Seq(0));
    let batch = Batch {
        commits: vec![taken, withdrawn, again("fresh")],
        ..Batch::default()
    };
    actor.store.commit(&batch).await.unwrap();
    for id in ["taken", "withdrawn", "fresh"] {
        let DeliveryAck::Delivered { run: got, .. } = actor.signal("approve", 1).await else {
            panic!("nobody waits any more");
        };
        assert_eq!(got, run(id));
    }
}

/// Clause 7. A store that counts changes must not mistake the wait that went for one that came.
pub async fn a_wait_that_replaces_another_hides_no_signal_that_is_ready(actor: Actor) {
    actor.start_held("a", "one").await;
    actor.wait("a", 1, 0, "approve").await;
    assert_eq!(actor.signal("reject", 7).await, DeliveryAck::Buffered);
    let mut commit = actor.change("a", 1, RunStatus::Suspended);
    commit.waiters = vec![
        NewWaiter::new(Seq(0), "pay".into()),
        NewWaiter::new(Seq(1), "reject".into()),
    ];
    let batch = Batch {
        commits: vec![commit],
        ..Batch::default()
    };
    let ack = actor.store.commit(&batch).await.unwrap();
    let delivered = &ack.commits[0].as_ref().unwrap().delivered;
    assert_eq!(delivered.len(), 1, "{delivered:?}");
    assert_eq!(actor.load("a").await.inbox, *delivered);
}

/// Clause 7.
pub async fn a_signal_is_taken_once(actor: Actor) {
    actor.start_held("a", "one").await;
    actor.wait("a", 1, 0, "approve").await;
    let (id, now) = (SignalId::generate(), actor.now());
    let signal = || Delivery::Signal {
        id,
        token: "approve".into(),
        payload: text("yes"),
        at: now,
    };
    let batch = Batch {
        deliveries: vec![signal(), signal()],
        ..Batch::default()
    };
    let ack = actor.store.commit(&batch).await.unwrap();
    let answers: Vec<_> = ack.deliveries.into_iter().map(Result::unwrap).collect();
    assert!(matches!(
        answers.first(),
        Some(DeliveryAck::Delivered { .. })
    ));
    assert_eq!(answers.get(1), Some(&DeliveryAck::Duplicate));
    // Also long after it was taken, and with another waiter at hand.
    let item = actor.load("a").await.inbox.first().unwrap().id;
    let mut commit = actor.change("a", 1, RunStatus::Running);
    commit.taken.push(item);
    actor.commit(commit).await.unwrap();
    actor.wait("a", 1, 1, "approve").await;
    assert_eq!(
        actor.deliver(signal()).await.unwrap(),
        DeliveryAck::Duplicate
    );
    assert_eq!(inbox(&actor, "a").await, []);
}

/// Clause 7.
pub async fn a_signal_wakes_a_run_that_nobody_holds(actor: Actor) {
    actor.start_held("a", "one").await;
    let mut commit = actor.release("a", 1);
    commit
        .waiters
        .push(NewWaiter::new(Seq(0), "approve".into()));
    actor.commit(commit).await.unwrap();
    assert_eq!(ids(&actor.claim_all("two").await), [""; 0]);
    actor.signal("approve", 1).await;
    assert_eq!(ids(&actor.claim_all("two").await), ["a"]);
}

/// Clause 8.
pub async fn a_wait_takes_the_oldest_buffered_signal(actor: Actor) {
    for number in [1, 2] {
        assert_eq!(actor.signal("approve", number).await, DeliveryAck::Buffered);
    }
    actor.start_held("a", "one").await;
    let ack = actor.wait("a", 1, 4, "approve").await;
    let got: Vec<_> = ack
        .delivered
        .iter()
        .filter_map(|item| signal_of(&item.body))
        .collect();
    assert_eq!(got, [at(4, "approve 1")]);
    assert_eq!(actor.load("a").await.inbox, ack.delivered);
    actor.wait("a", 1, 5, "approve").await;
    assert_eq!(
        inbox(&actor, "a").await,
        [at(4, "approve 1"), at(5, "approve 2")]
    );
}

/// Clauses 7, 8 and 11: ids that senders have named are in no order at all.
pub async fn signals_are_in_the_order_of_their_delivery(actor: Actor) {
    let signal = |id: u128| Delivery::Signal {
        id: SignalId(Uuid::from_u128(id)),
        token: "approve".into(),
        payload: text(&id.to_string()),
        at: actor.now(),
    };
    let batch = Batch {
        deliveries: vec![signal(9), signal(5)],
        ..Batch::default()
    };
    actor.store.commit(&batch).await.unwrap();
    actor.deliver(signal(7)).await.unwrap();
    actor.deliver(signal(9)).await.unwrap();
    actor.start_held("a", "one").await;
    for seq in 0..3 {
        actor.wait("a", 1, seq, "approve").await;
    }
    let got = [at(0, "9"), at(1, "5"), at(2, "7")];
    assert_eq!(inbox(&actor, "a").await, got);

    // They go on to the next waits in that order, and back to the buffer.
    actor.start_held("b", "one").await;
    for seq in 0..2 {
        actor.wait("b", 1, seq, "approve").await;
    }
    let mut commit = actor.change("a", 1, RunStatus::Running);
    commit.withdrawn = vec![Seq(2), Seq(0), Seq(1)];
    actor.commit(commit).await.unwrap();
    actor.deliver(signal(1)).await.unwrap();
    assert_eq!(inbox(&actor, "b").await, [at(0, "9"), at(1, "5")]);
    for seq in 2..4 {
        actor.wait("b", 1, seq, "approve").await;
    }
    assert_eq!(
        inbox(&actor, "b").await.split_off(2),
        [at(2, "7"), at(3, "1")]
    );
}

/// Clause 8.
pub async fn a_released_run_whose_wait_is_answered_is_due(actor: Actor) {
    actor.signal("approve", 1).await;
    actor.start_held("a", "one").await;
    let mut commit = actor.release("a", 1);
    commit
        .waiters
        .push(NewWaiter::new(Seq(0), "approve".into()));
    actor.commit(commit).await.unwrap();
    assert_eq!(ids(&actor.claim_all("two").await), ["a"]);
}

/// Clause 11.
pub async fn an_untaken_signal_returns_to_its_old_place(actor: Actor) {
    actor.start_held("a", "one").await;
    actor.wait("a", 1, 0, "approve").await;
    for number in [1, 2] {
        actor.signal("approve", number).await;
    }
    let mut commit = actor.change("a", 1, RunStatus::Running);
    commit.withdrawn.push(Seq(0));
    actor.commit(commit).await.unwrap();
    assert_eq!(inbox(&actor, "a").await, []);
    actor.wait("a", 1, 1, "approve").await;
    assert_eq!(inbox(&actor, "a").await, [at(1, "approve 1")]);
}

/// Clause 11.
pub async fn an_untaken_signal_goes_on_to_the_next_waiter(actor: Actor) {
    for id in ["a", "b"] {
        actor.start_held(id, "one").await;
        actor.wait(id, 1, 0, "approve").await;
    }
    actor.signal("approve", 1).await;
    let mut commit = actor.change("a", 1, RunStatus::Running);
    commit.withdrawn.push(Seq(0));
    actor.commit(commit).await.unwrap();
    assert_eq!(inbox(&actor, "a").await, []);
    assert_eq!(inbox(&actor, "b").await, [at(0, "approve 1")]);
    assert_eq!(actor.run("b").await.wakes, 1);
}

/// Clause 11.
pub async fn a_taken_signal_does_not_return(actor: Actor) {
    actor.start_held("a", "one").await;
    actor.wait("a", 1, 0, "approve").await;
    actor.signal("approve", 1).await;
    let item = actor.load("a").await.inbox.first().unwrap().id;
    let mut commit = actor.change("a", 1, RunStatus::Completed);
    commit.taken.push(item);
    actor.commit(commit).await.unwrap();
    actor.start_held("b", "one").await;
    assert_eq!(actor.wait("b", 1, 0, "approve").await.delivered, []);
}

/// Clause 11.
pub async fn a_closed_wait_gets_no_signal(actor: Actor) {
    actor.start_held("a", "one").await;
    actor.wait("a", 1, 0, "approve").await;
    let mut commit = actor.change("a", 1, RunStatus::Running);
    commit.withdrawn.push(Seq(0));
    actor.commit(commit).await.unwrap();
    assert_eq!(actor.signal("approve", 1).await, DeliveryAck::Buffered);
}

/// Clause 12.
pub async fn an_end_empties_waiters_and_inbox(actor: Actor) {
    actor.start_held("a", "one").await;
    actor.wait("a", 1, 0, "approve").await;
    actor.wait("a", 1, 1, "reject").await;
    actor.signal("approve", 1).await;
    actor.cancel("a").await.unwrap();
    actor
        .commit(actor.change("a", 1, RunStatus::Cancelled))
        .await
        .unwrap();
    assert_eq!(actor.load("a").await.inbox, []);
    assert_eq!(actor.signal("reject", 1).await, DeliveryAck::Buffered);
    actor.start_held("b", "one").await;
    actor.wait("b", 1, 7, "approve").await;
    assert_eq!(inbox(&actor, "b").await, [at(7, "approve 1")]);
}
