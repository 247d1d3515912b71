//! What the store can do without an engine.

use std::{sync::Arc, time::Duration};

use axum_durable::{
    RunStatus,
    id::{FencingToken, InstanceId, RunId, Seq},
    model::{Checkpoint, CheckpointKind, CheckpointStatus, NewRun, WorkflowKey},
    payload::Payload,
    store::{Batch, BatchAck, Custody, LivenessLock, RunCommit, StartAck, Store},
    time::Timestamp,
};
use tokio::time::Instant;

use crate::{flows::Out, load::percentile, report::Failed};

/// How long the loop goes on: long enough to see past the first WAL checkpoint.
const LENGTH: Duration = Duration::from_millis(1_500);

/// Lives built at a time, outside of what is timed.
const PREPARED: usize = 8;

/// The bare loop: the statements of the engine on the schema of the engine, without an engine. It
/// takes runs through their lives in step, as many in a batch as are in flight: a batch that
/// starts them, one for each step, and the last one ends them, too.
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

    /// Stored steps a second, of runs with `steps` each and `in_flight` of them in a batch.
    pub(crate) async fn steps_per_second(
        &self,
        in_flight: usize,
        steps: usize,
    ) -> Result<f64, Failed> {
        let mut spent = Duration::ZERO;
        let mut written = 0_usize;
        while spent < LENGTH {
            let lives = (0..PREPARED).flat_map(|_| self.lives(in_flight, steps));
            let batches: Vec<Batch> = lives.collect();
            let begun = Instant::now();
            for batch in &batches {
                let ack = self.store.commit(batch).await?;
                check_starts(&ack)?;
                written += ack.commits.into_iter().filter(Result::is_ok).count();
            }
            spent += begun.elapsed();
        }
        Ok(written as f64 / spent.as_secs_f64())
    }

    /// A run for bare commits.
    pub(crate) async fn bare(self) -> Result<Bare, Failed> {
        let run = RunId::generate();
        check_starts(
            &self
                .store
                .commit(&self.starts(std::slice::from_ref(&run)))
                .await?,
        )?;
        Ok(Bare {
            ceiling: self,
            run,
            times: Vec::new(),
        })
    }

    /// The batches of new runs from their start to their end.
    fn lives(&self, count: usize, steps: usize) -> Vec<Batch> {
        let runs: Vec<RunId> = (0..count).map(|_| RunId::generate()).collect();
        let last = u32::try_from(steps.saturating_sub(1)).unwrap_or(u32::MAX);
        let step = |at| self.step(&runs, at, at == last);
        let starts = std::iter::once(self.starts(&runs));
        starts.chain((0..=last).map(step)).collect()
    }

    /// Runs that this loop holds under token 1.
    fn starts(&self, runs: &[RunId]) -> Batch {
        let start = |id: &RunId| {
            let workflow = WorkflowKey::new("ceiling", 1);
            let mut new = NewRun::new(id.clone(), workflow, Payload::null(), self.now);
            new.owner = Some(self.instance.clone());
            new
        };
        Batch {
            starts: runs.iter().map(start).collect(),
            ..Batch::default()
        }
    }

    fn step(&self, runs: &[RunId], seq: u32, is_last: bool) -> Batch {
        let commit = |run: &RunId| {
            let mut commit = self.commit(run);
            commit.rev = u64::from(seq) + 1;
            commit.checkpoints = vec![self.checkpoint(seq)];
            if is_last {
                commit.status = RunStatus::Completed;
                commit.custody = Custody::Release;
                commit.output = Some(self.result.clone());
            }
            commit
        };
        Batch {
            commits: runs.iter().map(commit).collect(),
            ..Batch::default()
        }
    }

    fn commit(&self, run: &RunId) -> RunCommit {
        let mut commit = RunCommit::new(run.clone(), FencingToken(1), RunStatus::Running, self.now);
        // As the engine does it for runs that somebody executes.
        commit.wake_at = Timestamp::MAX;
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

fn check_starts(ack: &BatchAck) -> Result<(), Failed> {
    let are_new = ack.starts.iter().all(|ack| *ack == StartAck::Created);
    if are_new {
        Ok(())
    } else {
        Err("the store has runs of an earlier measurement".into())
    }
}
