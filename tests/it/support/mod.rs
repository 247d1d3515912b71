//! What several test files use.

pub(crate) mod ledger;
pub(crate) mod probes;
pub(crate) mod program;
pub(crate) mod shop;
pub(crate) mod turbo;
pub(crate) mod world;
