//! Starting a run.

use std::{fmt, future::IntoFuture, marker::PhantomData, sync::Arc, time::Duration};

use serde::Serialize;

use super::{error::Error, handle::Durable, run_handle::RunHandle};
use crate::engine::{StartError, StartRequest};
use crate::id::{RunId, check_name};
use crate::model::{AttributePatch, InvalidAttributes};
use crate::payload::{Payload, PayloadError};
#[cfg(feature = "_sql")]
use crate::store::{Batch, StartAck};
use crate::workflow::BoxFuture;

/// A run about to be started, made by [`Durable::start`]. Await it.
///
/// Starting is idempotent by id: a second start with the same id finds the first run and leaves
/// it as it is. When it returns, the run is stored and survives every crash.
///
/// # Errors
///
/// [`Error::Start`] if this process does not know the workflow, the input is larger than
/// [`max_payload`](crate::durable::DurableBuilder::max_payload), search attributes are none or not
/// of the workflow's type, or the store refuses,
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
    attributes: Result<(), InvalidAttributes>,
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
            attributes: Ok(()),
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

    /// A search attribute to find it by: a text, number or boolean; may be called several times.
    pub fn attribute(mut self, key: &str, value: impl Serialize) -> Self {
        let set = self.request.attributes.set(key, &value);
        self.note(set)
    }

    /// Search attributes to find it by, from a struct or map of texts, numbers and booleans.
    pub fn attributes(mut self, all: &impl Serialize) -> Self {
        let set = AttributePatch::of(all);
        let set = set.map(|all| self.request.attributes.extend(all));
        self.note(set)
    }

    fn note(mut self, set: Result<(), InvalidAttributes>) -> Self {
        if self.attributes.is_ok() {
            self.attributes = set;
        }
        self
    }

    /// The namespace that the run belongs to, and with it its children, successors and dead
    /// letters. Default: [that of this instance](crate::durable::DurableBuilder::namespace), else
    /// `default`.
    pub fn namespace(mut self, namespace: impl Into<Arc<str>>) -> Self {
        self.request.namespace = Some(namespace.into());
        self
    }

    /// How urgent the run is: of the runs that wait for an instance, those with a higher number are
    /// taken first, and of one number the longest due. Its children, successors, forks and dead
    /// letters, and the runs that its events start, are as urgent unless they are told otherwise.
    /// Default: 0. Use a handful of different numbers: a look for what is due costs a look for each
    /// of them.
    ///
    /// It orders what waits: runs that are pending, whose timers or signals have come, or whose
    /// instance has died. A run that an instance begins or goes on with at once waits for nobody,
    /// and a run that executes is not interrupted by a more urgent one. As long as there is always
    /// something more urgent, the less urgent waits. What is stored with the run is there after a
    /// crash; a second start with the same id does not change it.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum_durable::{Durable, durable::Error, prelude::*};
    ///
    /// #[workflow]
    /// async fn reindex(ctx: &WorkflowCtx, shop: String) -> Result<()> {
    ///     ctx.step("reindex", async || Ok(shop.len())).await?;
    ///     Ok(())
    /// }
    ///
    /// async fn reindex_all(durable: &Durable, shops: Vec<String>) -> std::result::Result<(), Error> {
    ///     for shop in shops {
    ///         durable.start(reindex, shop).priority(-10).await?;
    ///     }
    ///     Ok(())
    /// }
    /// # fn main() {}
    /// ```
    pub const fn priority(mut self, priority: i32) -> Self {
        self.request.priority = priority;
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

    /// How long the run may take in all, its waits included; then it is cancelled, with the code
    /// `execution_timeout`, and so are its children. It is counted from its start, or from the end
    /// of its delay, and goes on for the runs that it continues as. Default: without limit.
    ///
    /// A run that is `blocked` is not timed out.
    pub const fn execution_timeout(mut self, length: Duration) -> Self {
        self.request.execution_timeout = Some(length);
        self
    }

    fn prepare(self) -> Result<(Durable, StartRequest), Error> {
        let mut request = self.request;
        request.input = self.input?;
        self.attributes.map_err(|source| StartError::Attributes {
            workflow: Arc::clone(&request.workflow),
            source,
        })?;
        request.id = self.id.map(RunId::parse).transpose()?;
        if let Some(namespace) = &request.namespace {
            check_name("namespace", namespace)?;
        }
        Ok((self.durable, request))
    }

    /// What to start, under an id that is known beforehand.
    pub(super) fn prepare_named(self) -> Result<(Durable, StartRequest, RunId), Error> {
        let (durable, mut request) = self.prepare()?;
        let run = request.id.get_or_insert_with(RunId::generate).clone();
        Ok((durable, request, run))
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
    pub async fn in_transaction(
        self,
        transaction: &sea_orm::DatabaseTransaction,
    ) -> Result<RunHandle<O>, Error> {
        let (durable, request) = self.prepare()?;
        let engine = durable.engine();
        let run = engine.prepare_run(request)?;
        let id = run.id.clone();
        let batch = Batch {
            starts: vec![run],
            ..Batch::default()
        };
        let mut ack = durable.commit_in(transaction, &batch).await?;
        let ack = ack.starts.pop().unwrap_or(StartAck::Created);
        durable.engine().expect_start();
        Ok(RunHandle::started(durable, id, ack))
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
