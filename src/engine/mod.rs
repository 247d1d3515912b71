//! Drives runs: claims them, replays their history, executes what is new and writes it down.
//!
//! | file | what happens there |
//! |---|---|
//! | `replay/` | positions, matching with the history, order of releases; pure |
//! | `run/` | one claimed run: its host, its driver, what it writes |
//! | `journal` | the group commit through which every run writes |
//! | `actions/` | changes asked for from outside: write rows, wake, return |
//! | `loops/` | claim, heartbeat, recovery, timers, eviction, dispatch |
//! | `core` | what all of them share |
//! | `handle` | the verbs that the rest of the crate uses |
//!
//! Imports go `core`, `replay` ← `run` ← `actions` ← `loops` ← `handle`.

mod actions;
mod config;
mod core;
mod handle;
mod journal;
mod loops;
mod replay;
mod resident;
mod residents;
mod run;
mod settled;
mod timers;

pub use actions::{CancelOutcome, SignalOutcome, StartError, StartOutcome, StartRequest};
pub use config::EngineConfig;
pub use handle::{Engine, EngineParts};
pub use settled::Settlement;
