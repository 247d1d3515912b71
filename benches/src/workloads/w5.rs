//! W5: how the time of a run grows with its steps.

use tokio::time::Instant;

use super::bench::{Bench, Engine};
use crate::{
    load::exponent,
    report::{Failed, Report, rounded},
};

/// Steps of the measured runs.
const SIZES: [usize; 4] = [100, 500, 2_000, 10_000];

/// Runs of each size in a round, of which the fastest counts: short ones vary more.
const TIMES: [usize; 4] = [4, 2, 1, 1];

/// Rounds over all sizes, because disks have phases: each size is to meet a good one.
const ROUNDS: usize = 3;

/// One run of many steps, for several numbers of them.
pub(crate) async fn w5(bench: &Bench) -> Result<Report, Failed> {
    let engine = bench.engine("w5").await?;
    engine.run_steps("warm".to_owned(), 500).await?;
    let (tally, begun) = (engine.counts.tally(), Instant::now());
    let mut seconds = [f64::INFINITY; SIZES.len()];
    let mut steps = 0;
    for round in 0..ROUNDS {
        for ((second, size), times) in seconds.iter_mut().zip(SIZES).zip(TIMES) {
            bench.progress.show("W5 rounds", round, ROUNDS);
            for i in 0..times {
                *second = second.min(timed(&engine, size, (round, i)).await?);
                steps += size;
            }
        }
    }
    let wall_s = begun.elapsed().as_secs_f64();
    let mut report = bench.report("W5");
    report.written(engine.counts.tally().since(tally), steps, wall_s);
    engine.durable.shutdown().await;
    let points: Vec<_> = SIZES.iter().map(|n| *n as f64).zip(seconds).collect();
    let [n100, n500, n2000, n10000] = seconds;
    report.runs = Some(1);
    report.n100_s = rounded(n100);
    report.n500_s = rounded(n500);
    report.n2000_s = rounded(n2000);
    report.n10000_s = rounded(n10000);
    report.exponent = rounded(exponent(&points));
    Ok(report)
}

/// The seconds that a run of `size` steps takes.
async fn timed(engine: &Engine, size: usize, (round, i): (usize, usize)) -> Result<f64, Failed> {
    let begun = Instant::now();
    let id = format!("w5-{size}-{round}-{i}");
    engine.run_steps(id, size).await?;
    Ok(begun.elapsed().as_secs_f64())
}
