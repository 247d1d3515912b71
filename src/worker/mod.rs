//! Executes steps that runs ask for with `ctx.remote`. Needs no store.

mod step;

pub use step::Worker;
