//! `POST <base>/webhooks/{token}`: what the outside posts to runs.
//!
//! | file | what it is |
//! |---|---|
//! | `route` | the route, outside of the guard: who posts has no session here |
//! | `verifier` | who a post is from: by HMAC, by Standard Webhooks, or by a closure |
//!
//! Nothing of a run is ever part of an answer.

mod route;
mod verifier;

pub(super) use route::Webhooks;
pub use verifier::{
    HmacVerifier, InvalidWebhookSecret, StandardWebhooks, WebhookDelivery, WebhookRefused,
    WebhookVerifier,
};
