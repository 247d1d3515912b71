//! W2: latency of a run of one step.

use tokio::time::Instant;

use super::{bench::Bench, w1::open_bare};
use crate::{
    load::percentile,
    report::{Failed, Report, rounded},
};

const RUNS: usize = 200;
const WARM_UP: usize = 20;

/// Runs of one step, one at a time, from the start to the result.
pub(crate) async fn w2(bench: &Bench) -> Result<Report, Failed> {
    let (runs, steps) = (bench.sizes.runs_or(RUNS), bench.sizes.steps_or(1));
    let engine = bench.engine("w2").await?;
    engine.warm_up(WARM_UP).await?;
    let (mut bare, _bare_store) = open_bare(bench).await?;
    let mut times = Vec::with_capacity(runs);
    let tally = engine.counts.tally();
    for i in 0..runs {
        let begun = Instant::now();
        engine.run_steps(format!("w2-{i}"), steps).await?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        bare.commit().await?;
        bench.progress.show("W2", i, runs);
    }
    let wall_s = times.iter().sum::<f64>() / 1e3;
    let mut report = bench.report("W2");
    report.written(engine.counts.tally().since(tally), runs * steps, wall_s);
    engine.durable.shutdown().await;
    report.runs = Some(runs);
    report.steps = Some(steps);
    report.wall_s = rounded(wall_s);
    let (p50_ms, bare_ms) = (percentile(&mut times, 50), bare.median_ms());
    report.p50_ms = rounded(p50_ms);
    report.p99_ms = rounded(percentile(&mut times, 99));
    report.bare_commit_ms = rounded(bare_ms);
    report.bare_commits = rounded(p50_ms / bare_ms);
    Ok(report)
}
