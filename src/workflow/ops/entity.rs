//! `ctx.call_entity`, `ctx.signal_entity`, and the life of an entity.

use std::{
    fmt,
    future::{Future, poll_fn},
    marker::PhantomData,
    panic::Location,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};

use super::{capture::capture, continue_as_new::ContinueAsNew, operation::Operation};
use crate::model::{
    CheckpointKind, EntityAnswer, EntityOutcome, EntityReply, EntityRequest, Failure, SignalId,
    address, entity,
};
use crate::payload::Payload;
use crate::workflow::{
    ctx::WorkflowCtx,
    definition::BoxFuture,
    entity::{Entity, EntityOp, EntityOperation},
    error::{Result, WorkflowError},
    host::{Ask, Call, Captured, EntityAsk, EntitySend, Host, Outcome, PrivateAsk},
};

/// How many operations an entity's run takes before it continues as the next one: replaying as
/// many takes milliseconds, and an ended run for so many is little to keep.
const OPERATIONS_PER_RUN: u32 = 500;

/// How many bytes of states and replies an entity's run records before it continues as the next
/// one: what a replay has to read is then soon read, also where the state is large.
const BYTES_PER_RUN: usize = 1024 * 1024;

/// Runs an entity: takes what is sent to it, one operation after the other, for ever.
///
/// Each operation is one commit: the signal is taken, and what was made of it, the state for
/// those who look, the answer, and the wait for the next one are written. A crash before leaves
/// the signal in the inbox, and the operation is applied when the next process gets there; a crash
/// after leaves an operation that was applied and answered. Its state is taken from the record, so
/// that an operation is never applied again by code that has changed.
///
/// The run continues as the next one between two operations, when no wait is open: what is sent
/// meanwhile lies in the buffer of the token, which is the same for all runs of the entity.
pub(crate) fn live(
    ctx: WorkflowCtx,
    operations: Arc<[EntityOperation]>,
    state: Payload,
) -> BoxFuture<'static, Result<Payload>> {
    Box::pin(async move {
        let saga = ctx.saga();
        let life = Life {
            host: Arc::clone(ctx.host()),
            operations,
            state,
        };
        let result = saga.watch(Box::pin(life.lead())).await;
        saga.close(result).await
    })
}

/// An entity in memory.
struct Life {
    host: Arc<dyn Host>,
    operations: Arc<[EntityOperation]>,
    state: Payload,
}

impl Life {
    async fn lead(mut self) -> Result<Payload> {
        let token = entity::first_of(self.host.run_id());
        loop {
            let (mut taken, mut bytes) = (0, 0);
            while taken < OPERATIONS_PER_RUN && bytes < BYTES_PER_RUN {
                let request = self.next(&token).await?;
                bytes += self.take(&request)?;
                taken += 1;
            }
            // Refused only if the limit for payloads has shrunk: then this run goes on.
            let next = Ok(self.state.clone());
            drop(ContinueAsNew::new(Arc::clone(&self.host), next).await);
        }
    }

    /// The next operation that is sent.
    async fn next(&self, token: &Arc<str>) -> Result<Payload> {
        let host = Arc::clone(&self.host);
        let mut wait = Operation::open(host, CheckpointKind::Signal, Arc::clone(token));
        let ask = Ask::Signal { timeout: None };
        match poll_fn(|cx| wait.poll(&ask, cx)).await {
            Outcome::Completed(request) => Ok(request),
            Outcome::Failed(failure) => Err(WorkflowError::Failed(*failure)),
            Outcome::TimedOut => Err(WorkflowError::SignalTimeout {
                token: Arc::clone(token),
            }),
        }
    }

