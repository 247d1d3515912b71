//! What is due: claims, and looks ahead.
//!
//! Runs that wait for their time stand in the index of their priority: the usual ones, whose
//! priority is 0 and not stored, in that of what is due, and the others in that of the ranked ones,
//! by priority and time. So usual runs are found as if there were no priorities, and of the others
//! each priority is looked at by itself, the highest first: what is due stands at its beginning.
//! How many runs of a priority wait for later, and how many of a lower one are due, costs nothing.

use super::servers::run_columns;
use super::texts::{DueTexts, RankedTexts};

/// Begins a statement in which `priorities` are those of the runs that wait for their time, but for
/// the usual one, the highest first, and one empty row.
///
/// Each is found by one look into the index of ranked runs, so it costs as many looks as there are
/// priorities, however many runs have them. Where no run has any, that is one look.
macro_rules! priorities {
    () => {
        "WITH RECURSIVE priorities (priority) AS (SELECT max(r.priority) FROM durable_runs r \
         WHERE r.owner IS NULL AND r.wake_at < 9223372036854775807 AND r.priority IS NOT NULL \
         UNION ALL SELECT (SELECT max(r.priority) FROM durable_runs r \
         WHERE r.owner IS NULL AND r.wake_at < 9223372036854775807 AND r.priority IS NOT NULL \
         AND r.priority < priorities.priority) FROM priorities \
         WHERE priorities.priority IS NOT NULL)"
    };
}

/// The workflows in parameter `$1`, as a condition on the run.
macro_rules! of_workflows {
    // The plus keeps it from the index of workflows.
    (sqlite) => {
        "(+r.workflow, r.version) IN (SELECT value->>0, value->>1 FROM json_each($1))"
    };
    (postgres) => {
        "EXISTS (SELECT FROM jsonb_array_elements($1::jsonb) x \
         WHERE x->>0 = r.workflow AND (x->>1)::bigint = r.version)"
    };
    (mysql) => {
        "EXISTS (SELECT 1 FROM JSON_TABLE($1, '$[*]' COLUMNS ( \
         workflow VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]', \
         version BIGINT PATH '$[1]')) x WHERE x.workflow = r.workflow AND x.version = r.version)"
    };
}

/// Run `r` in the index of those that wait for their time and have such a priority: of the
/// workflows in `$1`, of a namespace unless that is NULL, in a status that a claim takes.
macro_rules! waits {
    (sqlite, $priority:literal, $namespace:literal) => {
        waits!(@
            "durable_runs r", $priority, of_workflows!(sqlite),
            concat!($namespace, " IS NULL OR r.namespace = ", $namespace)
        )
    };
    // The namespace is no way to what is due: its index has all runs that ever were in it.
    (postgres, $priority:literal, $namespace:literal) => {
        waits!(@
            "durable_runs r", $priority, of_workflows!(postgres),
            concat!($namespace, "::text IS NULL OR r.namespace || '' = ", $namespace, "::text")
        )
    };
    (mysql, $priority:literal, $namespace:literal) => {
        waits!(@
            "durable_runs r FORCE INDEX (durable_runs_due)", $priority, of_workflows!(mysql),
            concat!($namespace, " IS NULL OR r.namespace = ", $namespace)
        )
    };
    (@ $run:expr, $priority:literal, $of_workflows:expr, $in_namespace:expr) => {
        concat!(
            $run,
            " WHERE r.owner IS NULL AND r.wake_at < 9223372036854775807 AND r.priority ",
            $priority,
            " AND ",
            $of_workflows,
            " AND (",
            $in_namespace,
            ") AND r.status IN ('pending', 'running', 'suspended', 'cancelling')"
        )
    };
}

/// The numbers of the runs with such priorities, other than the usual one, that are due at `$3`.
/// The priorities are the outer loop, and the index of the inner one gives the longest due first.
macro_rules! sqlite_ranked {
    ($which:literal) => {
        concat!(
            "SELECT no FROM (SELECT r.no FROM priorities CROSS JOIN ",
            waits!(sqlite, "IS NOT NULL", "$5"),
            " AND r.priority = priorities.priority AND r.wake_at <= $3 AND priorities.priority ",
            $which,
            ")"
        )
    };
}

