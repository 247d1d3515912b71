//! `axum-durable` in a web service: the layer, the extractor, the router and the JSON API.
//!
//! | file | what it is |
//! |---|---|
//! | `layer` | puts a `Durable` into each request |
//! | `extract` | takes it out again in handlers |
//! | `respond` | what handles and outcomes look like as responses |
//! | `problem`, `failure` | errors as RFC 9457 problem documents |
//! | `router` | the routes under one base path, for any router |
//! | `guard`, `access` | who may ask what, and which browsers may change something |
//! | `login/` | a login of the router's own, by feature `login` |
//! | `api/` | the JSON API itself |
//! | `webhooks/` | what the outside posts to runs |
//! | `pages/` | the pages for people, built from `dashboard-ui/` |
//!
//! What is not here: what the answers mean. The API shows what `control` reads and asks `durable`
//! for changes.

mod access;
mod api;
mod extract;
mod failure;
mod guard;
mod layer;
#[cfg(feature = "login")]
mod login;
#[cfg(feature = "dashboard")]
mod pages;
mod problem;
mod respond;
mod router;
mod webhooks;

pub use crate::control::{Exposure, ExposureKind};
pub use access::Access;
pub use extract::MissingDurableLayer;
pub use layer::{DurableLayer, DurableService, WithDurable};
#[cfg(feature = "login")]
pub use login::{InvalidLoginSecret, InvalidPasswordHash, Login, PasswordHash};
pub use problem::Problem;
pub use router::{DurableRouter, durable_router};
pub use webhooks::{
    HmacVerifier, InvalidWebhookSecret, StandardWebhooks, WebhookDelivery, WebhookRefused,
    WebhookVerifier,
};
