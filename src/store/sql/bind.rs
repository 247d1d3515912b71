//! What few starts have, written behind the start itself: most runs have nothing of it.

use super::record;
use super::rows::List;
use super::transaction::Transaction;
use crate::driver::sql::Args;
use crate::model::{AttributePatch, DEFAULT_NAMESPACE, NewRun};
use crate::store::error::StoreError;

impl Transaction<'_, '_> {
    /// Notes what few runs that were just stored have: who has started them, until when they may
    /// take, a namespace, a priority, attributes.
    pub(super) async fn bind<'n>(
        &mut self,
        new: impl IntoIterator<Item = &'n NewRun>,
    ) -> Result<(), StoreError> {
        let mut rows = List::new();
        let mut attributes = Vec::new();
        for new in new.into_iter().filter(|new| is_bound(new)) {
            if !new.attributes.is_empty() {
                attributes.push((&new.id, AttributePatch::from(&new.attributes)));
            }
            let parent = new.parent.as_ref();
            let cascades = parent.map_or(0, |it| record::cascades(it.on_cancel));
            rows.row(|row| {
                row.put(new.id.as_str())
                    .put(parent.map(|it| it.run.as_str()))
                    .put(cascades)
                    .put(new.deadline)
                    .put(&*new.namespace)
                    .put((new.priority != 0).then_some(new.priority));
            });
        }
        if rows.is_empty() {
            return Ok(());
        }
        let args = Args::new().with(rows.into_text());
        self.run(self.relations().bind, &args).await?;
        let changes = attributes.iter().map(|(run, patch)| (*run, patch));
        self.put_attributes(changes.collect()).await
    }
}

/// Whether a run has what the usual one has not, which a start leaves out.
pub(super) fn is_bound(new: &NewRun) -> bool {
    new.parent.is_some()
        || new.deadline.is_some()
        || !new.attributes.is_empty()
        || &*new.namespace != DEFAULT_NAMESPACE
        || new.priority != 0
}
