//! Charges of cards.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "charges")]
pub struct Model {
    /// The key of the step that charged.
    #[sea_orm(primary_key, auto_increment = false)]
    pub idempotency_key: String,
    /// The order.
    pub order_id: String,
    /// The amount.
    pub total_cents: i64,
}

/// None: the rows are found by key.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
