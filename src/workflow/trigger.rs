//! Which events start runs of a workflow, and how many of them become one run.

use std::time::Duration;

use serde::de::DeserializeOwned;

use super::definition::Workflow;
use crate::model::{Accumulate, Trigger};
use crate::payload::Payload;

/// How the events for a workflow become fewer runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Accumulates {
    pub(crate) how: Accumulate,
    /// Whether a payload can be part of a batch.
    pub(crate) fits: fn(&Payload) -> bool,
}

/// The input of a workflow that takes events in batches: a `Vec` of their payloads, the oldest
/// first.
#[diagnostic::on_unimplemented(
    message = "a workflow with `batch` takes a `Vec` of events, not `{Self}`",
    label = "write `Vec<{Self}>`"
)]
pub trait EventBatch {
    /// The payload of one event.
    type Event: DeserializeOwned;
}

impl<T: DeserializeOwned> EventBatch for Vec<T> {
    type Event = T;
}

impl<I, O> Workflow<I, O> {
    /// Starts a run for each event that `trigger` names, with the event's payload as its input.
    /// May be called several times.
    ///
    /// The run is called `evt:<event>:<workflow>` and is stored in the transaction that publishes
    /// the event, so that there is both or neither; an event that is published again under its id
    /// starts nothing twice. What counts are the newest versions of the workflows that the process
    /// knows which publishes. A payload that is no `I` gives a run that fails and says so: it is
    /// seen, the others are not disturbed, and `retry_with_input` mends it.
    ///
    /// # Examples
    ///
    /// ```standalone_crate
    /// use axum_durable::{Durable, MemoryStore, model::Trigger, prelude::*};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    /// let double = Workflow::new("double", 1, |_ctx, n: u32| Box::pin(async move { Ok(n * 2) }))
    ///     .on_event(Trigger::new("counted").matching("", 21));
    /// let durable = Durable::builder().store(MemoryStore::new()).register(double).build().await?;
    /// durable.publish_event("counted", &21).await?;
    /// # let page = durable.list_runs(&axum_durable::model::RunQuery::default()).await?;
    /// # assert!(page.runs[0].id.as_str().starts_with("evt:"));
    /// # durable.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn on_event(mut self, trigger: impl Into<Trigger>) -> Self {
        self.triggers.push(trigger.into());
        self
    }

    /// Lets events come to rest: once none has come for `quiet`, one run gets the payload of the
    /// last one. The events in between start nothing.
    #[must_use]
    pub const fn with_debounce(mut self, quiet: Duration) -> Self {
        self.accumulates = Some(Accumulates {
            how: Accumulate::Debounce { quiet },
            fits: |_| true,
        });
        self
    }

    /// Collects events: one run gets the payloads of all that have come, once there are `most`, or
    /// `within` after the first of them.
    ///
    /// There are 1 to 1,000 in a batch, and fewer where they would be larger than an input may be.
    /// An event that does not fit the others comes in a batch of its own.
    #[must_use]
    pub fn with_batch(mut self, most: usize, within: Duration) -> Self
    where
        I: EventBatch,
    {
        let most = most.clamp(1, Accumulate::MOST);
        self.accumulates = Some(Accumulates {
            how: Accumulate::Batch { most, within },
            fits: |payload| payload.decode::<I::Event>().is_ok(),
        });
        self
    }
}
