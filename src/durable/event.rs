//! Publishing an event.

use std::{fmt, future::IntoFuture, sync::Arc, time::Duration};

use serde::Serialize;

use super::{error::Error, handle::Durable};
use crate::engine::{EventOutcome, EventRequest};
use crate::id::check_name;
use crate::payload::{Payload, PayloadError};
use crate::workflow::BoxFuture;

impl Durable {
    /// Publishes an event to every run that waits for it with `ctx.wait_for_event`, and to those
    /// that will within the next hour, and starts the workflows that were defined with
    /// [`on_event`](crate::Workflow::on_event). Await the returned builder.
    ///
    /// # Examples
    ///
    /// ```standalone_crate
    /// use axum_durable::{Durable, MemoryStore, prelude::*};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct Paid {
    ///     order: u32,
    ///     cents: u64,
    /// }
    ///
    /// #[workflow]
    /// async fn ship(ctx: &WorkflowCtx, order: u32) -> Result<u64> {
    ///     let paid: Paid = ctx.wait_for_event("order.paid").matching("order", order).await?;
    ///     Ok(paid.cents)
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    /// let durable = Durable::builder().store(MemoryStore::new()).build().await?;
    /// let run = durable.start(ship, 7).await?;
    /// for order in [6, 7] {
    ///     let paid = Paid { order, cents: 500 };
    ///     durable.publish_event("order.paid", &paid).id(format!("paid-{order}")).await?;
    /// }
    /// assert_eq!(run.result().await?, 500);
    /// # durable.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn publish_event<T: Serialize + ?Sized>(
        &self,
        name: impl Into<Arc<str>>,
        payload: &T,
    ) -> PublishEvent {
        PublishEvent {
            durable: self.clone(),
            request: EventRequest::new(name.into(), Payload::null()),
            payload: Payload::encode(payload),
        }
    }
}

/// An event about to be published, made by [`Durable::publish_event`]. Await it.
///
/// When it returns, the event is stored and survives every crash.
///
/// # Errors
///
/// [`Error::Payload`] if the value has no JSON form or is too large, [`Error::InvalidName`] if this
/// can be no event's name, [`Error::Store`].
///
/// # Cancel safety
///
/// Dropped while waiting, the event may be published or not; publishing it again under the same id
/// does no harm.
#[must_use = "the event is not published until this is awaited"]
pub struct PublishEvent {
    durable: Durable,
    request: EventRequest,
    payload: Result<Payload, PayloadError>,
}

impl PublishEvent {
    /// Makes repetitions harmless: another event of this name under the same id is not published,
    /// for a week. Default: each event is one of its own.
    pub fn id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.request.id = Some(id.into());
        self
    }

    /// How long waits that are opened later may take it. Default: the
    /// [`event_ttl`](crate::durable::DurableBuilder::event_ttl) of the builder, an hour.
    pub const fn keep_for(mut self, length: Duration) -> Self {
        self.request.keep = Some(length);
        self
    }

    /// Only for those who wait already.
    pub const fn only_now(self) -> Self {
        self.keep_for(Duration::ZERO)
    }

    fn checked(self) -> Result<(Durable, EventRequest), Error> {
        let Self {
            durable,
            mut request,
            payload,
        } = self;
        check_name("event name", &request.name)?;
        request.payload = payload?;
        request
            .payload
            .fits(durable.engine().config().max_payload)?;
        Ok((durable, request))
    }

    /// Publishes it in the caller's own transaction: runs hear it, and those that it starts begin, if
    /// and when that is committed, within milliseconds and a second at most.
    ///
    /// Until then those who publish or begin to wait for events of this name, and some others,
    /// have to wait, and so do the runs that hear it: keep the transaction short.
    ///
    /// # Errors
    ///
    /// Like awaiting it, and [`Error::NoTransactions`] for a store without SQL.
    #[cfg(feature = "_sql")]
    pub async fn in_transaction(
        self,
        transaction: &sea_orm::DatabaseTransaction,
    ) -> Result<(), Error> {
        let (durable, request) = self.checked()?;
        let batch = durable.engine().publication(request);
        let ack = durable.commit_in(transaction, &batch).await?;
        for answer in ack.deliveries {
            answer?;
        }
        durable.engine().expect_start();
        Ok(())
    }
}

impl IntoFuture for PublishEvent {
    type Output = Result<EventOutcome, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (durable, request) = self.checked()?;
            Ok(durable.engine().publish_event(request).await?)
        })
    }
}

impl fmt::Debug for PublishEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublishEvent")
            .field("name", &self.request.name)
            .finish_non_exhaustive()
    }
}
