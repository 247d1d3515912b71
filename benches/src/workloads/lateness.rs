//! How late timers fire when there are many.

use std::time::Duration;

use axum_durable::durable::DurableBuilder;
use tokio::time::Instant;

use super::bench::Bench;
use crate::{
    load::{percentile, pool},
    report::{Failed, Report, rounded},
};

const RUNS: usize = 10_000;

/// Over how many seconds the timers fall due.
const SECONDS: u64 = 5;

/// Runs that are started and parked in a second at the least.
const RUNS_PER_SECOND: u64 = 400;

/// Runs asleep whose timers fall due within a few seconds: kept in memory, then let go.
pub(crate) async fn lateness(bench: &Bench) -> Result<Report, Failed> {
    let mut kept = measure(bench, "late", |builder| builder).await?;
    let mut report = bench.report("lateness");
    report.runs = Some(kept.len());
    report.seconds = Some(bench.sizes.seconds.unwrap_or(SECONDS));
    report.p50_ms = rounded(percentile(&mut kept, 50));
    report.p99_ms = rounded(percentile(&mut kept, 99));
    if !bench.place.is_volatile() {
        let let_go = |builder: DurableBuilder| builder.evict_after(Duration::ZERO);
        let mut gone = measure(bench, "late-evicted", let_go).await?;
        report.evicted_p50_ms = rounded(percentile(&mut gone, 50));
        report.evicted_p99_ms = rounded(percentile(&mut gone, 99));
    }
    Ok(report)
}

/// How late each timer fired, in milliseconds.
async fn measure(
    bench: &Bench,
    purpose: &str,
    set: fn(DurableBuilder) -> DurableBuilder,
) -> Result<Vec<f64>, Failed> {
    let runs = bench.sizes.runs_or(RUNS);
    let spread = Duration::from_secs(bench.sizes.seconds.unwrap_or(SECONDS));
    let engine = bench.engine_with(purpose, set).await?;
    engine.warm_up(20).await?;
    let lead = Duration::from_secs(5 + runs as u64 / RUNS_PER_SECOND);
    let (first_at, first_due) = (Instant::now() + lead, engine.clock.now() + lead);
    let starter = engine.clone();
    let start = move |i: usize| {
        let (engine, id) = (starter.clone(), format!("late-{i}"));
        let due = first_due + spread.mul_f64(i as f64 / runs as f64);
        async move {
            let input = due.as_millis();
            engine.durable.start(&engine.timer, input).id(id).await?;
            Ok(())
        }
    };
    let sizes = (runs, bench.sizes.in_flight());
    pool("timers", sizes, &bench.progress, start).await?;
    let counts = &engine.counts;
    let is_let_go = purpose == "late-evicted";
    let asleep = || {
        if is_let_go {
            counts.evicted()
        } else {
            counts.parked()
        }
    };
    while asleep() < runs as u64 {
        if Instant::now() > first_at {
            return Err(format!("only {} runs slept before the first timer", asleep()).into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let patience = first_at + spread + Duration::from_secs(120);
    while engine.lateness.lock().len() < runs {
        if Instant::now() > patience {
            return Err("timers were lost".into());
        }
        bench
            .progress
            .show("fired", engine.lateness.lock().len(), runs);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    engine.durable.shutdown().await;
    let lateness = std::mem::take(&mut *engine.lateness.lock());
    Ok(lateness)
}
