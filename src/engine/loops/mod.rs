//! What an engine does in the background, one file each.

mod claim;
mod dispatch;
mod evict;
mod lease;
mod recovery;
mod tasks;
mod timers;

pub(crate) use lease::enroll;
pub(crate) use tasks::spawn_all;
