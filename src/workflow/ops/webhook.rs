//! `ctx.webhook`: an address that somebody outside posts to.

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    panic::Location,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    operation::Operation,
    private::{PrivateWait, new_ticket},
};
use crate::model::{CheckpointKind, WebhookRecord, address};
use crate::payload::Payload;
use crate::workflow::{
    error::{Result, WorkflowError},
    host::{Call, Host, Outcome},
};

/// The word in front of a webhook's address.
const WORD: &str = "webhook";

/// Where what is posted to a token is sent to.
pub(crate) fn webhook_address(token: &str) -> Arc<str> {
    address::of_ticket(WORD, token)
}

/// How a webhook is set up; see [`WorkflowCtx::webhook_with`](crate::WorkflowCtx::webhook_with).
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct WebhookOptions {
    label: Option<Arc<str>>,
    verified_by: Option<String>,
    one_shot: bool,
    expires_in: Option<Duration>,
}

impl WebhookOptions {
    /// Many posts, checked by their token alone, for as long as the run lives.
    pub fn new() -> Self {
        Self::default()
    }

    /// What people see of it. Default: nothing.
    pub fn label(mut self, label: impl Into<Arc<str>>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Which verifier of the router checks posts, besides their token: the name given to
    /// [`DurableRouter::webhook_verifier`](crate::DurableRouter::webhook_verifier). Default: none.
    pub fn verified_by(mut self, verifier: impl Into<String>) -> Self {
        self.verified_by = Some(verifier.into());
        self
    }

    /// The first post counts; later ones are answered as it was and change nothing. Default: each
    /// post counts, unless its verifier knows that it is a repetition.
    pub const fn one_shot(mut self) -> Self {
        self.one_shot = true;
        self
    }

    /// Closes it after this time, counted from its making. Default: with the end of the run.
    pub const fn expires_in(mut self, length: Duration) -> Self {
        self.expires_in = Some(length);
        self
    }
}

/// What is recorded of a webhook.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Issued {
    token: Arc<str>,
    #[serde(default)]
    url: Option<Arc<str>>,
}

/// An address that somebody outside posts to, made by
/// [`WorkflowCtx::webhook`](crate::WorkflowCtx::webhook).
///
/// The token is recorded: it is durable before anything that comes later starts, and the same after
/// every crash. 192 bits of it are chance. It names the run, so run ids should hold no secrets.
///
/// A post that comes before [`wait`](Self::wait) is kept. Wait several times for several posts.
pub struct Webhook<T> {
    host: Arc<dyn Host>,
    label: Arc<str>,
    issued: Issued,
    value: PhantomData<fn() -> T>,
}

impl<T> Webhook<T> {
    #[track_caller]
    pub(crate) fn new(host: Arc<dyn Host>, options: &WebhookOptions) -> Self {
        let label = options.label.clone().unwrap_or_else(|| "".into());
        let call = Call {
            kind: CheckpointKind::Token,
            name: Arc::clone(&label),
            site: Location::caller(),
        };
        let mut record = None;
        let issued = host.capture(call, &mut |seq| {
            let token: Arc<str> = new_ticket(&*host, seq).into();
            let url = host.public_url();
            let url = url.map(|base| format!("{base}/webhooks/{token}").into());
            let about = WebhookRecord {
                address: webhook_address(&token).to_string(),
                verified_by: options.verified_by.clone(),
                one_shot: options.one_shot,
                expires_at: options.expires_in.map(|length| host.now() + length),
            };
            record = Payload::encode(&about).ok().map(|about| (seq, about));
            let issued = Issued { token, url };
            Ok(Payload::encode(&issued).unwrap_or_else(|_| Payload::null()))
        });
        if let Some((seq, about)) = record {
            host.publish(WebhookRecord::key(seq).into(), about);
        }
        // What cannot be read back is a record of another kind, and then the run is being set
        // aside as diverged.
        let issued = issued.ok().and_then(|issued| issued.decode().ok());
        Self {
            host,
            label,
            issued: issued.unwrap_or_default(),
            value: PhantomData,
        }
    }

    /// What is posted to: `POST <base path>/webhooks/<token>`. Who has it may post.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.issued.token
    }

    /// The whole address, as it was when the webhook was made.
    ///
    /// # Errors
    ///
    /// [`WorkflowError::Failed`] with the code `no_public_url` if it was made by a process without
    /// [`public_url`](crate::durable::DurableBuilder::public_url).
    pub fn url(&self) -> Result<&str> {
        let url = self.issued.url.as_deref();
        url.ok_or_else(|| {
            let message = "the address is not known; add `.public_url(..)` to the builder";
            WorkflowError::failed("no_public_url", message)
        })
    }

    /// Waits for the next post.
    #[track_caller]
    pub fn wait(&self) -> WebhookWait<T> {
        let (host, name) = (Arc::clone(&self.host), Arc::clone(&self.label));
        let operation = Operation::open(host, CheckpointKind::Webhook, name);
        WebhookWait {
            wait: PrivateWait::new(operation, webhook_address(&self.issued.token)),
            value: PhantomData,
        }
    }
}

impl<T> fmt::Debug for Webhook<T> {
    /// Without the token: who has it may post.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}

/// A wait for a post, made by [`Webhook::wait`].
///
/// # Errors
///
/// [`WorkflowError::Timeout`] if none comes in time, [`WorkflowError::Payload`] if the posted JSON
/// is no `T`.
#[derive(Debug)]
#[must_use = "the wait is not recorded until it is awaited"]
pub struct WebhookWait<T> {
    wait: PrivateWait,
    value: PhantomData<fn() -> T>,
}

impl<T> WebhookWait<T> {
    /// Gives up after `length`, counted from the first poll. Without it the wait has no end.
    pub fn timeout(mut self, length: Duration) -> Self {
        self.wait.limit(length);
        self
    }
}

impl<T: DeserializeOwned> Future for WebhookWait<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Poll::Ready(outcome) = self.wait.poll(cx) else {
            return Poll::Pending;
        };
        let name = Arc::clone(self.wait.operation().name());
        Poll::Ready(match outcome {
            Outcome::Completed(payload) => payload.decode().map_err(WorkflowError::Payload),
            Outcome::Failed(failure) => Err(WorkflowError::Failed(*failure)),
            Outcome::TimedOut => Err(WorkflowError::Timeout {
                operation: WORD,
                name,
            }),
        })
    }
}
