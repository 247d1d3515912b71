//! Events: their ids, and what a wait and an event have in common.

use std::{collections::VecDeque, fmt};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::address;
use crate::payload::Payload;

/// The facts of an event at the most, its name included: what lies deeper in a large payload
/// cannot be matched.
const MAX_FACTS: usize = 256;

/// One publication of an event; the same id is published once, however often it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(pub Uuid);

impl EventId {
    /// A new id.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// The id of a publication that its publisher has named: the same for the same event and name.
    #[must_use]
    pub fn named(event: &str, name: &str) -> Self {
        let address = format!("event:{event}");
        Self(address::delivery_id(&address, name).0)
    }
}

/// What is said about an event, as hashes.
///
/// Of an event it is its name, and for each place in its payload the value there. Of a wait it is
/// what has to be so. A wait hears an event if all that it asks for is said about the event. Stores
/// see the hashes alone, so payloads may be encrypted; each hash depends on the event's name, so
/// that waits for other events are never looked at.
#[derive(Clone, PartialEq, Eq)]
pub struct Facts(Vec<i64>);

impl Facts {
    /// What is said about an event: the places of its payload, nearer ones first, as many as there
    /// may be.
    #[must_use]
    pub fn of_event(name: &str, payload: &Payload) -> Self {
        let mut facts = vec![fact_of_name(name)];
        if let Ok(value) = payload.decode::<Value>() {
            let mut queue = VecDeque::from([(String::new(), &value)]);
            while let Some((path, value)) = queue.pop_front() {
                if facts.len() == MAX_FACTS {
                    break;
                }
                facts.push(fact(name, &path, value));
                let room = MAX_FACTS - facts.len();
                for (key, child) in value.as_object().into_iter().flatten().take(room) {
                    queue.push_back((joined(&path, key), child));
                }
            }
        }
        Self(facts)
    }

    /// What a wait for events called `name` asks for: nothing more, until it is narrowed.
    #[must_use]
    pub fn of_any(name: &str) -> Self {
        Self(vec![fact_of_name(name)])
    }

    /// Asks in addition for `value` at `path` of an event called `name`.
    pub(crate) fn and(&mut self, name: &str, path: &str, value: &Value) {
        // The name is in every fact: as a fact of its own it would be an anchor that many share.
        self.0.retain(|it| *it != fact_of_name(name));
        self.0.push(fact(name, path, value));
    }

    /// Facts as a store has kept them.
    #[must_use]
    pub const fn from_stored(facts: Vec<i64>) -> Self {
        Self(facts)
    }

    /// Each of them.
    #[must_use]
    pub fn as_slice(&self) -> &[i64] {
        &self.0
    }

    /// The one by which a store finds a wait: the one that it has asked for first.
    #[must_use]
    pub fn anchor(&self) -> i64 {
        self.0.first().copied().unwrap_or_default()
    }

    /// Whether all that a wait asks for is among these.
    #[must_use]
    pub fn fulfil(&self, wait: &Self) -> bool {
        wait.0.iter().all(|asked| self.0.contains(asked))
    }
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} facts", self.0.len())
    }
}

fn joined(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

fn fact_of_name(name: &str) -> i64 {
    cut(Sha256::new().chain_update("name\0").chain_update(name))
}

fn fact(name: &str, path: &str, value: &Value) -> i64 {
    let hasher = Sha256::new().chain_update("fact\0");
    let hasher = hasher.chain_update(name).chain_update([0]);
    let hasher = hasher.chain_update(path).chain_update([0]);
    cut(hasher.chain_update(hash(value)))
}

/// The first 64 bits of a hash.
fn cut(hasher: Sha256) -> i64 {
    let bytes: [u8; 32] = hasher.finalize().into();
    bytes
        .first_chunk()
        .map_or(0, |first| i64::from_be_bytes(*first))
}

/// A hash that depends on what a value is, and not on how it was written.
fn hash(value: &Value) -> [u8; 32] {
    let hasher = Sha256::new();
    let hasher = match value {
        Value::Null => hasher.chain_update("n"),
        Value::Bool(is) => hasher.chain_update(if *is { "t" } else { "f" }),
        Value::Number(number) => hasher.chain_update("d").chain_update(plain(number)),
        Value::String(text) => hasher.chain_update("s").chain_update(text),
        Value::Array(items) => items.iter().fold(hasher.chain_update("a"), |all, it| {
            all.chain_update(hash(it))
        }),
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(key, _)| *key);
            fields
                .into_iter()
                .fold(hasher.chain_update("o"), |all, (key, it)| {
                    all.chain_update(Sha256::digest(key)).chain_update(hash(it))
                })
        }
    };
    hasher.finalize().into()
}

/// A number such that `1` and `1.0` are the same.
fn plain(number: &serde_json::Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => format!("{float}"),
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(value: &Value) -> Facts {
        Facts::of_event("paid", &Payload::encode(value).unwrap())
    }

    fn wait(conditions: &[(&str, Value)]) -> Facts {
        let mut facts = Facts::of_any("paid");
        for (path, value) in conditions {
            facts.and("paid", path, value);
        }
        facts
    }

    #[test]
    fn a_wait_hears_what_fulfils_all_that_it_asks_for() {
        let paid = event(&json!({"id": 7, "by": {"name": "Ada", "vip": true}, "lines": [1, 2]}));
        for (conditions, hears) in [
            (vec![], true),
            (vec![("id", json!(7))], true),
            (vec![("id", json!(7.0))], true),
            (vec![("id", json!("7"))], false),
            (vec![("by.name", json!("Ada")), ("id", json!(7))], true),
            (vec![("by.name", json!("Ada")), ("id", json!(8))], false),
            (vec![("by", json!({"vip": true, "name": "Ada"}))], true),
            (vec![("by", json!({"name": "Ada"}))], false),
            (vec![("lines", json!([1, 2]))], true),
            (vec![("lines", json!([2, 1]))], false),
            (vec![("nothing", Value::Null)], false),
        ] {
            assert_eq!(paid.fulfil(&wait(&conditions)), hears, "{conditions:?}");
        }
        assert!(event(&json!("whole")).fulfil(&wait(&[("", json!("whole"))])));
        assert!(!paid.fulfil(&Facts::of_any("failed")));
    }

    #[test]
    fn a_large_payload_says_what_is_near() {
        let deep: Vec<(String, Value)> = (0..300).map(|n| (format!("k{n}"), json!(n))).collect();
        let large = json!({ "near": 1, "a": deep.into_iter().collect::<serde_json::Map<_, _>>() });
        let facts = event(&large);
        assert_eq!(facts.as_slice().len(), MAX_FACTS);
        assert!(facts.fulfil(&wait(&[("near", json!(1))])));
    }

    #[test]
    fn a_payload_that_is_no_json_has_a_name() {
        let facts = Facts::of_event("paid", &Payload::from_bytes(vec![0xff, 0xfe]));
        assert_eq!(facts, Facts::of_any("paid"));
    }

    /// What is stored by one release is found by the next.
    #[test]
    fn facts_stay_the_same() {
        assert_eq!(Facts::of_any("paid").anchor(), FACT_OF_PAID);
        assert_eq!(wait(&[("id", json!(7))]).anchor(), FACT_OF_ID);
    }

    const FACT_OF_PAID: i64 = -2_982_983_755_959_740_352;
    const FACT_OF_ID: i64 = -786_598_720_745_458_194;
}
