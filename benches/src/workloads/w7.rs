//! W7: one run with many children.

use tokio::time::Instant;

use super::bench::{Bench, Engine};
use crate::{
    load::exponent,
    report::{Failed, Report, rounded},
};

/// Children of the measured runs.
const SIZES: [u32; 3] = [10, 100, 1_000];

/// Rounds over all sizes, of which the fastest counts, because disks have phases.
const ROUNDS: usize = 5;

/// One run that starts many children of one step each at once and takes their results.
pub(crate) async fn w7(bench: &Bench) -> Result<Report, Failed> {
    let engine = bench.engine("w7").await?;
    engine.warm_up(20).await?;
    timed(&engine, "warm".to_owned(), 100).await?;
    let mut seconds = [f64::INFINITY; SIZES.len()];
    for round in 0..ROUNDS {
        bench.progress.show("W7 rounds", round, ROUNDS);
        for (second, size) in seconds.iter_mut().zip(SIZES) {
            let id = format!("w7-{size}-{round}");
            *second = second.min(timed(&engine, id, size).await?);
        }
    }
    engine.durable.shutdown().await;
    let points: Vec<_> = SIZES.iter().map(|n| f64::from(*n)).zip(seconds).collect();
    let [n10, n100, n1000] = seconds;
    let mut report = bench.report("W7");
    report.n10_s = rounded(n10);
    report.n100_s = rounded(n100);
    report.n1000_s = rounded(n1000);
    report.exponent = rounded(exponent(&points));
    Ok(report)
}

/// The seconds that a run of `size` children takes.
async fn timed(engine: &Engine, id: String, size: u32) -> Result<f64, Failed> {
    let begun = Instant::now();
    let run = engine.durable.start(&engine.family, size).id(id).await?;
    let ended = run.result().await?;
    if ended != size {
        return Err(format!("{ended} of {size} children gave a result").into());
    }
    Ok(begun.elapsed().as_secs_f64())
}
