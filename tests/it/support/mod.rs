//! What several test files use.

pub(crate) mod crashes;
pub(crate) mod ledger;
pub(crate) mod probes;
pub(crate) mod program;
#[path = "../../services/mod.rs"]
pub(crate) mod services;
pub(crate) mod turbo;
pub(crate) mod world;
