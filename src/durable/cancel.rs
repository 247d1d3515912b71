//! Cancelling a run.

use std::{fmt, future::IntoFuture};

use super::{error::Error, handle::Durable};
use crate::engine::CancelOutcome;
use crate::id::{InvalidName, RunId};
use crate::model::By;
use crate::workflow::BoxFuture;

/// Asks a run to end, made by [`Durable::cancel`]. Await it.
///
/// # Errors
///
/// [`Error::Store`] if there is no such run or it has ended; [`Error::InvalidName`].
///
/// # Cancel safety
///
/// Dropped while waiting, the request is stored or not, never half.
#[must_use = "nothing is cancelled until this is awaited"]
pub struct CancelRun {
    durable: Durable,
    run: Result<RunId, InvalidName>,
    by: By,
    compensates: bool,
}

impl CancelRun {
    pub(super) const fn new(durable: Durable, run: Result<RunId, InvalidName>) -> Self {
        Self {
            durable,
            run,
            by: By::program(),
            compensates: false,
        }
    }

    /// Has the run undo what it has done before it ends.
    ///
    /// Its body is dropped where it stands, a step that is under way with it, and the undos of the
    /// steps that have completed run in strict reverse, as when the run fails. Meanwhile it is
    /// `cancelling`, and nothing cuts it off; afterwards `cancelled`, or `compensation_failed` if
    /// an undo has failed for good. A requeue tries that one again. Its children are asked to do
    /// the same, those that are cancelled with it; it does not wait for them.
    ///
    /// A run that is `paused` goes on for it, one that is `blocked` is tried with the code that is
    /// there now and is `compensation_failed` if that does not replay either. A run that undoes
    /// its steps already, because it has failed, ends as failed. One that continues as a new run
    /// at that moment hands the request on to it. The answer is
    /// [`Requested`](CancelOutcome::Requested), since nobody but an owner of the run can undo.
    ///
    /// # After a crash
    ///
    /// The request is stored, and so is the place where the body was left. Whoever recovers the
    /// run goes on with the undo that was under way.
    ///
    /// # Examples
    ///
    /// ```standalone_crate
    /// use axum_durable::{Durable, MemoryStore, RunStatus, prelude::*};
    ///
    /// #[workflow]
    /// async fn book(ctx: &WorkflowCtx) -> Result<()> {
    ///     ctx.step("hotel", async || Ok("room 7".to_owned()))
    ///         .compensate("no hotel", async |room: String| {
    ///             println!("without {room}");
    ///             Ok(())
    ///         })
    ///         .await?;
    ///     ctx.wait_for_signal("go").await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    /// # let durable = Durable::builder().store(MemoryStore::new()).register(book).build().await?;
    /// durable.start(book, ()).id("trip-7").await?;
    /// durable.cancel("trip-7").compensate().by("ada").await?;
    /// durable.wait_for_run("trip-7")?.await?;
    /// let run = durable.get_run("trip-7").await?.ok_or("gone")?;
    /// assert_eq!(run.status, RunStatus::Cancelled);
    /// # durable.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    pub const fn compensate(mut self) -> Self {
        self.compensates = true;
        self
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

impl IntoFuture for CancelRun {
    type Output = Result<CancelOutcome, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (run, engine) = (self.run?, self.durable.engine());
            Ok(engine.cancel(&run, self.compensates, &self.by).await?)
        })
    }
}

impl fmt::Debug for CancelRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelRun")
            .field("run", &self.run)
            .field("compensates", &self.compensates)
            .field("by", &self.by)
            .finish_non_exhaustive()
    }
}
