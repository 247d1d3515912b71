//! Taking what is posted to webhooks.

use std::sync::Arc;

use super::{error::Error, handle::Durable};
use crate::engine::SignalOutcome;
use crate::model::{SignalId, WebhookRecord, address};
use crate::payload::Payload;
use crate::workflow::ops::webhook_address;

/// A webhook that takes posts.
#[derive(Debug)]
pub(crate) struct OpenWebhook {
    address: Arc<str>,
    record: WebhookRecord,
}

impl OpenWebhook {
    /// Who checks posts, besides their token.
    pub(crate) fn verified_by(&self) -> Option<&str> {
        self.record.verified_by.as_deref()
    }
}

impl Durable {
    /// Looks for the webhook that a token belongs to. Nothing is written for a token that belongs
    /// to none, so that nobody fills the store.
    pub(crate) async fn open_webhook(&self, token: &str) -> Result<OpenWebhook, Error> {
        let (run, seq) = address::place_of(token).ok_or(Error::UnknownWebhook)?;
        let key = WebhookRecord::key(seq);
        let store = self.engine().store();
        let record = store.published(&run, &key).await?;
        let record: WebhookRecord = record.ok_or(Error::UnknownWebhook)?.decode()?;
        let address = webhook_address(token);
        // Both are hashes, so how far they agree says nothing about how far the tokens do.
        if *address != *record.address {
            return Err(Error::UnknownWebhook);
        }
        let run = store.run(&run).await?.ok_or(Error::UnknownWebhook)?;
        let now = self.engine().clock().now();
        let is_late = record.expires_at.is_some_and(|at| at <= now);
        if is_late || run.status.is_terminal() {
            return Err(Error::WebhookClosed);
        }
        Ok(OpenWebhook { address, record })
    }

    /// Hands a post to the run. When this returns it is stored.
    ///
    /// A repetition that is known as one, by `message` or because only the first post counts, is
    /// answered like the first and changes nothing.
    pub(crate) async fn take_post(
        &self,
        webhook: OpenWebhook,
        message: Option<&str>,
        body: Payload,
    ) -> Result<SignalOutcome, Error> {
        let OpenWebhook { address, record } = webhook;
        let id = match message {
            _ if record.one_shot => address::delivery_id(&address, "first"),
            Some(message) => address::delivery_id(&address, &format!("message {message}")),
            None => SignalId::generate(),
        };
        Ok(self.engine().signal(id, address, body).await?)
    }
}
