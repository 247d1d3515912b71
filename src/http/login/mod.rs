//! A login of the router's own, for apps without sessions of their own.
//!
//! | file | what it is |
//! |---|---|
//! | `setup` | who may sign in, as the host says it |
//! | `password` | stored passwords |
//! | `session` | the signed cookie |
//! | `damper` | what slows guessing down |
//! | `route` | `POST login` and `POST logout` |
//!
//! What is not here: the form. The pages show one when the API answers 401.

mod damper;
mod password;
mod route;
mod session;
mod setup;

pub use password::{InvalidPasswordHash, PasswordHash};
pub use setup::{InvalidLoginSecret, Login};
