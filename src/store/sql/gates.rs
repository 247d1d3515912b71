//! Gates: who may touch the waiters and signals of which tokens.
//!
//! A signal looks for a waiter, and a wait looks for a buffered signal; if both looked at once,
//! each could miss the other. SQLite has one writer at a time. Elsewhere a transaction that touches
//! waiters or signals first takes the gates of their tokens, all in one statement and in order, and
//! keeps them until it ends. Its later statements see what was committed before that.
//!
//! Gates come before every other lock, so that nobody waits for a gate while others wait for him.

use crate::driver::sql::Dialect;
use crate::id::stable_hash;
use crate::model::InboxBody;
use crate::store::commit::{Batch, Delivery};

/// How many gates there are. More let unrelated signals of several instances pass side by side;
/// fewer make it cheaper to take all.
const GATES: u64 = 16;

/// The first half of the key of an advisory lock, `dura` in ASCII: it tells our locks from those
/// of the host.
const CLASS: u32 = 0x6475_7261;

/// A set of gates, one bit each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Gates(u64);

impl Gates {
    /// No gate.
    pub(super) const NONE: Self = Self(0);
    /// Every gate: whoever hands on what was not taken does not know the tokens beforehand.
    pub(super) const ALL: Self = Self((1 << GATES) - 1);

    /// The gates that a batch needs.
    pub(super) fn of(batch: &Batch) -> Self {
        let closes = batch
            .commits
            .iter()
            .any(|commit| !commit.withdrawn.is_empty() && !commit.status.is_terminal());
        let cancels = batch.deliveries.iter().any(|delivery| {
            matches!(
                delivery,
                Delivery::Item {
                    body: InboxBody::Cancel,
                    ..
                }
            )
        });
        if closes || cancels {
            return Self::ALL;
        }
        let deliveries = batch.deliveries.iter().map(|delivery| match delivery {
            Delivery::Signal { token, .. } => gate_of(token),
            Delivery::Event { name, .. } => gate_of_event(name),
            Delivery::Item { .. } | Delivery::Requeue { .. } => 0,
        });
        let commits = batch
            .commits
            .iter()
            .filter(|commit| !commit.status.is_terminal());
        let waits = commits.flat_map(|commit| {
            let waiters = commit.waiters.iter().map(|it| gate_of(&it.token));
            let listens = commit.beyond.iter().flat_map(|beyond| &beyond.listens);
            waiters.chain(listens.map(|it| gate_of_event(&it.name)))
        });
        Self(deliveries.chain(waits).fold(0, |gates, gate| gates | gate))
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn numbers(self) -> impl Iterator<Item = u64> {
        (0..GATES).filter(move |gate| self.0 & (1 << gate) != 0)
    }

    /// The statement that takes them, if there are any to take.
    pub(super) fn statement(self, dialect: Dialect) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        let listed = |write: &dyn Fn(u64) -> String| {
            let all: Vec<String> = self.numbers().map(write).collect();
            all.join(", ")
        };
        match dialect {
            Dialect::Sqlite => None,
            // What is selected is computed in the order in which it stands there.
            Dialect::Postgres => Some(format!(
                "SELECT {}",
                listed(&|gate| format!("pg_advisory_xact_lock({CLASS}, {gate})"))
            )),
            Dialect::MySql => Some(format!(
                "SELECT no FROM durable_gates WHERE no IN ({}) ORDER BY no FOR UPDATE",
                listed(&|gate| gate.to_string())
            )),
        }
    }
}

fn gate_of(token: &str) -> u64 {
    // The high bits are the better mixed ones.
    1 << ((stable_hash(token) >> 32) % GATES)
}

/// Nobody misses an event who waits for its name.
fn gate_of_event(name: &str) -> u64 {
    gate_of(&format!("event:{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_are_taken_in_one_statement_and_in_order() {
        let gates = Gates(gate_of("approve") | gate_of("reject"));
        let numbers: Vec<u64> = gates.numbers().collect();
        assert!(numbers.is_sorted());
        assert_eq!(gates.statement(Dialect::Sqlite), None);
        assert_eq!(Gates::NONE.statement(Dialect::Postgres), None);
        let all = Gates::ALL.statement(Dialect::MySql).unwrap();
        assert!(all.contains("IN (0, 1, 2,") && all.contains("15)"));
    }
}
