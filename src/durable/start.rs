//! Starting a run.

use std::{fmt, future::IntoFuture, marker::PhantomData, sync::Arc, time::Duration};

use super::{error::Error, handle::Durable, run_handle::RunHandle};
use crate::engine::StartRequest;
use crate::id::RunId;
use crate::payload::{Payload, PayloadError};
#[cfg(feature = "_sql")]
use crate::store::SqlStore;
use crate::workflow::BoxFuture;

/// A run about to be started, made by [`Durable::start`]. Await it.
///
/// Starting is idempotent by id: a second start with the same id finds the first run and leaves
/// it as it is. When it returns, the run is stored and survives every crash.
///
/// # Errors
///
/// [`Error::Start`] if this process does not know the workflow or the store refuses,
/// [`Error::InvalidName`], [`Error::Payload`] if the input has no JSON form.
///
/// # Cancel safety
///
/// Dropped while waiting, the run may be stored or not; starting it again by the same id finds
/// out.
#[must_use = "the run is not started until this is awaited"]
pub struct Start<O> {
    durable: Durable,
    request: StartRequest,
    input: Result<Payload, PayloadError>,
    id: Option<Arc<str>>,
    output: PhantomData<fn() -> O>,
}

impl<O> Start<O> {
    pub(crate) const fn new(
        durable: Durable,
        request: StartRequest,
        input: Result<Payload, PayloadError>,
    ) -> Self {
        Self {
            durable,
            request,
            input,
            id: None,
            output: PhantomData,
        }
    }

    /// The run's id. Default: a time-ordered UUID.
    pub fn id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// A label to find it by; may be called several times.
    pub fn tag(mut self, tag: impl Into<Arc<str>>) -> Self {
        self.request.tags.push(tag.into());
        self
    }

    /// Several labels to find it by.
    pub fn tags<T: Into<Arc<str>>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.request.tags.extend(tags.into_iter().map(Into::into));
        self
    }

    /// The workflow's version. Default: the one that was passed, or the newest for a start by
    /// name.
    pub const fn version(mut self, version: u32) -> Self {
        self.request.version = Some(version);
        self
    }

    /// How long it waits before it begins. Default: not at all.
    pub const fn delay(mut self, delay: Duration) -> Self {
        self.request.delay = delay;
        self
    }

    fn prepare(self) -> Result<(Durable, StartRequest), Error> {
        let mut request = self.request;
        request.input = self.input?;
        request.id = self.id.map(RunId::parse).transpose()?;
        Ok((self.durable, request))
    }

    /// Stores the run in the caller's own transaction, so that it exists if and only if that is
    /// committed.
    ///
    /// It begins once an instance finds it after the commit, which takes a poll (milliseconds
    /// after this call, a second at most).
    ///
    /// # Errors
    ///
    /// Like awaiting it, and [`Error::NoTransactions`] for a store without SQL.
    #[cfg(feature = "_sql")]
    pub async fn in_transaction<C: sea_orm::ConnectionTrait>(
        self,
        connection: &C,
    ) -> Result<RunHandle<O>, Error> {
        let (durable, request) = self.prepare()?;
        let engine = durable.engine();
        let store = engine.store();
        if !store.joins_transactions() {
            let store = store.name();
            return Err(Error::NoTransactions { store });
        }
        let mut run = engine.prepare_run(request)?;
        store.seal(&mut run);
        let ack = SqlStore::start_in(connection, &run, engine.clock().now()).await?;
        durable.engine().expect_start();
        Ok(RunHandle::started(durable, run.id, ack))
    }
}

impl<O: 'static> IntoFuture for Start<O> {
    type Output = Result<RunHandle<O>, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (durable, request) = self.prepare()?;
            let outcome = durable.engine().start_run(request).await?;
            Ok(RunHandle::of(durable, outcome))
        })
    }
}

impl<O> fmt::Debug for Start<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start")
            .field("workflow", &self.request.workflow)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
