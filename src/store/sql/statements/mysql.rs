//! The statements for MySQL and MariaDB: what both understand, so nothing is returned by a change.
//!
//! - A list travels as one JSON text and comes out of `JSON_TABLE`; payloads lie in one blob, and
//!   the rows say where.
//! - `STRAIGHT_JOIN` keeps the list as the outer loop, and FORCE INDEX keeps a scan of a small or
//!   never analysed table, which would lock every row of it, out of the plan.
//! - Transactions are READ COMMITTED: nothing here needs gap locks, and they would only make
//!   strangers wait.
//! - A multi-table UPDATE assigns in no particular order, so no assignment reads another's column
//!   where the old and the new value would differ in effect.

use super::due;
use super::owners::unknown;
use super::servers::{checkpoint_columns, read_run, read_texts, run_columns};
use super::texts::{CommitTexts, DeliverTexts, LeaseTexts, ReadTexts, Statements};

/// Rows of runs in parameter `$n`: id and token, and where the run is that they name.
macro_rules! of_runs {
    ($list:literal, $($columns:tt)*) => {
        concat!(
            "JSON_TABLE(", $list, ", '$[*]' COLUMNS (place FOR ORDINALITY, \
             run VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]', \
             token BIGINT PATH '$[1]'", $($columns)*, ")) v \
             STRAIGHT_JOIN durable_runs r FORCE INDEX (durable_runs_id) \
             ON r.id = v.run AND r.token = v.token"
        )
    };
}

/// Run numbers in parameter `$1`.
macro_rules! numbers {
    () => {
        "JSON_TABLE($1, '$[*]' COLUMNS (no BIGINT PATH '$')) v"
    };
}

/// The fields of a run that changes, after its id and token.
macro_rules! run_fields {
    () => {
        ", status VARCHAR(32) PATH '$[2]', wake_at BIGINT PATH '$[3]', \
         seen_wakes BIGINT PATH '$[4]', recoveries BIGINT PATH '$[5]', rev BIGINT PATH '$[6]', \
         changed_at BIGINT PATH '$[7]', failure LONGTEXT PATH '$[8]', at BIGINT PATH '$[9]', \
         length BIGINT PATH '$[10]', fate BIGINT PATH '$[11]'"
    };
}

/// A run that starts.
macro_rules! starts {
    () => {
        "JSON_TABLE($1, '$[*]' COLUMNS (place FOR ORDINALITY, \
         id VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]', \
         workflow VARCHAR(191) PATH '$[1]', version BIGINT PATH '$[2]', \
         owner VARCHAR(191) PATH '$[3]', due_at BIGINT PATH '$[4]', tags LONGTEXT PATH '$[5]', \
         at BIGINT PATH '$[6]', length BIGINT PATH '$[7]', \
         fingerprint BIGINT PATH '$[8]')) v"
    };
}

pub(crate) const MYSQL: Statements = Statements {
    commit: Some(COMMIT),
    // Index: `id`. It locks what it finds; a twin's insert between the two is a duplicate key,
    // and the batch is tried again.
    find_starts: concat!(
        "SELECT v.place - 1, r.status FROM ",
        starts!(),
        " STRAIGHT_JOIN durable_runs r FORCE INDEX (durable_runs_id) ON r.id = v.id FOR UPDATE"
    ),
    // Index: `id`.
    refused: "SELECT v.place - 1, r.token FROM JSON_TABLE($1, '$[*]' COLUMNS ( \
         place FOR ORDINALITY, \
         run VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]', \
         token BIGINT PATH '$[1]')) v LEFT JOIN durable_runs r ON r.id = v.run \
         WHERE r.token IS NULL OR r.token <> v.token",
    deliver: DELIVER,
    lease: LEASE,
    read: READ,
};

