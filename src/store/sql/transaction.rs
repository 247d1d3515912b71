//! A write transaction under way.

use std::{collections::BTreeSet, error::Error, sync::Arc};

use super::error::backend;
use super::gates::Gates;
use super::record;
use super::statements::{Statements, mysql, sqlite, statements};
use crate::driver::sql::{Args, Dialect, Script, Session, Sets};
use crate::id::RunId;
use crate::payload::Payload;
use crate::store::error::StoreError;
use crate::time::Timestamp;

/// A write transaction under way.
pub(super) struct Transaction<'a, 's> {
    pub(super) session: &'a mut Session<'s>,
    /// What is being done, for errors.
    pub(super) operation: &'static str,
    pub(super) now: Timestamp,
}

impl Transaction<'_, '_> {
    /// The statements for its database.
    pub(super) fn texts(&self) -> &'static Statements {
        statements(self.session.dialect())
    }

    pub(super) fn failed(&self, source: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
        backend(self.session.dialect(), self.operation, source)
    }

    pub(super) async fn run(
        &mut self,
        script: impl Into<Script>,
        args: &Args<'_>,
    ) -> Result<Sets, StoreError> {
        let answer = self.session.run(script, args).await;
        answer.map_err(|error| self.failed(error))
    }

    /// Begins, and takes gates.
    pub(super) async fn begin(&mut self, gates: Gates) -> Result<(), StoreError> {
        let dialect = self.session.dialect();
        let mut text = match dialect {
            Dialect::Sqlite => sqlite::BEGIN.to_owned(),
            Dialect::Postgres => "BEGIN".to_owned(),
            Dialect::MySql => mysql::BEGIN.join("; "),
        };
        if let Some(statement) = gates.statement(dialect) {
            text += "; ";
            text += &statement;
        }
        let answer = self.session.plain(text).await;
        answer.map_err(|error| self.failed(error))
    }

    /// Takes gates in a transaction that somebody else has begun.
    pub(super) async fn take(&mut self, gates: Gates) -> Result<(), StoreError> {
        let Some(statement) = gates.statement(self.session.dialect()) else {
            return Ok(());
        };
        let answer = self.session.plain(statement).await;
        answer.map_err(|error| self.failed(error))
    }

    /// Commits.
    pub(super) async fn end(&mut self) -> Result<(), StoreError> {
        let answer = self.session.plain(sqlite::COMMIT.to_owned()).await;
        answer.map_err(|error| self.failed(error))
    }

    /// Undoes what was done since it began.
    pub(super) async fn undo(&mut self) -> Result<(), StoreError> {
        let answer = self.session.plain("ROLLBACK".to_owned()).await;
        answer.map_err(|error| self.failed(error))
    }

    /// The number of a run.
    pub(super) async fn run_no(&mut self, run: &RunId) -> Result<i64, StoreError> {
        let text = self.texts().deliver.find_run;
        let sets = self.run(text, &Args::new().with(run.as_str())).await?;
        match sets.first(0) {
            Some(row) => record::get(row, 0),
            None => Err(StoreError::UnknownRun { run: run.clone() }),
        }
    }

    /// Adds tags to the row of a run, sorted and once each, and makes the run findable by them.
    pub(super) async fn add_tags(
        &mut self,
        run: &RunId,
        tags: &[Arc<str>],
    ) -> Result<(), StoreError> {
        let texts = &self.texts().deliver;
        let sets = self
            .run(texts.find_run, &Args::new().with(run.as_str()))
            .await?;
        let Some(row) = sets.first(0) else {
            return Ok(());
        };
        let no: i64 = record::get(row, 0)?;
        let stored: Option<String> = record::get(row, 3)?;
        let stored = stored.map(|tags| Payload::from_bytes(tags).decode::<Vec<Arc<str>>>());
        let mut all: BTreeSet<Arc<str>> = stored
            .transpose()?
            .unwrap_or_default()
            .into_iter()
            .collect();
        all.extend(tags.iter().cloned());
        let text = serde_json::to_string(&all).map_err(|error| self.failed(error))?;
        self.run(texts.write_tags, &Args::new().with(no).with(text))
            .await?;
        for tag in tags {
            self.run(texts.add_tag, &Args::new().with(no).with(&**tag))
                .await?;
        }
        Ok(())
    }
}
