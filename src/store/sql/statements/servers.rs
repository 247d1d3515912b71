//! What PostgreSQL and MySQL say alike.

/// The columns of a run but for its payloads.
macro_rules! run_columns {
    () => {
        "r.no, r.id, r.workflow, r.version, r.status, r.token, r.owner, r.wake_at, r.wakes, \
         r.seen_wakes, r.recoveries, r.rev, r.created_at, r.updated_at, r.finished_at, r.tags, \
         r.failure, r.parent, r.cascades, r.joined, r.next_run, \
         r.deadline, r.fingerprint, r.attributes, r.namespace, r.priority"
    };
}

macro_rules! checkpoint_columns {
    () => {
        "c.run_no, c.seq, c.ord, c.kind, c.name, c.status, c.attempt, c.wake_at, c.started_at, \
         c.finished_at, c.rev, c.site, c.failure, c.events, c.result"
    };
}

/// A run with its input.
macro_rules! read_run {
    () => {
        concat!(
            "SELECT ",
            run_columns!(),
            ", r.output, \
             (SELECT payload FROM durable_inputs i WHERE i.run_no = r.no) \
             FROM durable_runs r WHERE r.id = $1"
        )
    };
}

/// Reading, with the join that begins with the run: `JOIN` or `STRAIGHT_JOIN`.
macro_rules! read_texts {
    ($join:literal, held: $held:expr, list: $list:expr, now: $now:expr $(,)?) => {
        ReadTexts {
            run: read_run!(),
            load: &[
                read_run!(),
                concat!(
                    "SELECT ",
                    checkpoint_columns!(),
                    " FROM durable_runs r ",
                    $join,
                    " durable_checkpoints c ON c.run_no = r.no WHERE r.id = $1 ORDER BY c.seq"
                ),
                concat!(
                    "SELECT i.run_no, i.id, i.kind, i.seq, i.attempt, i.failure, i.payload, \
                     i.signal_id \
                     FROM durable_runs r ",
                    $join,
                    " durable_inbox i ON i.run_no = r.no WHERE r.id = $1 ORDER BY i.id"
                ),
            ],
            changed_since: concat!(
                "SELECT ",
                checkpoint_columns!(),
                " FROM durable_runs r ",
                $join,
                " durable_checkpoints c ON c.run_no = r.no \
                 WHERE r.id = $1 AND c.rev > $2 ORDER BY c.seq"
            ),
            open_operations: concat!(
                "SELECT ",
                checkpoint_columns!(),
                ", r.id FROM durable_runs r ",
                $join,
                " durable_checkpoints c ON c.run_no = r.no \
                 WHERE c.status IN ('waiting', 'retrying')"
            ),
            published: concat!(
                "SELECT p.payload FROM durable_runs r ",
                $join,
                " durable_published p ON p.run_no = r.no AND p.name = $2 WHERE r.id = $1"
            ),
            held: $held,
            instances: "SELECT i.id, i.lease_until, i.reported_at, i.report, \
                 (SELECT count(*) FROM durable_runs r WHERE r.owner = i.id) \
                 FROM durable_instances i ORDER BY i.no",
            list: $list,
            now: $now,
        }
    };
}

pub(super) use {checkpoint_columns, read_run, read_texts, run_columns};
