//! Entities from outside: calls, signals and a look at their state.

use std::{fmt, future::IntoFuture, marker::PhantomData, sync::Arc, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::broadcast::error::RecvError;

use super::{action::Action, error::Error, handle::Durable};
use crate::engine::StartRequest;
use crate::id::RunId;
use crate::model::{EntityAnswer, EntityReply, EntityRequest, Run, SignalId, address, entity};
use crate::payload::{Payload, PayloadError};
use crate::store::{Delivery, StoreError};
use crate::workflow::{BoxFuture, Entity, EntityOp};

/// How long an answer is waited for: as long as clients of a web service commonly do.
const WITHIN: Duration = Duration::from_secs(30);

/// In how many runs before the newest one the answer to a repeated call is looked for: a few
/// looks at the store for some thousands of operations.
const RUNS_LOOKED_BACK: u64 = 8;

/// One entity, made by [`Durable::entity`]. Cheap to clone.
///
/// It need not exist: the first operation starts it.
pub struct EntityHandle<E> {
    durable: Durable,
    first: RunId,
    kind: PhantomData<fn() -> E>,
}

impl Durable {
    /// The entity of a kind that has this key. See [`Entity`].
    ///
    /// # Errors
    ///
    /// [`Error::InvalidName`] if this can be no key: it is empty, holds a control character, ends
    /// with a blank or is, with the entity's name, longer than 162 bytes.
    pub fn entity<E: Entity>(&self, key: impl AsRef<str>) -> Result<EntityHandle<E>, Error> {
        Ok(EntityHandle {
            durable: self.clone(),
            first: entity::first_run(E::NAME, key.as_ref())?,
            kind: PhantomData,
        })
    }
}

impl<E: Entity> EntityHandle<E> {
    /// Has the entity apply an operation, and gives what that returns. Await the returned builder.
    pub fn call<I: Serialize, O>(&self, op: EntityOp<E, I, O>, input: I) -> CallEntity<O> {
        let (name, input) = (op.name().into(), Payload::encode(&input));
        CallEntity {
            send: Send::new(
                self.durable.clone(),
                E::NAME,
                self.first.clone(),
                name,
                input,
            ),
            within: WITHIN,
            output: PhantomData,
        }
    }

    /// Has the entity apply an operation, and does not wait for it: when this returns, it is
    /// stored and will be applied. Await the returned builder.
    pub fn signal<I: Serialize, O>(&self, op: EntityOp<E, I, O>, input: I) -> SignalEntity {
        let (name, input) = (op.name().into(), Payload::encode(&input));
        SignalEntity {
            send: Send::new(
                self.durable.clone(),
                E::NAME,
                self.first.clone(),
                name,
                input,
            ),
        }
    }

    /// The state after the newest operation that was applied; `None` if there was none. What is
    /// sent and not applied yet does not show.
    ///
    /// # Errors
    ///
    /// [`Error::Payload`] if the stored state is no `E`, [`Error::Store`].
    pub async fn state(&self) -> Result<Option<E>, Error> {
        let state = state(&self.durable, &self.first).await?;
        Ok(state.map(|state| state.decode()).transpose()?)
    }

    /// Removes the entity, with all of its runs, and says whether there was one. Its run must have
    /// ended: cancel it first. What was sent and not applied is kept, for the entity that the next
    /// operation begins. Await the returned builder.
    ///
    /// Like [`Durable::delete_run`], it frees the ids: wait for a lease before the key is used
    /// again. If it breaks off, the entity takes nothing until it is repeated.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] with [`StoreError::WrongStatus`] if the entity goes on.
    pub fn delete(&self) -> Action<bool> {
        let first = self.first.clone();
        Action::new(&self.durable, move |durable, by| async move {
            let mut has_any = false;
            // The newest first, so that none is there without those before it.
            while let Some(Newest { run, .. }) = newest(&durable, &first).await? {
                durable.engine().remove_run(&run.id, &by).await?;
                has_any = true;
            }
            Ok(has_any)
        })
    }

    /// The run that the entity has now, for a look at its history; `None` if there is none yet.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub async fn run(&self) -> Result<Option<Run>, Error> {
        Ok(newest(&self.durable, &self.first).await?.map(|it| it.run))
    }
}

impl<E> Clone for EntityHandle<E> {
    fn clone(&self) -> Self {
        Self {
            durable: self.durable.clone(),
            first: self.first.clone(),
            kind: PhantomData,
        }
    }
}

impl<E> fmt::Debug for EntityHandle<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EntityHandle").field(&self.first).finish()
    }
}

/// The newest run of an entity.
struct Newest {
    run: Run,
    /// How many there were before it.
    number: u64,
}

