//! Client plumbing that stores and transports share: how to talk to a database, not what to say.

pub(crate) mod sql;
