//! `Durable`: what an application starts, signals and watches runs with.

use std::{sync::Arc, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::broadcast;

use super::{
    builder::DurableBuilder,
    error::Error,
    run_handle::{RunHandle, WaitForRun},
    signal::SendSignal,
    start::Start,
};
use crate::control::{Control, Explanation};
use crate::engine::{Engine, StartRequest};
use crate::event::EngineEvent;
use crate::id::RunId;
use crate::model::{Run, RunPage, RunQuery, SignalId};
use crate::payload::Payload;
use crate::workflow::IntoWorkflow;

/// Where the router's routes are unless it is told otherwise.
pub(crate) const DEFAULT_BASE_PATH: &str = "/durable";

/// Starts, signals, reads and cancels runs. Cheap to clone: clones share one engine.
///
/// In a handler it is an extractor; see the crate's example.
#[derive(Debug, Clone)]
pub struct Durable {
    engine: Engine,
    drain_within: Duration,
    /// Where the API is reached, for links.
    base_path: Arc<str>,
}

impl Durable {
    /// Begins to put one together.
    pub fn builder() -> DurableBuilder {
        DurableBuilder::default()
    }

    pub(crate) fn new(engine: Engine, drain_within: Duration) -> Self {
        Self {
            engine,
            drain_within,
            base_path: DEFAULT_BASE_PATH.into(),
        }
    }

    /// The same engine, reached under another path.
    pub(crate) fn mounted_at(&self, base_path: impl Into<Arc<str>>) -> Self {
        Self {
            base_path: base_path.into(),
            ..self.clone()
        }
    }

    /// Where the API is reached.
    pub(crate) fn base_path(&self) -> &str {
        &self.base_path
    }

    /// The engine underneath.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What operators see.
    #[must_use]
    pub fn control(&self) -> Control {
        Control::new(self.engine.clone())
    }

    /// Starts a run of a workflow. Await the returned builder.
    ///
    /// # Examples
    ///
    /// ```standalone_crate
    /// use axum_durable::{Durable, MemoryStore, prelude::*};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let double = Workflow::new("double", 1, |_ctx, n: u32| Box::pin(async move { Ok(n * 2) }));
    /// let durable = Durable::builder().store(MemoryStore::new()).register(double.clone()).build().await?;
    /// let run = durable.start(&double, 21).id("first").await?;
    /// assert_eq!(run.result().await?, 42);
    /// # durable.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn start<I, O, W>(&self, workflow: W, input: I) -> Start<O>
    where
        W: IntoWorkflow<I, O>,
        I: Serialize,
    {
        let workflow = workflow.into_workflow();
        let mut request = StartRequest::new(Arc::clone(&workflow.key.name), Payload::null());
        request.version = Some(workflow.key.version);
        Start::new(self.clone(), request, Payload::encode(&input))
    }

    /// Starts a run of the newest version of a workflow that is known by name only.
    pub fn start_named(
        &self,
        workflow: impl Into<Arc<str>>,
        input: &serde_json::Value,
    ) -> Start<serde_json::Value> {
        let request = StartRequest::new(workflow, Payload::null());
        Start::new(self.clone(), request, Payload::encode(input))
    }

    /// Sends a signal to whoever waits for `token`, or to the next one who does. Await the
    /// returned builder.
    ///
    /// Each call is a signal of its own; a caller that may have to repeat it uses
    /// [`signal_once`](Self::signal_once).
    pub fn signal<T: Serialize>(&self, token: impl Into<Arc<str>>, value: T) -> SendSignal {
        self.signal_once(SignalId::generate(), token, value)
    }

    /// Sends a signal under an id: however often it is repeated, it is taken once. Await the
    /// returned builder.
    pub fn signal_once<T: Serialize>(
        &self,
        id: SignalId,
        token: impl Into<Arc<str>>,
        value: T,
    ) -> SendSignal {
        SendSignal::new(self.clone(), id, token.into(), Payload::encode(&value))
    }

    /// Writes a batch inside a transaction of the caller's.
    #[cfg(feature = "_sql")]
    pub(crate) async fn commit_in(
        &self,
        transaction: &sea_orm::DatabaseTransaction,
        batch: &crate::store::Batch,
    ) -> Result<crate::store::BatchAck, Error> {
        let store = self.engine.store();
        let Some(joined) = store.joined(transaction) else {
            let store = store.name();
            return Err(Error::NoTransactions { store });
        };
        Ok(joined.commit(batch).await?)
    }

    /// Reads one run; `None` if there is none with this id.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub async fn get_run(&self, run: impl Into<Arc<str>>) -> Result<Option<Run>, Error> {
        Ok(self.engine.store().run(&RunId::parse(run)?).await?)
    }

    /// Lists a page of runs, newest first.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub async fn list_runs(&self, query: &RunQuery) -> Result<RunPage, Error> {
        Ok(self.engine.store().list(query).await?)
    }

    /// Says why a run stands where it stands, and what will wake it.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownRun`], [`Error::Store`].
    pub async fn explain(&self, run: impl Into<Arc<str>>) -> Result<Explanation, Error> {
        let run = RunId::parse(run)?;
        let explanation = self.control().explain(&run).await?;
        explanation.ok_or(Error::UnknownRun { run })
    }

    /// Reads the latest value that a run published with `ctx.set_event`; `None` if it never did.
    ///
    /// # Errors
    ///
    /// [`Error::Store`], [`Error::Payload`] if the value is no `T`.
    pub async fn get_event<T: DeserializeOwned>(
        &self,
        run: impl Into<Arc<str>>,
        key: &str,
    ) -> Result<Option<T>, Error> {
        let value = self
            .engine
            .store()
            .published(&RunId::parse(run)?, key)
            .await?;
        Ok(value.map(|value| value.decode()).transpose()?)
    }

    /// Reads the search attributes of a run as a type; `None` if they are no `T`.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownRun`], [`Error::Store`].
    pub async fn attributes<T: DeserializeOwned>(
        &self,
        run: impl Into<Arc<str>>,
    ) -> Result<Option<T>, Error> {
        let run = RunId::parse(run)?;
        match self.engine.store().run(&run).await? {
            Some(found) => Ok(found.attributes.read()),
            None => Err(Error::UnknownRun { run }),
        }
    }

    /// A handle on a run that was started elsewhere or earlier.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidName`]. Whether the run exists is seen when it is asked for its result.
    pub fn run<O>(&self, run: impl Into<Arc<str>>) -> Result<RunHandle<O>, Error> {
        Ok(RunHandle::found(self.clone(), RunId::parse(run)?))
    }

    /// Waits for a run to end. Await the returned builder.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidName`].
    pub fn wait_for_run(&self, run: impl Into<Arc<str>>) -> Result<WaitForRun, Error> {
        Ok(WaitForRun::new(self.clone(), RunId::parse(run)?))
    }

    /// Listens to what this process does from now on, and to runs elsewhere that someone here
    /// [follows](Engine::follow). A slow listener loses events and reads the store instead.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<EngineEvent> {
        self.engine.subscribe()
    }

    /// Gives every run back and takes no new ones; see [`Engine::drain`].
    pub async fn drain(&self, within: Duration) -> bool {
        self.engine.drain(within).await
    }

    /// Drains for as long as the builder's `drain_within` says, then stops the engine.
    pub async fn shutdown(&self) {
        self.engine.shutdown(self.drain_within).await;
    }

    /// Completes when the process is asked to end (Ctrl-C, or SIGTERM on Unix) and the engine has
    /// stopped: for `axum::serve(..).with_graceful_shutdown(durable.shutdown_on_signal())`.
    pub fn shutdown_on_signal(&self) -> impl Future<Output = ()> + Send + use<> {
        let durable = self.clone();
        async move {
            asked_to_end().await;
            tracing::info!("asked to end, draining");
            durable.shutdown().await;
        }
    }
}

async fn asked_to_end() {
    let interrupt = async {
        // Where signals cannot be listened to, the process ends the hard way.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => drop(terminate.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}