/// Finds the newest run of an entity. From the one that the first run names, which retention keeps
/// up to date, its runs have numbers without gaps, so that few looks find it: first ever further,
/// then by halves.
async fn newest(durable: &Durable, first: &RunId) -> Result<Option<Newest>, Error> {
    let store = durable.engine().store();
    let Some(run) = store.run(first).await? else {
        return Ok(None);
    };
    let mut found = Newest { run, number: 0 };
    let Some(second) = &found.run.next else {
        return Ok(Some(found));
    };
    let start = entity::number_of(second);
    let (mut next, mut missing) = (start, None);
    loop {
        match store.run(&entity::generation(first, next)).await? {
            Some(run) => found = Newest { run, number: next },
            None => missing = Some(next),
        }
        next = match missing {
            Some(missing) if missing <= found.number + 1 => return Ok(Some(found)),
            Some(missing) => u64::midpoint(found.number, missing),
            None => found
                .number
                .saturating_add(found.number + 1 - start.min(found.number)),
        };
    }
}

/// What an entity's newest run has published, or began with.
pub(super) async fn state(durable: &Durable, first: &RunId) -> Result<Option<Payload>, Error> {
    let Some(newest) = newest(durable, first).await? else {
        return Ok(None);
    };
    let store = durable.engine().store();
    let published = store.published(&newest.run.id, entity::STATE_KEY).await?;
    let began = newest.run.input;
    Ok(published.or_else(|| (began != Payload::null()).then_some(began)))
}

/// An operation about to be sent.
pub(super) struct Send {
    durable: Durable,
    entity: Arc<str>,
    first: RunId,
    op: Arc<str>,
    input: Result<Payload, PayloadError>,
    id: Option<Arc<str>>,
}

impl Send {
    pub(super) fn new(
        durable: Durable,
        entity: impl Into<Arc<str>>,
        first: RunId,
        op: Arc<str>,
        input: Result<Payload, PayloadError>,
    ) -> Self {
        Self {
            durable,
            entity: entity.into(),
            first,
            op,
            input,
            id: None,
        }
    }

    pub(super) fn named(mut self, id: Arc<str>) -> Self {
        self.id = Some(id);
        self
    }

    /// Which delivery it is.
    fn delivery(&self) -> SignalId {
        match &self.id {
            Some(name) => address::delivery_id(self.first.as_str(), name),
            None => SignalId::generate(),
        }
    }

    /// Stores it, with the entity's first run unless that is there, in one transaction. A crash
    /// before it leaves nothing; after it, whoever claims the run applies it.
    async fn store(&mut self, id: SignalId, reply: Option<EntityReply>) -> Result<(), Error> {
        let input = std::mem::replace(&mut self.input, Ok(Payload::null()))?;
        let request = EntityRequest {
            op: Arc::clone(&self.op),
            input,
            reply,
        };
        let engine = self.durable.engine();
        let payload = Payload::encode(&request)?;
        payload.fits(engine.config().max_payload)?;
        let workflow = entity::workflow_name(&self.entity);
        let mut start = StartRequest::new(workflow, Payload::null());
        start.id = Some(self.first.clone());
        let signal = Delivery::Signal {
            id,
            token: self.first.as_str().into(),
            payload,
            at: engine.clock().now(),
        };
        engine.start_with_signals(start, vec![signal]).await?;
        Ok(())
    }

    pub(super) async fn signal(mut self) -> Result<(), Error> {
        let id = self.delivery();
        self.store(id, None).await
    }

    pub(super) async fn call(mut self, within: Duration) -> Result<Payload, Error> {
        let id = self.delivery();
        let reply = EntityReply::key_of(id);
        let EntityReply::Key(key) = &reply else {
            return self.signal().await.map(|()| Payload::null());
        };
        let mut wait = Wait {
            durable: self.durable.clone(),
            run: self.first.clone(),
            key: Arc::clone(key),
            op: Arc::clone(&self.op),
        };
        if let Some(newest) = newest(&self.durable, &self.first).await? {
            wait.run = newest.run.id.clone();
            // Who repeats a call may find its answer, also of an entity that was stopped since.
            if self.id.is_some()
                && let Some(answer) = wait.look_back(&self.first, newest.number).await?
            {
                return Ok(answer);
            }
            if newest.run.next.is_none() && newest.run.status.is_terminal() {
                return Err(Wait::stopped(&newest.run));
            }
        }
        let answer = async {
            self.store(id, Some(reply.clone())).await?;
            wait.answer().await
        };
        let answer = tokio::time::timeout(within, answer).await;
        answer.unwrap_or_else(|_| {
            Err(Error::NoReply {
                run: self.first.clone(),
                name: Arc::clone(&self.op),
                within,
            })
        })
    }
}

/// A wait for the answer to a call.
struct Wait {
    durable: Durable,
    /// The entity's run that may have it.
    run: RunId,
    key: Arc<str>,
    op: Arc<str>,
}

impl Wait {
    /// The answer, if it is kept by one of the entity's newest runs.
    async fn look_back(&self, first: &RunId, number: u64) -> Result<Option<Payload>, Error> {
        let store = self.durable.engine().store();
        let oldest = number.saturating_sub(RUNS_LOOKED_BACK);
        for number in (oldest..=number).rev() {
            let run = entity::generation(first, number);
            if let Some(answer) = store.published(&run, &self.key).await? {
                return self.read(&answer).map(Some);
            }
        }
        Ok(None)
    }

