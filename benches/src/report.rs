//! The line that a measurement prints.

use std::{error::Error, io::Write};

use serde::Serialize;

/// Why a measurement could not be made.
pub(crate) type Failed = Box<dyn Error + Send + Sync>;

/// The result of a measurement; what does not apply is left out.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) workload: &'static str,
    pub(crate) store: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) runs: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) steps: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) in_flight: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) wall_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) runs_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) steps_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p50_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p99_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bare_commit_ms: Option<f64>,
    /// The median in bare commits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bare_commits: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) commits_per_step: Option<f64>,
    /// The same as the server counts them, with those of everything else that it did meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) db_commits_per_step: Option<f64>,
    /// Changes (starts, deliveries, run commits) in one call of the store, on average.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) changes_per_commit: Option<f64>,
    /// The part of the time during which the store was writing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) store_busy: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) start_all_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parked_all_s: Option<f64>,
    /// Heap per waiting run beyond the user's own future.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes_per_parked_run: Option<f64>,
    /// Heap per waiting run that was let go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes_per_evicted_run: Option<f64>,
    /// The user's own future.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) future_bytes: Option<usize>,
    /// Growth of resident memory per waiting run, all included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rss_per_parked_run: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) n10_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) n100_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) n500_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) n1000_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) n2000_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) n10000_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) exponent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recovered_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) re_executed: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kills: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lease_s: Option<f64>,
    /// Commits of the stopped process that were accepted after it went on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) late_writes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) evicted_p50_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) evicted_p99_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) queries_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) queries_polling_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ceiling_steps_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ratio: Option<f64>,
}

impl Report {
    /// Prints the line.
    pub(crate) fn print(&self) -> Result<(), Failed> {
        let line = serde_json::to_string(self)?;
        say(&line)
    }
}

/// Prints a line and flushes it, so that whoever reads a pipe sees it now.
pub(crate) fn say(line: &str) -> Result<(), Failed> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}

/// A number for a report: four digits mean something, and whole ones are kept.
pub(crate) fn rounded(value: f64) -> Option<f64> {
    if value == 0.0 {
        return Some(0.0);
    }
    let digits = (3.0 - value.abs().log10().floor()).max(0.0);
    let factor = 10_f64.powf(digits);
    Some((value * factor).round() / factor)
}
