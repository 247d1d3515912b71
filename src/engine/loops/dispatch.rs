//! Steps on their way to workers, and their answers.

use std::sync::Arc;

use tokio::sync::mpsc;
use tracing::{error, warn};

use crate::engine::{actions, core::Core};
use crate::protocol::{StepResult, StepTask};
use crate::transport::{Channel, Delivery, Envelope, Transport, TransportError};

/// Steps whose checkpoint is durable, on their way to workers.
pub(crate) type DispatchQueue = mpsc::UnboundedReceiver<StepTask>;

/// Sends steps. One that cannot be sent stays a waiting checkpoint; it is sent again when its
/// timeout has passed or its run is recovered.
pub(crate) async fn send(core: Arc<Core>, mut queue: DispatchQueue, transport: Arc<dyn Transport>) {
    loop {
        let task = tokio::select! {
            biased;
            () = core.stop.cancelled() => return,
            task = queue.recv() => task,
        };
        let Some(task) = task else {
            return;
        };
        let sent = match Envelope::encode(Channel::StepTasks, &task) {
            Ok(envelope) => transport.publish(envelope).await,
            Err(error) => Err(error),
        };
        if let Err(error) = sent {
            error!(run_id = %task.run, step = %task.name, error = &error as &dyn std::error::Error, "step not sent");
        }
    }
}

/// Takes the answers.
pub(crate) async fn receive(core: Arc<Core>, transport: Arc<dyn Transport>) {
    let mut answers = match transport.subscribe(Channel::Results).await {
        Ok(answers) => answers,
        Err(error) => {
            error!(
                error = &error as &dyn std::error::Error,
                "cannot receive step results"
            );
            return;
        }
    };
    loop {
        let delivery = tokio::select! {
            biased;
            () = core.stop.cancelled() => return,
            delivery = answers.next() => delivery,
        };
        let Some(delivery) = delivery else {
            return;
        };
        take(&core, delivery).await;
    }
}

/// Acknowledged once it is written or handed to its run.
async fn take(core: &Core, delivery: Delivery) {
    let result: Result<StepResult, TransportError> = delivery.envelope.decode();
    let result = match result {
        Ok(result) => result,
        Err(error) => {
            warn!(
                error = &error as &dyn std::error::Error,
                "a step result cannot be read"
            );
            return delivery.ack().await;
        }
    };
    let (run, seq) = (result.run.clone(), result.seq);
    if let Err(error) = actions::complete(core, result).await {
        // The run has ended or is unknown: the answer is late.
        warn!(run_id = %run, %seq, error = &error as &dyn std::error::Error, "step result not taken");
    }
    delivery.ack().await;
}
