//! Cancelling many runs.

use std::{fmt, future::IntoFuture};

use super::{error::Error, handle::Durable};
use crate::engine::CancelOutcome;
use crate::model::{By, RunQuery, RunStatus};
use crate::store::StoreError;
use crate::workflow::BoxFuture;

/// Told how far it has come, after each page.
type Tell = Box<dyn FnMut(&CancelledRuns) + Send>;

/// How many runs were cancelled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CancelledRuns {
    /// Runs that match, as far as they were looked at.
    pub matching: u64,
    /// Runs that have ended by it.
    pub cancelled: u64,
    /// Runs whose owners were told to end them.
    pub requested: u64,
    /// Runs that had ended before, or ended meanwhile.
    pub ended: u64,
}

/// Cancels every run that a query finds, made by [`Durable::cancel_where`]. Await it.
///
/// It goes through the list page by page, the newest first, and cancels run by run: runs that are
/// started meanwhile are not found. A crash in between leaves some cancelled and the others not;
/// the same call again cancels the rest.
///
/// # Errors
///
/// [`Error::Store`] if the store does not answer. What was cancelled before that stays so.
///
/// # Cancel safety
///
/// Dropped while waiting, some runs are cancelled and the others not.
#[must_use = "nothing is cancelled until this is awaited"]
pub struct CancelWhere {
    durable: Durable,
    query: RunQuery,
    by: By,
    compensates: bool,
    tell: Option<Tell>,
}

impl Durable {
    /// Asks all runs that a query finds to end. Await the returned builder.
    ///
    /// # Examples
    ///
    /// ```standalone_crate
    /// use axum_durable::{Durable, MemoryStore, model::RunQuery, prelude::*};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let durable = Durable::builder().store(MemoryStore::new()).build().await?;
    /// let mut query = RunQuery::default();
    /// query.tag = Some("summer-sale".into());
    /// let cancel = durable.cancel_where(query).by("ada").because("the sale is over");
    /// let cancelled = cancel.on_progress(|so_far| println!("{so_far:?}")).await?;
    /// assert_eq!(cancelled.matching, 0);
    /// # durable.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn cancel_where(&self, query: RunQuery) -> CancelWhere {
        CancelWhere {
            durable: self.clone(),
            query,
            by: By::program(),
            compensates: false,
            tell: None,
        }
    }
}

impl CancelWhere {
    /// Who acts. Default: the program itself, which leaves no lines in the audit logs.
    pub fn by(mut self, actor: &str) -> Self {
        self.by = self.by.actor(actor);
        self
    }

    /// Why. Default: nothing is said.
    pub fn because(mut self, reason: &str) -> Self {
        self.by = self.by.reason(reason);
        self
    }

    /// Has each run undo what it has done before it ends, as with
    /// [`CancelRun::compensate`](super::CancelRun::compensate).
    pub const fn compensate(mut self) -> Self {
        self.compensates = true;
        self
    }

    /// Calls `tell` after each page of at most 200 runs.
    pub fn on_progress(mut self, tell: impl FnMut(&CancelledRuns) + Send + 'static) -> Self {
        self.tell = Some(Box::new(tell));
        self
    }

    async fn cancel_all(mut self) -> Result<CancelledRuns, Error> {
        let mut done = CancelledRuns::default();
        self.query.limit = RunQuery::MAX_LIMIT;
        loop {
            let page = self.durable.list_runs(&self.query).await?;
            for run in page.runs {
                done.matching += 1;
                if run.status.is_terminal() || run.status == RunStatus::Cancelling {
                    done.ended += 1;
                    continue;
                }
                let engine = self.durable.engine();
                match engine.cancel(&run.id, self.compensates, &self.by).await {
                    Ok(CancelOutcome::Cancelled) => done.cancelled += 1,
                    Ok(CancelOutcome::Requested) => done.requested += 1,
                    Err(StoreError::WrongStatus { .. } | StoreError::UnknownRun { .. }) => {
                        done.ended += 1;
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            if let Some(tell) = &mut self.tell {
                tell(&done);
            }
            if page.next.is_none() {
                return Ok(done);
            }
            self.query.after = page.next;
        }
    }
}

impl IntoFuture for CancelWhere {
    type Output = Result<CancelledRuns, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.cancel_all())
    }
}

impl fmt::Debug for CancelWhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelWhere")
            .field("query", &self.query)
            .field("by", &self.by)
            .finish_non_exhaustive()
    }
}
