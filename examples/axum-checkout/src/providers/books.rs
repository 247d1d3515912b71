//! The shop's own books. They are no provider: they are in the database of the workflows, so what
//! is written there needs no idempotency key. It is committed together with the run.

use axum_durable::{prelude::*, workflow::ops::StepTransaction};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait as _,
    ExprTrait as _, QueryFilter as _,
    sea_query::{Expr, OnConflict},
};

use super::ledger::Shop;
use crate::entity::order;
use crate::workflow::Order;

impl Shop {
    /// Begins a transaction with the order's row, unless the order is there. The caller starts its
    /// run in the same one.
    pub(crate) async fn take_order(&self, placed: &Order) -> Result<DatabaseTransaction, DbErr> {
        let tx = self.begin_transaction().await?;
        Self::enter(placed, &tx).await?;
        Ok(tx)
    }

    /// Writes the order's row, unless the order is there.
    pub(crate) async fn enter(placed: &Order, tx: &impl ConnectionTrait) -> Result<(), DbErr> {
        let row = order::ActiveModel {
            id: Set(placed.id.clone()),
            sku: Set(placed.sku.clone()),
            total_cents: Set(cents(placed)),
            booked_cents: Set(0),
        };
        order::Entity::insert(row)
            .on_conflict(
                OnConflict::column(order::Column::Id)
                    .do_nothing_on([order::Column::Id])
                    .to_owned(),
            )
            .exec_without_returning(tx)
            .await?;
        Ok(())
    }

    /// Books the price of an order. It adds, so that twice would show.
    pub(crate) async fn book(placed: &Order, tx: &StepTransaction) -> Result<(), StepError> {
        let sum = Expr::col(order::Column::BookedCents).add(cents(placed));
        order::Entity::update_many()
            .col_expr(order::Column::BookedCents, sum)
            .filter(order::Column::Id.eq(placed.id.as_str()))
            .exec(tx)
            .await?;
        Ok(())
    }
}

fn cents(order: &Order) -> i64 {
    i64::try_from(order.total_cents).unwrap_or(i64::MAX)
}