const COMMIT: CommitTexts = CommitTexts {
    insert_runs: concat!(
        "INSERT INTO durable_runs (id, workflow, version, status, token, owner, wake_at, wakes, \
         seen_wakes, recoveries, rev, created_at, updated_at, tags, fingerprint) \
         SELECT v.id, v.workflow, v.version, 'pending', v.owner IS NOT NULL, v.owner, v.due_at, \
         0, 0, 0, 0, $3, $3, v.tags, v.fingerprint FROM ",
        starts!(),
        " WHERE NOT EXISTS (SELECT 1 FROM durable_runs r WHERE r.id = v.id)"
    ),
    // Index: `id`, then the key of inputs.
    insert_inputs: concat!(
        "INSERT INTO durable_inputs (run_no, payload) \
         SELECT r.no, SUBSTR($2, v.at, v.length) FROM ",
        starts!(),
        " STRAIGHT_JOIN durable_runs r FORCE INDEX (durable_runs_id) ON r.id = v.id \
         WHERE NOT EXISTS (SELECT 1 FROM durable_inputs i WHERE i.run_no = r.no)"
    ),
    tag_starts: concat!(
        "INSERT IGNORE INTO durable_tags (tag, run_no) SELECT t.tag, r.no FROM ",
        starts!(),
        " STRAIGHT_JOIN durable_runs r FORCE INDEX (durable_runs_id) ON r.id = v.id \
         STRAIGHT_JOIN JSON_TABLE(r.tags, '$[*]' COLUMNS (tag VARCHAR(191) PATH '$')) t"
    ),
    // Index: `id`.
    keep_runs: concat!(
        "UPDATE ",
        of_runs!("$4", run_fields!()),
        " SET r.status = CASE r.status WHEN 'cancelling' THEN r.status ELSE v.status END, \
         r.wake_at = v.wake_at, r.seen_wakes = v.seen_wakes, r.recoveries = v.recoveries, \
         r.rev = v.rev, r.updated_at = v.changed_at, r.failure = v.failure, \
         r.output = SUBSTR($2, v.at, v.length)"
    ),
    release_runs: concat!(
        "UPDATE ",
        of_runs!("$5", run_fields!()),
        " SET r.status = CASE WHEN r.status = 'cancelling' AND v.fate < 2 \
         THEN r.status ELSE v.status END, \
         r.wake_at = CASE WHEN v.fate = 2 THEN 9223372036854775807 \
         WHEN v.fate = 1 AND r.status <> 'cancelling' THEN 9223372036854775807 \
         WHEN r.wakes > v.seen_wakes THEN $3 ELSE v.wake_at END, \
         r.owner = NULL, r.seen_wakes = v.seen_wakes, r.recoveries = v.recoveries, \
         r.rev = v.rev, r.updated_at = v.changed_at, r.failure = v.failure, \
         r.output = SUBSTR($2, v.at, v.length), \
         r.finished_at = CASE v.fate WHEN 2 THEN v.changed_at END"
    ),
    // Index: `id`, then the key of checkpoints.
    put_checkpoints: concat!(
        "INSERT INTO durable_checkpoints (run_no, seq, ord, kind, name, status, attempt, wake_at, \
         started_at, finished_at, rev, site, failure, events, result) \
         SELECT r.no, v.seq, v.ord, v.kind, v.name, v.status, v.attempt, v.wake_at, \
         v.started_at, v.finished_at, v.rev, v.site, v.failure, v.events, \
         SUBSTR($2, v.at, v.length) FROM ",
        of_runs!(
            "$6",
            ", seq BIGINT PATH '$[2]', ord BIGINT PATH '$[3]', \
         kind VARCHAR(32) PATH '$[4]', name LONGTEXT PATH '$[5]', status VARCHAR(32) PATH '$[6]', \
         attempt BIGINT PATH '$[7]', wake_at BIGINT PATH '$[8]', started_at BIGINT PATH '$[9]', \
         finished_at BIGINT PATH '$[10]', rev BIGINT PATH '$[11]', site LONGTEXT PATH '$[12]', \
         failure LONGTEXT PATH '$[13]', events LONGTEXT PATH '$[14]', at BIGINT PATH '$[15]', \
         length BIGINT PATH '$[16]'"
        ),
        " ON DUPLICATE KEY UPDATE ord = VALUES(ord), kind = VALUES(kind), name = VALUES(name), \
         status = VALUES(status), attempt = VALUES(attempt), wake_at = VALUES(wake_at), \
         started_at = VALUES(started_at), finished_at = VALUES(finished_at), rev = VALUES(rev), \
         site = VALUES(site), failure = VALUES(failure), events = VALUES(events), \
         result = VALUES(result)"
    ),
    // Index: `id`, then the number of the item.
    take_items: concat!(
        "DELETE i FROM ",
        of_runs!("$7", ", item BIGINT PATH '$[2]'"),
        " STRAIGHT_JOIN durable_inbox i FORCE INDEX (PRIMARY) ON i.id = v.item AND i.run_no = r.no"
    ),
    publish: concat!(
        "INSERT INTO durable_published (run_no, name, payload) \
         SELECT r.no, v.name, SUBSTR($2, v.at, v.length) FROM ",
        of_runs!(
            "$8",
            ", name VARCHAR(191) PATH '$[2]', at BIGINT PATH '$[3]', \
         length BIGINT PATH '$[4]'"
        ),
        " ON DUPLICATE KEY UPDATE payload = VALUES(payload)"
    ),
    // Index: key of waiters.
    close_waits: concat!(
        "DELETE w FROM (SELECT r.no, v.seq FROM ",
        of_runs!("$9", ", seq BIGINT PATH '$[2]'"),
        " UNION ALL SELECT r.no, NULL FROM ",
        of_runs!("$5", ", fate BIGINT PATH '$[11]'"),
        " WHERE v.fate = 2) x STRAIGHT_JOIN durable_waiters w FORCE INDEX (durable_waiters_run) \
         ON w.run_no = x.no AND (x.seq IS NULL OR w.seq = x.seq)"
    ),
    // Index: key of listens.
    close_listens: concat!(
        "DELETE l FROM ",
        of_runs!("$5", ", fate BIGINT PATH '$[11]'"),
        " STRAIGHT_JOIN durable_listens l FORCE INDEX (durable_listens_run) \
         ON l.run_no = r.no WHERE v.fate = 2"
    ),
    // Index: inbox by run.
    untaken: concat!(
        "SELECT EXISTS (SELECT 1 FROM ",
        of_runs!("$9", ", seq BIGINT PATH '$[2]'"),
        " STRAIGHT_JOIN durable_inbox i FORCE INDEX (durable_inbox_by_run) \
         ON i.run_no = r.no AND i.seq = v.seq AND i.kind = 'signal') OR EXISTS (SELECT 1 FROM ",
        of_runs!("$5", ", fate BIGINT PATH '$[11]'"),
        " STRAIGHT_JOIN durable_inbox i FORCE INDEX (durable_inbox_by_run) ON i.run_no = r.no \
         WHERE v.fate = 2) OR EXISTS (SELECT 1 FROM ",
        of_runs!("$5", ", fate BIGINT PATH '$[11]'"),
        " WHERE v.fate = 2 AND (r.joined = 1 OR r.status = 'cancelled' AND (SELECT c.no \
         FROM durable_runs c FORCE INDEX (durable_runs_children) WHERE c.parent = r.id \
         LIMIT 1) IS NOT NULL))"
    ),
    // Index: key of waiters, buffered signals, inbox by run.
    open_waits: concat!(
        "REPLACE INTO durable_waiters (run_no, seq, token) SELECT r.no, v.seq, v.name FROM ",
        of_runs!(
            "$10",
            ", seq BIGINT PATH '$[2]', \
         name VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[3]'"
        ),
        " WHERE NOT EXISTS (SELECT 1 FROM durable_waiters w \
         WHERE w.run_no = r.no AND w.seq = v.seq AND w.token = v.name) \
         AND NOT EXISTS (SELECT 1 FROM durable_signals s \
         WHERE s.token = v.name AND s.buffered = 1) \
         AND NOT EXISTS (SELECT 1 FROM durable_inbox i \
         WHERE i.run_no = r.no AND i.seq = v.seq AND i.kind = 'signal')"
    ),
    // Index: key of waiters.
    count_open: Some(concat!(
        "SELECT COUNT(*) FROM ",
        of_runs!(
            "$10",
            ", seq BIGINT PATH '$[2]', \
         name VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[3]'"
        ),
        " STRAIGHT_JOIN durable_waiters w FORCE INDEX (durable_waiters_run) \
         ON w.run_no = r.no AND w.seq = v.seq AND w.token = v.name"
    )),
};

