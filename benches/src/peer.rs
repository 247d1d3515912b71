//! The contract of a peer program, by which we are measured beside others.

use std::{fs::OpenOptions, path::PathBuf, sync::Arc, time::Duration};

use axum_durable::durable::DurableBuilder;
use clap::ValueEnum;
use tokio::time::Instant;

use crate::{
    flows::{Effects, Gate, Out},
    load::{percentile, pool},
    place::Place,
    progress::Progress,
    report::{Failed, say},
    workloads::{Engine, Sizes, park, park_on_signals, signal_one},
};

/// A workload of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "verbatim")]
pub(crate) enum PeerWorkload {
    W1,
    W2,
    W3,
    W4,
    W5,
    /// Until the kill
    W6a,
    /// After the kill
    W6b,
    /// Executes what others start, until it is killed
    #[value(name = "drive")]
    Drive,
}

/// How long the program stays after `END`, so that its memory and CPU time can be read.
const STAY: Duration = Duration::from_millis(600);

/// How long step 2 has to end, and its result to be refused.
const AFTERMATH: Duration = Duration::from_secs(2);

/// How long W6a waits for its runs.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the contract says in environment variables.
struct Contract {
    engine: Engine,
    tag: String,
    sizes: Sizes,
    progress: Arc<Progress>,
}

/// Runs one workload and prints the lines of the contract.
pub(crate) async fn peer(workload: PeerWorkload, place: Option<Place>) -> Result<(), Failed> {
    let contract = Contract::open(place).await?;
    match workload {
        PeerWorkload::W1 => contract.w1().await?,
        PeerWorkload::W2 => contract.w2().await?,
        PeerWorkload::W3 => contract.w3().await?,
        PeerWorkload::W4 => contract.w4().await?,
        PeerWorkload::W5 => contract.w5().await?,
        PeerWorkload::W6a => contract.w6a().await?,
        PeerWorkload::W6b => contract.w6b().await?,
        PeerWorkload::Drive => {
            say("BEGIN")?;
            std::future::pending::<()>().await;
        }
    }
    tokio::time::sleep(STAY).await;
    Ok(())
}

impl Contract {
    async fn open(place: Option<Place>) -> Result<Self, Failed> {
        let place = match (place, std::env::var_os("BENCH_SQLITE")) {
            (Some(place), _) => place,
            (None, Some(path)) => Place::Sqlite(PathBuf::from(path)),
            (None, None) => return Err("neither --store nor BENCH_SQLITE is given".into()),
        };
        let effects = std::env::var_os("BENCH_EFFECTS")
            .map(|path| OpenOptions::new().append(true).create(true).open(path))
            .transpose()?;
        let until = std::env::var_os("BENCH_UNTIL");
        let gate = match (until, std::env::var_os("BENCH_BLOCK")) {
            (Some(file), _) => Gate::Until(file.into()),
            (None, Some(_)) => Gate::Shut,
            (None, None) => Gate::Open,
        };
        let lease = number("BENCH_LEASE_MS")?;
        let set = |builder: DurableBuilder| match lease {
            Some(ms) => builder.lease_ttl(Duration::from_millis(ms as u64)),
            None => builder,
        };
        let effects = Effects::new(effects, gate);
        let engine = Engine::over(place.open().await?, effects, set).await?;
        Ok(Self {
            engine,
            tag: std::env::var("BENCH_TAG").unwrap_or_else(|_| "r".to_owned()),
            sizes: Sizes {
                runs: number("BENCH_RUNS")?,
                steps: number("BENCH_STEPS")?,
                in_flight: number("BENCH_CONC")?,
                ..Sizes::default()
            },
            progress: Arc::new(Progress::silent()),
        })
    }

    async fn w1(&self) -> Result<(), Failed> {
        let (runs, steps) = (self.sizes.runs_or(2_000), self.sizes.steps_or(5));
        let (engine, tag) = (self.engine.clone(), self.tag.clone());
        say("BEGIN")?;
        let begun = Instant::now();
        let run = move |i: usize| {
            let (engine, id) = (engine.clone(), format!("{tag}-w1-{i}"));
            async move { engine.run_steps(id, steps).await }
        };
        pool("W1", (runs, self.sizes.in_flight()), &self.progress, run).await?;
        let wall_s = begun.elapsed().as_secs_f64();
        let (runs_s, steps_s) = (runs as f64 / wall_s, (runs * steps) as f64 / wall_s);
        say(&format!(
            r#"END {{"wall_s":{wall_s:.2},"runs_s":{runs_s:.2},"steps_s":{steps_s:.2}}}"#
        ))
    }

