//! The statements that count runs by the flow that they were begun under.

use crate::driver::sql::Dialect;

/// The runs that have not ended, the longest-living first, no more than `$1`; of the workflow `$3`,
/// if `$narrow` says so. Then, for each flow: workflow, version, fingerprint, how many, and a row
/// for each of the `$2` oldest.
macro_rules! text {
    ($live:literal, $narrow:literal, $order:literal, $end:literal) => {
        concat!(
            "SELECT flow.workflow, flow.version, flow.fingerprint, flow.many, flow.id FROM ( \
             SELECT live.workflow, live.version, live.fingerprint, live.id, \
             COUNT(*) OVER (PARTITION BY live.workflow, live.version, live.fingerprint) AS many, \
             ROW_NUMBER() OVER (PARTITION BY live.workflow, live.version, live.fingerprint \
                 ORDER BY live.created_at, live.id) AS nth FROM ( \
             SELECT r.workflow, r.version, r.fingerprint, r.id, r.created_at FROM ",
            $live,
            $narrow,
            $order,
            " LIMIT $1) live) flow WHERE flow.nth <= $2 \
             ORDER BY flow.workflow, flow.version, flow.fingerprint",
            $end,
            ", flow.nth"
        )
    };
}

/// Of the index of runs that have not completed; those that have failed are read past.
macro_rules! not_completed {
    ($narrow:literal, $end:literal) => {
        text!(
            "durable_runs r WHERE r.output IS NULL AND r.status IN ('pending', 'running', \
             'suspended', 'blocked', 'paused', 'cancelling')",
            $narrow,
            " ORDER BY r.created_at, r.id",
            $end
        )
    };
}

/// MySQL has no partial indexes; in that of the ends, the runs without one stand together.
macro_rules! without_end {
    ($narrow:literal) => {
        text!(
            "durable_runs r FORCE INDEX (durable_runs_ended) WHERE r.finished_at IS NULL",
            $narrow,
            " ORDER BY r.no",
            ""
        )
    };
}

/// The text for a dialect. Its only parameters are counts, and the name if there is one.
pub(crate) const fn live_flows(dialect: Dialect, is_narrow: bool) -> &'static str {
    match (dialect, is_narrow) {
        (Dialect::Sqlite, false) => not_completed!("", ""),
        // The plus keeps it from the index of workflows, which holds the completed ones as well.
        (Dialect::Sqlite, true) => not_completed!(" AND +r.workflow = $3", ""),
        (Dialect::Postgres, false) => not_completed!("", " NULLS FIRST"),
        (Dialect::Postgres, true) => not_completed!(" AND r.workflow = $3", " NULLS FIRST"),
        (Dialect::MySql, false) => without_end!(""),
        (Dialect::MySql, true) => without_end!(" AND r.workflow = $3"),
    }
}