    /// The answer, if there is one; an error if there will be none.
    async fn look(&mut self) -> Result<Option<Payload>, Error> {
        loop {
            let store = self.durable.engine().store();
            // The run first: an answer that is written with its end is there when the end is.
            let found = store.run(&self.run).await?;
            let run = self.run.clone();
            let found = found.ok_or(Error::UnknownRun { run })?;
            if let Some(answer) = store.published(&self.run, &self.key).await? {
                return self.read(&answer).map(Some);
            }
            match &found.next {
                Some(next) => self.run = next.clone(),
                None if found.status.is_terminal() => return Err(Self::stopped(&found)),
                None => return Ok(None),
            }
        }
    }

    fn read(&self, answer: &Payload) -> Result<Payload, Error> {
        match answer.decode()? {
            EntityAnswer::Reply(value) => Ok(value),
            EntityAnswer::Failed(failure) => Err(Error::EntityFailed {
                operation: Arc::clone(&self.op),
                failure,
            }),
        }
    }

    /// The entity's run was cancelled or given up: it takes nothing until it is requeued.
    fn stopped(run: &Run) -> Error {
        Error::Store(StoreError::WrongStatus {
            run: run.id.clone(),
            status: run.status,
            asked: "called",
        })
    }

    /// Waits for the answer, as that to an update is waited for: by news, and by looks at the store
    /// that become rare.
    async fn answer(&mut self) -> Result<Payload, Error> {
        const FIRST_PAUSE: Duration = Duration::from_millis(5);
        const LONGEST_PAUSE: Duration = Duration::from_secs(1);
        let mut news = self.durable.subscribe();
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(answer) = self.look().await? {
                return Ok(answer);
            }
            self.durable.engine().follow(&self.run);
            let told = async {
                loop {
                    match news.recv().await {
                        Ok(event) if *event.run() == self.run => return,
                        Ok(_) => {}
                        Err(RecvError::Lagged(_)) => return,
                        Err(RecvError::Closed) => std::future::pending().await,
                    }
                }
            };
            // No news within the pause is fine.
            drop(tokio::time::timeout(pause, told).await);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// A call of an entity, made by [`EntityHandle::call`]. Await it; it gives what the operation
/// returned.
///
/// # Errors
///
/// [`Error::EntityFailed`] if the operation failed, which has changed nothing then;
/// [`Error::NoReply`] if there is no answer in time, and it may be applied yet; [`Error::Store`]
/// with [`StoreError::WrongStatus`] if the entity's run was cancelled or given up: a requeue lets it
/// go on. [`Error::Start`] if this process does not know the entity, [`Error::Payload`].
///
/// # Cancel safety
///
/// Dropped while waiting, the operation may be applied or not. Sent again under the same
/// [`id`](Self::id) it is applied once and has the same answer.
#[must_use = "the entity is not called until this is awaited"]
pub struct CallEntity<O> {
    send: Send,
    within: Duration,
    output: PhantomData<fn() -> O>,
}

impl<O> CallEntity<O> {
    /// Names it, so that it may be repeated: a call under the same name to the same entity is
    /// applied once, as long as ids of signals are
    /// [kept](crate::durable::Retention::signal_ids). Its answer is kept while the entity applies its next few
    /// thousand operations, fewer where its state is large; who repeats it later waits in vain. Default: a call of its own.
    pub fn id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.send = self.send.named(id.into());
        self
    }

    /// How long the answer is waited for. Default 30 s, as long as clients of a web service
    /// commonly wait.
    pub const fn within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }
}

impl<O: DeserializeOwned + 'static> IntoFuture for CallEntity<O> {
    type Output = Result<O, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { Ok(self.send.call(self.within).await?.decode()?) })
    }
}

impl<O> fmt::Debug for CallEntity<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CallEntity").field(&self.send).finish()
    }
}

/// An operation about to be sent to an entity, made by [`EntityHandle::signal`]. Await it.
///
/// If the entity's run was cancelled or given up, it is kept and applied once that is requeued.
///
/// # Errors
///
/// [`Error::Start`] if this process does not know the entity, [`Error::Payload`],
/// [`Error::Store`].
///
/// # Cancel safety
///
/// Dropped while waiting, it may be stored or not. Sent again under the same [`id`](Self::id) it is
/// applied once.
#[must_use = "nothing is sent until this is awaited"]
pub struct SignalEntity {
    send: Send,
}

impl SignalEntity {
    /// Names it, so that it may be repeated; see [`CallEntity::id`]. Default: one of its own.
    pub fn id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.send = self.send.named(id.into());
        self
    }
}

impl IntoFuture for SignalEntity {
    type Output = Result<(), Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send.signal())
    }
}

impl fmt::Debug for SignalEntity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SignalEntity").field(&self.send).finish()
    }
}

impl fmt::Debug for Send {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Send")
            .field("run", &self.first)
            .field("operation", &self.op)
            .finish_non_exhaustive()
    }
}
