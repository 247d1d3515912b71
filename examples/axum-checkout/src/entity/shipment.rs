//! Parcels.

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "shipments")]
pub struct Model {
    /// The key of the step that ordered the parcel.
    #[sea_orm(primary_key, auto_increment = false)]
    pub idempotency_key: String,
    /// The order.
    pub order_id: String,
    /// The label of the parcel.
    pub label: String,
}

/// None: the rows are found by key.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
