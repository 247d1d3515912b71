//! The checkout example under load for minutes, with kills, and its books afterwards.

mod books;
mod drive;
mod shops;

pub(crate) use drive::{Soak, soak};
