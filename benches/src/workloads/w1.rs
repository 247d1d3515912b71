//! W1: throughput of short runs, and the ceiling that it is held against.

use axum_durable::store::LivenessLock;
use tokio::time::Instant;

use super::bench::{Bench, Engine};
use crate::{
    ceiling::{Bare, Ceiling},
    flows::{Effects, Gate},
    load::pool,
    place::Files,
    report::{Failed, Report, rounded},
    server::Server,
};

const RUNS: usize = 2_000;
const STEPS: usize = 5;

/// Bare commits measured beside the ceiling.
const BARE_COMMITS: usize = 200;

/// Runs that are not measured: they fill pools, caches and statement caches.
const WARM_UP: usize = 256;

/// Many runs of few steps, a number of them in flight.
pub(crate) async fn w1(bench: &Bench) -> Result<Report, Failed> {
    let (runs, steps) = (bench.sizes.runs_or(RUNS), bench.sizes.steps_or(STEPS));
    let in_flight = bench.sizes.in_flight();
    let before = measure_ceiling(bench, "ceiling-before").await?;
    let mut report = bench.report("W1");

    let apart = bench.apart().await?;
    let server = Server::of(&bench.place, &apart.place).await?;
    let (place, _files) = apart.place.fresh("w1").await?;
    // Tables are made here, so that they are not counted.
    drop(place.open().await?);
    let counted = match &server {
        Some(server) => server.left_alone().await?,
        None => 0,
    };
    let effects = Effects::new(None, Gate::Open);
    let engine = Engine::over(place.open().await?, effects, |it| it).await?;
    let run = |tag: &'static str| {
        let engine = engine.clone();
        move |i: usize| {
            let engine = engine.clone();
            async move { engine.run_steps(format!("{tag}-{i}"), steps).await }
        }
    };
    let progress = &bench.progress;
    pool("W1 warm-up", (WARM_UP, in_flight), progress, run("warm")).await?;
    let (tally, begun) = (engine.counts.tally(), Instant::now());
    pool("W1", (runs, in_flight), progress, run("w1")).await?;
    let wall_s = begun.elapsed().as_secs_f64();
    report.written(engine.counts.tally().since(tally), runs * steps, wall_s);
    engine.durable.shutdown().await;
    drop(engine);
    if let Some(server) = server {
        let made = server.left_alone().await? - counted;
        report.db_commits_per_step = rounded(made as f64 / ((WARM_UP + runs) * steps) as f64);
    }

    let after = measure_ceiling(bench, "ceiling-after").await?;
    let (ceiling, steps_s) = (before.max(after), (runs * steps) as f64 / wall_s);
    report.runs = Some(runs);
    report.steps = Some(steps);
    report.in_flight = Some(in_flight);
    report.wall_s = rounded(wall_s);
    report.runs_s = rounded(runs as f64 / wall_s);
    report.steps_s = rounded(steps_s);
    report.ceiling_steps_s = rounded(ceiling);
    report.ratio = rounded(steps_s / ceiling);
    Ok(report)
}

/// The ceiling alone.
pub(crate) async fn ceiling(bench: &Bench) -> Result<Report, Failed> {
    let mut report = bench.report("ceiling");
    report.in_flight = Some(bench.sizes.in_flight());
    report.ceiling_steps_s = rounded(measure_ceiling(bench, "ceiling").await?);
    let mut bare = open_bare(bench).await?;
    for _ in 0..BARE_COMMITS {
        bare.0.commit().await?;
    }
    report.bare_commit_ms = rounded(bare.0.median_ms());
    Ok(report)
}

async fn measure_ceiling(bench: &Bench, purpose: &str) -> Result<f64, Failed> {
    let (store, _files) = bench.place.create(purpose).await?;
    let (ceiling, _lock) = Ceiling::new(store).await?;
    let steps = bench.sizes.steps_or(STEPS);
    ceiling
        .steps_per_second(bench.sizes.in_flight(), steps)
        .await
}

/// Bare commits on a store of their own. W2 and W3 make one beside each of their runs, because
/// disks have phases: what is compared must be measured at the same time.
pub(crate) async fn open_bare(bench: &Bench) -> Result<(Bare, (LivenessLock, Files)), Failed> {
    let (store, files) = bench.place.create("bare").await?;
    let (ceiling, lock) = Ceiling::new(store).await?;
    Ok((ceiling.bare().await?, (lock, files)))
}
