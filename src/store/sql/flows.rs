//! Which flows the runs that have not ended were begun under.

use super::record;
use super::statements::live_flows;
use super::store::SqlStore;
use crate::driver::sql::Args;
use crate::model::{Fingerprint, FlowQuery, LiveFlow, LiveFlows, WorkflowKey};
use crate::store::error::StoreError;

impl SqlStore {
    /// Counts them. The database looks at one run more than it is asked to: that one tells whether
    /// there are more.
    pub(super) async fn read_flows(&self, query: &FlowQuery) -> Result<LiveFlows, StoreError> {
        let text = live_flows(self.dialect(), query.workflow.is_some());
        let limit = i64::from(query.limit);
        let mut args = Args::new()
            .with(limit.saturating_add(1))
            .with(i64::from(query.samples.max(1)));
        if let Some(workflow) = &query.workflow {
            args = args.with(workflow.to_string());
        }
        let sets = self.query("read live flows", text, &args).await?;
        let mut found = LiveFlows {
            is_complete: true,
            ..LiveFlows::default()
        };
        let mut looked_at = 0;
        for row in sets.rows(0) {
            let workflow = WorkflowKey::new(record::get::<String>(row, 0)?, record::count(row, 1)?);
            let fingerprint: Option<i64> = record::get(row, 2)?;
            let fingerprint = fingerprint.map(Fingerprint::from_stored);
            let run = record::run_id(row, 4)?;
            let last = found.flows.last_mut();
            // The runs of a flow stand together.
            let same = last.filter(|it| it.workflow == workflow && it.fingerprint == fingerprint);
            if let Some(flow) = same {
                flow.oldest.push(run);
                continue;
            }
            let runs = record::count(row, 3)?;
            looked_at += runs;
            found.flows.push(LiveFlow {
                workflow,
                fingerprint,
                runs,
                oldest: vec![run],
            });
        }
        // Databases take a large fingerprint for a negative number.
        let flows = &mut found.flows;
        flows.sort_by(|one, other| {
            (&one.workflow, one.fingerprint).cmp(&(&other.workflow, other.fingerprint))
        });
        found.is_complete = looked_at <= u64::from(query.limit);
        Ok(found)
    }
}
