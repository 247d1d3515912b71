//! The control plane seam: how instances of one app tell each other news.
//!
//! Hints only. Each of them says "look at the store", none carries a value, and all of them may be
//! lost: every instance also polls, and polling alone is correct. A control plane makes it fast.
//!
//! | implementation | between |
//! |---|---|
//! | [`InProcessPlane`] | engines of one process |
//! | `PostgresPlane` (feature `store-postgres`) | instances on one PostgreSQL, by `LISTEN` and `NOTIFY` |
//!
//! What is not here: which hints are sent when (`engine`), and work for workers (`transport`).

mod bulletin;
mod hint;
mod seam;

mod in_process;
#[cfg(feature = "store-postgres")]
mod postgres;

pub use bulletin::Bulletin;
pub use hint::Hint;
pub use in_process::InProcessPlane;
#[cfg(feature = "store-postgres")]
pub use postgres::PostgresPlane;
pub use seam::{ControlPlane, Notice, Notices};
