//! The outside world of the shop. Each provider is called with the idempotency key of the step
//! that calls it, keeps it, and does what it was asked for once per key: that turns "at least
//! once" into "once".
//!
//! They stand for services of others, so each has tables of its own; that all are in the shop's
//! database is only to need nothing else for the example.

mod books;
mod ledger;
mod mail;
mod payments;
mod shipping;
mod stock;

pub(crate) use ledger::Shop;
pub(crate) use payments::{
    BANK_FROM_CENTS, ChargeRequest, Confirmation, charge_card, refund_charge,
};
