//! Every statement, one file for each database.
//!
//! Placeholders are `$1`, `$2`, … and name a value of the whole script; the driver writes them as
//! the database wants them.

mod amend;
pub(super) mod attributes;
mod choice;
mod due;
mod flows;
mod owners;
mod prune;
mod servers;
mod texts;

pub(super) mod batch;
pub(super) mod events;
pub(super) mod postgres;
pub(super) mod relations;
pub(super) mod sqlite;

pub(super) mod mysql;

pub(super) use amend::{AmendTexts, amend_texts};
pub(super) use choice::statements;
pub(super) use flows::live_flows;
pub(super) use prune::{candidates, end_at, lock_candidates, prune_texts};
pub(super) use texts::{CommitTexts, RankedTexts, Statements};
