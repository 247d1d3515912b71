//! A change of a run that someone asks for by name.

use std::{fmt, future::IntoFuture};

use super::{error::Error, handle::Durable};
use crate::model::By;
use crate::workflow::BoxFuture;

type Act<T> = Box<dyn FnOnce(Durable, By) -> BoxFuture<'static, Result<T, Error>> + Send>;

/// A change of a run about to be made, such as by [`Durable::pause`]. Await it.
///
/// Who makes it and why is kept in the run's audit log, in the same transaction as the change.
///
/// # Errors
///
/// [`Error::Store`] if there is no such run, or it stands where this cannot be done;
/// [`Error::Refused`] if what it has recorded does not allow it; [`Error::InvalidName`].
///
/// # Cancel safety
///
/// Dropped while waiting, the change is made or not, never half; [`Durable::audit`] tells which.
///
/// # Examples
///
/// ```standalone_crate
/// use axum_durable::{Durable, MemoryStore, prelude::*};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let wait = Workflow::new("wait", 1, |ctx: WorkflowCtx, ()| {
///     Box::pin(async move { ctx.wait_for_signal::<u32>("go").await })
/// });
/// let durable = Durable::builder().store(MemoryStore::new()).register(wait.clone()).build().await?;
/// durable.start(&wait, ()).id("order-7").await?;
/// durable.cancel("order-7").by("ada").because("the customer has called").await?;
/// durable.wait_for_run("order-7")?.await?;
/// let log = durable.audit("order-7").await?;
/// assert_eq!((&*log[0].action, log[0].actor.as_deref()), ("cancel", Some("ada")));
/// # durable.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing happens until this is awaited"]
pub struct Action<T> {
    durable: Durable,
    by: By,
    act: Act<T>,
}

impl<T> Action<T> {
    pub(super) fn new<F, Fut>(durable: &Durable, act: F) -> Self
    where
        F: FnOnce(Durable, By) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, Error>> + Send + 'static,
    {
        Self {
            durable: durable.clone(),
            by: By::program(),
            act: Box::new(move |durable, by| Box::pin(act(durable, by))),
        }
    }

    /// Who acts. Default: the program itself.
    pub fn by(mut self, actor: &str) -> Self {
        self.by = self.by.actor(actor);
        self
    }

    /// Why. Default: nothing is said.
    pub fn because(mut self, reason: &str) -> Self {
        self.by = self.by.reason(reason);
        self
    }

    /// Who acts and why, at once.
    pub fn on_behalf(mut self, by: By) -> Self {
        self.by = by;
        self
    }
}

impl<T: 'static> IntoFuture for Action<T> {
    type Output = Result<T, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        (self.act)(self.durable, self.by)
    }
}

impl<T> fmt::Debug for Action<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Action")
            .field("by", &self.by)
            .finish_non_exhaustive()
    }
}
