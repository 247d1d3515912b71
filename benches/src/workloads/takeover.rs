//! Take-over: a live process executes the runs of one that was killed or stopped.

use std::{fs::File, path::PathBuf, time::Duration};

use axum_durable::id::RunId;
use tokio::{task::JoinSet, time::Instant};

use super::{
    bench::{Bench, Engine},
    w6::temporary,
};
use crate::{
    child::Child,
    flows::{Effects, Gate, Out},
    load::percentile,
    place::{Files, Place},
    report::{Failed, Report, rounded},
};

const RUNS: usize = 50;
const KILLS: usize = 20;
const LEASE: Duration = Duration::from_secs(15);

/// What is measured: this process is the one that stays.
struct Scene {
    engine: Engine,
    place: Place,
    runs: usize,
    lease: Duration,
}

/// Kills, or stops, processes that own runs inside step 2, one after the other; times how long this
/// process takes until it has executed the rest of all of them.
pub(crate) async fn takeover(bench: &Bench, stops: bool) -> Result<Report, Failed> {
    if bench.place.is_volatile() {
        return Err("`takeover` does not apply: memory is not shared by processes".into());
    }
    let (place, _files) = bench.place.fresh("takeover").await?;
    let lease = bench.sizes.lease.unwrap_or(LEASE);
    let (store, effects) = (place.open().await?, Effects::new(None, Gate::Open));
    let engine = Engine::over(store, effects, |it| it.lease_ttl(lease)).await?;
    engine.warm_up(20).await?;
    let runs = bench.sizes.runs_or(RUNS);
    let scene = Scene {
        engine,
        place,
        runs,
        lease,
    };
    let kills = bench.sizes.kills.unwrap_or(KILLS);
    let (mut times, mut late) = (Vec::with_capacity(kills), 0);
    for kill in 0..kills {
        bench.progress.show("take-overs", kill, kills);
        let tag = format!("kill-{kill}");
        if stops {
            let (time, writes) = scene.stop(&tag).await?;
            times.push(time);
            late += writes;
        } else {
            times.push(scene.kill(&tag).await?);
        }
    }
    scene.engine.durable.shutdown().await;
    let mut report = bench.report(if stops { "takeover-stop" } else { "takeover" });
    report.runs = Some(runs);
    report.kills = Some(kills);
    report.lease_s = rounded(lease.as_secs_f64());
    report.p50_ms = rounded(percentile(&mut times, 50));
    report.p99_ms = rounded(percentile(&mut times, 99));
    report.late_writes = stops.then_some(late);
    Ok(report)
}

impl Scene {
    async fn kill(&self, tag: &str) -> Result<f64, Failed> {
        let victim = self.victim(tag, None).await?;
        let results = self.await_all(tag)?;
        let begun = Instant::now();
        victim.kill().await?;
        finish(results).await?;
        Ok(begun.elapsed().as_secs_f64() * 1e3)
    }

    /// Also lets the stopped one go on, with its steps ending at that moment, and counts what the
    /// store took from it then.
    async fn stop(&self, tag: &str) -> Result<(f64, usize), Failed> {
        let signpost = temporary(&format!("durable-bench-{tag}"));
        let _files = Files::of(signpost.clone());
        let mut victim = self.victim(tag, Some(signpost.clone())).await?;
        let results = self.await_all(tag)?;
        let begun = Instant::now();
        victim.signal("STOP").await?;
        finish(results).await?;
        let time = begun.elapsed().as_secs_f64() * 1e3;

        let before = self.stored(tag).await?;
        drop(File::create(&signpost)?);
        victim.signal("CONT").await?;
        let late = victim.line_after("LATE").await?.parse()?;
        if self.stored(tag).await? != before {
            return Err("a run changed after its old owner went on".into());
        }
        victim.kill().await?;
        Ok((time, late))
    }

    /// A process that owns all runs, each inside step 2, until it is killed or `until` is there.
    async fn victim(&self, tag: &str, until: Option<PathBuf>) -> Result<Child, Failed> {
        let mut variables = vec![
            ("BENCH_RUNS", self.runs.to_string()),
            ("BENCH_TAG", tag.to_owned()),
            ("BENCH_LEASE_MS", self.lease.as_millis().to_string()),
        ];
        variables.push(match until {
            Some(until) => ("BENCH_UNTIL", until.to_string_lossy().into_owned()),
            None => ("BENCH_BLOCK", "1".to_owned()),
        });
        let mut victim = Child::spawn("W6a", &self.place, &variables)?;
        victim.blocked(self.runs).await?;
        Ok(victim)
    }

    fn ids(&self, tag: &str) -> impl Iterator<Item = String> {
        (0..self.runs).map(move |i| format!("{tag}-w6-{i}"))
    }

    /// Awaits the result of every run from now on.
    fn await_all(&self, tag: &str) -> Result<JoinSet<Result<(), Failed>>, Failed> {
        let mut results = JoinSet::new();
        for id in self.ids(tag) {
            let run = self.engine.durable.run::<Out>(id)?;
            results.spawn(async move {
                run.result().await?;
                Ok(())
            });
        }
        Ok(results)
    }

    /// The runs and their histories as they are stored.
    async fn stored(&self, tag: &str) -> Result<Vec<String>, Failed> {
        let store = self.place.open().await?;
        let mut all = Vec::with_capacity(self.runs);
        for id in self.ids(tag) {
            let record = store.load(&RunId::parse(id)?).await?;
            all.push(format!("{record:?}"));
        }
        Ok(all)
    }
}

async fn finish(mut results: JoinSet<Result<(), Failed>>) -> Result<(), Failed> {
    while let Some(ended) = results.join_next().await {
        ended??;
    }
    Ok(())
}