const DELIVER: DeliverTexts = DeliverTexts {
    find_run: "SELECT no, status, owner, tags FROM durable_runs WHERE id = $1 FOR UPDATE",
    insert_signal: "INSERT INTO durable_signals (id, token, buffered, sent_at, payload) \
         SELECT $1, $2, 1, $4, $3 FROM DUAL \
         WHERE NOT EXISTS (SELECT 1 FROM durable_signals s WHERE s.id = $1)",
    // Index: waiters by token.
    find_waiter: "SELECT run_no, seq, no FROM durable_waiters FORCE INDEX (durable_waiters_by_token) \
         WHERE token = $2 ORDER BY no LIMIT 1 FOR UPDATE",
    find_next_waiter: "SELECT w.run_no, w.seq, w.no FROM durable_signals s \
         STRAIGHT_JOIN durable_waiters w ON w.token = s.token WHERE s.id = $1 \
         ORDER BY w.no LIMIT 1 FOR UPDATE",
    take_waiter: &[
        "DELETE FROM durable_waiters WHERE no = $1",
        "UPDATE durable_signals SET buffered = 0, payload = NULL WHERE id = $2",
    ],
    place_of: "SELECT no FROM durable_signals WHERE id = $1",
    buffer_again: "UPDATE durable_signals SET buffered = 1, payload = $2 WHERE id = $1",
    put_item: &[
        "INSERT INTO durable_inbox (run_no, kind, seq, attempt, signal_id, failure, payload) \
         VALUES ($1, $3, $4, $5, $6, $7, $8)",
        "SELECT CAST(LAST_INSERT_ID() AS SIGNED)",
        "UPDATE durable_runs SET wakes = wakes + 1, updated_at = $2, \
         wake_at = CASE WHEN owner IS NULL AND ($3 = 'compensate' OR status NOT IN ('blocked', 'paused')) \
             THEN $2 ELSE wake_at END, \
         asked = CASE $3 WHEN 'cancel' THEN 1 WHEN 'compensate' THEN 2 ELSE asked END, \
         status = CASE WHEN $3 IN ('cancel', 'compensate') THEN 'cancelling' ELSE status END WHERE no = $1",
        "SELECT id, wakes, owner FROM durable_runs WHERE no = $1",
    ],
    find_item: "SELECT id FROM durable_inbox \
         WHERE run_no = $1 AND kind = $2 AND seq <=> $3 AND attempt <=> $4",
    look_at_wait: &[
        "SELECT id, payload FROM durable_inbox \
         WHERE run_no = $1 AND seq = $2 AND kind = 'signal' ORDER BY id LIMIT 1",
        "SELECT no FROM durable_waiters WHERE run_no = $1 AND seq = $2 AND token = $3",
        "SELECT id, payload FROM durable_signals FORCE INDEX (durable_signals_buffered) \
         WHERE token = $3 AND buffered = 1 ORDER BY no LIMIT 1",
    ],
    open_wait: "REPLACE INTO durable_waiters (run_no, seq, token) VALUES ($1, $2, $3)",
    take_buffered: &[
        "DELETE FROM durable_waiters WHERE run_no = $1 AND seq = $2",
        "UPDATE durable_signals SET buffered = 0, payload = NULL WHERE id = $3",
        "INSERT INTO durable_inbox (run_no, kind, seq, signal_id, payload) \
         VALUES ($1, 'signal', $2, $3, $4)",
        "SELECT CAST(LAST_INSERT_ID() AS SIGNED)",
        "UPDATE durable_runs SET wake_at = $5 \
         WHERE no = $1 AND owner IS NULL AND status NOT IN ('blocked', 'paused')",
    ],
    close_wait: &[
        "DELETE FROM durable_waiters WHERE run_no = $1 AND seq = $2",
        "SELECT signal_id, payload FROM durable_inbox \
         WHERE run_no = $1 AND seq = $2 AND kind = 'signal' FOR UPDATE",
        "DELETE FROM durable_inbox WHERE run_no = $1 AND seq = $2 AND kind = 'signal'",
    ],
    close_all: &[
        concat!(
            "DELETE w FROM ",
            numbers!(),
            " STRAIGHT_JOIN durable_waiters w FORCE INDEX (durable_waiters_run) ON w.run_no = v.no"
        ),
        concat!(
            "SELECT i.signal_id, i.payload FROM ",
            numbers!(),
            " STRAIGHT_JOIN durable_inbox i FORCE INDEX (durable_inbox_by_run) \
             ON i.run_no = v.no WHERE i.kind = 'signal' FOR UPDATE"
        ),
        concat!(
            "DELETE i FROM ",
            numbers!(),
            " STRAIGHT_JOIN durable_inbox i FORCE INDEX (durable_inbox_by_run) ON i.run_no = v.no"
        ),
        concat!(
            "DELETE l FROM ",
            numbers!(),
            " STRAIGHT_JOIN durable_listens l FORCE INDEX (durable_listens_run) ON l.run_no = v.no"
        ),
    ],
    add_tag: "INSERT IGNORE INTO durable_tags (run_no, tag) VALUES ($1, $2)",
    ..super::postgres::DELIVER
};

