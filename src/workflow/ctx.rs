//! The context of a running workflow: one short constructor per operation.

use std::{fmt, sync::Arc, sync::atomic::Ordering, time::Duration};

use serde::{
    Serialize,
    de::{DeserializeOwned, IgnoredAny},
};
use uuid::Uuid;

use super::{
    definition::IntoWorkflow,
    entity::{Entity, EntityOp},
    error::{Result, WorkflowError},
    host::Host,
    ops::{
        Breakpoint, Child, ContinueAsNew, Draw, EntityCall, EventWait, Gather, LocalStep, OnUpdate,
        Operation, Remote, SignalWait, Sleep, StepBody, Task, TaskToken, Webhook, WebhookOptions,
        capture,
    },
    saga::Saga,
    state::{Inject, MissingState},
    step::IntoStep,
};
use crate::id::RunId;
use crate::model::{CheckpointKind, WorkflowKey};
use crate::payload::Payload;
use crate::time::Timestamp;

/// What a workflow calls its operations on.
///
/// Each operation takes its position when it is called and starts when it is awaited. After a
/// crash the workflow runs again from the top, and every operation whose outcome is stored
/// returns that outcome without doing anything.
pub struct WorkflowCtx {
    host: Arc<dyn Host>,
    saga: Arc<Saga>,
}

impl WorkflowCtx {
    pub(crate) fn new(host: Arc<dyn Host>) -> Self {
        let saga = Arc::new(Saga::new(Arc::clone(&host)));
        Self { host, saga }
    }

    /// Who runs it.
    pub(crate) const fn host(&self) -> &Arc<dyn Host> {
        &self.host
    }

    /// What the run would have to undo.
    pub(crate) fn saga(&self) -> Arc<Saga> {
        Arc::clone(&self.saga)
    }

    #[track_caller]
    fn open(&self, kind: CheckpointKind, name: impl Into<Arc<str>>) -> Operation {
        Operation::open(Arc::clone(&self.host), kind, name.into())
    }

    /// Runs a unit of side effect once and records its result. See [`LocalStep`].
    #[track_caller]
    pub fn step<'a, T, Args, B>(&self, name: impl Into<Arc<str>>, body: B) -> LocalStep<'a, T>
    where
        B: StepBody<'a, Args, T>,
        T: Serialize + DeserializeOwned + Send + 'a,
        Args: 'a,
    {
        let operation = self.open(CheckpointKind::Step, name);
        LocalStep::new(operation, Arc::clone(&self.saga), body)
    }