    async fn w2(&self) -> Result<(), Failed> {
        self.engine.warm_up(20).await?;
        say("BEGIN")?;
        let mut times = Vec::new();
        for i in 0..self.sizes.runs_or(200) {
            let begun = Instant::now();
            let id = format!("{}-w2-{i}", self.tag);
            self.engine.run_steps(id, 1).await?;
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        say_percentiles(times)
    }

    async fn w3(&self) -> Result<(), Failed> {
        let (runs, tag) = (self.sizes.runs_or(100), format!("{}-w3", self.tag));
        let waiting = park_on_signals(&self.engine, &tag, runs).await?;
        say("BEGIN")?;
        let mut times = Vec::with_capacity(runs);
        for run in &waiting {
            times.push(signal_one(&self.engine, run).await?);
        }
        say_percentiles(times)
    }

    async fn w4(&self) -> Result<(), Failed> {
        self.engine.warm_up(50).await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        say("BEGIN")?;
        let sizes = (self.sizes.runs_or(5_000), 64);
        let tag = format!("{}-w4", self.tag);
        let (started, parked) = park(&self.engine, &tag, sizes, &self.progress).await?;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        say(&format!(
            r#"END {{"start_all_s":{started:.2},"parked_all_s":{parked:.2}}}"#
        ))
    }

    async fn w5(&self) -> Result<(), Failed> {
        say("BEGIN")?;
        let tag = &self.tag;
        self.engine.run_steps(format!("{tag}-w5-warm"), 50).await?;
        let mut seconds = [0.0_f64; 3];
        for (second, size) in seconds.iter_mut().zip([100, 500, 2_000]) {
            let begun = Instant::now();
            let id = format!("{tag}-w5-{size}");
            self.engine.run_steps(id, size).await?;
            *second = begun.elapsed().as_secs_f64();
        }
        let [n100, n500, n2000] = seconds;
        let exponent = (n2000 / n100).ln() / 20_f64.ln();
        say(&format!(
            r#"END {{"n100_s":{n100:.3},"n500_s":{n500:.3},"n2000_s":{n2000:.3},"exponent":{exponent:.2}}}"#
        ))
    }

    /// Ends only by being killed. Where step 2 is to go on at some time, says how many commits of
    /// runs were accepted after that.
    async fn w6a(&self) -> Result<(), Failed> {
        let runs = self.sizes.runs_or(500);
        let (engine, tag) = (self.engine.clone(), self.tag.clone());
        let start = move |i: usize| {
            let (engine, id) = (engine.clone(), format!("{tag}-w6-{i}"));
            async move {
                engine.durable.start(&engine.crash, 0).id(id).await?;
                Ok(())
            }
        };
        pool("W6", (runs, 64), &self.progress, start).await?;
        let begun = Instant::now();
        while self.engine.effects.blocked() < runs && begun.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let accepted = self.engine.counts.accepted();
        say(&format!("BLOCKED {}", self.engine.effects.blocked()))?;
        self.engine.effects.opened().await;
        tokio::time::sleep(AFTERMATH).await;
        let late = self.engine.counts.accepted() - accepted;
        say(&format!("LATE {late}"))?;
        std::future::pending().await
    }

    async fn w6b(&self) -> Result<(), Failed> {
        let runs = self.sizes.runs_or(500);
        let (engine, tag) = (self.engine.clone(), self.tag.clone());
        say("BEGIN")?;
        let find = move |i: usize| {
            let (durable, id) = (engine.durable.clone(), format!("{tag}-w6-{i}"));
            async move {
                durable.run::<Out>(id)?.result().await?;
                Ok(())
            }
        };
        pool("W6", (runs, 64), &self.progress, find).await?;
        say(&format!(r#"END {{"done":{runs}}}"#))
    }
}

fn say_percentiles(mut times: Vec<f64>) -> Result<(), Failed> {
    let (p50, p99) = (percentile(&mut times, 50), percentile(&mut times, 99));
    say(&format!(r#"END {{"p50_ms":{p50:.3},"p99_ms":{p99:.3}}}"#))
}

/// A size given in the environment.
fn number(name: &str) -> Result<Option<usize>, Failed> {
    match std::env::var(name) {
        Ok(text) => Ok(Some(
            text.parse()
                .map_err(|_| format!("{name}={text} is no number"))?,
        )),
        Err(_) => Ok(None),
    }
}
