//! Keeping a number of things under way, and what comes out of many times.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use tokio::task::JoinSet;

use crate::{progress::Progress, report::Failed};

/// Calls `work` for 0 to `count` − 1, with `in_flight` of them under way.
pub(crate) async fn pool<F, Fut>(
    what: &'static str,
    (count, in_flight): (usize, usize),
    progress: &Arc<Progress>,
    work: F,
) -> Result<(), Failed>
where
    F: Fn(usize) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Failed>> + Send,
{
    let (next, work) = (Arc::new(AtomicUsize::new(0)), Arc::new(work));
    let mut tasks = JoinSet::new();
    for _ in 0..in_flight.min(count) {
        let (next, work, progress) = (Arc::clone(&next), Arc::clone(&work), Arc::clone(progress));
        tasks.spawn(async move {
            loop {
                let i = next.fetch_add(1, Relaxed);
                if i >= count {
                    return Ok::<(), Failed>(());
                }
                work(i).await?;
                progress.show(what, i, count);
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

/// The value below which `percent` of `values` lie; 0 of none.
pub(crate) fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = (values.len() * percent / 100).min(values.len().saturating_sub(1));
    values.get(place).copied().unwrap_or_default()
}

/// The exponent `b` of `t = a · n^b` that fits `points` of `(n, t)` best: least squares of the
/// logarithms.
pub(crate) fn exponent(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> = points.iter().map(|(n, t)| (n.ln(), t.ln())).collect();
    let count = logs.len() as f64;
    let mean_x = logs.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = logs.iter().map(|(_, y)| y).sum::<f64>() / count;
    let covariance: f64 = logs.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let variance: f64 = logs.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    covariance / variance
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponent_of_a_power_is_found() {
        let points = [100.0, 500.0, 2_000.0, 10_000.0].map(|n: f64| (n, 3.0 * n.powf(1.5)));
        assert!((exponent(&points) - 1.5).abs() < 1e-9);
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let mut values = [3.0, 1.0, 2.0, 4.0];
        assert!((percentile(&mut values, 50) - 3.0).abs() < 1e-9);
        assert!((percentile(&mut values, 99) - 4.0).abs() < 1e-9);
        assert!(percentile(&mut [], 50).abs() < 1e-9);
    }
}
