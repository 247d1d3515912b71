//! Connections that are lost, closed by half, slow or silent.

use std::time::Duration;

use rand::RngExt;

use crate::support::{
    customers::{Customers, seeded},
    engine::{Counts, completed, open, start_all},
    place::{Place, on_every_server, short_or_long, soon},
    proxy::{Loss, Way},
    shop::Fleet,
};

on_every_server!(
    a_commit_whose_answer_is_lost_counts_once,
    a_connection_is_lost_anywhere,
    shops_lose_connections,
    a_database_restarts_under_load,
    connections_are_closed_by_half,
    connections_fall_silent,
    a_database_is_slow,
);

const STEPS: u32 = 5;
const RUNS: u32 = 8;

/// Loses connections in the middle of commits, where `bytes` are sent.
async fn lose_connections(place: &Place, bytes: &'static [u8], most_passes: u32, rounds: u32) {
    let mut rng = seeded();
    let proxy = place.proxy().await;
    let counts = Counts::default();
    let flow = counts.steps();
    let durable = open(&place.url_behind(&proxy), |it| it.register(flow.clone())).await;
    for round in 0..rounds {
        let loss = [Loss::Answer, Loss::Request][round as usize % 2];
        proxy.set_trap(bytes, rng.random_range(0..most_passes), loss);
        let name = format!("lost-{round}");
        let runs = async {
            start_all(&durable, &flow, (&name, RUNS), |_| STEPS).await;
            proxy.has_sprung(u64::from(round) + 1).await;
        };
        soon("the loss of a connection", runs).await;
    }
    completed(place, rounds * RUNS).await;
    // This process has lived on, so nothing was executed twice for any reason.
    counts.assert_once(rounds * RUNS * STEPS);
    durable.shutdown().await;
}

/// The name of a run is in every message that writes one, whatever the statements are.
async fn a_commit_whose_answer_is_lost_counts_once(place: Place) {
    lose_connections(&place, b"lost-", 5, short_or_long(10, 300)).await;
}

async fn a_connection_is_lost_anywhere(place: Place) {
    lose_connections(&place, b"", 12, short_or_long(10, 300)).await;
}

async fn shops_lose_connections(place: Place) {
    let mut rng = seeded();
    let proxy = place.proxy().await;
    let settings = [("CHECKOUT_STEP_MS", "10"), ("CHECKOUT_SETTLE_MS", "50")];
    let mut fleet = Fleet::new(&place, 2, &settings).at(place.url_behind(&proxy));
    fleet.open_all().await;
    let (orders, losses) = short_or_long((60, 15), (2_000, 600));
    let customers = Customers::send(&fleet.door, (8, orders), 50, &mut rng);
    for loss in 0..losses {
        // The shop's own transactions are hit as well as those of its workflows.
        let lost = [Loss::Answer, Loss::Request][rng.random_range(0..2)];
        proxy.set_trap(b"order-", rng.random_range(0..20), lost);
        // The last orders may have ended before the trap is reached.
        let sprung = tokio::time::timeout(Duration::from_secs(2), proxy.has_sprung(loss + 1));
        if sprung.await.is_err() {
            break;
        }
    }
    println!("{} connections lost", proxy.sprung());
    customers.check(&fleet, &place, losses).await;
}

async fn a_database_restarts_under_load(place: Place) {
    let mut rng = seeded();
    let proxy = place.proxy().await;
    let settings = [("CHECKOUT_STEP_MS", "20"), ("CHECKOUT_SETTLE_MS", "100")];
    let mut fleet = Fleet::new(&place, 3, &settings).at(place.url_behind(&proxy));
    fleet.open_all().await;
    let (orders, restarts) = short_or_long((90, 2), (3_000, 30));
    let customers = Customers::send(&fleet.door, (12, orders), 100, &mut rng);
    for _ in 0..restarts {
        // By chance, and not at an event: a database restarts in the middle of anything.
        tokio::time::sleep(Duration::from_millis(rng.random_range(100..500))).await;
        proxy.refuse(true);
        place.end_connections().await;
        // The time that the restart takes: long enough for every shop to find nobody there.
        tokio::time::sleep(Duration::from_secs(1)).await;
        proxy.refuse(false);
    }
    // Without a lock that can be trusted, an instance may be taken for dead at each restart.
    customers.check(&fleet, &place, 3 * restarts).await;
}

async fn connections_are_closed_by_half(place: Place) {
    disturb(&place, |proxy, round| {
        proxy.half_close([Way::ToServer, Way::ToClient][round % 2]);
    })
    .await;
}

async fn connections_fall_silent(place: Place) {
    disturb(&place, |proxy, round| {
        // Whatever is under way stays so; new connections are well.
        let way = [Way::ToServer, Way::ToClient][round % 2];
        proxy.fall_silent(way);
    })
    .await;
}

/// Starts runs, disturbs all connections, starts more, and expects all of them to end.
async fn disturb(place: &Place, disturbance: impl Fn(&crate::support::proxy::Proxy, usize)) {
    let proxy = place.proxy().await;
    let counts = Counts::default();
    let flow = counts.steps();
    let durable = open(&place.url_behind(&proxy), |it| it.register(flow.clone())).await;
    let rounds = short_or_long(2, 40);
    for round in 0..rounds {
        let name = format!("r{round}");
        let starts = async {
            tokio::join!(
                start_all(&durable, &flow, (&name, RUNS), |_| STEPS),
                async { disturbance(&proxy, round as usize) }
            )
        };
        soon("the starts", starts).await;
        completed(place, (round + 1) * RUNS).await;
    }
    durable.shutdown().await;
}

async fn a_database_is_slow(place: Place) {
    let proxy = place.proxy().await;
    let counts = Counts::default();
    let flow = counts.steps();
    let lease = short_or_long(Duration::from_secs(6), Duration::from_secs(15));
    let add =
        |it: axum_durable::durable::DurableBuilder| it.register(flow.clone()).lease_ttl(lease);
    let slow = open(&place.url_behind(&proxy), add).await;
    let other = open(&place.url(), add).await;
    let delay = short_or_long(Duration::from_millis(100), Duration::from_secs(1));
    proxy.delay(Way::ToServer, delay);
    proxy.delay(Way::ToClient, delay);
    soon("the starts", start_all(&slow, &flow, ("slow", 50), |_| 3)).await;
    completed(&place, 50).await;
    counts.assert_once(150);
    // The other one has seen it renew its lease, however late.
    let recovered = "SELECT count(*) FROM durable_runs WHERE token > 1";
    assert_eq!(place.number(recovered).await, 0);
    let instances = "SELECT count(*) FROM durable_instances";
    assert_eq!(place.number(instances).await, 2);
    proxy.delay(Way::ToServer, Duration::ZERO);
    proxy.delay(Way::ToClient, Duration::ZERO);
    slow.shutdown().await;
    other.shutdown().await;
}
