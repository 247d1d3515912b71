//! W6: recovery after a kill.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use tokio::time::Instant;

use super::bench::Bench;
use crate::{
    child::Child,
    place::{Files, Place, with_suffix},
    report::{Failed, Report, rounded},
};

const RUNS: usize = 500;

/// Kills a process with all runs inside step 2, and times the next one until all have their
/// result. The processes are this program as a peer, workloads W6a and W6b.
pub(crate) async fn w6(bench: &Bench) -> Result<Report, Failed> {
    let scene = Scene::new(bench).await?;
    bench.progress.show("W6 until the kill", 0, scene.runs);
    let mut blocked = scene.spawn("W6a")?;
    blocked.blocked(scene.runs).await?;
    blocked.kill().await?;

    bench.progress.show("W6 until recovered", 0, scene.runs);
    let begun = Instant::now();
    let mut healed = scene.spawn("W6b")?;
    healed.line_after("END").await?;
    let recovered_s = begun.elapsed().as_secs_f64();
    healed.ended().await?;
    let mut report = bench.report("W6");
    report.runs = Some(scene.runs);
    report.recovered_s = rounded(recovered_s);
    report.re_executed = Some(scene.re_executed()?);
    Ok(report)
}

/// The database and the effects of the two processes.
struct Scene {
    place: Place,
    effects: PathBuf,
    runs: usize,
    _files: [Files; 2],
}

impl Scene {
    async fn new(bench: &Bench) -> Result<Self, Failed> {
        let effects = match &bench.place {
            Place::Memory => {
                return Err("W6 does not apply: what is in memory is gone with the process".into());
            }
            Place::Sqlite(path) => with_suffix(path, "-w6-effects"),
            Place::Server { name, .. } => temporary(&format!("{name}-w6-effects")),
        };
        if effects.exists() {
            return Err(format!("`{}` exists; remove it", effects.display()).into());
        }
        let (place, files) = bench.place.fresh("w6").await?;
        Ok(Self {
            place,
            runs: bench.sizes.runs_or(RUNS),
            _files: [files, Files::of(effects.clone())],
            effects,
        })
    }

    /// Starts this program as a peer.
    fn spawn(&self, workload: &str) -> Result<Child, Failed> {
        let effects = self.effects.to_string_lossy().into_owned();
        let mut variables = vec![
            ("BENCH_EFFECTS", effects),
            ("BENCH_RUNS", self.runs.to_string()),
            ("BENCH_TAG", "w6".to_owned()),
        ];
        if workload == "W6a" {
            variables.push(("BENCH_BLOCK", "1".to_owned()));
        }
        Child::spawn(workload, &self.place, &variables)
    }

    /// How often a step 1 was executed beyond the first time; also checks that all steps were.
    fn re_executed(&self) -> Result<usize, Failed> {
        let effects = std::fs::read_to_string(&self.effects)?;
        let mut counts = BTreeMap::<&str, usize>::new();
        for line in effects.lines() {
            *counts.entry(line).or_default() += 1;
        }
        let executed = |step: &str| counts.keys().filter(|line| line.ends_with(step)).count();
        for step in [" s1", " s2", " s3"] {
            if executed(step) != self.runs {
                return Err(format!("{} runs executed{step}", executed(step)).into());
            }
        }
        let first = counts.iter().filter(|(line, _)| line.ends_with(" s1"));
        Ok(first.map(|(_, count)| count - 1).sum())
    }
}

/// A file among the temporary ones of the system, for this process.
pub(crate) fn temporary(name: &str) -> PathBuf {
    let name = format!("{name}-{}", std::process::id());
    Path::join(&std::env::temp_dir(), name)
}
