//! The parcel service.

use axum_durable::prelude::*;
use sea_orm::{ActiveModelTrait as _, ActiveValue::Set};

use super::ledger::Shop;
use crate::entity::shipment;
use crate::workflow::Parcel;

impl Shop {
    /// Orders a parcel; gives its label.
    pub(crate) async fn create_label(
        &self,
        parcel: &Parcel,
        step: &StepCtx,
    ) -> Result<String, StepError> {
        let key = step.idempotency_key();
        let label = format!("label-{key}");
        let call = self.begin(&parcel.order_id, "label", step).await?;
        if call.is_first {
            let row = shipment::ActiveModel {
                idempotency_key: Set(key),
                order_id: Set(parcel.order_id.clone()),
                label: Set(label.clone()),
            };
            row.insert(&call.tx).await?;
        }
        call.commit().await?;
        Ok(label)
    }
}
