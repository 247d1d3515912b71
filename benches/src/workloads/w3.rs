//! W3: latency of a signal.

use std::time::Duration;

use axum_durable::RunHandle;
use tokio::time::Instant;

use super::{
    bench::{Bench, Engine},
    w1::open_bare,
};
use crate::{
    flows::Out,
    load::percentile,
    report::{Failed, Report, rounded},
};

const RUNS: usize = 100;

/// Runs that wait for a signal; one at a time gets it, and its result is awaited.
pub(crate) async fn w3(bench: &Bench) -> Result<Report, Failed> {
    let runs = bench.sizes.runs_or(RUNS);
    let engine = bench.engine("w3").await?;
    engine.warm_up(20).await?;
    let waiting = park_on_signals(&engine, "w3", runs).await?;
    let (mut bare, _bare_store) = open_bare(bench).await?;
    let mut times = Vec::with_capacity(runs);
    let tally = engine.counts.tally();
    for run in &waiting {
        times.push(signal_one(&engine, run).await?);
        bare.commit().await?;
        bench.progress.show("W3", times.len(), runs);
    }
    let wall_s = times.iter().sum::<f64>() / 1e3;
    let mut report = bench.report("W3");
    report.written(engine.counts.tally().since(tally), runs, wall_s);
    engine.durable.shutdown().await;
    report.runs = Some(runs);
    report.wall_s = rounded(wall_s);
    let (p50_ms, bare_ms) = (percentile(&mut times, 50), bare.median_ms());
    report.p50_ms = rounded(p50_ms);
    report.p99_ms = rounded(percentile(&mut times, 99));
    report.bare_commit_ms = rounded(bare_ms);
    report.bare_commits = rounded(p50_ms / bare_ms);
    Ok(report)
}

/// Starts `runs` runs that wait for a signal each; all waits are stored when it returns.
pub(crate) async fn park_on_signals(
    engine: &Engine,
    tag: &str,
    runs: usize,
) -> Result<Vec<RunHandle<Out>>, Failed> {
    let before = engine.counts.parked();
    let mut waiting = Vec::with_capacity(runs);
    for i in 0..runs {
        let id = format!("{tag}-{i}");
        waiting.push(engine.durable.start(&engine.signal, 0).id(id).await?);
    }
    while engine.counts.parked() - before < runs as u64 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    Ok(waiting)
}

/// Signals a run and awaits its result. Returns the milliseconds that it took.
pub(crate) async fn signal_one(engine: &Engine, run: &RunHandle<Out>) -> Result<f64, Failed> {
    let begun = Instant::now();
    let token = run.id().as_str();
    engine.durable.signal(token, Out::new(1)).await?;
    run.result().await?;
    Ok(begun.elapsed().as_secs_f64() * 1e3)
}
