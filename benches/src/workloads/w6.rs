//! W6: recovery after a kill.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::{Instant, timeout},
};

use super::bench::Bench;
use crate::{
    place::{Files, Place, with_suffix},
    report::{Failed, Report, rounded},
};

const RUNS: usize = 500;

/// No recovery takes this long.
const PATIENCE: Duration = Duration::from_secs(120);

/// Kills a process with all runs inside step 2, and times the next one until all have their
/// result. The processes are this program as a peer, workloads W6a and W6b.
pub(crate) async fn w6(bench: &Bench) -> Result<Report, Failed> {
    let Place::Sqlite(path) = &bench.place else {
        return Err("W6 does not apply: what is in memory is gone with the process".into());
    };
    let scene = Scene::new(path, bench.sizes.runs_or(RUNS))?;
    bench.progress.show("W6 until the kill", 0, scene.runs);
    let mut blocked = scene.spawn("W6a")?;
    let count = line_after(&mut blocked.1, "BLOCKED ").await?;
    if count.trim().parse::<usize>()? != scene.runs {
        return Err(format!("only {count} of {} runs came to step 2", scene.runs).into());
    }
    // SIGKILL: nothing of it gets to say goodbye.
    blocked.0.kill().await?;

    bench.progress.show("W6 until recovered", 0, scene.runs);
    let begun = Instant::now();
    let mut healed = scene.spawn("W6b")?;
    line_after(&mut healed.1, "END ").await?;
    let recovered_s = begun.elapsed().as_secs_f64();
    healed.0.wait().await?;
    let mut report = bench.report("W6");
    report.runs = Some(scene.runs);
    report.recovered_s = rounded(recovered_s);
    report.re_executed = Some(scene.re_executed()?);
    Ok(report)
}

/// The database and the effects of the two processes.
struct Scene {
    database: PathBuf,
    effects: PathBuf,
    runs: usize,
    _files: [Files; 2],
}

impl Scene {
    fn new(path: &Path, runs: usize) -> Result<Self, Failed> {
        let (database, effects) = (with_suffix(path, "-w6"), with_suffix(path, "-w6-effects"));
        for path in [&database, &effects] {
            if path.exists() {
                return Err(format!("`{}` exists; remove it", path.display()).into());
            }
        }
        let _files = [Files::of(database.clone()), Files::of(effects.clone())];
        Ok(Self {
            database,
            effects,
            runs,
            _files,
        })
    }

    /// Starts this program as a peer.
    fn spawn(&self, workload: &str) -> Result<(Child, Lines<BufReader<ChildStdout>>), Failed> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["peer", workload])
            .env("BENCH_SQLITE", &self.database)
            .env("BENCH_EFFECTS", &self.effects)
            .env("BENCH_RUNS", self.runs.to_string())
            .env("BENCH_TAG", "w6")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        if workload == "W6a" {
            command.env("BENCH_BLOCK", "1");
        } else {
            command.env_remove("BENCH_BLOCK");
        }
        let mut child = command.spawn()?;
        let out = child.stdout.take().ok_or("the child has no output")?;
        Ok((child, BufReader::new(out).lines()))
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

/// The rest of the first line that begins with `word`.
async fn line_after(
    lines: &mut Lines<BufReader<ChildStdout>>,
    word: &str,
) -> Result<String, Failed> {
    let find = async {
        while let Some(line) = lines.next_line().await? {
            if let Some(rest) = line.strip_prefix(word) {
                return Ok(rest.to_owned());
            }
        }
        Err(Failed::from(format!("the child ended without `{word}`")))
    };
    timeout(PATIENCE, find).await?
}
