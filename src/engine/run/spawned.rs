//! A step's body on a task of its own.

use tokio::task::JoinHandle;

use crate::model::Failure;
use crate::payload::Payload;
use crate::workflow::{BoxFuture, panicked};

/// The outcome of a task; dropped, it ends the task, because a dropped step must not go on.
pub(super) fn spawned(
    task: JoinHandle<Result<Payload, Failure>>,
) -> BoxFuture<'static, Result<Payload, Failure>> {
    let mut task = AbortOnDrop(task);
    Box::pin(async move {
        match (&mut task.0).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => Err(panicked(&*panic)),
                Err(_) => Err(Failure::retryable("the step's task was aborted")),
            },
        }
    })
}

/// A task that ends with its handle.
struct AbortOnDrop(JoinHandle<Result<Payload, Failure>>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
