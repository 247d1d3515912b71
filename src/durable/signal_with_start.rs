//! Starting a run and sending it signals, both or neither.

use std::{fmt, future::IntoFuture, sync::Arc};

use serde::Serialize;

use super::{
    error::Error, handle::Durable, run_handle::RunHandle, signal::SendSignal, start::Start,
};
use crate::model::SignalId;
use crate::payload::Payload;
use crate::workflow::{BoxFuture, IntoWorkflow};

/// A run about to be started and signalled, made by [`Durable::signal_with_start`]. Await it.
///
/// If the run is there already it is left as it is, and gets the signals all the same: many callers
/// at once end up with one run that has all of their signals. Both are stored in one transaction.
///
/// # Errors
///
/// Those of [`Start`] and of [`SendSignal`].
///
/// # Cancel safety
///
/// Dropped while waiting, all of it may be stored or nothing. Repeated with the same run id and the
/// same [`dedupe_id`](Self::dedupe_id)s it takes effect once.
#[must_use = "nothing is started until this is awaited"]
pub struct SignalWithStart<O> {
    durable: Durable,
    start: Start<O>,
    signals: Vec<Planned>,
}

/// A signal to be sent.
struct Planned {
    signal: SendSignal,
    is_scoped: bool,
}

impl Durable {
    /// Starts a run, unless it is there, and sends it signals, in one transaction.
    ///
    /// # Examples
    ///
    /// ```standalone_crate
    /// use axum_durable::{Durable, MemoryStore, prelude::*};
    ///
    /// #[workflow]
    /// async fn cart(ctx: &WorkflowCtx) -> Result<Vec<String>> {
    ///     let mut items = Vec::new();
    ///     while items.len() < 2 {
    ///         items.push(ctx.wait_for_signal("add").run_scoped().await?);
    ///     }
    ///     Ok(items)
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    /// let durable = Durable::builder().store(MemoryStore::new()).build().await?;
    /// for item in ["tea", "milk"] {
    ///     let add = durable.signal_with_start(cart, ()).id("cart-ada");
    ///     add.signal_run("add", item).await?;
    /// }
    /// let run = durable.run::<Vec<String>>("cart-ada")?;
    /// assert_eq!(run.result().await?, ["tea", "milk"]);
    /// # durable.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn signal_with_start<I, O, W>(&self, workflow: W, input: I) -> SignalWithStart<O>
    where
        W: IntoWorkflow<I, O>,
        I: Serialize,
    {
        SignalWithStart {
            durable: self.clone(),
            start: self.start(workflow, input),
            signals: Vec::new(),
        }
    }
}

impl<O> SignalWithStart<O> {
    /// The run's id. Default: a time-ordered UUID, and so a run of its own.
    pub fn id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.start = self.start.id(id);
        self
    }

    /// A label to find the run by, if it is started; may be called several times.
    pub fn tag(mut self, tag: impl Into<Arc<str>>) -> Self {
        self.start = self.start.tag(tag);
        self
    }

    /// The namespace that the run belongs to, if it is started; see [`Start::namespace`].
    pub fn namespace(mut self, namespace: impl Into<Arc<str>>) -> Self {
        self.start = self.start.namespace(namespace);
        self
    }

    /// How urgent the run is, if it is started; see [`Start::priority`].
    pub fn priority(mut self, priority: i32) -> Self {
        self.start = self.start.priority(priority);
        self
    }

    /// A search attribute of the run, if it is started; may be called several times.
    pub fn attribute(mut self, key: &str, value: impl Serialize) -> Self {
        self.start = self.start.attribute(key, value);
        self
    }

    /// Search attributes of the run, if it is started, from a struct or map.
    pub fn attributes(mut self, all: &impl Serialize) -> Self {
        self.start = self.start.attributes(all);
        self
    }

    /// A signal to whoever waits for `token`; may be called several times.
    pub fn signal<T: Serialize>(self, token: impl Into<Arc<str>>, value: T) -> Self {
        self.plan(token.into(), &value, false)
    }

    /// A signal to the token of this run, where a wait that is
    /// [run scoped](crate::workflow::ops::SignalWait::run_scoped) takes it; may be called several
    /// times.
    pub fn signal_run<T: Serialize>(self, token: impl Into<Arc<str>>, value: T) -> Self {
        self.plan(token.into(), &value, true)
    }

    /// Makes repetitions of the signal that was added last harmless; see
    /// [`SendSignal::dedupe_id`].
    pub fn dedupe_id(mut self, id: impl Into<Arc<str>>) -> Self {
        if let Some(Planned { signal, is_scoped }) = self.signals.pop() {
            let signal = signal.dedupe_id(id);
            self.signals.push(Planned { signal, is_scoped });
        }
        self
    }

    fn plan<T: Serialize>(mut self, token: Arc<str>, value: &T, is_scoped: bool) -> Self {
        let (id, value) = (SignalId::generate(), Payload::encode(value));
        let signal = SendSignal::new(self.durable.clone(), id, token, value);
        self.signals.push(Planned { signal, is_scoped });
        self
    }
}

impl<O: 'static> IntoFuture for SignalWithStart<O> {
    type Output = Result<RunHandle<O>, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (durable, request, run) = self.start.prepare_named()?;
            let mut deliveries = Vec::with_capacity(self.signals.len());
            for Planned { signal, is_scoped } in self.signals {
                let signal = if is_scoped {
                    signal.to_run(run.as_str())
                } else {
                    signal
                };
                deliveries.push(signal.into_delivery()?);
            }
            let engine = durable.engine();
            let outcome = engine.start_with_signals(request, deliveries).await?;
            Ok(RunHandle::of(durable, outcome))
        })
    }
}

impl<O> fmt::Debug for SignalWithStart<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignalWithStart")
            .field("start", &self.start)
            .field("signals", &self.signals.len())
            .finish_non_exhaustive()
    }
}
