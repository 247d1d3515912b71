//! The workloads, one file each.

mod bench;

mod across;
mod costs;
mod idle;
mod lateness;
mod lists;
mod takeover;
mod w1;
mod w2;
mod w3;
mod w4;
mod w5;
mod w6;
mod w7;

pub(crate) use across::across;
pub(crate) use bench::{Bench, Engine, Sizes};
pub(crate) use costs::costs;
pub(crate) use idle::idle;
pub(crate) use lateness::lateness;
pub(crate) use lists::lists;
pub(crate) use takeover::takeover;
pub(crate) use w1::{ceiling, w1};
pub(crate) use w2::w2;
pub(crate) use w3::{park_on_signals, signal_one, w3};
pub(crate) use w4::{park, w4};
pub(crate) use w5::w5;
pub(crate) use w6::w6;
pub(crate) use w7::w7;
