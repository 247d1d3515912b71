//! Takes steps from a transport, calls their handlers and sends the answers back.

use std::{collections::BTreeMap, panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, warn};

use crate::model::Failure;
use crate::payload::Payload;
use crate::protocol::StepTask;
use crate::registry::{Registry, StepEntry};
use crate::time::Clock;
use crate::transport::{Channel, Delivery, Envelope, Transport, TransportError};
use crate::workflow::{Interceptors, States, StepAttempt, StepCtx, StepLog, panicked};

/// Steps executed at once at the most: they mostly wait for other systems, and those should not
/// meet thousands of calls at the same moment.
const MAX_CONCURRENT: usize = 256;

/// Executes steps. Clones share everything.
#[derive(Debug, Clone)]
pub struct Worker {
    steps: Arc<BTreeMap<Arc<str>, StepEntry>>,
    states: States,
    clock: Arc<dyn Clock>,
    transport: Arc<dyn Transport>,
    interceptors: Interceptors,
    room: Arc<Semaphore>,
}

impl Worker {
    /// A worker for every step of a registry.
    #[must_use]
    pub fn new(
        registry: &Registry,
        states: States,
        clock: Arc<dyn Clock>,
        transport: Arc<dyn Transport>,
    ) -> Self {
        let steps = registry
            .steps()
            .map(|entry| (Arc::clone(&entry.name), entry.clone()));
        Self {
            steps: Arc::new(steps.collect()),
            states,
            clock,
            transport,
            interceptors: Interceptors::default(),
            room: Arc::new(Semaphore::new(MAX_CONCURRENT)),
        }
    }

    /// The same worker, with others that see each attempt.
    #[must_use]
    pub fn intercepted_by(mut self, interceptors: Interceptors) -> Self {
        self.interceptors = interceptors;
        self
    }

    /// Takes and executes steps until `stop`; each runs as a task of `tasks`.
    ///
    /// # Errors
    ///
    /// [`TransportError`] if the channel cannot be listened to.
    pub async fn run(
        self,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Result<(), TransportError> {
        let mut incoming = self.transport.subscribe(Channel::StepTasks).await?;
        loop {
            let Ok(room) = Arc::clone(&self.room).acquire_owned().await else {
                return Ok(());
            };
            let delivery = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                delivery = incoming.next() => delivery,
            };
            let Some(delivery) = delivery else {
                return Ok(());
            };
            let worker = self.clone();
            tasks.spawn(async move {
                worker.execute(delivery).await;
                drop(room);
            });
        }
    }

    /// Executes one step. The delivery is acknowledged once the answer is sent; a worker that
    /// dies before leaves the step to be sent again under the same key.
    async fn execute(&self, delivery: Delivery) {
        let task: StepTask = match delivery.envelope.decode() {
            Ok(task) => task,
            Err(error) => {
                warn!(
                    error = &error as &dyn std::error::Error,
                    "a step task cannot be read"
                );
                return delivery.ack().await;
            }
        };
        let log = StepLog::new(Arc::clone(&self.clock));
        log.taken(task.attempt);
        let outcome = self.call(&task, log.clone()).await;
        let answer = task.answer(outcome, log.take());
        let sent = match Envelope::encode(Channel::Results, &answer) {
            Ok(envelope) => self.transport.publish(envelope).await,
            Err(error) => Err(error),
        };
        match sent {
            Ok(()) => delivery.ack().await,
            Err(error) => {
                error!(run_id = %task.run, step = %task.name, error = &error as &dyn std::error::Error, "answer not sent");
            }
        }
    }

    async fn call(&self, task: &StepTask, log: StepLog) -> Result<Payload, Failure> {
        let Some(entry) = self.steps.get(&task.name) else {
            let message = format!("no step `{}` is registered with this worker", task.name);
            let mut failure = Failure::retryable(message);
            failure.code = Some("unknown_step".to_owned());
            return Err(failure);
        };
        let (attempt, may_begin) = self.interceptors.before(|| StepAttempt {
            run: task.run.clone(),
            seq: task.seq,
            step: Arc::clone(&task.name),
            attempt: task.attempt,
            max_attempts: None,
        });
        let outcome = if let Err(failure) = may_begin {
            Err(failure)
        } else {
            let ctx = StepCtx::new(task.run.clone(), task.seq, task.attempt, log);
            let call = entry.call(task.input.clone(), self.states.clone(), ctx);
            let called = AssertUnwindSafe(call).catch_unwind().await;
            called.unwrap_or_else(|panic| Err(panicked(&*panic)))
        };
        self.interceptors.after(attempt.as_ref(), &outcome);
        outcome
    }
}
