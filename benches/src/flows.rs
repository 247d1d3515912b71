//! The workflows that are measured.

use std::{
    fs::File,
    future::pending,
    io::Write,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum_durable::{Timestamp, prelude::*, time::Clock};
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The result of a step: about 100 bytes of JSON.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Out {
    ok: bool,
    i: u32,
    note: String,
}

impl Out {
    pub(crate) fn new(i: u32) -> Self {
        Self {
            ok: true,
            i,
            note: "x".repeat(70),
        }
    }
}

/// `n` steps, one after the other.
pub(crate) fn steps() -> Workflow<u32, Out> {
    Workflow::new("steps", 1, |ctx, n: u32| {
        Box::pin(async move {
            let mut last = Out::new(0);
            for i in 1..=n {
                last = ctx
                    .step("work", async || Ok::<_, StepError>(Out::new(i)))
                    .await?;
            }
            Ok(last)
        })
    })
}

/// Waits for the signal that has the run's id as its token.
pub(crate) fn signal() -> Workflow<u32, Out> {
    Workflow::new("signal", 1, |ctx, _: u32| {
        Box::pin(async move {
            let token = ctx.run_id().to_string();
            ctx.wait_for_signal::<Out>(token).await
        })
    })
}

/// Sleeps for an hour. Notes how large its future is.
pub(crate) fn park(future_bytes: &Arc<AtomicUsize>) -> Workflow<u32, ()> {
    let future_bytes = Arc::clone(future_bytes);
    Workflow::from_body("park", 1, move |ctx, _: u32| {
        let body = async move {
            ctx.sleep(Duration::from_secs(3_600)).await;
            Ok(())
        };
        future_bytes.store(size_of_val(&body), SeqCst);
        Box::pin(body)
    })
}

/// A run of one step for each of `n` children, all at once.
pub(crate) fn family(child: &Workflow<u32, Out>) -> Workflow<u32, u32> {
    let child = child.clone();
    Workflow::from_body("family", 1, move |ctx, n: u32| {
        let child = child.clone();
        Box::pin(async move {
            let outs = ctx.all(&child, (0..n).map(|_| 1_u32)).await?;
            Ok(u32::try_from(outs.len()).unwrap_or(u32::MAX))
        })
    })
}

/// How late timers fired, in milliseconds.
pub(crate) type Lateness = Arc<Mutex<Vec<f64>>>;

/// Sleeps until the time that is its input, in milliseconds, and notes how late it went on.
pub(crate) fn timer(clock: Arc<dyn Clock>, lateness: &Lateness) -> Workflow<i64, ()> {
    let lateness = Arc::clone(lateness);
    Workflow::from_body("timer", 1, move |ctx, due: i64| {
        let (clock, lateness) = (Arc::clone(&clock), Arc::clone(&lateness));
        Box::pin(async move {
            ctx.sleep_until(Timestamp::from_millis(due)).await;
            let late = clock.now().as_millis() - due;
            lateness.lock().push(late as f64);
            Ok(())
        })
    })
}

/// What the runs of W6 leave behind outside.
#[derive(Debug)]
pub(crate) struct Effects {
    file: Option<File>,
    gate: Gate,
    blocked: AtomicUsize,
}

/// Where step 2 of W6 waits.
#[derive(Debug)]
pub(crate) enum Gate {
    /// Nowhere.
    Open,
    /// For ever.
    Shut,
    /// Until this file is there.
    Until(PathBuf),
}

impl Effects {
    /// Lines go to `file`, if there is one.
    pub(crate) const fn new(file: Option<File>, gate: Gate) -> Self {
        Self {
            file,
            gate,
            blocked: AtomicUsize::new(0),
        }
    }

    /// Runs that are inside step 2.
    pub(crate) fn blocked(&self) -> usize {
        self.blocked.load(SeqCst)
    }

    fn note(&self, run: &str, step: &str) -> Result<(), StepError> {
        if let Some(mut file) = self.file.as_ref() {
            file.write_all(format!("{run} {step}\n").as_bytes())?;
        }
        Ok(())
    }

    async fn gate(&self) {
        if matches!(self.gate, Gate::Open) {
            return;
        }
        self.blocked.fetch_add(1, SeqCst);
        self.opened().await;
    }

    /// Waits until step 2 may go on.
    pub(crate) async fn opened(&self) {
        match &self.gate {
            Gate::Open => {}
            Gate::Shut => pending().await,
            Gate::Until(file) => {
                while !file.exists() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }
}

/// Three steps that leave a line each; the second one may block.
pub(crate) fn crash(effects: &Arc<Effects>) -> Workflow<u32, Out> {
    let effects = Arc::clone(effects);
    Workflow::from_body("crash", 1, move |ctx, _: u32| {
        let effects = Arc::clone(&effects);
        Box::pin(async move {
            let (effects, run) = (&*effects, ctx.run_id().as_str());
            ctx.step("s1", async || {
                effects.note(run, "s1")?;
                Ok::<_, StepError>(Out::new(1))
            })
            .await?;
            ctx.step("s2", async || {
                effects.gate().await;
                effects.note(run, "s2")?;
                Ok::<_, StepError>(Out::new(2))
            })
            .await?;
            ctx.step("s3", async || {
                effects.note(run, "s3")?;
                Ok::<_, StepError>(Out::new(3))
            })
            .await
        })
    })
}
