//! `axum-durable` in a web service: the layer, the extractor, the router and the JSON API.
//!
//! | file | what it is |
//! |---|---|
//! | `layer` | puts a `Durable` into each request |
//! | `extract` | takes it out again in handlers |
//! | `respond` | what handles and outcomes look like as responses |
//! | `problem`, `failure` | errors as RFC 9457 problem documents |
//! | `router` | the routes under one base path, for any router |
//! | `guard` | who may ask, and which browsers may change something |
//! | `api/` | the JSON API itself |
//!
//! What is not here: what the answers mean. The API shows what `control` reads and asks `durable`
//! for changes.

mod api;
mod extract;
mod failure;
mod guard;
mod layer;
mod problem;
mod respond;
mod router;

pub use extract::MissingDurableLayer;
pub use layer::{DurableLayer, DurableService, WithDurable};
pub use problem::Problem;
pub use router::{DurableRouter, durable_router};
