//! The JSON API: what is under `<base>/api`.
//!
//! | file | routes |
//! |---|---|
//! | `routes`, `refusals` | all of them, and their OpenAPI document |
//! | `meta` | what this instance is, and what may be done through it |
//! | `runs` | the list of runs, one run, its explanation, its payloads, what it published |
//! | `history` | a run's operations as lines |
//! | `surveys` | what the newest runs say together |
//! | `live` | everything that a page follows, in one stream of server-sent events |
//! | `stream` | one run as it gets on, by server-sent events |
//! | `hub`, `watch` | what streams read: the list, one run |
//! | `start`, `actions`, `tasks`, `updates` | what starts and changes a run |
//! | `batches` | the same for many runs |
//! | `workflows`, `described` | what can be run here, and what is known of it |
//! | `workers` | who executes runs, and numbers of this process |
//! | `dto`, `value` | the shapes of answers |
//! | `undo` | what a cancellation would undo |
//! | `under_way` | the steps that execute now |
//! | `params`, `search`, `body` | what a request may ask for |

mod actions;
mod batches;
mod body;
mod control;
mod described;
mod dto;
mod events;
mod fork;
mod history;
mod hub;
mod live;
mod meta;
mod params;
mod refusals;
mod routes;
mod runs;
mod search;
mod start;
mod stream;
mod surveys;
mod tasks;
mod under_way;
mod undo;
mod updates;
mod value;
mod watch;
mod workers;
mod workflows;

pub(super) use meta::Offers;
pub(super) use routes::{no_such_route, router};