    /// Writes to the user's own tables and records the step in one commit: both happen, or neither.
    ///
    /// The body gets a transaction of the store's database and uses it like any connection of
    /// SeaORM. It executes again only if it was not committed: after a crash between the commit
    /// and anything else, its result is found beside the run. If the answer to the commit is lost,
    /// the engine finds out what became of it before it goes on. A process that was taken over
    /// cannot commit any more.
    ///
    /// Everything else is as for [`step`](Self::step), including retries: a failed attempt is
    /// rolled back. Keep the body short: its row locks make others wait, on SQLite every writer.
    /// Effects outside of the database are not undone with it; put them into steps of their own.
    ///
    /// # Errors
    ///
    /// Those of a step, and the fatal failure `no_transactions` on a store without SQL.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum_durable::prelude::*;
    /// use sea_orm::ConnectionTrait;
    ///
    /// #[workflow]
    /// async fn charge(ctx: &WorkflowCtx, order: String) -> Result<u64> {
    ///     ctx.transaction("book the charge", async |tx| {
    ///         let sql = "UPDATE orders SET charged = 1 WHERE charged = 0";
    ///         let done = tx.execute_unprepared(sql).await?;
    ///         Ok(done.rows_affected())
    ///     })
    ///     .await
    /// }
    /// ```
    #[cfg(feature = "_sql")]
    #[track_caller]
    pub fn transaction<'a, T, F, Fut, E>(
        &self,
        name: impl Into<Arc<str>>,
        body: F,
    ) -> LocalStep<'a, T>
    where
        F: FnMut(super::ops::StepTransaction) -> Fut + Send + 'a,
        Fut: Future<Output = Result<T, E>> + Send + 'a,
        T: Serialize + DeserializeOwned + Send + 'a,
        E: Into<super::error::StepError> + Send + 'a,
    {
        let operation = self.open(CheckpointKind::Transaction, name);
        super::ops::transaction(operation, Arc::clone(&self.saga), body)
    }

    /// Has a worker execute a step that is known by its definition. See [`Remote`].
    #[track_caller]
    pub fn remote<I, O, S>(&self, step: S, input: I) -> Remote<O, I>
    where
        S: IntoStep<I, O>,
        I: Serialize,
        O: DeserializeOwned,
    {
        let (name, policy) = step.into_step();
        Remote::new(
            self.open(CheckpointKind::Remote, name),
            Arc::clone(&self.saga),
            policy,
            Payload::encode(&input),
        )
    }

    /// Has a worker execute a step that is known by its name only. See [`Remote`].
    #[track_caller]
    pub fn remote_named<O: DeserializeOwned>(
        &self,
        name: impl Into<Arc<str>>,
        input: impl Serialize,
    ) -> Remote<O> {
        let operation = self.open(CheckpointKind::Remote, name);
        Remote::new(
            operation,
            Arc::clone(&self.saga),
            super::host::StepPolicy::default(),
            Payload::encode(&input),
        )
    }

    /// Sleeps for a span of time, across restarts and without using a thread. See [`Sleep`].
    #[track_caller]
    pub fn sleep(&self, length: Duration) -> Sleep {
        let until = self.host.now() + length;
        self.sleep_until(until)
    }

    /// Sleeps until a point in time. See [`Sleep`].
    #[track_caller]
    pub fn sleep_until(&self, until: Timestamp) -> Sleep {
        Sleep::new(self.open(CheckpointKind::Sleep, ""), until)
    }

    /// Waits for a signal sent to `token`. See [`SignalWait`].
    #[track_caller]
    pub fn wait_for_signal<T: DeserializeOwned>(
        &self,
        token: impl Into<Arc<str>>,
    ) -> SignalWait<T> {
        SignalWait::new(self.open(CheckpointKind::Signal, token))
    }

    /// Waits for an event called `name`, which somebody publishes with `durable.publish_event` or
    /// a workflow with [`emit`](Self::emit). See [`EventWait`].
    ///
    /// # Examples
    ///
    /// ```
    /// use axum_durable::prelude::*;
    ///
    /// #[workflow]
    /// async fn ship(ctx: &WorkflowCtx, order: u32) -> Result<String> {
    ///     let carrier: String = ctx
    ///         .wait_for_event("parcel.picked-up")
    ///         .matching("order", order)
    ///         .timeout(std::time::Duration::from_secs(86_400))
    ///         .await?;
    ///     Ok(carrier)
    /// }
    /// ```
    #[track_caller]
    pub fn wait_for_event<T: DeserializeOwned>(&self, name: impl Into<Arc<str>>) -> EventWait<T> {
        EventWait::new(self.open(CheckpointKind::Event, name))
    }

    /// Publishes an event in the run's next commit: together with what led to it, or not at all,
    /// and once. Every run that [waits](Self::wait_for_event) for it hears it, also this one.
    ///
    /// # Errors
    ///
    /// [`WorkflowError::Payload`] if the value cannot be written as JSON,
    /// [`WorkflowError::Failed`], recorded like a value: with the code `invalid_name` if this can
    /// be no event's name, `payload_too_large` if the value is larger than
    /// [`max_payload`](crate::durable::DurableBuilder::max_payload).
    ///
    /// # Examples
    ///
    /// ```
    /// use axum_durable::prelude::*;
    ///
    /// #[workflow]
    /// async fn pay(ctx: &WorkflowCtx, order: u32) -> Result<()> {
    ///     ctx.step("charge", async || Ok(())).await?;
    ///     ctx.emit("order.paid", &serde_json::json!({ "order": order }))
    /// }
    /// ```
    #[track_caller]
    pub fn emit<T: Serialize + ?Sized>(
        &self,
        name: impl Into<Arc<str>>,
        payload: &T,
    ) -> Result<()> {
        super::ops::emit(&*self.host, name.into(), payload)
    }

    /// Runs another workflow, or the same, as a child. See [`Child`].
    #[track_caller]
    pub fn child<I: Serialize, O>(&self, workflow: impl IntoWorkflow<I, O>, input: I) -> Child<O> {
        let key = workflow.into_workflow().key;
        let operation = self.open(CheckpointKind::Child, Arc::clone(&key.name));
        let number = ("child", operation.seq().to_string());
        Child::new(operation, key, Payload::encode(&input), number)
    }

    /// Runs a workflow that is known by its name as a child.
    #[track_caller]
    pub(crate) fn child_of(&self, key: WorkflowKey, input: Payload) -> Child<IgnoredAny> {
        let operation = self.open(CheckpointKind::Child, Arc::clone(&key.name));
        let number = ("child", operation.seq().to_string());
        Child::new(operation, key, Ok(input), number)
    }

    /// Runs a workflow once for each input, as children side by side. See [`Gather`].
    #[track_caller]
    pub fn all<I: Serialize, O>(
        &self,
        workflow: impl IntoWorkflow<I, O>,
        inputs: impl IntoIterator<Item = I>,
    ) -> Gather<O> {
        let key = workflow.into_workflow().key;
        let mut first = None;
        let children = inputs.into_iter().enumerate().map(|(index, input)| {
            let operation = self.open(CheckpointKind::Child, Arc::clone(&key.name));
            let first = first.get_or_insert_with(|| operation.seq());
            let number = ("all", format!("{first}.{index}"));
            Child::new(operation, key.clone(), Payload::encode(&input), number)
        });
        // Collected first: `open` has to see the caller's place and not that of the set.
        let children: Vec<_> = children.collect();
        Gather::new(Arc::clone(&self.host), children)
    }

    /// Waits for the end of a run that was started elsewhere, and gives its output. See [`Child`].
    #[track_caller]
    pub fn join<O>(&self, run: RunId) -> Child<O> {
        Child::joining(self.open(CheckpointKind::Child, run.as_str()), run)
    }

    /// Asks another run to cancel, with the next commit. A run that has ended stays as it is.
    #[track_caller]
    pub fn cancel_run(&self, run: RunId) {
        super::ops::cancel_run(&*self.host, run);
    }

    /// Ends this run and begins the next one with `input`, in one commit: for workflows that live
    /// so long that their history would grow without bound.
    ///
    /// The next run has an empty history, the id of this one with `~1`, `~2` and so on behind it,
    /// its tags, priority and parent, and the newest version of the workflow. This run is `completed`;
    /// whoever waits for its result waits for that of the next one from then on. Undos that this
    /// run has collected are forgotten. A request to cancel that comes first wins.
    ///
    /// Once awaited it never returns, so that no error handling of the workflow gets in its way.
    ///
    /// # Errors
    ///
    /// [`WorkflowError::Payload`] if the input has no JSON form, [`WorkflowError::Failed`] with
    /// the code `payload_too_large`; then the run goes on.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum_durable::prelude::*;
    ///
    /// #[workflow]
    /// async fn count(ctx: &WorkflowCtx, so_far: u64) -> Result<u64> {
    ///     let more: u64 = ctx.wait_for_signal("count").await?;
    ///     match ctx.continue_as_new(so_far + more).await? {}
    /// }
    /// ```
    pub fn continue_as_new(&self, input: impl Serialize) -> ContinueAsNew {
        ContinueAsNew::new(Arc::clone(&self.host), Payload::encode(&input))
    }

    /// Has somebody outside do something, and waits for the outcome: `body` gives a token away,
    /// with which `durable.complete_task` or `durable.fail_task` reports it. See [`Task`].
    ///
    /// # Examples
    ///
    /// ```
    /// use axum_durable::prelude::*;
    ///
    /// #[workflow]
    /// async fn onboard(ctx: &WorkflowCtx, user: String) -> Result<bool> {
    ///     ctx.task("identity check", async |token: TaskToken| {
    ///         println!("please check {user} and answer with {token}");
    ///         Ok(())
    ///     })
    ///     .timeout(std::time::Duration::from_secs(3 * 86_400))
    ///     .await
    /// }
    /// ```
    #[track_caller]
    pub fn task<'a, T, F, Fut, E>(&self, name: impl Into<Arc<str>>, body: F) -> Task<'a, T>
    where
        F: FnMut(TaskToken) -> Fut + Send + 'a,
        Fut: Future<Output = Result<(), E>> + Send + 'a,
        T: DeserializeOwned,
        E: Into<super::error::StepError> + Send + 'a,
    {
        Task::new(&self.host, Arc::clone(&self.saga), &name.into(), body)
    }

    /// Makes an address that somebody outside posts to, and waits for posts. See [`Webhook`].
    ///
    /// # Examples
    ///
    /// ```
    /// use axum_durable::prelude::*;
    /// use std::time::Duration;
    ///
    /// #[workflow]
    /// async fn pay(ctx: &WorkflowCtx, cents: u64) -> Result<bool> {
    ///     let hook = ctx.webhook::<bool>();
    ///     let url = hook.url()?.to_owned();
    ///     ctx.step("ask", async || Ok(println!("pay {cents} and call {url}"))).await?;
    ///     hook.wait().timeout(Duration::from_secs(3_600)).await
    /// }
    /// ```
    #[track_caller]
    #[must_use = "nobody can post to an address that nobody has"]
    pub fn webhook<T: DeserializeOwned>(&self) -> Webhook<T> {
        self.webhook_with(WebhookOptions::new())
    }

    /// Like [`webhook`](Self::webhook), set up as `options` say.
    #[track_caller]
    #[must_use = "nobody can post to an address that nobody has"]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "options are made at the call"
    )]
    pub fn webhook_with<T: DeserializeOwned>(&self, options: WebhookOptions) -> Webhook<T> {
        Webhook::new(Arc::clone(&self.host), &options)
    }

    /// Waits for somebody to ask the run for something, with `durable.update(run, name, args)`, which
    /// waits for the answer. See [`OnUpdate`].
    ///
    /// # Examples
    ///
    /// ```
    /// use axum_durable::prelude::*;
    ///
    /// #[workflow]
    /// async fn ship(ctx: &WorkflowCtx, mut address: String) -> Result<String> {
    ///     let update = ctx.on_update::<String, bool>("set-address");
    ///     let update = update.validate(|to| if to.is_empty() { Err("it is empty") } else { Ok(()) });
    ///     let update = update.timeout(std::time::Duration::from_secs(3_600));
    ///     match update.await {
    ///         Ok(update) => {
    ///             address = update.args().clone();
    ///             update.reply(&true)?;
    ///         }
    ///         Err(error) if error.is_timeout() => {}
    ///         Err(error) => return Err(error),
    ///     }
    ///     ctx.step("ship", async || Ok(address.clone())).await
    /// }
    /// ```
    #[track_caller]
    pub fn on_update<A, R>(&self, name: impl Into<Arc<str>>) -> OnUpdate<A, R>
    where
        A: DeserializeOwned + 'static,
        R: Serialize,
    {
        OnUpdate::new(self.open(CheckpointKind::Update, name))
    }

    /// Has an entity apply an operation, and waits for what that returns. See [`EntityCall`].
    ///
    /// # Examples
    ///
    /// ```
    /// use axum_durable::prelude::*;
    /// # use schemars::JsonSchema;
    /// # use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Default, Serialize, Deserialize, JsonSchema)]
    /// struct Stock {
    ///     left: u32,
    /// }
    ///
    /// #[entity]
    /// impl Stock {
    ///     #[on]
    ///     fn take(&mut self, pieces: u32) -> Result<u32, StepError> {
    ///         let left = self.left.checked_sub(pieces);
    ///         self.left = left.ok_or_else(|| StepError::fatal("sold_out", "sold out"))?;
    ///         Ok(self.left)
    ///     }
    ///
    ///     #[on]
    ///     fn put(&mut self, pieces: u32) {
    ///         self.left += pieces;
    ///     }
    /// }
    ///
    /// #[workflow]
    /// async fn order(ctx: &WorkflowCtx, item: String) -> Result<u32> {
    ///     let left = ctx.call_entity(&*item, Stock::TAKE, 1).await?;
    ///     if left == 0 {
    ///         ctx.signal_entity("warehouse", Stock::PUT, 100)?;
    ///     }
    ///     Ok(left)
    /// }
    /// ```
    #[track_caller]
    pub fn call_entity<E, I, O>(
        &self,
        key: impl AsRef<str>,
        op: EntityOp<E, I, O>,
        input: I,
    ) -> EntityCall<O>
    where
        E: Entity,
        I: Serialize,
    {
        EntityCall::new(&self.host, key.as_ref(), op, &input)
    }

    /// Has an entity apply an operation, and does not wait: it goes out with the run's next
    /// commit, once. The entity is started unless it is there.
    ///
    /// # Errors
    ///
    /// [`WorkflowError::Payload`] if the input has no JSON form, [`WorkflowError::Failed`] with the
    /// code `invalid_name` if this can be no entity's key, `unknown_entity` if its kind is not
    /// registered here, `payload_too_large`.
    #[track_caller]
    pub fn signal_entity<E, I, O>(
        &self,
        key: impl AsRef<str>,
        op: EntityOp<E, I, O>,
        input: I,
    ) -> Result<()>
    where
        E: Entity,
        I: Serialize,
    {
        super::ops::signal_entity(&*self.host, key.as_ref(), op, &input)
    }

    /// Stands here until somebody lets the run go on, with `durable.continue_run` or over the API.
    /// See [`Breakpoint`].
    ///
    /// # Examples
    ///
    /// ```
    /// use axum_durable::prelude::*;
    ///
    /// #[workflow]
    /// async fn migrate(ctx: &WorkflowCtx, tenant: String) -> Result<usize> {
    ///     let copied = ctx.step("copy", async || Ok(tenant.len())).await?;
    ///     ctx.breakpoint("look at the copy").await;
    ///     ctx.step("switch over", async || Ok(copied)).await
    /// }
    /// ```
    #[track_caller]
    pub fn breakpoint(&self, label: impl Into<Arc<str>>) -> Breakpoint {
        Breakpoint::new(self.open(CheckpointKind::Breakpoint, label))
    }

    /// The time of this call, recorded: replay returns the same.
    ///
    /// It costs no commit of its own. If the process dies before the next commit, the call is
    /// made again and may return a later time.
    #[track_caller]
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let host = &*self.host;
        capture(host, CheckpointKind::Now, "", |_| host.now())
    }

    /// A random UUID (version 4) that depends on the run and the position only, so that it is
    /// the same after a crash.
    #[track_caller]
    #[must_use]
    pub fn uuid(&self) -> Uuid {
        let host = &*self.host;
        capture(host, CheckpointKind::Uuid, "", |seq| {
            Uuid::from_draw(&mut super::ops::rng(host.seed(seq)))
        })
    }

    /// A random value that depends on the run and the position only, so that it is the same
    /// after a crash: any integer, float in `[0, 1)`, `bool` or UUID.
    #[track_caller]
    #[must_use]
    pub fn random<T: Draw>(&self) -> T {
        let host = &*self.host;
        capture(host, CheckpointKind::Random, "", |seq| {
            T::from_draw(&mut super::ops::rng(host.seed(seq)))
        })
    }

    /// Records the value of a quick, harmless, non-deterministic expression, such as a feature
    /// flag.
    ///
    /// It costs no commit of its own. If the process dies before the next commit, `read` runs
    /// again and may give another value. What must happen once is a [`step`](Self::step).
    ///
    /// # Errors
    ///
    /// [`WorkflowError::Failed`], recorded like a value: with the code `payload` if the value has
    /// no JSON form, `payload_too_large` if it is larger than
    /// [`max_payload`](crate::durable::DurableBuilder::max_payload).
    /// [`WorkflowError::Payload`] if the recorded value is no `T`.
    #[track_caller]
    pub fn side_effect<T: Serialize + DeserializeOwned>(
        &self,
        name: impl Into<Arc<str>>,
        read: impl FnOnce() -> T,
    ) -> Result<T> {
        super::ops::side_effect(&*self.host, name.into(), read)
    }

    /// Publishes the latest value of `key`, which others read with `durable.get_event(run, key)`.
    ///
    /// It is stored with the next commit and stays after the run has ended.
    ///
    /// # Errors
    ///
    /// [`WorkflowError::Payload`] if the value cannot be written as JSON,
    /// [`WorkflowError::Failed`] with the code `payload_too_large` if it is larger than
    /// [`max_payload`](crate::durable::DurableBuilder::max_payload).
    #[track_caller]
    pub fn set_event<T: Serialize + ?Sized>(
        &self,
        key: impl Into<Arc<str>>,
        value: &T,
    ) -> Result<()> {
        super::ops::set_event(&*self.host, key.into(), value)
    }

    /// Adds a tag to the run, stored with the next commit.
    #[track_caller]
    pub fn add_tag(&self, tag: impl Into<Arc<str>>) {
        super::ops::add_tag(&*self.host, tag.into());
    }

    /// Merges search attributes into those of the run, stored with the next commit: what is null
    /// is removed, the other keys stay as they are.
    ///
    /// They are texts, numbers and booleans that people look for runs by, such as
    /// `attr=total:gte:100` in the list of runs; [`Attributes`](crate::model::Attributes) has
    /// their bounds. If the workflow declares a type
    /// (`#[workflow(search_attributes = OrderAttributes)]`), all of them together must be one.
    /// They are stored in the clear, also behind a codec.
    ///
    /// # Errors
    ///
    /// [`WorkflowError::Failed`] with the code `invalid_attributes`, which names workflow and key,
    /// recorded like a value. Nothing is changed then.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum_durable::prelude::*;
    /// use schemars::JsonSchema;
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, JsonSchema)]
    /// struct OrderAttributes {
    ///     region: String,
    ///     total: Option<u64>,
    /// }
    ///
    /// #[workflow(search_attributes = OrderAttributes)]
    /// async fn order(ctx: &WorkflowCtx, total: u64) -> Result<()> {
    ///     let attributes = OrderAttributes { region: "eu".to_owned(), total: Some(total) };
    ///     ctx.upsert_search_attributes(&attributes)?;
    ///     Ok(())
    /// }
    /// ```
    #[track_caller]
    pub fn upsert_search_attributes<T: Serialize + ?Sized>(&self, changes: &T) -> Result<()> {
        super::ops::upsert_search_attributes(&*self.host, changes)
    }

    /// Records which branch is taken: the value of this call, or on replay the recorded one.
    ///
    /// Use it where a decision follows from something that may change, such as a limit in
    /// `State<T>`. Nothing that comes after the call starts before the choice is durable, so that
    /// no crash lets effects of two branches happen. It shares the commit of what the workflow
    /// has seen last; only a run that begins with a switch pays a commit for it.
    ///
    /// The flow graph shows the source of `value` as the branch's condition.
    ///
    /// # Errors
    ///
    /// [`WorkflowError::Payload`] if the value cannot be written or read as JSON.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum_durable::prelude::*;
    ///
    /// #[derive(Clone)]
    /// struct Limits { review_above: u64 }
    ///
    /// #[workflow]
    /// async fn refund(ctx: &WorkflowCtx, cents: u64, State(limits): State<Limits>) -> Result<()> {
    ///     if ctx.switch("needs review", cents > limits.review_above)? {
    ///         let (): () = ctx.wait_for_signal(format!("review:{}", ctx.run_id())).await?;
    ///     }
    ///     ctx.step("pay back", async || Ok(())).await
    /// }
    /// ```
    #[track_caller]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the recorded value takes its place"
    )]
    pub fn switch<T: Serialize + DeserializeOwned>(
        &self,
        name: impl Into<Arc<str>>,
        value: T,
    ) -> Result<T> {
        super::ops::switch(&*self.host, name.into(), &value)
    }

    /// Writes a line into the run's history, for people.
    ///
    /// It is stored with the next commit and costs none of its own. If the process dies before,
    /// it is written again. The text may change between versions; on replay the recorded one
    /// stays.
    #[track_caller]
    pub fn note(&self, message: impl AsRef<str>) {
        super::ops::note(&*self.host, message.as_ref());
    }

    /// Whether this run takes the new way of a change in the workflow's code: `true` for runs
    /// that come here for the first time, `false` for runs that came by before the change.
    ///
    /// It lets small changes go out without a new version. Where it is `true`, it leaves a mark
    /// in the history, stored with the next commit; where it is `false`, it takes no position, so
    /// that the old way replays as it was. Each call decides for itself: a loop of an old run
    /// takes the new way from the first round that is not recorded.
    ///
    /// A local step of the old way that was under way when its process died has left no record,
    /// so such a run may take the new way.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum_durable::prelude::*;
    ///
    /// #[workflow]
    /// async fn checkout(ctx: &WorkflowCtx, order: String) -> Result<usize> {
    ///     if ctx.patched("check for fraud") {
    ///         ctx.step("fraud", async || Ok(())).await?;
    ///     }
    ///     ctx.step("charge", async || Ok(order.len())).await
    /// }
    /// ```
    #[track_caller]
    #[must_use = "the branch on the answer is what makes the change safe"]
    pub fn patched(&self, id: impl Into<Arc<str>>) -> bool {
        super::ops::patched(&*self.host, id.into())
    }

    /// Takes the place of [`patched`](Self::patched) once no open run needs the old way: passes
    /// over the mark in runs that have it, and leaves none in new ones.
    ///
    /// Remove it when no open run has the mark any more.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum_durable::prelude::*;
    ///
    /// #[workflow]
    /// async fn checkout(ctx: &WorkflowCtx, order: String) -> Result<usize> {
    ///     ctx.deprecate_patch("check for fraud");
    ///     ctx.step("fraud", async || Ok(())).await?;
    ///     ctx.step("charge", async || Ok(order.len())).await
    /// }
    /// ```
    #[track_caller]
    pub fn deprecate_patch(&self, id: impl Into<Arc<str>>) {
        super::ops::deprecate_patch(&*self.host, id.into());
    }

    /// Undoes what the run has done so far: every completed step with a
    /// [compensation](LocalStep::compensate), the latest first. Afterwards there is nothing left
    /// to undo, so calling it again, or failing later, undoes only what came in between.
    ///
    /// It is called by itself when the workflow returns an error. While it runs, a request to
    /// cancel the run waits.
    ///
    /// # Errors
    ///
    /// [`WorkflowError::Compensation`] if undos have failed for good; the others have run all the
    /// same. The run then ends as `compensation_failed`, whatever it returns, and a requeue tries
    /// the failed ones again.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum_durable::prelude::*;
    ///
    /// #[workflow]
    /// async fn reserve(ctx: &WorkflowCtx, item: String) -> Result<bool> {
    ///     ctx.step("reserve", async || Ok(item.clone()))
    ///         .compensate("release", async |item: String| Ok(drop(item)))
    ///         .await?;
    ///     let approved: bool = ctx.wait_for_signal(format!("approve:{item}")).await?;
    ///     if !approved {
    ///         ctx.rollback().await?;
    ///     }
    ///     Ok(approved)
    /// }
    /// ```
    pub async fn rollback(&self) -> Result<()> {
        self.saga.rollback().await
    }

    /// The run's id.
    #[must_use]
    pub fn run_id(&self) -> &RunId {
        self.host.run_id()
    }

    /// The workflow and version being executed.
    #[must_use]
    pub fn workflow(&self) -> &WorkflowKey {
        self.host.workflow()
    }

    /// Which attempt to execute the run this is, from 1. For logs only: it differs on replay.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.host.attempt()
    }

    /// Whether recorded outcomes are being replayed. For logs only: branching on it diverges.
    #[must_use]
    pub fn is_replaying(&self) -> bool {
        self.host.is_replaying()
    }

    /// What `State<T>` receives; used by the code that `#[workflow]` writes.
    ///
    /// # Errors
    ///
    /// [`MissingState`] if the value was not provided.
    pub fn state<T: Inject>(&self) -> std::result::Result<T, MissingState> {
        T::inject(self.host.states())
    }
}

impl fmt::Debug for WorkflowCtx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkflowCtx")
            .field("run", self.host.run_id())
            .field("workflow", self.host.workflow())
            .field("in_body", &self.host.in_body().load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}

impl From<MissingState> for crate::model::Failure {
    fn from(missing: MissingState) -> Self {
        WorkflowError::from(missing).into_failure()
    }
}
