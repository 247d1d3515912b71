//! Every store of this crate against its contract, and against each other.

#![expect(clippy::unwrap_used, reason = "what cannot be opened fails its test")]

use std::sync::Arc;

use axum_durable::{
    payload::{Codec, Payload, PayloadError},
    store::{CodecStore, MemoryStore, SqlStore},
    store_conformance,
    testing::{ManualClock, conformance::store},
    time::Clock,
};
use tempfile::TempDir;

/// A codec whose output is no text and no longer resembles its input.
#[derive(Debug)]
struct Xor;

impl Codec for Xor {
    fn name(&self) -> &'static str {
        "xor"
    }

    fn encode(&self, plain: &Payload) -> Payload {
        let mut bytes: Vec<u8> = plain.as_bytes().iter().map(|byte| byte ^ 0xa5).collect();
        bytes.insert(0, 0xff);
        Payload::from_bytes(bytes)
    }

    fn decode(&self, stored: &Payload) -> Result<Payload, PayloadError> {
        let Some((0xff, bytes)) = stored.as_bytes().split_first() else {
            return Err(PayloadError::Codec {
                codec: "xor",
                reason: "no mark at the start".to_owned(),
            });
        };
        Ok(Payload::from_bytes(
            bytes.iter().map(|byte| byte ^ 0xa5).collect::<Vec<u8>>(),
        ))
    }
}

async fn sqlite(clock: Arc<dyn Clock>) -> (SqlStore, TempDir) {
    let folder = TempDir::new().unwrap();
    let url = format!("sqlite://{}/durable.db", folder.path().display());
    // What is tested here does not depend on the disk; it would only make the tests slow.
    let store = SqlStore::options()
        .clock(clock)
        .synchronous_normal()
        .connect(&url)
        .await
        .unwrap();
    (store, folder)
}

store_conformance!(memory, |clock| async move {
    (MemoryStore::with_clock(clock), ())
});
store_conformance!(sql, sqlite);
store_conformance!(codec, |clock| async move {
    (
        CodecStore::new(Arc::new(MemoryStore::with_clock(clock)), Arc::new(Xor)),
        (),
    )
});

/// Seeds are tried in turn; one that fails is printed and can be run alone.
#[tokio::test]
async fn sqlite_answers_as_memory_does() {
    let seeds = match std::env::var("DURABLE_TEST_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..24).collect(),
    };
    for seed in seeds {
        let clock = ManualClock::default();
        let (sql, _folder) = sqlite(Arc::new(clock.clone())).await;
        let memory = MemoryStore::with_clock(Arc::new(clock.clone()));
        let memory = store::Actor::new(memory, clock.clone());
        let sql = store::Actor::new(sql, clock);
        store::two_stores_answer_alike(seed, 150, memory, sql).await;
    }
}
