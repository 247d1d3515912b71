//! How the databases carry the hot statements out: by their indexes, in tables of thousands of
//! rows, whether or not the database has gathered statistics.

mod attributed;
mod cases;
mod due;
mod explain;
mod later;
pub(super) mod place;
