//! The app's own tables.

pub mod charge;
pub mod effect;
pub mod order;
pub mod reservation;
pub mod shipment;
pub mod stock;
