//! The JSON API: what is under `<base>/api`.
//!
//! | file | routes |
//! |---|---|
//! | `routes` | all of them, and their OpenAPI document |
//! | `runs` | the list of runs, one run, its explanation, what it published |
//! | `stream` | one run as it gets on, by server-sent events |
//! | `actions` | what changes a run |
//! | `workflows` | what can be run here |
//! | `dto`, `value` | the shapes of answers |
//! | `params` | what a request may ask for |

mod actions;
mod dto;
mod params;
mod routes;
mod runs;
mod stream;
mod value;
mod workflows;

pub(super) use routes::{no_such_route, router};
