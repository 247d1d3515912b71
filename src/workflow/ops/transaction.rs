//! `ctx.transaction`: writes of the user and the step's result in one commit.

use std::{fmt, future::Future, sync::Arc};

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    IsolationLevel, QueryResult, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait,
};
use serde::Serialize;
use tokio::sync::OnceCell;

use super::{operation::Operation, step::LocalStep};
use crate::model::Failure;
use crate::payload::Payload;
use crate::workflow::{
    error::{StepError, WorkflowError},
    saga::Saga,
};

/// The database transaction of a [`WorkflowCtx::transaction`](crate::WorkflowCtx::transaction):
/// a connection of SeaORM, to be passed on by reference (`&tx`).
///
/// It begins with its first statement, on a connection of
/// [`SqlStore::connection`](crate::store::SqlStore::connection), and is committed by the engine
/// when the body returns `Ok`. Dropped before, or after an `Err`, it is rolled back.
pub struct StepTransaction {
    connection: DatabaseConnection,
    begun: Arc<OnceCell<DatabaseTransaction>>,
}

impl StepTransaction {
    async fn get(&self) -> Result<&DatabaseTransaction, DbErr> {
        let begin = || async {
            let is_sqlite = self.connection.get_database_backend() == DbBackend::Sqlite;
            let options = TransactionOptions {
                // What was committed meanwhile must be seen once a row is locked. SQLite has one
                // writer, and no levels.
                isolation_level: (!is_sqlite).then_some(IsolationLevel::ReadCommitted),
                // A transaction that reads first could not write later beside another writer.
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            };
            self.connection.begin_with_options(options).await
        };
        self.begun.get_or_try_init(begin).await
    }

    /// The transaction itself, begun if it was not. The body's handle must be gone.
    async fn into_inner(self) -> Result<DatabaseTransaction, Failure> {
        self.get()
            .await
            .map_err(|error| Failure::from_error(&error))?;
        let begun = Arc::into_inner(self.begun).and_then(OnceCell::into_inner);
        begun.ok_or_else(|| {
            let message = "the transaction outlives its body; await what uses it";
            Failure::fatal("transaction_in_use", message)
        })
    }
}

#[async_trait]
impl ConnectionTrait for StepTransaction {
    fn get_database_backend(&self) -> DbBackend {
        self.connection.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.get().await?.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.get().await?.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.get().await?.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.get().await?.query_all_raw(statement).await
    }
}

impl fmt::Debug for StepTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StepTransaction")
            .field("has_begun", &self.begun.initialized())
            .finish_non_exhaustive()
    }
}

/// A step whose attempts are transactions.
pub(crate) fn transaction<'a, T, F, Fut, E>(
    operation: Operation,
    saga: Arc<Saga>,
    mut body: F,
) -> LocalStep<'a, T>
where
    F: FnMut(StepTransaction) -> Fut + Send + 'a,
    Fut: Future<Output = Result<T, E>> + Send + 'a,
    T: Serialize + Send + 'a,
    E: Into<StepError> + Send + 'a,
{
    let (host, seq) = (Arc::clone(operation.host()), operation.seq());
    let begin = move || {
        let host = Arc::clone(&host);
        let Some(connection) = host.database() else {
            return Err(Failure::fatal(
                "no_transactions",
                "the store of this process has no SQL transactions",
            ));
        };
        let begun = Arc::new(OnceCell::new());
        let handle = |connection| StepTransaction {
            connection,
            begun: Arc::clone(&begun),
        };
        let attempt = body(handle(connection.clone()));
        let kept = handle(connection);
        drop(begun);
        Ok(async move {
            let value = attempt.await.map_err(|error| error.into().into_failure())?;
            let result = Payload::encode(&value)
                .map_err(|error| WorkflowError::Payload(error).into_failure())?;
            drop(value);
            let transaction = kept.into_inner().await?;
            host.finish_transaction(seq, transaction, result).await
        })
    };
    LocalStep::with_attempts(operation, saga, begin)
}
