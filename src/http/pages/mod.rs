//! The pages for people: a single-page app that is built into the library, and the API's first
//! user.
//!
//! | file | what it is |
//! |---|---|
//! | `routes` | the routes and what they answer |
//! | `bundle` | the built files, compressed once |
//! | `base` | how a page finds the rest of the app, wherever the host has put it |
//!
//! What is not here: what the pages show. Their source is `dashboard-ui/`.

mod base;
mod bundle;
mod routes;

pub(super) use routes::{index, router};
