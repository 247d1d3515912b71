//! What was taken out of the stock for an order.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reservations")]
pub struct Model {
    /// The key of the step that reserved.
    #[sea_orm(primary_key, auto_increment = false)]
    pub idempotency_key: String,
    /// The order.
    pub order_id: String,
    /// The article.
    pub sku: String,
    /// How many.
    pub quantity: i64,
    /// Whether they were put back.
    pub is_released: bool,
}

/// None: the rows are found by key.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
