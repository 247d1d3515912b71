//! Sending a signal.

use std::{fmt, future::IntoFuture, sync::Arc};

use super::{error::Error, handle::Durable};
use crate::engine::SignalOutcome;
use crate::id::RunId;
use crate::model::{SignalId, address};
use crate::payload::{Payload, PayloadError};
#[cfg(feature = "_sql")]
use crate::store::Batch;
use crate::store::{Delivery, StoreError};
use crate::workflow::{BoxFuture, ops::run_signal_address};

/// A signal about to be sent, made by [`Durable::signal`]. Await it.
///
/// When it returns, the signal is stored and survives every crash.
///
/// # Errors
///
/// [`Error::Payload`] if the value has no JSON form or is too large, [`Error::Store`]. To a run:
/// [`Error::UnknownRun`], and [`Error::Store`] with [`StoreError::WrongStatus`] if it has ended.
///
/// # Cancel safety
///
/// Dropped while waiting, the signal may be stored or not; sending it again under the same id
/// delivers it once.
#[must_use = "the signal is not sent until this is awaited"]
pub struct SendSignal {
    durable: Durable,
    id: SignalId,
    token: Arc<str>,
    run: Option<Arc<str>>,
    dedupe_id: Option<Arc<str>>,
    payload: Result<Payload, PayloadError>,
}

impl SendSignal {
    pub(crate) const fn new(
        durable: Durable,
        id: SignalId,
        token: Arc<str>,
        payload: Result<Payload, PayloadError>,
    ) -> Self {
        Self {
            durable,
            id,
            token,
            run: None,
            dedupe_id: None,
            payload,
        }
    }

    /// Sends it to the token of one run, where a wait that is
    /// [run scoped](crate::workflow::ops::SignalWait::run_scoped) takes it. Default: to the token
    /// of all runs.
    pub fn to_run(mut self, run: impl Into<Arc<str>>) -> Self {
        self.run = Some(run.into());
        self
    }

    /// Makes repetitions harmless: another signal to the same token under the same id is not taken
    /// again. Signals with such ids that pile up before they are waited for come in no certain
    /// order. Default: each signal is one of its own.
    pub fn dedupe_id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.dedupe_id = Some(id.into());
        self
    }

    /// Where it goes, and under which id.
    fn addressed(&mut self) -> Result<Option<RunId>, Error> {
        let run = self.run.take().map(RunId::parse).transpose()?;
        if let Some(run) = &run {
            self.token = run_signal_address(run, &self.token);
        }
        if let Some(name) = self.dedupe_id.take() {
            self.id = address::delivery_id(&self.token, &name);
        }
        Ok(run)
    }

    /// The signal as it is stored, whatever becomes of the run that it is for.
    pub(crate) fn into_delivery(mut self) -> Result<Delivery, Error> {
        let payload = self.checked()?;
        self.addressed()?;
        Ok(Delivery::Signal {
            id: self.id,
            at: self.durable.engine().clock().now(),
            token: self.token,
            payload,
        })
    }

    /// The value, unless it has no JSON form or is too large.
    fn checked(&mut self) -> Result<Payload, PayloadError> {
        let payload = std::mem::replace(&mut self.payload, Ok(Payload::null()))?;
        payload.fits(self.durable.engine().config().max_payload)?;
        Ok(payload)
    }

    /// Sends it in the caller's own transaction: it arrives if and when that is committed, within
    /// milliseconds and a second at most.
    ///
    /// Until then other signals and waits of the same token, and of some others, have to wait:
    /// keep the transaction short.
    ///
    /// # Errors
    ///
    /// Like awaiting it, and [`Error::NoTransactions`] for a store without SQL.
    #[cfg(feature = "_sql")]
    pub async fn in_transaction(
        self,
        transaction: &sea_orm::DatabaseTransaction,
    ) -> Result<(), Error> {
        let durable = self.durable.clone();
        let batch = Batch {
            deliveries: vec![self.into_delivery()?],
            ..Batch::default()
        };
        let ack = durable.commit_in(transaction, &batch).await?;
        for answer in ack.deliveries {
            answer?;
        }
        durable.engine().expect_start();
        Ok(())
    }
}

impl IntoFuture for SendSignal {
    type Output = Result<SignalOutcome, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(mut self) -> Self::IntoFuture {
        Box::pin(async move {
            let payload = self.checked()?;
            let run = self.addressed()?;
            let engine = self.durable.engine();
            if let Some(run) = run {
                let found = engine.store().run(&run).await?;
                let status = found.map(|run| run.status);
                let status = status.ok_or_else(|| Error::UnknownRun { run: run.clone() })?;
                if status.is_terminal() {
                    let asked = "signalled";
                    return Err(Error::Store(StoreError::WrongStatus { run, status, asked }));
                }
            }
            Ok(engine.signal(self.id, self.token, payload).await?)
        })
    }
}

impl fmt::Debug for SendSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendSignal")
            .field("id", &self.id)
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}
