//! The ledger of effects: what every provider writes along with what it does.

use std::time::Duration;

use axum_durable::prelude::*;
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait as _, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, EntityTrait as _,
    ExprTrait as _, IsolationLevel, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    TransactionTrait as _,
    sea_query::{Expr, OnConflict},
};

use crate::entity::effect;
use crate::workflow::Order;

/// The providers of the shop. Clones share one pool of connections.
#[derive(Debug, Clone)]
pub(crate) struct Shop {
    db: DatabaseConnection,
    isolation: Option<IsolationLevel>,
    step: Duration,
}

/// A call of a provider: a transaction that holds the call's line in the ledger.
pub(super) struct Call {
    pub(super) tx: DatabaseTransaction,
    /// Whether the key is new. Otherwise all was done before, and nothing is left to do.
    pub(super) is_first: bool,
    step: Duration,
}

impl Shop {
    /// Providers that take `step` for each call.
    pub(crate) fn new(db: DatabaseConnection, step: Duration) -> Self {
        // MySQL would otherwise lock gaps between rows, and calls that have nothing to do with
        // each other would deadlock. The others have it so anyway, or have one writer.
        let is_mysql = db.get_database_backend() == DbBackend::MySql;
        let isolation = is_mysql.then_some(IsolationLevel::ReadCommitted);
        Self {
            db,
            isolation,
            step,
        }
    }

    /// Begins a transaction.
    pub(super) async fn begin_transaction(&self) -> Result<DatabaseTransaction, DbErr> {
        self.db.begin_with_config(self.isolation, None).await
    }

    /// Begins a call. What it writes and its line in the ledger are committed together, so that
    /// the ledger counts what was done, whenever the process dies.
    pub(super) async fn begin(
        &self,
        order: &str,
        effect: &str,
        step: &StepCtx,
    ) -> Result<Call, DbErr> {
        tokio::time::sleep(self.step / 2).await;
        // The first statement writes: SQLite then waits for other writers here, and not halfway,
        // where it would have to give up.
        let tx = self.begin_transaction().await?;
        let row = effect::ActiveModel {
            position: NotSet,
            idempotency_key: Set(step.idempotency_key()),
            order_id: Set(order.to_owned()),
            effect: Set(effect.to_owned()),
            executions: Set(1),
        };
        let again = Expr::col((effect::Entity, effect::Column::Executions)).add(1);
        effect::Entity::insert(row)
            .on_conflict(
                OnConflict::column(effect::Column::IdempotencyKey)
                    .value(effect::Column::Executions, again)
                    .to_owned(),
            )
            .exec_without_returning(&tx)
            .await?;
        // The row is ours until the end of the transaction, so this is our own count.
        let executions: Option<i64> = effect::Entity::find()
            .select_only()
            .column(effect::Column::Executions)
            .filter(effect::Column::IdempotencyKey.eq(step.idempotency_key()))
            .into_tuple()
            .one(&tx)
            .await?;
        Ok(Call {
            tx,
            is_first: executions == Some(1),
            step: self.step,
        })
    }

    /// Finishes an order. Only the ledger tells of it.
    pub(crate) async fn finish(&self, order: &Order, step: &StepCtx) -> Result<(), StepError> {
        let call = self.begin(&order.id, "finish", step).await?;
        Ok(call.commit().await?)
    }

    /// What was done for an order, in the order in which it was first done.
    pub(crate) async fn effects(&self, order: &str) -> Result<Vec<effect::Model>, DbErr> {
        effect::Entity::find()
            .filter(effect::Column::OrderId.eq(order))
            .order_by_asc(effect::Column::Position)
            .all(&self.db)
            .await
    }
}

impl Call {
    /// Ends a call: now it was done. A process that dies after this and before the step's
    /// checkpoint is stored calls again, under the same key.
    pub(super) async fn commit(self) -> Result<(), DbErr> {
        self.tx.commit().await?;
        tokio::time::sleep(self.step / 2).await;
        Ok(())
    }
}
