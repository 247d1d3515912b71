//! Drives runs: claims them, replays their history, executes what is new and writes it down.
//!
//! | file | what happens there |
//! |---|---|
//! | `replay/` | positions, matching with the history, order of releases; pure |
//! | `run/` | one claimed run: its host, its driver, what it writes |
//! | `journal` | the group commit through which every run writes |
//! | `actions/` | changes asked for from outside: write rows, wake, return |
//! | `loops/` | claim, heartbeat, report, recovery, timers, eviction, dispatch, hints |
//! | `herald`, `interest` | what other instances shall be told, and who wants to hear of which run |
//! | `retention` | how long ended runs are kept |
//! | `rehearse` | replays a recorded history and does nothing else |
//! | `core` | what all of them share |
//! | `tell` | runs in this process are told what was written for them |
//! | `triggers` | which runs an event starts |
//! | `under_way` | which steps execute at this moment, for people |
//! | `handle`, `operate` | the verbs that the rest of the crate uses |
//!
//! Imports go `core`, `replay`, `tell`, `triggers` ← `run` ← `actions` ← `loops` ← `handle`.

mod actions;
mod config;
mod core;
mod dead;
mod handle;
mod herald;
mod interest;
mod journal;
mod loops;
mod neighbours;
mod operate;
mod rehearse;
mod replay;
mod resident;
mod residents;
mod retention;
mod run;
mod settled;
mod tell;
mod timers;
mod triggers;
mod under_way;

pub use actions::{
    ActionError, CancelOutcome, EventOutcome, EventRequest, ForkPreview, ForkRequest, PauseOutcome,
    SignalOutcome, StartError, StartOutcome, StartRequest,
};
pub use config::{EngineConfig, OnDead};
pub use handle::{Engine, EngineParts};
pub use rehearse::rehearse;
pub use retention::{InvalidRetention, Keep, Retention, Swept};
pub use run::Rehearsal;
pub use settled::Settlement;
pub use under_way::StepUnderWay;
