//! Letting a run go on that stands at a breakpoint.

use std::sync::Arc;

use super::signal::delivered;
use crate::engine::core::Core;
use crate::id::RunId;
use crate::model::{AuditEntry, By, SignalId};
use crate::payload::Payload;
use crate::store::{Delivery, StoreError};

/// Opens the breakpoint behind `token`. If somebody is named, the line in the audit log is of the
/// same transaction.
pub(crate) async fn let_go_on(
    core: &Core,
    run: &RunId,
    (id, token): (SignalId, Arc<str>),
    by: &By,
) -> Result<(), StoreError> {
    let at = core.now();
    let delivery = Delivery::Signal {
        id,
        token,
        payload: Payload::null(),
        at,
    };
    let ack = if by.is_program() {
        core.journal.deliver(delivery).await?
    } else {
        let line = AuditEntry::new(run.clone(), at, by, "continue");
        core.store.deliver_audited(&delivery, &line).await?
    };
    delivered(core, ack);
    Ok(())
}
