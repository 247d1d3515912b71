//! What an instance with nothing to do costs its server.

use std::time::Duration;

use axum_durable::durable::DurableBuilder;

use super::bench::{Bench, Engine};
use crate::{
    flows::{Effects, Gate},
    place::Place,
    report::{Failed, Report, rounded},
    server::Server,
};

const SECONDS: u64 = 30;

/// How long an instance has to come to rest, and its control plane to be found alive. PostgreSQL
/// adds up what a connection did ten seconds after that at the latest.
const REST: Duration = Duration::from_secs(12);

/// Queries per second of one instance with nothing to do: with what the store has to tell news by,
/// and with polls alone.
pub(crate) async fn idle(bench: &Bench) -> Result<Report, Failed> {
    let place = bench.apart().await?.place;
    let server = Server::of(&bench.place, &place).await?;
    let server = server.ok_or("`idle` does not apply: there is no server that counts")?;
    let seconds = bench.sizes.seconds.unwrap_or(SECONDS);
    let told = queries(bench, (&server, &place), seconds, |it| it).await?;
    let polling = queries(bench, (&server, &place), seconds, |it| {
        it.without_control_plane()
    });
    let polling = polling.await?;
    let mut report = bench.report("idle");
    report.seconds = Some(seconds);
    report.queries_s = rounded(told);
    report.queries_polling_s = rounded(polling);
    Ok(report)
}

async fn queries(
    bench: &Bench,
    (server, place): (&Server, &Place),
    seconds: u64,
    set: fn(DurableBuilder) -> DurableBuilder,
) -> Result<f64, Failed> {
    let (store, _files) = place.create("idle").await?;
    let engine = Engine::over(store, Effects::new(None, Gate::Open), set).await?;
    engine.warm_up(1).await?;
    tokio::time::sleep(REST).await;
    let before = server.queries().await?;
    for second in 0..seconds {
        bench
            .progress
            .show("idle", usize::try_from(second)?, usize::try_from(seconds)?);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let made = server.queries().await? - before;
    engine.durable.shutdown().await;
    Ok(made as f64 / seconds as f64)
}
