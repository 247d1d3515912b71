//! A process that can die.

use std::{ops::Deref, time::Duration};

use tokio::runtime::{Builder, Runtime};

use crate::durable::{BuildError, Durable, DurableBuilder};

/// An engine on a runtime of its own, so that it can die as by `kill -9` while the test lives.
///
/// It dereferences to its [`Durable`]. Dropping it is a crash too, which is not waited for.
#[derive(Debug)]
pub struct Process {
    durable: Durable,
    runtime: Option<Runtime>,
}

/// How long a crash waits for the tasks of the process to be dropped. A task is dropped at its
/// next suspension; one that blocks its thread for longer is a mistake of the test.
const TASKS_DROPPED_WITHIN: Duration = Duration::from_secs(20);

impl Process {
    /// Starts a process.
    ///
    /// # Errors
    ///
    /// [`BuildError`].
    ///
    /// # Panics
    ///
    /// If the operating system gives no thread for it.
    #[expect(clippy::expect_used, reason = "a test without a runtime cannot go on")]
    pub async fn start(builder: DurableBuilder) -> Result<Self, BuildError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime for the process");
        let durable = runtime.spawn(async move { builder.build().await });
        match durable.await.expect("the engine is built without a panic") {
            Ok(durable) => Ok(Self {
                durable,
                runtime: Some(runtime),
            }),
            Err(error) => {
                // Dropped here it would block.
                runtime.shutdown_background();
                Err(error)
            }
        }
    }

    /// What the process holds.
    #[must_use]
    pub const fn durable(&self) -> &Durable {
        &self.durable
    }

    /// Runs something inside the process; `None` if it panicked or the process died meanwhile.
    pub async fn run<F>(&self, task: F) -> Option<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let task = self.runtime.as_ref()?.spawn(task);
        task.await.ok()
    }

    /// Dies as by `kill -9`: every task is dropped where it stands and nothing is given back.
    /// Nothing of it lives when this returns.
    pub async fn crash(mut self) {
        if let Some(runtime) = self.runtime.take() {
            let end = move || runtime.shutdown_timeout(TASKS_DROPPED_WITHIN);
            drop(tokio::task::spawn_blocking(end).await);
        }
    }

    /// Shuts down in an orderly way: what runs is given back.
    pub async fn stop(self) {
        let durable = self.durable.clone();
        self.run(async move { durable.shutdown().await }).await;
        self.crash().await;
    }
}

impl Deref for Process {
    type Target = Durable;

    fn deref(&self) -> &Durable {
        &self.durable
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A runtime must not be dropped in async code, which would block.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
