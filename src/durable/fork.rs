//! Beginning a new run with a part of another one's history.

use std::{error::Error as _, fmt, future::IntoFuture, sync::Arc};

use serde::{Serialize, ser::Error as _};

use super::{error::Error, handle::Durable, run_handle::RunHandle};
use crate::engine::{ForkPreview, ForkRequest};
use crate::id::{RunId, Seq};
use crate::model::By;
use crate::payload::{Payload, PayloadError};
use crate::workflow::BoxFuture;

/// A fork about to be made, made by [`Durable::fork`]. Await it; it gives the new run.
///
/// The new run has the workflow, version, tags and, unless it is edited, the input of its source,
/// and begins with the outcomes that the source has recorded before a position. The source stays
/// as it is, whatever its status. What was open there is not taken along: the new run asks for it
/// anew. Its steps have idempotency keys of their own.
///
/// A crash leaves no run or the whole one. Edited values must fit the code: where it takes another
/// way than the history tells, the new run is set aside as `blocked`.
///
/// # Errors
///
/// [`Error::Store`] if there is no such run, [`Error::Refused`] if the id is taken or there is no
/// result to edit, [`Error::Payload`], [`Error::InvalidName`].
///
/// # Cancel safety
///
/// Dropped while waiting, the run may be stored or not; [`Durable::audit`] of the source tells.
///
/// # Examples
///
/// ```standalone_crate
/// use axum_durable::{Durable, MemoryStore, prelude::*};
///
/// #[workflow]
/// async fn order(ctx: &WorkflowCtx, n: u32) -> Result<u32> {
///     let price = ctx.step("price", async || Ok(n * 10)).await?;
///     ctx.step("total", async || Ok(price + 1)).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// let durable = Durable::builder().store(MemoryStore::new()).build().await?;
/// assert_eq!(durable.start(order, 4).id("a").await?.result().await?, 41);
/// let fork = durable.fork("a").from_step(1).edit_result(0, 50);
/// assert_eq!(&*fork.preview().await?.again[0].name, "total");
/// let run = fork.id("b").by("ada").because("wrong price").await?;
/// assert_eq!(run.result().await?, 51);
/// # durable.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[must_use = "the run is not forked until this is awaited"]
pub struct ForkRun {
    durable: Durable,
    source: Arc<str>,
    from: Option<Seq>,
    input: Option<Payload>,
    results: Vec<(Seq, Payload)>,
    /// Why a value has no JSON form.
    unwritable: Option<String>,
    id: Option<Arc<str>>,
    by: By,
}

impl ForkRun {
    pub(super) const fn new(durable: Durable, source: Arc<str>) -> Self {
        Self {
            durable,
            source,
            from: None,
            input: None,
            results: Vec::new(),
            unwritable: None,
            id: None,
            by: By::program(),
        }
    }

    /// The position of the first operation that runs again. Default: the one that the run failed
    /// of, or none of those that have ended.
    pub const fn from_step(mut self, seq: u32) -> Self {
        self.from = Some(Seq(seq));
        self
    }

    /// Another input.
    pub fn edit_input<T: Serialize>(mut self, input: T) -> Self {
        self.input = self.written(&input);
        self
    }

    /// Another result of the operation at `seq`, which must be before the one that runs again.
    pub fn edit_result<T: Serialize>(mut self, seq: u32, value: T) -> Self {
        let value = self.written(&value);
        self.results.extend(value.map(|value| (Seq(seq), value)));
        self
    }

    /// The new run's id. Default: a time-ordered UUID.
    pub fn id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Who forks. Default: the program itself.
    pub fn by(mut self, actor: &str) -> Self {
        self.by = self.by.actor(actor);
        self
    }

    /// Why. Default: nothing is said.
    pub fn because(mut self, reason: &str) -> Self {
        self.by = self.by.reason(reason);
        self
    }

    /// Who forks and why, at once.
    pub fn on_behalf(mut self, by: By) -> Self {
        self.by = by;
        self
    }

    fn written(&mut self, value: &impl Serialize) -> Option<Payload> {
        match Payload::encode(value) {
            Ok(payload) => Some(payload),
            Err(error) => {
                let error = error
                    .source()
                    .map_or_else(|| error.to_string(), ToString::to_string);
                self.unwritable.get_or_insert(error);
                None
            }
        }
    }

    fn request(&self) -> Result<ForkRequest, Error> {
        if let Some(why) = &self.unwritable {
            let source = serde_json::Error::custom(why);
            return Err(PayloadError::Encode { source }.into());
        }
        let source = RunId::parse(Arc::clone(&self.source))?;
        let mut request = ForkRequest::new(source);
        request.from = self.from;
        request.input.clone_from(&self.input);
        request.results.clone_from(&self.results);
        request.id = self.id.clone().map(RunId::parse).transpose()?;
        Ok(request)
    }

    /// Says which operations the new run begins with and which run again. Changes nothing.
    ///
    /// # Errors
    ///
    /// As awaiting it, but for a taken id.
    pub async fn preview(&self) -> Result<ForkPreview, Error> {
        let request = self.request()?;
        Ok(self.durable.engine().preview_fork(&request).await?)
    }
}

impl IntoFuture for ForkRun {
    type Output = Result<RunHandle<serde_json::Value>, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let request = self.request()?;
            let id = self.durable.engine().fork(request, &self.by).await?;
            Ok(RunHandle::found(self.durable, id))
        })
    }
}

impl fmt::Debug for ForkRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForkRun")
            .field("source", &self.source)
            .field("from", &self.from)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
