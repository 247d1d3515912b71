//! Sending updates to runs and waiting for their answers.

use std::{fmt, future::IntoFuture, marker::PhantomData, sync::Arc, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::broadcast::error::RecvError;

use super::{error::Error, handle::Durable};
use crate::event::EngineEvent;
use crate::id::RunId;
use crate::model::{RunStatus, SignalId, UpdateAnswer, UpdateRequest, address};
use crate::payload::{Payload, PayloadError};
use crate::store::StoreError;
use crate::workflow::{BoxFuture, ops::update_address};

/// An update about to be sent, made by [`Durable::update`]. Await it; it gives the workflow's
/// reply.
///
/// # Errors
///
/// [`Error::UpdateRejected`] if the workflow's validator refuses it, [`Error::UpdateFailed`] if the
/// workflow answers so, [`Error::NoReply`] if there is no answer in time, [`Error::Store`] with
/// [`StoreError::WrongStatus`] if the run ends or has ended without an answer,
/// [`Error::UnknownRun`], [`Error::Payload`].
///
/// # Cancel safety
///
/// Dropped while waiting, the update may be taken or not. Sent again under the same
/// [`id`](Self::id) it is taken once and has the same answer.
#[must_use = "the update is not sent until this is awaited"]
pub struct SendUpdate<R> {
    durable: Durable,
    run: Arc<str>,
    name: Arc<str>,
    args: Result<Payload, PayloadError>,
    id: Option<Arc<str>>,
    within: Duration,
    reply: PhantomData<fn() -> R>,
}

/// How long an answer is waited for: as long as clients of a web service commonly do.
const WITHIN: Duration = Duration::from_secs(30);

impl Durable {
    /// Asks a run for something and waits for its answer: `ctx.on_update` takes it. Await the
    /// returned builder.
    ///
    /// # Examples
    ///
    /// ```standalone_crate
    /// use axum_durable::{Durable, MemoryStore, prelude::*};
    ///
    /// #[workflow]
    /// async fn order(ctx: &WorkflowCtx) -> Result<String> {
    ///     let update = ctx.on_update::<String, usize>("set-address").await?;
    ///     let address = update.args().clone();
    ///     update.reply(&address.len())?;
    ///     Ok(address)
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    /// let durable = Durable::builder().store(MemoryStore::new()).build().await?;
    /// durable.start(order, ()).id("order-7").await?;
    /// let length: usize = durable.update("order-7", "set-address", "Elm Street").await?;
    /// assert_eq!(length, 10);
    /// # durable.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn update<A: Serialize, R>(
        &self,
        run: impl Into<Arc<str>>,
        name: impl Into<Arc<str>>,
        args: A,
    ) -> SendUpdate<R> {
        SendUpdate {
            durable: self.clone(),
            run: run.into(),
            name: name.into(),
            args: Payload::encode(&args),
            id: None,
            within: WITHIN,
            reply: PhantomData,
        }
    }
}

impl<R> SendUpdate<R> {
    /// Names it, so that it may be repeated: the same name to the same run is taken once, and each
    /// caller gets the same answer. Default: an update of its own.
    pub fn id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// How long the answer is waited for. Default 30 s, as long as clients of a web service
    /// commonly wait. The update itself stays.
    pub const fn within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    async fn send(self) -> Result<Payload, Error> {
        let (durable, within) = (self.durable, self.within);
        let run = RunId::parse(self.run)?;
        let token = update_address(&run, &self.name);
        let id = match &self.id {
            Some(name) => address::delivery_id(&token, name),
            None => SignalId::generate(),
        };
        let key = UpdateRequest::answer_key(id);
        let wait = Wait {
            durable,
            run,
            key,
            name: self.name,
        };
        // Who repeats an update may find its answer, also of a run that has ended.
        if let Some(answer) = wait.look().await? {
            return Ok(answer);
        }
        let request = UpdateRequest {
            answer: wait.key.as_str().into(),
            args: self.args?,
        };
        let payload = Payload::encode(&request)?;
        let answer = async {
            wait.durable.engine().signal(id, token, payload).await?;
            wait.answer().await
        };
        let answer = tokio::time::timeout(within, answer).await;
        answer.unwrap_or_else(|_| {
            Err(Error::NoReply {
                run: wait.run,
                name: wait.name,
                within,
            })
        })
    }
}

/// A wait for the answer to an update.
struct Wait {
    durable: Durable,
    run: RunId,
    key: String,
    name: Arc<str>,
}

impl Wait {
    /// The answer, if there is one; an error if there will be none.
    async fn look(&self) -> Result<Option<Payload>, Error> {
        let store = self.durable.engine().store();
        // The run first: an answer that is written with its end is there when the end is.
        let found = store.run(&self.run).await?;
        let run = self.run.clone();
        let status = found.ok_or(Error::UnknownRun { run })?.status;
        let answer = store.published(&self.run, &self.key).await?;
        match answer.map(|answer| answer.decode()).transpose()? {
            Some(UpdateAnswer::Reply(value)) => Ok(Some(value)),
            Some(UpdateAnswer::Rejected(reason)) => Err(Error::UpdateRejected {
                name: Arc::clone(&self.name),
                reason,
            }),
            Some(UpdateAnswer::Failed(failure)) => Err(Error::UpdateFailed {
                name: Arc::clone(&self.name),
                failure,
            }),
            None if status.is_terminal() => Err(self.ended(status)),
            None => Ok(None),
        }
    }

    fn ended(&self, status: RunStatus) -> Error {
        Error::Store(StoreError::WrongStatus {
            run: self.run.clone(),
            status,
            asked: "updated",
        })
    }

    /// Waits for the answer. News come at once from runs that execute here, and by the control
    /// plane from others; the store is asked in any case, first often and then once a second.
    async fn answer(&self) -> Result<Payload, Error> {
        const FIRST_PAUSE: Duration = Duration::from_millis(5);
        const LONGEST_PAUSE: Duration = Duration::from_secs(1);
        let mut news = self.durable.subscribe();
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(answer) = self.look().await? {
                return Ok(answer);
            }
            self.durable.engine().follow(&self.run);
            let told = async {
                loop {
                    match news.recv().await {
                        Ok(event) if self.concerns(&event) => return,
                        Ok(_) => {}
                        Err(RecvError::Lagged(_)) => return,
                        Err(RecvError::Closed) => std::future::pending().await,
                    }
                }
            };
            // No news within the pause is fine.
            drop(tokio::time::timeout(pause, told).await);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn concerns(&self, event: &EngineEvent) -> bool {
        *event.run() == self.run
    }
}

impl<R: DeserializeOwned + 'static> IntoFuture for SendUpdate<R> {
    type Output = Result<R, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { Ok(self.send().await?.decode()?) })
    }
}

impl<R> fmt::Debug for SendUpdate<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendUpdate")
            .field("run", &self.run)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
