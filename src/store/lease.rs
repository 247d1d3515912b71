//! Who drives which run: instances, claims and the take-over from dead ones.

use std::{any::Any, fmt, time::Duration};

use async_trait::async_trait;

use super::{error::StoreError, read::RunRecord};
use crate::id::{FencingToken, InstanceId, RunId};
use crate::model::{InstanceReport, NewRun, Run, WorkflowKey};
use crate::time::Timestamp;

/// What a [`LivenessLock`] is made of.
#[async_trait]
pub trait Liveness: Send + Sync {
    /// Gives the lock back, and returns when others can have it.
    async fn release(self: Box<Self>);
}

/// Proof towards other processes that this one lives: freed by the system when it dies.
///
/// Dropping it gives the lock back, sooner or later; [`release`](Self::release) waits for it.
pub struct LivenessLock(Option<Box<dyn Liveness>>);

impl LivenessLock {
    /// A lock held by `guard`, and free as soon as that is dropped.
    #[must_use]
    pub fn new(guard: impl Any + Send + Sync) -> Self {
        Self::with(Guard(guard))
    }

    /// A lock that takes a call to give back.
    #[must_use]
    pub fn with(liveness: impl Liveness + 'static) -> Self {
        Self(Some(Box::new(liveness)))
    }

    /// No lock: only the lease tells whether the instance lives.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// Whether there is a lock behind it.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        self.0.is_some()
    }

    /// Gives the lock back, and returns when others can have it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the lock back too.
    pub async fn release(self) {
        if let Some(liveness) = self.0 {
            liveness.release().await;
        }
    }
}

struct Guard<T>(T);

#[async_trait]
impl<T: Any + Send + Sync> Liveness for Guard<T> {
    async fn release(self: Box<Self>) {
        drop(self.0);
    }
}

impl fmt::Debug for LivenessLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LivenessLock")
            .field(&self.is_held())
            .finish()
    }
}

/// Which runs to claim.
#[derive(Debug, Clone)]
pub struct Claim<'a> {
    /// Who claims.
    pub instance: &'a InstanceId,
    /// The workflows that it can execute; runs of others are left alone.
    pub workflows: &'a [WorkflowKey],
    /// The namespace whose runs it executes; those of all when `None`.
    pub namespace: Option<&'a str>,
    /// The most runs to claim.
    pub limit: u32,
}

/// What there is to do for an instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outlook {
    /// When the next run of the workflows falls due, as far as is known.
    pub next_due: Option<Timestamp>,
    /// Runs of the instance that were woken more often than their owner has seen, in any order.
    pub woken: Vec<RunId>,
    /// Whether no other instance is known, so that there is nobody to take over from. `false` where
    /// the store does not tell.
    pub is_alone: bool,
}

/// What a claim got.
#[derive(Debug, Default)]
pub struct Claimed {
    /// The claimed runs with their history, in the order in which they were claimed, under their new
    /// tokens.
    pub runs: Vec<RunRecord>,
    /// Claimed runs whose rows this build cannot read; they are to be set aside one by one.
    pub unreadable: Vec<UnreadableRun>,
}

/// A claimed run that cannot be executed because a row of it cannot be read.
#[derive(Debug)]
pub struct UnreadableRun {
    /// The run.
    pub run: RunId,
    /// Its new token.
    pub token: FencingToken,
    /// Its revision, where that could be read.
    pub rev: u64,
    /// What is wrong.
    pub error: StoreError,
}

/// What a take-over found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// The instances that were found dead.
    pub dead: Vec<InstanceId>,
    /// How many of their runs are due again.
    pub runs: u64,
    /// Runs that were given up because they were recovered too often without getting on.
    pub given_up: Vec<RunId>,
}

/// Makes the run that is started for one that is given up, in the same transaction.
pub type Letter<'a> = &'a (dyn Fn(&Run) -> Option<NewRun> + Send + Sync);

/// Who drives which run.
///
/// # Contract
///
/// 20. A run is claimed by one instance only, however many claim at once, and its token grows
///     with each claim, across restarts too.
/// 21. A claim takes runs without owner whose `wake_at` has come by the store's clock, of the
///     given workflows and, if one is given, of that namespace, and makes them `running`; a
///     `cancelling` run stays so. Those with the highest priority come first, and of one priority
///     the longest due, and then those that were started first.
/// 22. It returns each run with its whole history and inbox.
/// 23. `enroll` makes the instance known with a lease of `ttl` and takes its liveness lock.
/// 24. `heartbeat` renews that lease, and fails with [`StoreError::InstanceLost`] once the
///     instance was declared dead.
/// 25. `recover` declares dead every other instance whose liveness lock can be taken or whose
///     lease ran out, forgets it, and makes its runs due. Those that were `running` count one
///     recovery; one that would exceed `max_recoveries` becomes `dead` instead. An instance
///     whose lock is held and whose lease is good keeps its runs. The runs of an owner that is not
///     known, because it wrote them after it was declared dead, are treated in the same way. For
///     each run that becomes `dead`, the run that [`Letter`] makes of it is started in the same
///     transaction, unless its id exists.
/// 26. `resign` makes the instance's runs due without counting a recovery, and forgets it.
/// 27. `look` tells when the next run of the workflows, and of a given namespace, falls due, and which runs of the instance
///     were woken more often than their owner has seen. It changes nothing and costs one query,
///     so that an idle instance can afford it every second.
/// 28. `report` keeps what an instance says of itself for [`instances`](super::ReadStore::instances).
///     Nothing else depends on it, and for an instance that is not known it does nothing.
#[async_trait]
pub trait LeaseStore: Send + Sync {
    /// Makes an instance known and takes its liveness lock.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`]; nothing is known of the instance then.
    async fn enroll(
        &self,
        instance: &InstanceId,
        ttl: Duration,
    ) -> Result<LivenessLock, StoreError>;

    /// Renews the lease of an instance: `ttl` from now.
    ///
    /// # Errors
    ///
    /// [`StoreError::InstanceLost`] once it was declared dead, [`StoreError::Backend`] otherwise.
    async fn heartbeat(&self, instance: &InstanceId, ttl: Duration) -> Result<(), StoreError>;

    /// Keeps what an instance says of itself, for people. Default: it is not kept.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`]; people then see the report before.
    async fn report(
        &self,
        instance: &InstanceId,
        report: &InstanceReport,
    ) -> Result<(), StoreError> {
        let _ = (instance, report);
        Ok(())
    }

    /// Gives back everything that an instance holds.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`]; the lease then runs out by itself.
    async fn resign(&self, instance: &InstanceId) -> Result<(), StoreError>;

    /// Takes over from dead instances.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`]; the next call finds the same instances.
    async fn recover(
        &self,
        instance: &InstanceId,
        max_recoveries: u32,
        letter: Letter<'_>,
    ) -> Result<Recovery, StoreError>;

    /// Claims due runs.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`]; runs may be claimed then, and `recover` of another instance or
    /// the owner's own [`held`](super::ReadStore::held) finds them.
    async fn claim(&self, claim: Claim<'_>) -> Result<Claimed, StoreError>;

    /// Looks for what there is to do.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`].
    async fn look(
        &self,
        instance: &InstanceId,
        workflows: &[WorkflowKey],
        namespace: Option<&str>,
    ) -> Result<Outlook, StoreError>;
}
