//! Much at once, and clients that do not wait for the answer.

use std::{future::poll_fn, sync::Arc, task::Poll};

use axum_durable::time::Timestamp;
use parking_lot::Mutex;
use serde_json::json;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::support::{
    engine::{Counts, completed, flow, open, start_all},
    place::{Place, on_every_database, short_or_long, soon, until},
    shop::Fleet,
};

on_every_database!(
    many_timers_are_due_in_one_second,
    clients_go_away_in_the_middle_of_a_request,
    starts_are_dropped_in_the_middle,
);

async fn many_timers_are_due_in_one_second(place: Place) {
    let timers = short_or_long(2_000, 10_000);
    let late: Arc<Mutex<Vec<u64>>> = Arc::default();
    let alarm = {
        let late = Arc::clone(&late);
        flow("alarm", move |ctx, at: i64| {
            let late = Arc::clone(&late);
            async move {
                let at = Timestamp::from_millis(at);
                ctx.sleep_until(at).await;
                let now = ctx.now();
                assert!(now >= at, "{now:?} is before {at:?}");
                late.lock()
                    .push(u64::try_from(now.since(at).as_millis()).unwrap());
                Ok(())
            }
        })
    };
    let durable = open(&place.url(), |it| it.register(alarm.clone())).await;
    let now = durable.engine().clock().now().as_millis();
    let lead = short_or_long(6_000, 60_000);
    let at = |n: u32| now + lead + i64::from(n % 1_000);
    soon("the starts", start_all(&durable, &alarm, ("t", timers), at)).await;
    completed(&place, timers).await;
    let mut late = late.lock().clone();
    late.sort_unstable();
    assert_eq!(late.len(), timers as usize);
    println!(
        "{timers} timers: half of them at most {} ms late, the last one {} ms",
        late[late.len() / 2],
        late[late.len() - 1]
    );
    durable.shutdown().await;
}

async fn clients_go_away_in_the_middle_of_a_request(place: Place) {
    let orders = short_or_long(100_u32, 3_000);
    let settings = [("CHECKOUT_STEP_MS", "0"), ("CHECKOUT_SETTLE_MS", "10")];
    let mut fleet = Fleet::new(&place, 1, &settings);
    fleet.open(0).await;
    let address = fleet.door.address(0);
    for n in 0..orders {
        let order = json!({
            "id": n.to_string(), "sku": "mug", "quantity": 1, "total_cents": 100, "email": "a@b",
        });
        let order = order.to_string();
        let head = "POST /orders HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\n";
        let request = format!("{head}content-length: {}\r\n\r\n{order}", order.len());
        let mut stream = TcpStream::connect(&address).await.unwrap();
        // Some leave before the end of their order, some right after it.
        let sent = if n % 4 == 0 {
            request.len() - 5
        } else {
            request.len()
        };
        stream.write_all(&request.as_bytes()[..sent]).await.unwrap();
        drop(stream);
        fleet.door.decide(&n.to_string(), true).await;
    }
    // Each of them orders again, which finds the first order if it was taken.
    for n in 0..orders {
        fleet.door.place(&n.to_string(), 1).await;
    }
    let all = i64::from(orders);
    let shipped =
        "SELECT count(*) FROM durable_runs WHERE status = 'completed' AND workflow = 'checkout'";
    until("the end of all orders", || async {
        place.number(shipped).await == all
    })
    .await;
    assert_eq!(place.number("SELECT count(*) FROM charges").await, all);
    let executions: Vec<i64> = place.column("SELECT executions FROM effects").await;
    assert_eq!(executions.len(), 5 * orders as usize);
    assert!(executions.iter().all(|it| *it == 1));
    assert!(fleet.terminate(0).await.success());
}

/// A handler's future is dropped when its client has gone.
async fn starts_are_dropped_in_the_middle(place: Place) {
    let runs = short_or_long(200, 5_000);
    let counts = Counts::default();
    let work = counts.steps();
    let durable = open(&place.url(), |it| it.register(work.clone())).await;
    for n in 0..runs {
        let start = durable.start(work.clone(), 2).id(format!("s-{n}"));
        let mut start = std::pin::pin!(start.into_future());
        let mut polls = n % 3;
        poll_fn(|cx| {
            let is_ready = start.as_mut().poll(cx).is_ready();
            if is_ready || polls == 0 {
                return Poll::Ready(());
            }
            polls -= 1;
            Poll::Pending
        })
        .await;
    }
    soon("the starts", start_all(&durable, &work, ("s", runs), |_| 2)).await;
    completed(&place, runs).await;
    counts.assert_once(2 * runs);
    durable.shutdown().await;
}
