//! Replay, as pure state: no I/O, no clock, no tasks.
//!
//! A [`Cursor`] gives operations their positions, answers them from the history, and decides
//! which outcome is handed to the workflow next. The driver polls the workflow once per release.

mod cursor;
mod fault;
mod slot;
mod slots;

pub(crate) use cursor::{Cursor, Opened, Release, site_text};
pub(crate) use fault::Fault;
pub(crate) use slot::{Slot, SlotState};
