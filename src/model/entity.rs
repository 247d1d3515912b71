//! Entities: operations on them and their answers, as they are stored, and the ids of their runs.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use uuid::Uuid;

use super::{address, failure::Failure, inbox::SignalId, run::Run};
use crate::id::{InvalidName, RunId, check_name, stable_hash};
use crate::payload::Payload;

/// The word in front of the names of entities' workflows and of the ids of their runs.
const WORD: &str = "entity";

/// The most bytes of the id of an entity's first run: its successors have a number behind it, and
/// their ids have to fit too.
const MAX_ID_BYTES: usize = 170;

/// The key under which an entity publishes its state.
pub(crate) const STATE_KEY: &str = "state";

/// The workflow that runs entities called `name`.
pub(crate) fn workflow_name(name: &str) -> Arc<str> {
    format!("{WORD}:{name}").into()
}

/// The first run of an entity. Its id is also the address of the entity's operations.
///
/// `~` stands before the number of a successor, so in a key it is written in another way: the
/// entity `a~1` must not be the successor of the entity `a`.
pub(crate) fn first_run(name: &str, key: &str) -> Result<RunId, InvalidName> {
    check_name("entity key", key)?;
    let key = key.replace('%', "%25").replace('~', "%7E");
    let id = format!("{WORD}:{name}:{key}");
    if id.len() > MAX_ID_BYTES {
        return Err(InvalidName {
            what: "entity key",
            text: key,
            reason: "with the entity's name it is longer than 162 bytes",
        });
    }
    RunId::parse(id)
}

/// The first run of the entity that `run` is a run of.
pub(crate) fn first_of(run: &RunId) -> Arc<str> {
    let text = run.as_str();
    let parts = text.rsplit_once('~');
    let successor = parts.filter(|(_, number)| number.bytes().all(|it| it.is_ascii_digit()));
    successor.map_or(text, |(first, _)| first).into()
}

/// How many runs an entity had before `run`.
pub(crate) fn number_of(run: &RunId) -> u64 {
    let parts = run.as_str().rsplit_once('~');
    parts
        .and_then(|(_, number)| number.parse().ok())
        .unwrap_or(0)
}

/// Whether the entity that this is a run of has, or had, other ones.
pub(crate) fn is_one_of_several(run: &Run) -> bool {
    let is_entity = run
        .workflow
        .name
        .split_once(':')
        .is_some_and(|(word, _)| word == WORD);
    is_entity && (run.next.is_some() || *first_of(&run.id) != *run.id.as_str())
}

/// The run of an entity that has continued `number` times.
pub(crate) fn generation(first: &RunId, number: u64) -> RunId {
    match number {
        0 => first.clone(),
        _ => RunId::from_trusted(format!("{first}~{number}")),
    }
}

/// Which delivery a call is, of the run and of the ticket that it has on record.
///
/// A fork keeps the ticket and is another run, so its call is another delivery. Ids sort by the
/// time at which they were made, which is the order of delivery, so only the last bytes, which are
/// chance, are changed.
pub(crate) fn delivery_of(run: &RunId, ticket: Uuid) -> SignalId {
    let hash = stable_hash(run.as_str());
    let tail = u128::from(hash ^ (hash >> 32)) & 0xffff_ffff;
    SignalId(Uuid::from_u128(ticket.as_u128() ^ tail))
}

/// Where the answer to a call is sent to.
pub(crate) fn reply_address(run: &RunId, ticket: Uuid) -> Arc<str> {
    address::of_run("entityreply", run, &ticket.to_string())
}

/// What is sent to an entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EntityRequest {
    /// The operation.
    pub(crate) op: Arc<str>,
    /// Its input.
    pub(crate) input: Payload,
    /// Where its answer goes; without it nobody waits for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reply: Option<EntityReply>,
}

/// Where the answer to an operation goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EntityReply {
    /// It is published by the entity's run under this key.
    Key(Arc<str>),
    /// It is sent as a signal to this token.
    Token(Arc<str>),
}

impl EntityReply {
    /// Under which key the answer to a delivery is published.
    pub(crate) fn key_of(id: SignalId) -> Self {
        Self::Key(format!("@answer:{}", id.0).into())
    }
}

/// What an operation has made of the entity, as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EntityOutcome {
    /// The state after it.
    pub(crate) state: Payload,
    /// What it returned.
    pub(crate) reply: Payload,
}

/// The answer to whoever called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EntityAnswer {
    /// What the operation returned.
    Reply(Payload),
    /// The operation failed and has changed nothing.
    Failed(Failure),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_taken_for_a_successor() {
        let first = first_run("cart", "a~1").unwrap();
        assert_eq!(first.as_str(), "entity:cart:a%7E1");
        assert_ne!(first, generation(&first_run("cart", "a").unwrap(), 1));
        assert_ne!(first, first_run("cart", "a%7E1").unwrap());
        let second = generation(&first, 2);
        assert_eq!(second.as_str(), "entity:cart:a%7E1~2");
        assert_eq!(*first_of(&second), *first.as_str());
        assert_eq!(*first_of(&first), *first.as_str());
    }

    #[test]
    fn a_call_of_a_fork_is_another_delivery_in_the_same_order() {
        let [source, fork] = ["order", "order.fork"].map(RunId::from_trusted);
        let tickets = [(); 3].map(|()| SignalId::generate().0);
        for run in [&source, &fork] {
            assert!(tickets.map(|it| delivery_of(run, it)).is_sorted());
        }
        let [ticket, ..] = tickets;
        assert_ne!(delivery_of(&source, ticket), delivery_of(&fork, ticket));
        assert_ne!(reply_address(&source, ticket), reply_address(&fork, ticket));
    }

    #[test]
    fn a_key_leaves_room_for_the_numbers_of_successors() {
        assert!(first_run("cart", "").is_err());
        assert!(first_run("cart", &"x".repeat(170)).is_err());
        let longest = first_run("c", &"x".repeat(161)).unwrap();
        let last = generation(&longest, u64::MAX);
        assert!(RunId::parse(last.as_str()).is_ok(), "{last}");
    }
}
