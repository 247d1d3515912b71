//! W3 across two processes: one executes, the other one signals and awaits.

use std::time::Duration;

use axum_durable::{RunHandle, RunStatus};
use tokio::time::Instant;

use super::{
    bench::{Bench, Engine},
    w3::signal_one,
};
use crate::{
    child::Child,
    flows::{Effects, Gate, Out},
    load::percentile,
    report::{Failed, Report, rounded},
};

const RUNS: usize = 100;

/// Signals that are not measured: they fill pools and statement caches of both processes.
const WARM_UP: usize = 10;

/// No run takes this long until it waits.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs that wait for a signal in another process; one at a time gets it from here, and its result
/// is awaited here.
pub(crate) async fn across(bench: &Bench) -> Result<Report, Failed> {
    if bench.place.is_volatile() {
        return Err("`across` does not apply: memory is not shared by processes".into());
    }
    let (place, _files) = bench.place.fresh("across").await?;
    let effects = Effects::new(None, Gate::Open);
    let engine = Engine::over(place.open().await?, effects, |it| it.drive(false)).await?;
    let mut driver = Child::spawn("drive", &place, &[])?;
    driver.line_after("BEGIN").await?;
    let runs = bench.sizes.runs_or(RUNS);
    let mut waiting = Vec::with_capacity(WARM_UP + runs);
    for i in 0..WARM_UP + runs {
        let id = format!("across-{i}");
        waiting.push(engine.durable.start(&engine.signal, 0).id(id).await?);
    }
    for run in &waiting {
        wait_until_parked(run).await?;
    }
    let mut times = Vec::with_capacity(runs);
    for (i, run) in waiting.iter().enumerate() {
        let time = signal_one(&engine, run).await?;
        if i >= WARM_UP {
            times.push(time);
        }
        bench.progress.show("W3 across", i, waiting.len());
    }
    engine.durable.shutdown().await;
    driver.kill().await?;
    let mut report = bench.report("across");
    report.runs = Some(runs);
    report.wall_s = rounded(times.iter().sum::<f64>() / 1e3);
    report.p50_ms = rounded(percentile(&mut times, 50));
    report.p99_ms = rounded(percentile(&mut times, 99));
    Ok(report)
}

async fn wait_until_parked(run: &RunHandle<Out>) -> Result<(), Failed> {
    let deadline = Instant::now() + PATIENCE;
    while run.status().await? != RunStatus::Suspended {
        if Instant::now() > deadline {
            return Err("the other process does not take the runs".into());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