    /// Applies an operation and answers it. Returns how many bytes of it are on record.
    fn take(&mut self, request: &Payload) -> Result<usize> {
        let (op, reply, applied) = match request.decode::<EntityRequest>() {
            Ok(EntityRequest { op, input, reply }) => (op, reply, Ok(input)),
            // Somebody sent to the token by hand.
            Err(error) => ("unreadable".into(), None, Err(Failure::of_payload(&error))),
        };
        let call = Call {
            kind: CheckpointKind::Operation,
            name: Arc::clone(&op),
            site: Location::caller(),
        };
        let mut is_new = false;
        let recorded = self.host.capture(call, &mut |_| {
            is_new = true;
            let applied = applied.clone().and_then(|input| self.apply(&op, &input));
            self.fitting(applied)
        });
        let bytes = recorded.as_ref().map_or(0, |it| it.as_bytes().len());
        let outcome = match recorded.map(|it| it.decode::<EntityOutcome>()) {
            Ok(outcome) => Ok(outcome.map_err(WorkflowError::Payload)?),
            Err(failure) => Err(failure),
        };
        if is_new {
            self.answer(reply, &outcome);
        }
        if let Ok(outcome) = outcome {
            self.state = outcome.state;
        }
        Ok(bytes)
    }

    fn apply(&self, op: &str, input: &Payload) -> std::result::Result<EntityOutcome, Failure> {
        let operation = self.operations.iter().find(|it| it.name == op);
        let operation = operation.ok_or_else(|| {
            let message = format!("the entity has no operation `{op}` here");
            Failure::fatal("unknown_operation", message)
        })?;
        operation.apply(&self.state, input)
    }

    /// What is recorded, unless it is too large.
    fn fitting(&self, applied: std::result::Result<EntityOutcome, Failure>) -> Captured {
        let unfit = |error| Failure::of_payload(&error);
        match applied {
            Ok(outcome) => {
                let outcome = Payload::encode(&outcome).map_err(unfit)?;
                self.host.check(&outcome)?;
                Ok(outcome)
            }
            Err(failure) => {
                self.host
                    .check(&Payload::encode(&failure).map_err(unfit)?)?;
                Err(failure)
            }
        }
    }

    /// Publishes the new state, and lets whoever called know.
    fn answer(
        &self,
        reply: Option<EntityReply>,
        outcome: &std::result::Result<EntityOutcome, Failure>,
    ) {
        let answer = match outcome {
            Ok(outcome) => {
                let state = outcome.state.clone();
                self.host.publish(entity::STATE_KEY.into(), state);
                EntityAnswer::Reply(outcome.reply.clone())
            }
            Err(failure) => EntityAnswer::Failed(failure.clone()),
        };
        // It always has a JSON form: what is in it came from JSON.
        let answer = Payload::encode(&answer).unwrap_or_default();
        match reply {
            Some(EntityReply::Key(key)) => self.host.publish(key, answer),
            Some(EntityReply::Token(token)) => {
                let id = address::delivery_id(&token, "answer");
                self.host.send(id, token, answer);
            }
            None => {}
        }
    }
}

/// What is sent to an entity, or why nothing can be.
fn sending<E: Entity, I: Serialize, O>(
    op: EntityOp<E, I, O>,
    key: &str,
    input: &I,
    id: SignalId,
    reply: Option<EntityReply>,
) -> Result<EntitySend> {
    let run = entity::first_run(E::NAME, key)
        .map_err(|error| WorkflowError::failed("invalid_name", error.to_string()))?;
    let request = EntityRequest {
        op: op.name().into(),
        input: Payload::encode(input).map_err(WorkflowError::Payload)?,
        reply,
    };
    Ok(EntitySend {
        workflow: entity::workflow_name(E::NAME),
        run,
        id,
        request: Payload::encode(&request).map_err(WorkflowError::Payload)?,
    })
}

/// What the history calls an operation of an entity.
fn label<E: Entity, I, O>(op: EntityOp<E, I, O>) -> Arc<str> {
    format!("{}.{}", E::NAME, op.name()).into()
}

