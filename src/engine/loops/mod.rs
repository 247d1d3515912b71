//! What an engine does in the background, one file each.

mod accumulators;
mod announce;
mod claim;
mod dispatch;
mod evict;
mod lease;
mod listen;
mod orphans;
mod recovery;
mod report;
mod sweep;
mod tasks;
mod timers;

pub(crate) use accumulators::look as look_at_accumulators;
pub(crate) use announce::farewell;
pub(crate) use lease::enroll;
pub(crate) use sweep::sweep;
pub(crate) use tasks::spawn_all;
