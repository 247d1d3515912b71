//! A handle on a run, and waiting for its end.

use std::{fmt, future::IntoFuture, marker::PhantomData, sync::Arc, time::Duration};

use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use super::{error::Error, handle::Durable};
use crate::engine::{Settlement, StartOutcome};
use crate::id::RunId;
use crate::model::{Run, RunStatus};
#[cfg(feature = "_sql")]
use crate::store::StartAck;
use crate::workflow::BoxFuture;

/// A run, by its id. Cheap to clone; dropping it does nothing to the run.
///
/// As an HTTP response it is `202 Accepted` with a `Location` and
/// `{"run_id": "order-7", "status": "pending"}`.
pub struct RunHandle<O> {
    durable: Durable,
    id: RunId,
    status: RunStatus,
    is_new: bool,
    /// Told how the run ends, if it was begun by the call that made this handle; for the first
    /// who waits.
    end: Arc<Mutex<Option<End>>>,
    output: PhantomData<fn() -> O>,
}

/// Told how a run ends.
type End = oneshot::Receiver<Settlement>;

impl<O> RunHandle<O> {
    pub(crate) fn of(durable: Durable, outcome: StartOutcome) -> Self {
        Self {
            durable,
            id: outcome.id,
            status: outcome.status,
            is_new: outcome.is_new,
            end: Arc::new(Mutex::new(outcome.end)),
            output: PhantomData,
        }
    }

    #[cfg(feature = "_sql")]
    pub(crate) fn started(durable: Durable, id: RunId, ack: StartAck) -> Self {
        let (status, is_new) = match ack {
            StartAck::Created => (RunStatus::Pending, true),
            StartAck::Existing { status } => (status, false),
        };
        Self {
            durable,
            id,
            status,
            is_new,
            end: Arc::default(),
            output: PhantomData,
        }
    }

    pub(crate) fn found(durable: Durable, id: RunId) -> Self {
        Self {
            durable,
            id,
            status: RunStatus::Pending,
            is_new: false,
            end: Arc::default(),
            output: PhantomData,
        }
    }

    pub(crate) const fn durable(&self) -> &Durable {
        &self.durable
    }

    /// The run's id.
    #[must_use]
    pub const fn id(&self) -> &RunId {
        &self.id
    }

    /// Whether the call that made this handle has stored the run, and not found it.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        self.is_new
    }

    /// Where the run stood when the handle was made.
    #[must_use]
    pub const fn first_status(&self) -> RunStatus {
        self.status
    }

    /// Where the run stands now.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownRun`], [`Error::Store`].
    pub async fn status(&self) -> Result<RunStatus, Error> {
        Ok(read(&self.durable, &self.id).await?.status)
    }
}

impl<O: DeserializeOwned> RunHandle<O> {
    /// Waits for the run's result, however long it takes and wherever it executes. Of a run that
    /// has continued as another one it is the result of the last one.
    ///
    /// # Errors
    ///
    /// [`Error::RunFailed`] if it ended without one or is blocked, [`Error::UnknownRun`],
    /// [`Error::Payload`] if the result is no `O`, [`Error::Store`].
    ///
    /// # Cancel safety
    ///
    /// May be dropped and called again.
    pub async fn result(&self) -> Result<O, Error> {
        let mut run = self.id.clone();
        // A statement of its own: the guard must not live across the wait.
        let mut end = self.end.lock().take();
        let mut gone = None;
        let settlement = loop {
            let wait = WaitForRun::new(self.durable.clone(), run);
            let mut settlement = match wait.settled(end.take()).await {
                // Retention takes runs out of the middle of a chain; the first one leads past them.
                Err(Error::UnknownRun { run: missing })
                    if missing != self.id && gone.as_ref() != Some(&missing) =>
                {
                    gone = Some(missing);
                    run = self.id.clone();
                    continue;
                }
                settled => settled?,
            };
            match settlement.next.take() {
                Some(next) => run = next,
                None => break settlement,
            }
        };
        match settlement.output {
            Some(output) => Ok(output.decode()?),
            None => Err(Error::RunFailed {
                run: self.id.clone(),
                status: settlement.status,
                failure: settlement.failure,
            }),
        }
    }

