//! Where an envelope is addressed to.

/// Where an envelope is addressed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Channel {
    /// Steps for workers.
    StepTasks,
    /// Answers for engines.
    Results,
}
