//! One claimed run: its host, its driver and what it writes.

mod drive;
mod flush;
mod host;
mod news;
mod operations;
mod pending;
mod state;
mod turn;
mod wake;

pub(crate) use drive::begin;
