//! Orders as the shop keeps them: taken together with their run, paid together with their last
//! checkpoint.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "orders")]
pub struct Model {
    /// The order's id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// What is bought.
    pub sku: String,
    /// The price of all.
    pub total_cents: i64,
    /// What was booked: the price, once.
    pub booked_cents: i64,
}

/// None: the rows are found by key.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
