//! Probes: what happens around the calls of a process on its store.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
};

use async_trait::async_trait;
use axum_durable::{
    store::{Batch, BatchAck, StoreError},
    testing::{Probe, StoreCall},
};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Nothing happens.
#[derive(Debug)]
pub(crate) struct Quiet;

impl Probe for Quiet {}

pub(crate) use axum_durable::testing::{Death, Fuse};

/// Fails or holds calls of one kind while it is switched on.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    call: StoreCall,
    is_shut: Arc<AtomicBool>,
    /// Calls that were failed or held.
    hits: Arc<AtomicU64>,
    hit: Arc<Notify>,
    opened: Option<Arc<Notify>>,
    /// Holds a call that was carried out, and not one that is to be.
    is_behind: bool,
}

impl Gate {
    /// Fails calls while it is shut.
    pub(crate) fn failing(call: StoreCall) -> Self {
        Self {
            call,
            is_shut: Arc::default(),
            hits: Arc::default(),
            hit: Arc::default(),
            opened: None,
            is_behind: false,
        }
    }

    /// Holds calls while it is shut.
    pub(crate) fn holding(call: StoreCall) -> Self {
        Self {
            opened: Some(Arc::default()),
            ..Self::failing(call)
        }
    }

    /// Holds calls while it is shut: before they are carried out, or before their answer is known.
    pub(crate) fn holding_at(call: StoreCall, death: Death) -> Self {
        Self {
            is_behind: death == Death::After,
            ..Self::holding(call)
        }
    }

    pub(crate) fn shut(&self) {
        self.is_shut.store(true, SeqCst);
    }

    pub(crate) fn open(&self) {
        self.is_shut.store(false, SeqCst);
        if let Some(opened) = &self.opened {
            opened.notify_waiters();
        }
    }

    /// Completes when it was hit `times` in all.
    pub(crate) async fn hit(&self, times: u64) {
        while self.hits.load(SeqCst) < times {
            self.hit.notified().await;
        }
    }

    async fn hold(&self, opened: &Notify) {
        let mut waiting = std::pin::pin!(opened.notified());
        waiting.as_mut().enable();
        self.hits.fetch_add(1, SeqCst);
        self.hit.notify_one();
        if self.is_shut.load(SeqCst) {
            waiting.await;
        }
    }
}

#[async_trait]
impl Probe for Gate {
    async fn before(&self, call: StoreCall) -> Result<(), StoreError> {
        if call != self.call || self.is_behind || !self.is_shut.load(SeqCst) {
            return Ok(());
        }
        let Some(opened) = &self.opened else {
            self.hits.fetch_add(1, SeqCst);
            self.hit.notify_one();
            return Err(StoreError::Backend {
                backend: "test",
                operation: "call",
                source: "the store is away".into(),
            });
        };
        self.hold(opened).await;
        Ok(())
    }

    async fn after(&self, call: StoreCall) {
        if let Some(opened) = &self.opened
            && call == self.call
            && self.is_behind
            && self.is_shut.load(SeqCst)
        {
            self.hold(opened).await;
        }
    }
}

/// Counts the calls of a process and keeps the refusals of its commits.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watch {
    calls: Arc<Mutex<BTreeMap<StoreCall, u64>>>,
    batches: Arc<AtomicU64>,
    refused: Arc<Mutex<Vec<String>>>,
    news: Arc<Notify>,
}

impl Watch {
    /// How many calls of a kind were answered.
    pub(crate) fn calls(&self, call: StoreCall) -> u64 {
        self.calls.lock().get(&call).copied().unwrap_or(0)
    }

    /// How many batches were sent. Who reads in the store that a run has ended has its last batch
    /// in this number, and not yet its answer.
    pub(crate) fn batches(&self) -> u64 {
        self.batches.load(SeqCst)
    }

    /// The first refusal of a commit.
    pub(crate) fn refusal(&self) -> Option<String> {
        self.refused.lock().first().cloned()
    }

    /// Looks at `is_so` after every call until it holds.
    pub(crate) async fn until(&self, is_so: impl Fn() -> bool) {
        loop {
            let news = self.news.notified();
            if is_so() {
                return;
            }
            news.await;
        }
    }
}

#[async_trait]
impl Probe for Watch {
    fn check(&self, _batch: &Batch) -> Result<(), StoreError> {
        self.batches.fetch_add(1, SeqCst);
        Ok(())
    }

    fn written(&self, _batch: &Batch, ack: &BatchAck) {
        let refused = ack.commits.iter().filter_map(|it| it.as_ref().err());
        self.refused.lock().extend(refused.map(ToString::to_string));
    }

    async fn after(&self, call: StoreCall) {
        *self.calls.lock().entry(call).or_default() += 1;
        self.news.notify_one();
    }
}
