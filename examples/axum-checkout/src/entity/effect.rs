//! The ledger: what was done in the outside world, and how often.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "effects")]
pub struct Model {
    /// Counts up in the order in which things were first done.
    #[sea_orm(primary_key)]
    pub position: i64,
    /// The key of the step that did it.
    #[sea_orm(unique)]
    pub idempotency_key: String,
    /// The order.
    pub order_id: String,
    /// What was done: `reserve`, `release`, `charge`, `label`, `receipt` or `finish`.
    pub effect: String,
    /// How often the provider was called to do it.
    pub executions: i64,
}

/// None: the rows are found by key.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
