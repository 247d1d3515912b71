//! Signals as one message to a server: gates, locks and all of them in one round trip and one
//! transaction.
//!
//! Each statement of a message sees what was committed before it began, so the gates that the first
//! one takes are held when the others look. A message is a transaction by itself on PostgreSQL, and
//! begins and ends one on MySQL: a crash leaves all of it or nothing.

use std::sync::atomic::Ordering::Relaxed;

use super::care::Care;
use super::error::is_unnamed;
use super::signal::signal_args;
use super::statements::{
    mysql,
    postgres::{LOCK_RUNS, NAME_SIGNAL, SIGNAL, SIGNAL_NAME},
};
use super::store::SqlStore;
use super::writing::Writing;
use crate::driver::sql::{Args, Dialect, Sets, listed, written};
use crate::store::commit::{Batch, BatchAck, Delivery};
use crate::store::error::StoreError;

/// The bytes of payloads in one message at the most: written as digits they take twice as much,
/// and the server copies them once more.
const MOST_BYTES: usize = 64 * 1024;

/// How the statement that takes a signal is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// By the name under which the connection has it prepared.
    Named,
    /// The same, after it was prepared by the same message.
    Naming,
    /// In full.
    Full,
}

/// The statements of a message, and which of them answer.
#[derive(Default)]
struct Message {
    texts: Vec<String>,
    answers: Vec<usize>,
}

impl Message {
    fn postgres(writing: &Writing<'_, '_>, signals: &[Args<'_>], form: Form) -> Self {
        let mut message = Self::default();
        let texts = &mut message.texts;
        texts.extend(writing.care.gates.statement(Dialect::Postgres));
        if writing.care.locks {
            texts.push(written(
                Dialect::Postgres,
                LOCK_RUNS,
                &writing.locked_runs(),
            ));
        }
        if form == Form::Naming {
            texts.push(format!("{NAME_SIGNAL}{SIGNAL}"));
        }
        for args in signals {
            message.answers.push(texts.len());
            texts.push(if form == Form::Full {
                written(Dialect::Postgres, SIGNAL, args)
            } else {
                let args = listed(Dialect::Postgres, args);
                format!("EXECUTE {SIGNAL_NAME} ({args})")
            });
        }
        message
    }

    fn mysql(writing: &Writing<'_, '_>, signals: &[Args<'_>]) -> Self {
        let mut message = Self::default();
        let texts = &mut message.texts;
        texts.extend(mysql::BEGIN.map(str::to_owned));
        texts.extend(writing.care.gates.statement(Dialect::MySql));
        for args in signals {
            let signal = mysql::SIGNAL.iter();
            texts.extend(signal.map(|text| written(Dialect::MySql, text, args)));
            message.answers.push(texts.len() - 1);
        }
        texts.push("COMMIT".to_owned());
        message
    }
}

impl SqlStore {
    /// Whether a batch is signals and nothing else, and small.
    pub(super) fn is_for_message(&self, batch: &Batch) -> bool {
        let is_signal = |delivery: &Delivery| matches!(delivery, Delivery::Signal { .. });
        let deliveries = &batch.deliveries;
        self.dialect() != Dialect::Sqlite
            && batch.starts.is_empty()
            && batch.commits.is_empty()
            && deliveries.iter().all(is_signal)
            && deliveries
                .iter()
                .map(Delivery::payload_bytes)
                .sum::<usize>()
                <= MOST_BYTES
    }

    /// Delivers the signals of a batch.
    ///
    /// PostgreSQL prepares the statement once for each connection. A pooler may change connections
    /// between two messages without a word; then it is written out in each.
    pub(super) async fn by_message(
        &self,
        batch: &Batch,
        care: Care,
        operation: &'static str,
    ) -> Result<BatchAck, StoreError> {
        let mut session = self.write(operation).await?;
        let form = if !self.0.keeps_names.load(Relaxed) {
            Form::Full
        } else if session.named().is_some_and(|it| it.contains(&SIGNAL_NAME)) {
            Form::Named
        } else {
            Form::Naming
        };
        let mut writing = self.writing(&mut session, batch, care);
        let now = writing.transaction.now;
        let signals = batch
            .deliveries
            .iter()
            .filter_map(|it| signal_args(it, now));
        let signals: Vec<Args<'_>> = signals.collect();
        let message = match self.dialect() {
            Dialect::MySql => Message::mysql(&writing, &signals),
            Dialect::Postgres | Dialect::Sqlite => Message::postgres(&writing, &signals, form),
        };
        let text = message.texts.join("; ");
        let (sets, end) = writing.transaction.session.message(&text).await;
        if let Err(error) = end {
            let error = writing.transaction.failed(error);
            if form != Form::Full && is_unnamed(&error) {
                // A pooler of which nobody has told us. Nothing of the message has happened.
                self.0.keeps_names.store(false, Relaxed);
            }
            return Err(error);
        }
        writing.take_signals(&sets, &message.answers)?;
        let ack = writing.into_ack();
        if form == Form::Naming && self.dialect() == Dialect::Postgres {
            session
                .named()
                .into_iter()
                .for_each(|it| it.push(SIGNAL_NAME));
        }
        session.finish();
        Ok(ack)
    }
}

impl Writing<'_, '_> {
    /// Takes what became of the signals.
    fn take_signals(&mut self, sets: &Sets, answers: &[usize]) -> Result<(), StoreError> {
        for (delivery, at) in self.batch.deliveries.iter().zip(answers) {
            if let Delivery::Signal { payload, .. } = delivery {
                let ack = self.transaction.answer(sets.first(*at), payload)?;
                self.deliveries.push(Ok(ack));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SignalId;
    use crate::payload::Payload;
    use crate::store::commit::{CommitStore, DeliveryAck};
    use crate::store::sql::plans::place::Server;
    use crate::time::Timestamp;

    #[tokio::test]
    async fn a_signal_is_taken_where_a_connection_has_forgotten_what_it_had_prepared() {
        let Some(place) = Server::Postgres.place().await else {
            return;
        };
        let options = SqlStore::options().schema(place.schema().unwrap());
        let store = options.connect(&place.url()).await.unwrap();
        let mut session = store.write("a test").await.unwrap();
        session.named().unwrap().push(SIGNAL_NAME);
        session.finish();

        let id = SignalId::generate();
        let signal = || Delivery::Signal {
            id,
            token: "it's; \\ $1".into(),
            payload: Payload::encode(&"yes").unwrap(),
            at: Timestamp::from_millis(1),
        };
        let mut answers = Vec::new();
        for _ in 0..2 {
            let batch = Batch {
                deliveries: vec![signal()],
                ..Batch::default()
            };
            let ack = store.commit(&batch).await.unwrap();
            answers.extend(ack.deliveries.into_iter().map(Result::unwrap));
        }
        assert_eq!(answers, [DeliveryAck::Buffered, DeliveryAck::Duplicate]);
        assert!(!store.0.keeps_names.load(Relaxed), "it is not tried again");
    }
}
