//! The mail service. Only the ledger tells of a mail.

use axum_durable::prelude::*;

use super::ledger::Shop;
use crate::reviews::Shipped;
use crate::workflow::Order;

impl Shop {
    /// Mails the receipt of a charge; gives the id of the mail.
    pub(crate) async fn send_receipt(
        &self,
        order: &Order,
        charge: &str,
        step: &StepCtx,
    ) -> Result<String, StepError> {
        let key = step.idempotency_key();
        let call = self.begin(&order.id, "receipt", step).await?;
        call.commit().await?;
        step.log(LogLevel::Info, format!("receipt for {charge} sent"));
        Ok(format!("mail-{key}"))
    }

    /// Asks the customer how the goods are; gives the id of the mail.
    pub(crate) async fn ask_for_review(
        &self,
        shipped: &Shipped,
        step: &StepCtx,
    ) -> Result<String, StepError> {
        let call = self.begin(&shipped.order_id, "question", step).await?;
        call.commit().await?;
        step.log(
            LogLevel::Info,
            format!("question to {} sent", shipped.email),
        );
        Ok(format!("mail-{}", step.idempotency_key()))
    }
}
