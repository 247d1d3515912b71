//! The layer, the router and the JSON API, asked as a client would.

mod app;
mod guard;
mod mounting;
mod problems;
mod runs;
mod stream;
