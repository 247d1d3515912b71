//! Clauses 1 to 5, with envelopes alone.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "what fails is meant to fail its case"
)]

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::FutureExt as _;

use crate::testing::app::stop;
use crate::transport::{Channel, Delivery, Envelope, Subscription, Transport};

/// How long a case waits for what must come. Only one that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// More than a transport holds in memory if it is sensible, few enough for a test.
const MANY: u32 = 3_000;

pub(super) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(PATIENCE, future).await;
    done.unwrap_or_else(|_| stop(&format!("{what} does not come")))
}

/// A transport and short ways to use it.
struct Line {
    transport: Arc<dyn Transport>,
}

impl Line {
    async fn subscribe(&self, channel: Channel) -> Box<dyn Subscription> {
        self.transport.subscribe(channel).await.unwrap()
    }

    async fn send(&self, channel: Channel, number: u32) {
        let envelope = Envelope::encode(channel, &number).unwrap();
        let sent = self.transport.publish(envelope);
        soon("room", sent).await.unwrap();
    }
}

async fn next(subscription: &mut Box<dyn Subscription>) -> Delivery {
    soon("an envelope", subscription.next()).await.unwrap()
}

/// Takes the next envelope and acknowledges it.
async fn take(subscription: &mut Box<dyn Subscription>) -> u32 {
    let delivery = next(subscription).await;
    let number = delivery.envelope.decode().unwrap();
    delivery.ack().await;
    number
}

/// Takes envelopes until this one has come; answers with those before.
async fn take_until(subscription: &mut Box<dyn Subscription>, last: u32) -> Vec<u32> {
    let mut before = Vec::new();
    loop {
        match take(subscription).await {
            number if number == last => return before,
            number => before.push(number),
        }
    }
}

/// Clause 1.
pub async fn an_envelope_reaches_one_subscriber(transport: Arc<dyn Transport>) {
    let line = Line { transport };
    let mut one = line.subscribe(Channel::StepTasks).await;
    let mut other = line.subscribe(Channel::StepTasks).await;
    for number in 0..20 {
        line.send(Channel::StepTasks, number).await;
    }
    let mut came = BTreeMap::<u32, u32>::new();
    while came.len() < 20 {
        let both = async {
            tokio::select! {
                delivery = one.next() => delivery,
                delivery = other.next() => delivery,
            }
        };
        let delivery = soon("an envelope", both).await.unwrap();
        *came.entry(delivery.envelope.decode().unwrap()).or_default() += 1;
        delivery.ack().await;
    }
    assert!(came.values().all(|times| *times == 1), "{came:?}");
}

/// Clause 1.
pub async fn channels_do_not_mix(transport: Arc<dyn Transport>) {
    let line = Line { transport };
    let mut tasks = line.subscribe(Channel::StepTasks).await;
    let mut results = line.subscribe(Channel::Results).await;
    line.send(Channel::Results, 1).await;
    line.send(Channel::StepTasks, 2).await;
    assert_eq!(take(&mut tasks).await, 2);
    assert_eq!(take(&mut results).await, 1);
}

/// Clause 1.
pub async fn an_envelope_waits_for_a_subscriber(transport: Arc<dyn Transport>) {
    let line = Line { transport };
    line.send(Channel::StepTasks, 1).await;
    let mut tasks = line.subscribe(Channel::StepTasks).await;
    assert_eq!(take(&mut tasks).await, 1);
}

/// Clause 2.
pub async fn an_acknowledged_envelope_does_not_come_again(transport: Arc<dyn Transport>) {
    let line = Line { transport };
    let mut tasks = line.subscribe(Channel::StepTasks).await;
    line.send(Channel::StepTasks, 1).await;
    assert_eq!(take(&mut tasks).await, 1);
    // Also not to another one, once the first has gone.
    drop(tasks);
    let mut tasks = line.subscribe(Channel::StepTasks).await;
    line.send(Channel::StepTasks, 2).await;
    assert_eq!(take_until(&mut tasks, 2).await, [0; 0]);
}