/// The list of the runs `r` of a source. The conditions follow.
pub(crate) fn list(source: &str) -> String {
    let columns = concat!("SELECT ", run_columns!(), ", NULL, NULL FROM ");
    format!("{columns}{source} WHERE true")
}

const LEASE: LeaseTexts = LeaseTexts {
    take_lock: "SELECT CAST(GET_LOCK($1, 0) AS SIGNED)",
    free_lock: "SELECT RELEASE_LOCK($1)",
    enroll: &[
        "DELETE FROM durable_instances WHERE id = $1",
        "INSERT INTO durable_instances (id, lease_until, lock_key) VALUES ($1, $2, $3)",
    ],
    heartbeat: &[
        "UPDATE durable_instances SET lease_until = $2, lock_key = $3 WHERE id = $1",
        READ.now,
    ],
    // Index: due, from one owner to the next. A look for the next owner inside another statement,
    // as elsewhere, would read the whole index.
    others: concat!(
        "SELECT no, id, lease_until, \
         CASE WHEN lock_key IS NULL THEN 0 ELSE IS_FREE_LOCK(lock_key) END \
         FROM durable_instances WHERE id <> $1 \
         UNION ALL SELECT NULL, o.id, 0, 1 FROM (SELECT DISTINCT owner AS id \
         FROM durable_runs FORCE INDEX (durable_runs_due) WHERE owner IS NOT NULL) o",
        unknown!(),
    ),
    forget: "DELETE FROM durable_instances WHERE no = $1 AND ($2 = 1 OR lease_until <= $3)",
    // Forced like `held`; a scan would lock every row.
    exceeding: "SELECT no, id, recoveries, failure FROM durable_runs \
         FORCE INDEX (durable_runs_due) WHERE owner = $1 AND status = 'running' AND recoveries + 1 > $2 ORDER BY no FOR UPDATE",
    give_back: "UPDATE durable_runs SET owner = NULL, token = token + 1, updated_at = $2, \
         recoveries = recoveries + ($3 = 1 AND status = 'running'), \
         wake_at = CASE status WHEN 'pending' THEN greatest(wake_at, $2) ELSE $2 END \
         WHERE owner = $1",
    due: due::MYSQL,
    claim_found: &[
        concat!(
            "UPDATE ",
            numbers!(),
            " STRAIGHT_JOIN durable_runs r FORCE INDEX (PRIMARY) \
             ON r.no = v.no SET r.owner = $2, r.token = r.token + 1, r.updated_at = $3, \
             r.asked = CASE r.status WHEN 'cancelling' THEN r.asked ELSE 0 END, \
             r.status = CASE r.status WHEN 'cancelling' THEN r.status ELSE 'running' END"
        ),
        concat!(
            "SELECT ",
            run_columns!(),
            ", r.output FROM ",
            numbers!(),
            " STRAIGHT_JOIN durable_runs r FORCE INDEX (PRIMARY) ON r.no = v.no"
        ),
    ],
    histories: &[
        concat!(
            "SELECT i.run_no, i.payload FROM ",
            numbers!(),
            " STRAIGHT_JOIN durable_inputs i FORCE INDEX (PRIMARY) ON i.run_no = v.no"
        ),
        concat!(
            "SELECT ",
            checkpoint_columns!(),
            " FROM ",
            numbers!(),
            " STRAIGHT_JOIN durable_checkpoints c FORCE INDEX (PRIMARY) ON c.run_no = v.no \
             ORDER BY c.run_no, c.seq"
        ),
        concat!(
            "SELECT i.run_no, i.id, i.kind, i.seq, i.attempt, i.failure, i.payload, i.signal_id FROM ",
            numbers!(),
            " STRAIGHT_JOIN durable_inbox i FORCE INDEX (durable_inbox_by_run) \
             ON i.run_no = v.no ORDER BY i.run_no, i.id"
        ),
    ],
    ..super::postgres::LEASE
};

