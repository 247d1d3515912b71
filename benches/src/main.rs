//! Measures `axum-durable`: the workloads W1 to W7 and the ceiling of the machine.

mod alloc;
mod ceiling;
mod child;
mod counting;
mod flows;
mod load;
mod peer;
mod place;
mod progress;
mod report;
mod server;
mod soak;
mod workloads;

use std::{sync::Arc, time::Duration};

use clap::{Parser, Subcommand, ValueEnum};

use crate::{
    peer::PeerWorkload,
    place::Place,
    progress::Progress,
    report::{Failed, Report},
    soak::Soak,
    workloads::{Bench, Sizes},
};

/// As many as the machine that the figures are judged on has.
const WORKER_THREADS: usize = 2;

const AFTER_HELP: &str = "\
Workloads:
  W1       2,000 runs of 5 steps with ~100 bytes of result each, 64 in flight; `ratio` is to a
           ceiling measured directly before and after it
  W2       200 runs of 1 step, one at a time, from start to result
  W3       100 runs that wait for a signal; one at a time is signalled and its result awaited
  W4       5,000 runs asleep for an hour: memory per run, kept and let go
  W5       one run of 100, 500, 2,000 and 10,000 steps: the exponent of its time
  W6       500 runs inside step 2, kill -9, restart: seconds until all have their result, and how
           often a step 1 was executed again (not for memory)
  W7       one run with 10, 100 and 1,000 children of 1 step: the exponent of its time
  across   W3 with the runs in another process: signalled and awaited here (not for memory)
  takeover 20 times: a process that owns 50 runs inside step 2 is killed with -9; until this one
           has their results. With --stop it is stopped instead and goes on afterwards, when
           its steps end: nothing that it writes then may be taken (not for memory)
  lateness 10,000 runs whose timers fall due within 5 seconds: how late they fire, with the runs
           kept in memory and let go
  idle     queries per second of one instance with nothing to do for 30 seconds, counted by the
           server: with its control plane and with polls alone (servers only)
  lists    1,000,000 runs are filled in, and each kind of page is asked for 200 times over HTTP: one
           line per page with p50_ms, p95_ms and p99_ms (servers only; removed afterwards)
  costs    20 runs of 5 steps for each operation that records without a wait, with the operation
           behind each step: one line per operation with commits_per_run and
           extra_commits_per_run; fails if that is more than nothing
  ceiling  the statements of W1 in batches of --in-flight on the same schema, without an engine
  all      W1 to W7 and the ceiling, where they apply to the store; on a server also W1 with 1, 256 and
           1,000 in flight, across, takeover, takeover --stop (3 times), lateness and idle. Nobody
           else may use the server meanwhile; it takes about ten minutes there

Prints one line of JSON per result; what does not apply is left out:
  workload, store, runs, steps, in_flight, wall_s, runs_s, steps_s, p50_ms, p99_ms,
  bare_commit_ms         median of a commit of one row (W2, W3: each made beside a run)
  bare_commits           p50_ms in bare commits (W2, W3)
  commits_per_step       calls of the store that write, per step (W3: per signal)
  changes_per_commit     starts, deliveries and run commits in one of them
  store_busy             the part of the time during which one of them was under way
  start_all_s, parked_all_s, n100_s, n500_s, n2000_s, n10000_s, exponent
  bytes_per_parked_run   heap beyond the user's own future (future_bytes), rss_per_parked_run
  bytes_per_evicted_run  heap per run that was let go
  recovered_s, re_executed, ceiling_steps_s, ratio
  db_commits_per_step    transactions per step as the server counts them, warm-up, heartbeats and
                         reads included (W1; PostgreSQL: of a database that is made for it and has
                         the name of the schema; MariaDB: commits of the whole server)
  n10_s, n1000_s, kills, lease_s, seconds
  late_writes            commits of runs that were taken from a stopped process (and must not be)
  evicted_p50_ms, evicted_p99_ms   lateness of runs that were let go
  queries_s, queries_polling_s     PostgreSQL: transactions of a database made for it; MariaDB:
                         queries of the whole server, so nobody else may use it meanwhile

A SQLite database is made at PATH-<workload> for each measurement and removed after it. On a
terminal, standard error shows how far it is.

`durable-bench peer <W1…W6b>` speaks the contract of a peer program of bench-peers: sizes and
paths come from BENCH_RUNS, BENCH_STEPS, BENCH_CONC, BENCH_TAG, BENCH_SQLITE, BENCH_EFFECTS and
BENCH_BLOCK, and BEGIN, END {json} and BLOCKED n are printed.

`durable-bench soak --database-url postgres://…` holds instances of `axum-checkout` under load for
minutes, kills one now and then, and checks the books at the end.";

