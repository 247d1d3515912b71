//! W4: what a waiting run costs in memory.

use std::{
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

use axum_durable::durable::DurableBuilder;
use tokio::time::Instant;

use super::bench::{Bench, Engine};
use crate::{
    alloc::Memory,
    load::pool,
    progress::Progress,
    report::{Failed, Report, rounded},
};

const RUNS: usize = 5_000;
const WARM_UP: usize = 50;

/// Runs that sleep for an hour: kept in memory, then let go.
///
/// The memory store keeps its rows on the same heap. There the difference between the two is what
/// a kept run costs, and what one costs that was let go cannot be told from its rows.
pub(crate) async fn w4(bench: &Bench) -> Result<Report, Failed> {
    let runs = bench.sizes.runs_or(RUNS);
    let kept = park_all(bench, "w4", runs, |builder| builder).await?;
    let gone = park_all(bench, "w4-evicted", runs, |builder| {
        builder.evict_after(Duration::ZERO)
    })
    .await?;
    let mut report = bench.report("W4");
    let rows = if bench.place.is_volatile() {
        gone.heap
    } else {
        report.bytes_per_evicted_run = rounded(gone.heap);
        0.0
    };
    report.runs = Some(runs);
    report.in_flight = Some(bench.sizes.in_flight());
    report.start_all_s = rounded(kept.start_all_s);
    report.parked_all_s = rounded(kept.parked_all_s);
    report.future_bytes = Some(kept.future_bytes);
    report.bytes_per_parked_run = rounded(kept.heap - rows - kept.future_bytes as f64);
    report.rss_per_parked_run = rounded(kept.resident);
    Ok(report)
}

/// What parking cost.
struct Parked {
    start_all_s: f64,
    parked_all_s: f64,
    future_bytes: usize,
    /// Per run.
    heap: f64,
    /// Per run.
    resident: f64,
}

async fn park_all(
    bench: &Bench,
    purpose: &str,
    runs: usize,
    set: fn(DurableBuilder) -> DurableBuilder,
) -> Result<Parked, Failed> {
    let engine = bench.engine_with(purpose, set).await?;
    engine.warm_up(WARM_UP).await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let before = Memory::now()?;
    let in_flight = bench.sizes.in_flight();
    let (start_all_s, parked_all_s) =
        park(&engine, "w4", (runs, in_flight), &bench.progress).await?;
    if purpose == "w4-evicted" {
        while engine.counts.evicted() < runs as u64 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let (heap, resident) = Memory::now()?.per_run(before, runs);
    let future_bytes = engine.future_bytes.load(SeqCst);
    engine.durable.shutdown().await;
    Ok(Parked {
        start_all_s,
        parked_all_s,
        future_bytes,
        heap,
        resident,
    })
}

/// Starts `runs` sleeping runs. Returns the seconds until the last start was acknowledged, and
/// until all waits were stored.
pub(crate) async fn park(
    engine: &Engine,
    tag: &str,
    (runs, in_flight): (usize, usize),
    progress: &Arc<Progress>,
) -> Result<(f64, f64), Failed> {
    let parked = engine.counts.parked();
    let begun = Instant::now();
    let (starter, tag) = (engine.clone(), tag.to_owned());
    let start = move |i: usize| {
        let (engine, id) = (starter.clone(), format!("{tag}-{i}"));
        async move {
            engine.durable.start(&engine.park, 0).id(id).await?;
            Ok(())
        }
    };
    pool("W4", (runs, in_flight), progress, start).await?;
    let started = begun.elapsed().as_secs_f64();
    while engine.counts.parked() - parked < runs as u64 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok((started, begun.elapsed().as_secs_f64()))
}
