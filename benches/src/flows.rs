//! The workflows that are measured.

use std::{
    fs::File,
    future::pending,
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum_durable::prelude::*;
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

/// What the runs of W6 leave behind outside.
#[derive(Debug)]
pub(crate) struct Effects {
    file: Option<File>,
    blocks: bool,
    blocked: AtomicUsize,
}

impl Effects {
    /// Lines go to `file`, if there is one; step 2 never ends if it `blocks`.
    pub(crate) const fn new(file: Option<File>, blocks: bool) -> Self {
        Self {
            file,
            blocks,
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
        if self.blocks {
            self.blocked.fetch_add(1, SeqCst);
            pending::<()>().await;
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
