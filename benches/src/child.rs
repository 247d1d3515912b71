//! This program as another process, by the contract of a peer program.

use std::{process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child as Process, ChildStdout, Command},
    time::timeout,
};

use crate::{place::Place, report::Failed};

/// Nothing that a child does takes this long.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the contract says in environment variables: a child gets its own, and none of ours.
const VARIABLES: [&str; 9] = [
    "BENCH_SQLITE",
    "BENCH_EFFECTS",
    "BENCH_RUNS",
    "BENCH_STEPS",
    "BENCH_CONC",
    "BENCH_TAG",
    "BENCH_BLOCK",
    "BENCH_UNTIL",
    "BENCH_LEASE_MS",
];

/// This program as another process. It is killed when this value is dropped.
pub(crate) struct Child {
    process: Process,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts it over `place` with these variables.
    pub(crate) fn spawn(
        workload: &str,
        place: &Place,
        variables: &[(&str, String)],
    ) -> Result<Self, Failed> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["peer", workload, "--store", &place.spelled()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        for name in VARIABLES {
            command.env_remove(name);
        }
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        let mut process = command.spawn()?;
        let out = process.stdout.take().ok_or("the child has no output")?;
        let lines = BufReader::new(out).lines();
        Ok(Self { process, lines })
    }

    /// The rest of the first line that begins with `word`.
    pub(crate) async fn line_after(&mut self, word: &str) -> Result<String, Failed> {
        let find = async {
            while let Some(line) = self.lines.next_line().await? {
                if let Some(rest) = line.strip_prefix(word) {
                    return Ok(rest.trim().to_owned());
                }
            }
            Err(Failed::from(format!("the child ended without `{word}`")))
        };
        timeout(PATIENCE, find).await?
    }

    /// Waits until `runs` runs are inside step 2.
    pub(crate) async fn blocked(&mut self, runs: usize) -> Result<(), Failed> {
        let count = self.line_after("BLOCKED").await?;
        if count.parse::<usize>()? == runs {
            return Ok(());
        }
        Err(format!("only {count} of {runs} runs came to step 2").into())
    }

    /// `kill -9`: nothing of it gets to say goodbye.
    pub(crate) async fn kill(mut self) -> Result<(), Failed> {
        Ok(self.process.kill().await?)
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(mut self) -> Result<(), Failed> {
        self.process.wait().await?;
        Ok(())
    }

    /// Sends it a signal that the standard library has no name for, such as `STOP`.
    pub(crate) async fn signal(&self, name: &str) -> Result<(), Failed> {
        let id = self.process.id().ok_or("the child has ended")?;
        let mut kill = Command::new("kill");
        let status = kill.args([&format!("-{name}"), &id.to_string()]);
        if status.status().await?.success() {
            return Ok(());
        }
        Err(format!("SIG{name} could not be sent").into())
    }
}