/// A call of an entity, made by [`WorkflowCtx::call_entity`](crate::WorkflowCtx::call_entity).
///
/// The entity is started unless it is there. The call goes out with the run's next commit, and the
/// answer comes with the entity's commit that applies the operation, so that no crash of either
/// loses or doubles it, and a requeue of this run does not send it again. Where an operation
/// fails, that is its answer, and a requeue sees it again: to ask once more, the workflow calls
/// again, or a fork from the call does.
///
/// Dropped while waiting, or if this run is cancelled, the answer is no longer waited for; the
/// operation is applied all the same.
///
/// # Errors
///
/// [`WorkflowError::Failed`] if the operation fails, with its code and details,
/// [`WorkflowError::Timeout`] if no answer comes in time, [`WorkflowError::Payload`].
#[must_use = "the entity is not called until this is awaited"]
pub struct EntityCall<O> {
    operation: Operation,
    /// Taken at the first poll; an error if the entity cannot be called.
    ask: Option<Result<EntityAsk>>,
    output: PhantomData<fn() -> O>,
}

impl<O> EntityCall<O> {
    #[track_caller]
    pub(crate) fn new<E: Entity, I: Serialize>(
        host: &Arc<dyn Host>,
        key: &str,
        op: EntityOp<E, I, O>,
        input: &I,
    ) -> Self {
        let name = label(op);
        // Recorded apart from the wait, so that a requeue, which opens the wait again, finds the
        // answer to what was sent before.
        let ticket = capture(&**host, CheckpointKind::Token, &name, |_| {
            SignalId::generate().0
        });
        let id = entity::delivery_of(host.run_id(), ticket);
        let token = entity::reply_address(host.run_id(), ticket);
        let reply = EntityReply::Token(Arc::clone(&token));
        let ask = sending(op, key, input, id, Some(reply)).map(|send| EntityAsk {
            send,
            wait: Arc::new(PrivateAsk::new(token)),
        });
        Self {
            operation: Operation::open(Arc::clone(host), CheckpointKind::EntityCall, name),
            ask: Some(ask),
            output: PhantomData,
        }
    }

    /// Gives up after `length`, counted from the first poll. The operation is applied all the
    /// same, before or after. Without it the wait has no end.
    pub fn timeout(mut self, length: Duration) -> Self {
        if let Some(Ok(ask)) = &mut self.ask {
            Arc::make_mut(&mut ask.wait).timeout = Some(length);
        }
        self
    }
}

impl<O: DeserializeOwned> Future for EntityCall<O> {
    type Output = Result<O>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ask = match self.ask.take() {
            Some(Err(error)) => return Poll::Ready(Err(error)),
            Some(Ok(ask)) => Some(Box::new(ask)),
            None => None,
        };
        let outcome = match ask {
            Some(ask) => self.operation.poll_with(|| Ask::Entity(ask), cx),
            // Asked for already; what is asked now is not looked at.
            None => self
                .operation
                .poll_with(|| Ask::Signal { timeout: None }, cx),
        };
        let Poll::Ready(outcome) = outcome else {
            return Poll::Pending;
        };
        let answer = match outcome {
            Outcome::Completed(answer) => answer.decode().map_err(WorkflowError::Payload),
            Outcome::Failed(failure) => Err(WorkflowError::Failed(*failure)),
            Outcome::TimedOut => Err(WorkflowError::Timeout {
                operation: "entity",
                name: Arc::clone(self.operation.name()),
            }),
        };
        Poll::Ready(answer.and_then(|answer| match answer {
            EntityAnswer::Reply(value) => value.decode().map_err(WorkflowError::Payload),
            EntityAnswer::Failed(failure) => Err(WorkflowError::Failed(failure)),
        }))
    }
}

impl<O> fmt::Debug for EntityCall<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EntityCall").field(&self.operation).finish()
    }
}

/// Sends an operation with the next commit and waits for nothing.
#[track_caller]
pub(crate) fn signal_entity<E: Entity, I: Serialize, O>(
    host: &dyn Host,
    key: &str,
    op: EntityOp<E, I, O>,
    input: &I,
) -> Result<()> {
    let send = sending(op, key, input, SignalId::generate(), None)?;
    let call = Call {
        kind: CheckpointKind::EntitySignal,
        name: label(op),
        site: Location::caller(),
    };
    let captured = host.capture(call, &mut |_| {
        // On record, so that a run whose code saw it refused does not see it pass on replay.
        host.send_to_entity(send.clone())?;
        Ok(Payload::null())
    });
    captured.map(drop).map_err(WorkflowError::Failed)
}