/// Index: due and ranked, each in its order. What the first part of the list gives ends it as soon
/// as there are enough; the parts after it are then not looked at.
pub(super) const SQLITE: DueTexts = DueTexts {
    claim: concat!(
        priorities!(),
        "
UPDATE durable_runs SET owner = $2, token = token + 1, updated_at = $3,
    asked = CASE status WHEN 'cancelling' THEN asked ELSE 0 END,
    status = CASE status WHEN 'cancelling' THEN status ELSE 'running' END
WHERE no IN (
    ",
        sqlite_ranked!("> 0"),
        "
    UNION ALL SELECT no FROM (SELECT r.no FROM ",
        waits!(sqlite, "IS NULL", "$5"),
        " AND r.wake_at <= $3 ORDER BY r.wake_at, r.no LIMIT $4)
    UNION ALL ",
        sqlite_ranked!("< 0"),
        "
    LIMIT $4)
RETURNING no, id, workflow, version, status, token, owner, wake_at, wakes, seen_wakes, recoveries,
    rev, created_at, updated_at, finished_at, tags, failure, parent, cascades,
    joined, next_run, deadline, fingerprint, attributes, namespace, priority, output;"
    ),
    look: concat!(
        priorities!(),
        "
SELECT id, NULL FROM durable_runs WHERE owner = $2 AND wakes > seen_wakes
UNION ALL SELECT NULL, wake_at FROM (SELECT r.wake_at FROM ",
        waits!(sqlite, "IS NULL", "$3"),
        " ORDER BY r.wake_at LIMIT 1)
UNION ALL SELECT NULL, n.wake_at FROM priorities CROSS JOIN durable_runs n ON n.no = (
    SELECT r.no FROM ",
        waits!(sqlite, "IS NOT NULL", "$3"),
        " AND r.priority = priorities.priority ORDER BY r.wake_at LIMIT 1)
UNION ALL SELECT NULL, NULL WHERE EXISTS (SELECT 1 FROM durable_instances WHERE id <> $2);"
    ),
    ranked: None,
};

/// The numbers of the runs with such a priority that are due at `$3`, the longest due first. Rows
/// that a twin has locked are skipped: it claims them.
macro_rules! postgres_due {
    ($priority:literal) => {
        concat!(
            "SELECT r.no FROM ",
            waits!(postgres, $priority, "$5"),
            " AND r.wake_at <= $3 ORDER BY r.wake_at, r.no LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED"
        )
    };
}

/// The same for each of such priorities, one after the other.
macro_rules! postgres_ranked {
    ($which:literal) => {
        concat!(
            "SELECT d.no FROM priorities CROSS JOIN LATERAL (",
            postgres_due!("= priorities.priority"),
            ") d WHERE priorities.priority ",
            $which
        )
    };
}

/// Index: due and ranked, each in its order. What the first part of the list gives ends it as soon
/// as there are enough; the parts after it are then not looked at, and lock nothing.
pub(super) const POSTGRES: DueTexts = DueTexts {
    claim: concat!(
        priorities!(),
        ", due AS MATERIALIZED (",
        postgres_ranked!("> 0"),
        " UNION ALL SELECT usual.no FROM (",
        postgres_due!("IS NULL"),
        ") usual UNION ALL ",
        postgres_ranked!("< 0"),
        " LIMIT $4) \
         UPDATE durable_runs r SET owner = $2, token = r.token + 1, updated_at = $3, \
         asked = CASE r.status WHEN 'cancelling' THEN r.asked ELSE 0 END, \
         status = CASE r.status WHEN 'cancelling' THEN r.status ELSE 'running' END \
         FROM due WHERE r.no = due.no RETURNING ",
        run_columns!(),
        ", r.output"
    ),
    look: concat!(
        priorities!(),
        " SELECT r.id, NULL::bigint FROM durable_runs r \
         WHERE r.owner = $2 AND r.wakes > r.seen_wakes \
         UNION ALL (SELECT NULL::text, r.wake_at FROM ",
        waits!(postgres, "IS NULL", "$3"),
        " ORDER BY r.wake_at LIMIT 1) UNION ALL SELECT NULL::text, n.wake_at \
         FROM priorities CROSS JOIN LATERAL (SELECT r.wake_at FROM ",
        waits!(postgres, "= priorities.priority", "$3"),
        " ORDER BY r.wake_at LIMIT 1) n UNION ALL SELECT NULL::text, NULL::bigint \
         WHERE EXISTS (SELECT FROM durable_instances i WHERE i.id <> $2)"
    ),
    ranked: None,
};

/// The highest priority of runs that nobody holds, also of those that have ended: one look at the
/// end of a part of the index, which makes it a constant.
macro_rules! mysql_highest {
    () => {
        "SELECT MAX(n.priority) FROM durable_runs n FORCE INDEX (durable_runs_due) \
         WHERE n.owner IS NULL"
    };
}

/// Index: due, in its order. A join with a list of priorities would read all runs that have them,
/// also those that have ended, so each priority has a statement of its own.
pub(super) const MYSQL: DueTexts = DueTexts {
    claim: concat!(
        "SELECT r.no FROM ",
        waits!(mysql, "IS NULL", "$5"),
        " AND r.wake_at <= $3 AND (",
        mysql_highest!(),
        ") IS NULL ORDER BY r.wake_at, r.no LIMIT $4 FOR UPDATE SKIP LOCKED"
    ),
    look: concat!(
        "SELECT r.id, NULL, NULL FROM durable_runs r \
         WHERE r.owner = $2 AND r.wakes > r.seen_wakes \
         UNION ALL (SELECT NULL, r.wake_at, NULL FROM ",
        waits!(mysql, "IS NULL", "$3"),
        " ORDER BY r.wake_at LIMIT 1) UNION ALL SELECT NULL, NULL, NULL FROM DUAL \
         WHERE EXISTS (SELECT 1 FROM durable_instances i WHERE i.id <> $2) \
         UNION ALL SELECT NULL, NULL, COALESCE((",
        mysql_highest!(),
        "), 0)"
    ),
    ranked: Some(RankedTexts {
        next: concat!(mysql_highest!(), " AND n.priority < $1"),
        claim: concat!(
            "SELECT r.no FROM ",
            waits!(mysql, "<=> $6", "$5"),
            " AND r.wake_at <= $3 ORDER BY r.wake_at, r.no LIMIT $4 FOR UPDATE SKIP LOCKED"
        ),
        look: concat!(
            "SELECT r.wake_at FROM ",
            waits!(mysql, "= $4", "$3"),
            " ORDER BY r.wake_at LIMIT 1"
        ),
    }),
};
