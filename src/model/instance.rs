//! What an instance says of itself, for people.

use serde::{Deserialize, Serialize};

use crate::id::InstanceId;
use crate::time::Timestamp;

/// What an instance says of itself. Nothing depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct InstanceReport {
    /// The name of its machine.
    pub host: String,
    /// The number of its process there.
    pub process: u32,
    /// The version of this library in it.
    pub version: String,
    /// Tells its build from others.
    pub build: String,
    /// When it was started.
    pub started_at: Timestamp,
    /// The workflows that it executes, such as `checkout v3`.
    pub workflows: Vec<String>,
    /// The steps that it executes as a worker.
    pub steps: Vec<String>,
    /// Runs in its memory.
    pub runs: usize,
    /// Those of them that only wait.
    pub parked: usize,
    /// How many there may be.
    pub most_runs: usize,
}

impl Default for InstanceReport {
    fn default() -> Self {
        Self {
            host: String::new(),
            process: 0,
            version: String::new(),
            build: String::new(),
            started_at: Timestamp::from_millis(0),
            workflows: Vec::new(),
            steps: Vec::new(),
            runs: 0,
            parked: 0,
            most_runs: 0,
        }
    }
}

/// An instance as a store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InstanceRow {
    /// Its id.
    pub id: InstanceId,
    /// Until when it counts as alive without another sign of life.
    pub lease_until: Timestamp,
    /// When it last said something of itself.
    pub reported_at: Option<Timestamp>,
    /// What it said; absent before its first report, and if this build cannot read it.
    pub report: Option<InstanceReport>,
    /// The runs that it owns.
    pub runs: u64,
}

impl InstanceRow {
    /// An instance that has said nothing of itself and owns nothing.
    #[must_use]
    pub const fn new(id: InstanceId, lease_until: Timestamp) -> Self {
        Self {
            id,
            lease_until,
            reported_at: None,
            report: None,
            runs: 0,
        }
    }
}