    /// Waits for the run's result for a while.
    ///
    /// # Errors
    ///
    /// Like [`result`](Self::result), and [`Error::StillRunning`].
    pub async fn result_within(&self, within: Duration) -> Result<O, Error> {
        let result = tokio::time::timeout(within, self.result()).await;
        result.unwrap_or_else(|_| {
            Err(Error::StillRunning {
                run: self.id.clone(),
                within,
            })
        })
    }
}

impl<O> Clone for RunHandle<O> {
    fn clone(&self) -> Self {
        Self {
            durable: self.durable.clone(),
            id: self.id.clone(),
            status: self.status,
            is_new: self.is_new,
            end: Arc::clone(&self.end),
            output: PhantomData,
        }
    }
}

impl<O> fmt::Debug for RunHandle<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RunHandle").field(&self.id).finish()
    }
}

/// What [`WaitForRun`] waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitUntil {
    /// The run has ended or is blocked, so that nothing happens to it by itself. The default.
    Settled,
    /// The run has ended.
    Terminal,
}

/// A wait for a run, made by [`Durable::wait_for_run`]. Await it; it gives the run.
///
/// # Errors
///
/// [`Error::UnknownRun`], [`Error::Store`].
///
/// # Cancel safety
///
/// May be dropped and made again.
#[derive(Debug)]
#[must_use = "nothing is waited for until this is awaited"]
pub struct WaitForRun {
    durable: Durable,
    run: RunId,
    until: WaitUntil,
}

impl WaitForRun {
    pub(crate) const fn new(durable: Durable, run: RunId) -> Self {
        Self {
            durable,
            run,
            until: WaitUntil::Settled,
        }
    }

    /// What to wait for. Default: [`WaitUntil::Settled`].
    pub const fn until(mut self, until: WaitUntil) -> Self {
        self.until = until;
        self
    }

    fn is_reached(&self, status: RunStatus) -> bool {
        status.is_terminal() || (status == RunStatus::Blocked && self.until == WaitUntil::Settled)
    }

    /// Waits for the end; `end` is told of it and was registered before it could come.
    async fn settled(&self, mut end: Option<End>) -> Result<Settlement, Error> {
        // News come at once from runs that end here, and by the control plane from others. The
        // store is asked in any case, first often and then once a second.
        const FIRST_PAUSE: Duration = Duration::from_millis(5);
        const LONGEST_PAUSE: Duration = Duration::from_secs(1);
        let mut pause = if end.is_some() {
            LONGEST_PAUSE
        } else {
            FIRST_PAUSE
        };
        loop {
            let told = if let Some(told) = end.take() {
                told
            } else {
                // Registered before the look, so that an end between the two is told.
                let told = self.durable.engine().watch(&self.run);
                let run = read(&self.durable, &self.run).await?;
                if self.is_reached(run.status) {
                    return Ok(Settlement::from(run));
                }
                self.durable.engine().follow(&self.run);
                told
            };
            tokio::select! {
                biased;
                told = told => match told {
                    Ok(settlement) if self.is_reached(settlement.status) => return Ok(settlement),
                    Ok(_) => {}
                    // It may have ended elsewhere: look at once.
                    Err(_) => continue,
                },
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

impl IntoFuture for WaitForRun {
    type Output = Result<Run, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            loop {
                self.settled(None).await?;
                let run = read(&self.durable, &self.run).await?;
                // The news may be older than the row, which was requeued or cancelled since.
                if self.is_reached(run.status) {
                    return Ok(run);
                }
            }
        })
    }
}

async fn read(durable: &Durable, run: &RunId) -> Result<Run, Error> {
    let found = durable.engine().store().run(run).await?;
    found.ok_or_else(|| Error::UnknownRun { run: run.clone() })
}
