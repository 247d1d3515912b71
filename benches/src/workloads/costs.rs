//! What operations that record without a wait cost in commits: nothing.

use axum_durable::{StepError, Workflow, WorkflowCtx, workflow::Result};
use serde::Serialize;

use super::bench::Bench;
use crate::report::{Failed, say};

/// Runs of each kind, one at a time.
const RUNS: usize = 20;

/// Steps of a run; the operation stands behind each.
const STEPS: usize = 5;

/// The operations that are counted; the first one is none at all.
const OPERATIONS: [&str; 11] = [
    "nothing",
    "now",
    "uuid",
    "random",
    "side_effect",
    "switch",
    "patched",
    "note",
    "set_event",
    "add_tag",
    "emit",
];

/// The line of one operation.
#[derive(Debug, Serialize)]
struct Line<'a> {
    workload: &'static str,
    store: String,
    operation: &'a str,
    runs: usize,
    commits_per_run: f64,
    /// What a run pays for five of the operation, in commits of the run.
    extra_commits_per_run: f64,
}

/// Five steps with one operation behind each.
fn recording() -> Workflow<String, usize> {
    Workflow::from_body("recording", 1, |ctx, operation: String| {
        Box::pin(async move {
            for n in 0..STEPS {
                ctx.step("work", async || Ok::<_, StepError>(n)).await?;
                record(&ctx, &operation, n)?;
            }
            Ok(STEPS)
        })
    })
}

fn record(ctx: &WorkflowCtx, operation: &str, n: usize) -> Result<()> {
    match operation {
        "now" => drop(ctx.now().as_millis()),
        "uuid" => drop(ctx.uuid().to_string()),
        "random" => drop(ctx.random::<u64>().to_string()),
        "side_effect" => drop(ctx.side_effect("read", || n)?.to_string()),
        "switch" => drop(ctx.switch("way", n)?.to_string()),
        "patched" => drop(ctx.patched("patch").to_string()),
        "note" => ctx.note("noted"),
        "set_event" => ctx.set_event("n", &n)?,
        "add_tag" => ctx.add_tag(format!("tag {n}")),
        "emit" => ctx.emit("counted", &n)?,
        _ => {}
    }
    Ok(())
}

/// Prints a line for each operation, and fails if one of them costs a commit.
pub(crate) async fn costs(bench: &Bench) -> Result<(), Failed> {
    let workflow = recording();
    let register = workflow.clone();
    let engine = bench
        .engine_with("costs", |builder| builder.register(register))
        .await?;
    engine.warm_up(1).await?;
    let runs = bench.sizes.runs_or(RUNS);
    let mut bare = 0;
    let mut costly = Vec::new();
    for operation in OPERATIONS {
        let before = engine.counts.accepted();
        for n in 0..runs {
            let start = engine.durable.start(&workflow, operation.to_owned());
            let run = start.id(format!("{operation}-{n}")).await?;
            run.result().await?;
        }
        let commits = engine.counts.accepted() - before;
        if operation == OPERATIONS[0] {
            bare = commits;
        }
        let per_run = |commits: u64| commits as f64 / runs as f64;
        let line = Line {
            workload: "costs",
            store: bench.place.to_string(),
            operation,
            runs,
            commits_per_run: per_run(commits),
            extra_commits_per_run: per_run(commits) - per_run(bare),
        };
        if commits > bare {
            costly.push(operation);
        }
        bench.progress.clear();
        say(&serde_json::to_string(&line)?)?;
    }
    engine.durable.shutdown().await;
    if costly.is_empty() {
        Ok(())
    } else {
        Err(format!("these cost commits of their own: {costly:?}").into())
    }
}