/// Measures axum-durable.
#[derive(Debug, Parser)]
#[command(version, after_help = AFTER_HELP, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// What to measure
    #[arg(required = true)]
    workload: Option<Workload>,
    /// Where runs are kept: memory, sqlite:PATH, postgres://… or mysql://…
    #[arg(long, default_value = "memory")]
    store: Place,
    /// Runs, in place of the workload's own number
    #[arg(long)]
    runs: Option<usize>,
    /// Kills, or stops (takeover); 20 unless given
    #[arg(long)]
    kills: Option<usize>,
    /// Stops the other process in place of killing it, and lets it go on later (takeover)
    #[arg(long)]
    stop: bool,
    /// The lease of both processes, in milliseconds (takeover); 15000 unless given
    #[arg(long)]
    lease_ms: Option<u64>,
    /// How long to count (idle, 30), or to spread timers (lateness, 5)
    #[arg(long)]
    seconds: Option<u64>,
    /// Steps of each run (W1, W2)
    #[arg(long)]
    steps: Option<usize>,
    /// Runs under way at once (W1, W4, ceiling); 64 unless given
    #[arg(long)]
    in_flight: Option<usize>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs one workload by the contract of a peer program
    Peer {
        workload: PeerWorkload,
        /// Where runs are kept; the file of `BENCH_SQLITE` unless given
        #[arg(long)]
        store: Option<Place>,
    },
    /// Holds the checkout example under load with kills, and checks its books: prints latencies
    /// and memory, and fails if an order was lost or an effect done twice
    Soak(Soak),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Workload {
    #[value(name = "W1", alias = "w1")]
    W1,
    #[value(name = "W2", alias = "w2")]
    W2,
    #[value(name = "W3", alias = "w3")]
    W3,
    #[value(name = "W4", alias = "w4")]
    W4,
    #[value(name = "W5", alias = "w5")]
    W5,
    #[value(name = "W6", alias = "w6")]
    W6,
    #[value(name = "W7", alias = "w7")]
    W7,
    Ceiling,
    Across,
    Takeover,
    Lateness,
    Idle,
    Lists,
    Costs,
    All,
}

/// One measurement, and what is set for it where the command line says nothing.
#[derive(Debug, Clone, Copy)]
struct Measured {
    workload: Workload,
    in_flight: Option<usize>,
    /// Stops of a process in place of kills.
    stops: Option<usize>,
}

impl Measured {
    const fn of(workload: Workload) -> Self {
        Self {
            workload,
            in_flight: None,
            stops: None,
        }
    }

    const fn in_flight(self, runs: usize) -> Self {
        Self {
            in_flight: Some(runs),
            ..self
        }
    }

    const fn stopped(self, times: usize) -> Self {
        Self {
            stops: Some(times),
            ..self
        }
    }
}

/// The ones of `all`: those that take a minute at the most and need no quiet server.
const ALL: &[Measured] = &[
    Measured::of(Workload::W1),
    Measured::of(Workload::W2),
    Measured::of(Workload::W3),
    Measured::of(Workload::W4),
    Measured::of(Workload::W5),
    Measured::of(Workload::W6),
    Measured::of(Workload::W7),
    Measured::of(Workload::Ceiling),
];

/// Those that `all` adds on a server.
const ON_SERVERS: &[Measured] = &[
    Measured::of(Workload::W1).in_flight(1),
    Measured::of(Workload::W1).in_flight(256),
    Measured::of(Workload::W1).in_flight(1_000),
    Measured::of(Workload::Across),
    Measured::of(Workload::Takeover),
    Measured::of(Workload::Takeover).stopped(3),
    Measured::of(Workload::Lateness),
    Measured::of(Workload::Idle),
];

fn main() -> Result<(), Failed> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .enable_all()
        .build()?;
    // On a worker, so that it wakes and is woken like the application that it stands for.
    runtime.block_on(runtime.spawn(measure(arguments)))?
}

async fn measure(arguments: Arguments) -> Result<(), Failed> {
    match arguments.command {
        Some(Command::Peer { workload, store }) => return peer::peer(workload, store).await,
        Some(Command::Soak(soak)) => return soak::soak(soak).await,
        None => {}
    }
    let bench = Bench {
        place: arguments.store,
        sizes: Sizes {
            runs: arguments.runs,
            steps: arguments.steps,
            in_flight: arguments.in_flight,
            kills: arguments.kills,
            seconds: arguments.seconds,
            lease: arguments.lease_ms.map(Duration::from_millis),
        },
        progress: Arc::new(Progress::new()),
    };
    let asked = arguments.workload.ok_or("no workload was given")?;
    if let Workload::Lists = asked {
        return workloads::lists(&bench).await;
    }
    if let Workload::Costs = asked {
        return workloads::costs(&bench).await;
    }
    let chosen: Vec<Measured> = match asked {
        Workload::All if bench.place.is_server() => [ALL, ON_SERVERS].concat(),
        Workload::All => ALL.to_vec(),
        _ => vec![Measured::of(asked)],
    };
    for measured in chosen {
        let does_not_apply = measured.workload == Workload::W6 && bench.place.is_volatile();
        if asked == Workload::All && does_not_apply {
            continue;
        }
        let mut bench = bench.clone();
        let sizes = &mut bench.sizes;
        sizes.in_flight = sizes.in_flight.or(measured.in_flight);
        sizes.kills = sizes.kills.or(measured.stops);
        let stops = arguments.stop || measured.stops.is_some();
        let report = one(&bench, measured.workload, stops).await;
        bench.progress.clear();
        report?.print()?;
    }
    Ok(())
}

async fn one(bench: &Bench, workload: Workload, stops: bool) -> Result<Report, Failed> {
    match workload {
        Workload::W1 => workloads::w1(bench).await,
        Workload::W2 => workloads::w2(bench).await,
        Workload::W3 => workloads::w3(bench).await,
        Workload::W4 => workloads::w4(bench).await,
        Workload::W5 => workloads::w5(bench).await,
        Workload::W6 => workloads::w6(bench).await,
        Workload::W7 => workloads::w7(bench).await,
        Workload::Across => workloads::across(bench).await,
        Workload::Takeover => workloads::takeover(bench, stops).await,
        Workload::Lateness => workloads::lateness(bench).await,
        Workload::Idle => workloads::idle(bench).await,
        Workload::Ceiling => workloads::ceiling(bench).await,
        Workload::Lists | Workload::Costs | Workload::All => {
            Err("this workload prints lines of its own".into())
        }
    }
}
