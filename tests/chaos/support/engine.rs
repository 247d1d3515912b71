//! Engines in this process, and workflows that count what they do.

use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};

use axum_durable::{Durable, SqlStore, durable::DurableBuilder, prelude::*};
use futures_util::{StreamExt as _, stream};
use parking_lot::Mutex;
use serde::{Serialize, de::DeserializeOwned};

use super::place::{Place, until};

/// Starts under way at once.
const AT_ONCE: usize = 64;

/// Opens an engine on the database at `url`. `add` registers its workflows.
pub(crate) async fn open(
    url: &str,
    add: impl FnOnce(DurableBuilder) -> DurableBuilder + Send,
) -> Durable {
    open_on(SqlStore::connect(url).await.unwrap(), add).await
}

/// Opens an engine on a store.
pub(crate) async fn open_on(
    store: SqlStore,
    add: impl FnOnce(DurableBuilder) -> DurableBuilder + Send,
) -> Durable {
    let builder = Durable::builder().store(store).only_registered();
    add(builder).build().await.unwrap()
}

/// A workflow from a closure that returns a future.
pub(crate) fn flow<I, O, F, Fut>(name: &'static str, body: F) -> Workflow<I, O>
where
    I: DeserializeOwned + schemars::JsonSchema + Send + 'static,
    O: Serialize + schemars::JsonSchema + Send + 'static,
    F: Fn(WorkflowCtx, I) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O>> + Send + 'static,
{
    Workflow::from_body(name, 1, move |ctx, input| Box::pin(body(ctx, input)))
}

/// Counts how often each step of each run was executed. Clones share the counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts(Arc<Mutex<BTreeMap<String, u32>>>);

impl Counts {
    pub(crate) fn note(&self, step: &StepCtx) -> u32 {
        let mut counts = self.0.lock();
        let count = counts.entry(step.idempotency_key()).or_default();
        *count += 1;
        *count
    }

    /// Whether `steps` steps were executed, once each.
    pub(crate) fn assert_once(&self, steps: u32) {
        let counts = self.0.lock();
        let repeated: Vec<_> = counts.iter().filter(|(_, count)| **count != 1).collect();
        assert!(repeated.is_empty(), "executed again: {repeated:?}");
        assert_eq!(counts.len(), steps as usize);
    }

    /// A workflow of as many steps as its input says.
    pub(crate) fn steps(&self) -> Workflow<u32, u32> {
        let counts = self.clone();
        flow("steps", move |ctx, steps: u32| {
            let counts = counts.clone();
            async move {
                for n in 0..steps {
                    let body = async |step: StepCtx| Ok::<_, StepError>(counts.note(&step));
                    ctx.step(format!("step-{n}"), body).await?;
                }
                Ok(steps)
            }
        })
    }
}

/// Starts runs `<name>-<n>`, all at once.
pub(crate) async fn start_all<I, O>(
    durable: &Durable,
    workflow: &Workflow<I, O>,
    (name, runs): (&str, u32),
    input: impl Fn(u32) -> I,
) where
    I: Serialize + DeserializeOwned + schemars::JsonSchema + Send + 'static,
    O: Serialize + DeserializeOwned + schemars::JsonSchema + Send + 'static,
{
    let starts = (0..runs).map(|n| {
        let start = durable.start(workflow.clone(), input(n));
        start.id(format!("{name}-{n}")).into_future()
    });
    let mut starts = stream::iter(starts).buffer_unordered(AT_ONCE);
    while let Some(started) = starts.next().await {
        started.unwrap();
    }
}

/// Waits until so many runs have completed.
pub(crate) async fn completed(place: &Place, runs: u32) {
    let sql = "SELECT count(*) FROM durable_runs WHERE status = 'completed'";
    until("the end of all runs", || async {
        place.number(sql).await >= i64::from(runs)
    })
    .await;
    assert_eq!(place.number(sql).await, i64::from(runs));
}

/// Waits until every instance has renewed its lease for at least so much longer.
pub(crate) async fn renewed(place: &Place, longer: Duration) {
    let first_end = "SELECT min(lease_until) FROM durable_instances";
    let longer = i64::try_from(longer.as_millis()).unwrap();
    let wanted = place.number(first_end).await + longer;
    until("the renewals", || async {
        place.number(first_end).await >= wanted
    })
    .await;
}

/// Whether a run that has not ended says why, and what moves it on.
pub(crate) async fn explained(durable: &Durable, run: &str) -> String {
    let why = durable.explain(run).await.unwrap();
    assert!(!why.reason.is_empty(), "{why:?}");
    assert!(!why.wakes.is_empty(), "{why:?}");
    why.reason
}
