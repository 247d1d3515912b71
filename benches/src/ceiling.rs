//! What the store can do without an engine.

use std::{sync::Arc, time::Duration};

use axum_durable::{
    RunStatus,
    id::{FencingToken, InstanceId, RunId, Seq},
    model::{Checkpoint, CheckpointKind, CheckpointStatus, NewRun, WorkflowKey},
    payload::Payload,
    store::{Batch, LivenessLock, RunCommit, StartAck, Store},
    time::Timestamp,
};
use tokio::time::Instant;

use crate::{flows::Out, load::percentile, report::Failed};

/// How long the loop goes on: long enough to see past the first WAL checkpoint.
const LENGTH: Duration = Duration::from_millis(1_500);

/// Batches built at a time, outside of what is timed.
const PREPARED: usize = 64;

/// The bare loop: the statements of the engine on the schema of the engine, without an engine.
pub(crate) struct Ceiling {
    store: Arc<dyn Store>,
    instance: InstanceId,
    result: Payload,
    now: Timestamp,
}

/// Commits of one run without a checkpoint: the least that can be made durable.
pub(crate) struct Bare {
    ceiling: Ceiling,
    run: RunId,
    times: Vec<f64>,
}

impl Bare {
    /// Makes one and notes its time.
    pub(crate) async fn commit(&mut self) -> Result<(), Failed> {
        let mut commit = self.ceiling.commit(&self.run);
        commit.rev = self.times.len() as u64 + 1;
        let batch = Batch {
            commits: vec![commit],
            ..Batch::default()
        };
        let begun = Instant::now();
        let ack = self.ceiling.store.commit(&batch).await?;
        self.times.push(begun.elapsed().as_secs_f64() * 1e3);
        for ack in ack.commits {
            ack?;
        }
        Ok(())
    }

    /// The median of their milliseconds.
    pub(crate) fn median_ms(&mut self) -> f64 {
        percentile(&mut self.times, 50)
    }
}

/// Runs that the loop owns, and how far it has taken them.
struct Owned {
    runs: Vec<RunId>,
    step: u32,
}

impl Ceiling {
    /// A loop over `store`.
    pub(crate) async fn new(store: Arc<dyn Store>) -> Result<(Self, LivenessLock), Failed> {
        let instance = InstanceId::generate();
        let lock = store.enroll(&instance, Duration::from_secs(60)).await?;
        let ceiling = Self {
            instance,
            result: Payload::encode(&Out::new(1))?,
            now: store.clock().now(),
            store,
        };
        Ok((ceiling, lock))
    }

    /// Stored checkpoints a second, `in_flight` of them in a batch.
    pub(crate) async fn steps_per_second(&self, in_flight: usize) -> Result<f64, Failed> {
        let mut spent = Duration::ZERO;
        let mut written = 0_usize;
        let mut owned = self.own(in_flight).await?;
        while spent < LENGTH {
            let batches: Vec<Batch> = (0..PREPARED).map(|_| self.batch(&mut owned)).collect();
            let begun = Instant::now();
            for batch in &batches {
                let ack = self.store.commit(batch).await?;
                written += ack.commits.into_iter().filter(Result::is_ok).count();
            }
            spent += begun.elapsed();
        }
        Ok(written as f64 / spent.as_secs_f64())
    }

    /// A run for bare commits.
    pub(crate) async fn bare(self) -> Result<Bare, Failed> {
        let owned = self.own(1).await?;
        let run = owned.runs.into_iter().next().ok_or("no run was stored")?;
        Ok(Bare {
            ceiling: self,
            run,
            times: Vec::new(),
        })
    }

    /// Stores runs that this loop holds under token 1.
    async fn own(&self, count: usize) -> Result<Owned, Failed> {
        let runs: Vec<RunId> = (0..count).map(|_| RunId::generate()).collect();
        let start = |id: &RunId| {
            let workflow = WorkflowKey::new("ceiling", 1);
            let mut new = NewRun::new(id.clone(), workflow, Payload::null(), self.now);
            new.owner = Some(self.instance.clone());
            new
        };
        let batch = Batch {
            starts: runs.iter().map(start).collect(),
            ..Batch::default()
        };
        let ack = self.store.commit(&batch).await?;
        if ack.starts.iter().any(|ack| *ack != StartAck::Created) {
            return Err("the store has runs of an earlier measurement".into());
        }
        Ok(Owned { runs, step: 0 })
    }

    /// The next step of each run.
    fn batch(&self, owned: &mut Owned) -> Batch {
        let seq = owned.step;
        owned.step += 1;
        let commit = |run: &RunId| {
            let mut commit = self.commit(run);
            commit.rev = u64::from(seq) + 1;
            commit.checkpoints = vec![self.checkpoint(seq)];
            commit
        };
        Batch {
            commits: owned.runs.iter().map(commit).collect(),
            ..Batch::default()
        }
    }

    fn commit(&self, run: &RunId) -> RunCommit {
        let mut commit = RunCommit::new(run.clone(), FencingToken(1), RunStatus::Running, self.now);
        commit.wake_at = self.now;
        commit
    }

    fn checkpoint(&self, seq: u32) -> Checkpoint {
        let mut checkpoint =
            Checkpoint::new(Seq(seq), CheckpointKind::Step, "work".into(), self.now);
        checkpoint.ord = Some(seq);
        checkpoint.status = CheckpointStatus::Completed;
        checkpoint.attempt = 1;
        checkpoint.result = Some(self.result.clone());
        checkpoint.site = Some("0a1b2c3d benches/src/flows.rs:46:22".into());
        checkpoint.finished_at = Some(self.now);
        checkpoint.rev = u64::from(seq) + 1;
        checkpoint
    }
}