/// Clause 2.
pub async fn a_dropped_delivery_holds_up_no_other(transport: Arc<dyn Transport>) {
    let line = Line { transport };
    let mut tasks = line.subscribe(Channel::StepTasks).await;
    line.send(Channel::StepTasks, 1).await;
    drop(next(&mut tasks).await);
    line.send(Channel::StepTasks, 2).await;
    let again = take_until(&mut tasks, 2).await;
    assert!(again.iter().all(|number| *number == 1), "{again:?}");
}

/// Clauses 1 and 2: one that waits, and one that has taken something and not dealt with it.
pub async fn a_subscriber_that_dies_takes_nothing_along(transport: Arc<dyn Transport>) {
    let line = Line { transport };
    let mut idle = line.subscribe(Channel::StepTasks).await;
    assert!(idle.next().now_or_never().is_none(), "nothing was sent");
    drop(idle);
    line.send(Channel::StepTasks, 1).await;
    let mut busy = line.subscribe(Channel::StepTasks).await;
    let delivery = next(&mut busy).await;
    assert_eq!(delivery.envelope.decode::<u32>().unwrap(), 1);
    drop((delivery, busy));
    line.send(Channel::StepTasks, 2).await;
    let mut heir = line.subscribe(Channel::StepTasks).await;
    let again = take_until(&mut heir, 2).await;
    assert!(again.iter().all(|number| *number == 1), "{again:?}");
}

/// Clause 3.
pub async fn publishing_goes_on_when_there_is_room_again(transport: Arc<dyn Transport>) {
    let line = Line { transport };
    let mut tasks = line.subscribe(Channel::StepTasks).await;
    let publish = async {
        for number in 0..MANY {
            line.send(Channel::StepTasks, number).await;
        }
    };
    let receive = async {
        let mut came = vec![false; MANY as usize];
        while came.contains(&false) {
            let number = take(&mut tasks).await;
            came.get_mut(number as usize).map(|it| *it = true).unwrap();
        }
    };
    tokio::join!(publish, receive);
}

/// Clause 4.
pub async fn an_envelope_comes_as_it_was_sent(transport: Arc<dyn Transport>) {
    let line = Line { transport };
    let mut tasks = line.subscribe(Channel::StepTasks).await;
    let bodies = [
        Bytes::new(),
        Bytes::from_iter(0..=u8::MAX),
        Bytes::from(vec![b'x'; 100_000]),
    ];
    for body in bodies {
        let envelope = Envelope {
            channel: Channel::StepTasks,
            body: body.clone(),
        };
        line.transport.publish(envelope).await.unwrap();
        let delivery = next(&mut tasks).await;
        assert_eq!(delivery.envelope.channel, Channel::StepTasks);
        assert!(delivery.envelope.body == body, "{} bytes", body.len());
        delivery.ack().await;
    }
}

/// Clause 4: of the default of `max_payload`, with its wrapping.
pub async fn a_large_envelope_comes_whole_or_is_refused(transport: Arc<dyn Transport>) {
    let line = Line { transport };
    let mut tasks = line.subscribe(Channel::StepTasks).await;
    let body = Bytes::from(vec![7; 9 * 1024 * 1024]);
    let envelope = Envelope {
        channel: Channel::StepTasks,
        body: body.clone(),
    };
    if line.transport.publish(envelope).await.is_ok() {
        let delivery = next(&mut tasks).await;
        assert!(delivery.envelope.body == body, "it is cut");
        delivery.ack().await;
    }
    line.send(Channel::StepTasks, 1).await;
    assert_eq!(take(&mut tasks).await, 1);
}

/// Clause 5.
pub async fn a_wait_that_is_dropped_loses_nothing(transport: Arc<dyn Transport>) {
    let line = Line { transport };
    let mut tasks = line.subscribe(Channel::StepTasks).await;
    for number in 0..20 {
        assert!(tasks.next().now_or_never().is_none(), "nothing was sent");
        line.send(Channel::StepTasks, number).await;
        assert_eq!(take(&mut tasks).await, number);
    }
}