const READ: ReadTexts = read_texts!(
    "STRAIGHT_JOIN",
    // Forced, because the order tempts MariaDB to read the whole table in it.
    held: "SELECT id FROM durable_runs FORCE INDEX (durable_runs_due) WHERE owner = $1 ORDER BY no",
    list: concat!(
        "SELECT ",
        run_columns!(),
        ", NULL, NULL FROM durable_runs r \
         FORCE INDEX FOR ORDER BY (durable_runs_newest) WHERE true"
    ),
    now: "SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)",
);

/// How a transaction begins.
pub(crate) const BEGIN: [&str; 2] = [
    "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "START TRANSACTION",
];

/// Takes a signal, as [`SIGNAL`](super::postgres::SIGNAL) does: the last one of these statements
/// has the answer. They go in one message, with variables for what one finds and others need; a
/// SELECT that finds nothing leaves them as they are.
///
/// Index: signal id, waiters by token.
pub(crate) const SIGNAL: &[&str] = &[
    "SET @axum_run = NULL, @axum_seq = NULL, @axum_no = NULL",
    DELIVER.insert_signal,
    "SET @axum_new = ROW_COUNT()",
    "SELECT run_no, seq, no INTO @axum_run, @axum_seq, @axum_no \
     FROM durable_waiters FORCE INDEX (durable_waiters_by_token) \
     WHERE token = $2 AND @axum_new = 1 ORDER BY no LIMIT 1 FOR UPDATE",
    "DELETE FROM durable_waiters WHERE no = @axum_no",
    "UPDATE durable_signals SET buffered = 0, payload = NULL \
     WHERE id = $1 AND @axum_no IS NOT NULL",
    "INSERT INTO durable_inbox (run_no, kind, seq, signal_id, payload) \
     SELECT @axum_run, 'signal', @axum_seq, $1, $3 FROM DUAL WHERE @axum_no IS NOT NULL",
    "UPDATE durable_runs SET wakes = wakes + 1, updated_at = $5, \
     wake_at = CASE WHEN owner IS NULL AND status NOT IN ('blocked', 'paused') \
     THEN $5 ELSE wake_at END WHERE no = @axum_run",
    "SELECT CAST(1 - @axum_new AS SIGNED), r.id, r.wakes, r.owner, \
     CASE WHEN @axum_no IS NULL THEN NULL ELSE CAST(LAST_INSERT_ID() AS SIGNED) END, \
     CAST(@axum_seq AS SIGNED) \
     FROM (SELECT 1 AS one) x LEFT JOIN durable_runs r ON r.no = @axum_run",
];
