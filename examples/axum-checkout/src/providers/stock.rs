//! The stock.

use axum_durable::prelude::*;
use sea_orm::{
    ActiveModelTrait as _,
    ActiveValue::Set,
    ColumnTrait as _, DatabaseTransaction, DbErr, EntityTrait as _, ExprTrait as _,
    QueryFilter as _,
    sea_query::{Expr, OnConflict},
};

use super::ledger::Shop;
use crate::entity::{reservation, stock};
use crate::workflow::{Delivery, Order};

/// What there is of an article that was never sold before, so that any order works.
const FIRST_STOCK: i64 = 1_000_000;

impl Shop {
    /// Takes an order's goods out of the stock; gives the key under which they are kept.
    pub(crate) async fn reserve(&self, order: &Order, step: &StepCtx) -> Result<String, StepError> {
        let key = step.idempotency_key();
        let quantity = i64::from(order.quantity);
        let call = self.begin(&order.id, "reserve", step).await?;
        if call.is_first {
            stock_up(&call.tx, &order.sku).await?;
            if !take(&call.tx, &order.sku, quantity).await? {
                // The call is rolled back: nothing was reserved.
                let message = format!("`{}` is out of stock", order.sku);
                return Err(StepError::fatal("out_of_stock", message));
            }
            let row = reservation::ActiveModel {
                idempotency_key: Set(key.clone()),
                order_id: Set(order.id.clone()),
                sku: Set(order.sku.clone()),
                quantity: Set(quantity),
                is_released: Set(false),
            };
            row.insert(&call.tx).await?;
        }
        call.commit().await?;
        Ok(key)
    }

    /// Puts what was delivered into the stock.
    pub(crate) async fn restock(
        &self,
        delivery: &Delivery,
        step: &StepCtx,
    ) -> Result<(), StepError> {
        let call = self.begin(&delivery.sku, "restock", step).await?;
        if call.is_first {
            stock_up(&call.tx, &delivery.sku).await?;
            add(&call.tx, &delivery.sku, i64::from(delivery.pieces)).await?;
        }
        Ok(call.commit().await?)
    }

    /// Puts an order's goods back. It undoes a step, so it owns what it needs: it may outlive the
    /// workflow.
    pub(crate) async fn release(
        self,
        order: Order,
        reservation: String,
        step: StepCtx,
    ) -> Result<(), StepError> {
        let call = self.begin(&order.id, "release", &step).await?;
        if call.is_first {
            let released = reservation::Entity::update_many()
                .col_expr(reservation::Column::IsReleased, true.into())
                .filter(reservation::Column::IdempotencyKey.eq(reservation))
                .filter(reservation::Column::IsReleased.eq(false))
                .exec(&call.tx)
                .await?;
            if released.rows_affected == 1 {
                add(&call.tx, &order.sku, i64::from(order.quantity)).await?;
            }
        }
        Ok(call.commit().await?)
    }
}

/// Makes sure that the article is known.
async fn stock_up(tx: &DatabaseTransaction, sku: &str) -> Result<(), DbErr> {
    let row = stock::ActiveModel {
        sku: Set(sku.to_owned()),
        available: Set(FIRST_STOCK),
    };
    let known = OnConflict::column(stock::Column::Sku)
        .do_nothing_on([stock::Column::Sku])
        .to_owned();
    stock::Entity::insert(row)
        .on_conflict(known)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Takes goods out of the stock, if there are as many.
async fn take(tx: &DatabaseTransaction, sku: &str, quantity: i64) -> Result<bool, DbErr> {
    let taken = stock::Entity::update_many()
        .col_expr(
            stock::Column::Available,
            Expr::col(stock::Column::Available).sub(quantity),
        )
        .filter(stock::Column::Sku.eq(sku))
        .filter(stock::Column::Available.gte(quantity))
        .exec(tx)
        .await?;
    Ok(taken.rows_affected == 1)
}

async fn add(tx: &DatabaseTransaction, sku: &str, quantity: i64) -> Result<(), DbErr> {
    stock::Entity::update_many()
        .col_expr(
            stock::Column::Available,
            Expr::col(stock::Column::Available).add(quantity),
        )
        .filter(stock::Column::Sku.eq(sku))
        .exec(tx)
        .await?;
    Ok(())
}
