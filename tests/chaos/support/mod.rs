//! What the tests of this folder use.

pub(crate) mod customers;
pub(crate) mod engine;
pub(crate) mod place;
pub(crate) mod proxy;
pub(crate) mod shop;
