//! The layer, the router and the JSON API, asked as a client would.

mod acting;
mod app;
mod attributes;
mod contract;
mod control;
mod guard;
mod live;
mod login;
mod looking;
mod mounting;
mod openapi;
mod pages;
mod problems;
mod redact;
mod runs;
mod slow;
mod stream;
mod under_way;
