//! The statements for PostgreSQL, but for the journal's batch, which is
//! [`batch`](super::batch).
//!
//! - A statement sees what was committed before it began, not before it got its locks (READ
//!   COMMITTED). So what must not change between look and write is locked by an earlier statement,
//!   or the locked row itself is what is looked at.
//! - Lists that are not hot travel as one JSON text.

use super::due;
use super::owners::{owners, unknown};
use super::servers::{checkpoint_columns, read_run, read_texts, run_columns};
use super::texts::{DeliverTexts, LeaseTexts, ReadTexts, Statements};

pub(crate) const POSTGRES: Statements = Statements {
    commit: None,
    // Index: `id`.
    find_starts: "SELECT v.place - 1, r.status \
         FROM jsonb_array_elements_text($1::jsonb) WITH ORDINALITY v(id, place) \
         JOIN durable_runs r ON r.id = v.id",
    // Index: `id`.
    refused: "SELECT v.place - 1, r.token \
         FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY v(run, place) \
         LEFT JOIN durable_runs r ON r.id = v.run->>0 \
         WHERE r.token IS DISTINCT FROM (v.run->>1)::bigint",
    deliver: DELIVER,
    lease: LEASE,
    read: READ,
};

/// Run numbers in parameter `$1`.
macro_rules! numbers {
    () => {
        "ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)::bigint))"
    };
}

/// Now, by the server's clock.
macro_rules! now {
    () => {
        "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
    };
}

pub(super) const DELIVER: DeliverTexts = DeliverTexts {
    find_run: "SELECT no, status, owner, tags FROM durable_runs WHERE id = $1 \
         FOR NO KEY UPDATE",
    insert_signal: "INSERT INTO durable_signals (id, token, buffered, sent_at, payload) \
         VALUES ($1, $2, true, $4, $3) ON CONFLICT (id) DO NOTHING",
    // Index: waiters by token.
    find_waiter: "SELECT run_no, seq, no FROM durable_waiters WHERE token = $2 ORDER BY no LIMIT 1",
    find_next_waiter: "SELECT run_no, seq, no FROM durable_waiters \
         WHERE token = (SELECT token FROM durable_signals WHERE id = $1) ORDER BY no LIMIT 1",
    take_waiter: &[
        "DELETE FROM durable_waiters WHERE no = $1",
        "UPDATE durable_signals SET buffered = false, payload = NULL WHERE id = $2",
    ],
    place_of: "SELECT no FROM durable_signals WHERE id = $1",
    buffer_again: "UPDATE durable_signals SET buffered = true, payload = $2 WHERE id = $1",
    put_item: &["WITH item AS ( \
             INSERT INTO durable_inbox (run_no, kind, seq, attempt, signal_id, failure, payload) \
             VALUES ($1, $3, $4, $5, $6, $7, $8) RETURNING id), \
         woken AS (UPDATE durable_runs SET wakes = wakes + 1, updated_at = $2, \
             asked = CASE $3 WHEN 'cancel' THEN 1 WHEN 'compensate' THEN 2 ELSE asked END, \
             status = CASE WHEN $3 IN ('cancel', 'compensate') THEN 'cancelling' ELSE status END, \
             wake_at = CASE WHEN owner IS NULL \
                 AND ($3 = 'compensate' OR status NOT IN ('blocked', 'paused')) THEN $2 ELSE wake_at END \
             WHERE no = $1 RETURNING id, wakes, owner) \
         SELECT woken.id, woken.wakes, woken.owner, item.id FROM woken, item"],
    find_item: "SELECT id FROM durable_inbox WHERE run_no = $1 AND kind = $2 \
         AND seq IS NOT DISTINCT FROM $3 AND attempt IS NOT DISTINCT FROM $4",
    look_at_wait: &[
        "SELECT id, payload FROM durable_inbox \
         WHERE run_no = $1 AND seq = $2 AND kind = 'signal' ORDER BY id LIMIT 1",
        "SELECT no FROM durable_waiters WHERE run_no = $1 AND seq = $2 AND token = $3",
        "SELECT id, payload FROM durable_signals \
         WHERE token = $3 AND buffered ORDER BY no NULLS FIRST, id LIMIT 1",
    ],
    open_wait: "INSERT INTO durable_waiters (run_no, seq, token) VALUES ($1, $2, $3) \
         ON CONFLICT (run_no, seq) DO UPDATE SET no = excluded.no, token = excluded.token",
    take_buffered: &[
        "DELETE FROM durable_waiters WHERE run_no = $1 AND seq = $2",
        "UPDATE durable_signals SET buffered = false, payload = NULL WHERE id = $3",
        "INSERT INTO durable_inbox (run_no, kind, seq, signal_id, payload) \
         VALUES ($1, 'signal', $2, $3, $4) RETURNING id",
        "UPDATE durable_runs SET wake_at = $5 \
         WHERE no = $1 AND owner IS NULL AND status NOT IN ('blocked', 'paused')",
    ],
    close_wait: &[
        "DELETE FROM durable_waiters WHERE run_no = $1 AND seq = $2",
        "DELETE FROM durable_inbox WHERE run_no = $1 AND seq = $2 AND kind = 'signal' \
         RETURNING signal_id, payload",
    ],
    close_all: &[
        concat!("DELETE FROM durable_waiters WHERE run_no = ", numbers!()),
        concat!(
            "DELETE FROM durable_inbox WHERE run_no = ",
            numbers!(),
            " RETURNING CASE kind WHEN 'signal' THEN signal_id END, payload"
        ),
        concat!("DELETE FROM durable_listens WHERE run_no = ", numbers!()),
    ],
    end_run: "UPDATE durable_runs SET status = $2, owner = NULL, token = token + 1, \
         wake_at = 9223372036854775807, finished_at = $3, updated_at = $4, \
         failure = coalesce($5, failure) WHERE no = $1",
    requeue: &[
        "DELETE FROM durable_checkpoints WHERE run_no = $1 AND (status IN ('abandoned', 'fatal') \
         OR (kind IN ('signal', 'child', 'task', 'breakpoint', 'webhook', 'update', 'entity_call', \
         'event') AND status = 'waiting' \
         AND (SELECT status FROM durable_runs WHERE no = $1) <> 'blocked'))",
        "UPDATE durable_runs SET status = 'pending', failure = NULL, output = NULL, \
         recoveries = 0, finished_at = NULL, wake_at = $2, updated_at = $2, token = token + 1 \
         WHERE no = $1",
    ],
    write_tags: "UPDATE durable_runs SET tags = $2 WHERE no = $1",
    add_tag: "INSERT INTO durable_tags (run_no, tag) VALUES ($1, $2) ON CONFLICT DO NOTHING",
};

pub(super) const LEASE: LeaseTexts = LeaseTexts {
    take_lock: "SELECT CASE WHEN pg_try_advisory_lock($1) THEN 1::bigint ELSE 0::bigint END",
    free_lock: "SELECT pg_advisory_unlock($1)",
    enroll: &[
        "INSERT INTO durable_instances (id, lease_until, lock_key) VALUES ($1, $2, $3) \
         ON CONFLICT (id) DO UPDATE SET no = excluded.no, lease_until = excluded.lease_until, \
         lock_key = excluded.lock_key",
    ],
    heartbeat: &[concat!(
        "UPDATE durable_instances SET lease_until = $2, lock_key = $3 WHERE id = $1 RETURNING ",
        now!()
    )],
    // A lock that can be shared is held by nobody; this one is free again when the statement ends.
    others: concat!(
        owners!(),
        "SELECT no, id, lease_until, \
         CASE WHEN lock_key IS NOT NULL AND pg_try_advisory_xact_lock_shared(lock_key) \
         THEN 1::bigint ELSE 0::bigint END FROM durable_instances WHERE id <> $1 \
         UNION ALL SELECT NULL::bigint, o.id, 0::bigint, 1::bigint FROM owners o",
        unknown!(),
    ),
    renew: "UPDATE durable_instances SET lease_until = $2 WHERE id = $1",
    report: "UPDATE durable_instances SET report = $2, reported_at = $3 WHERE id = $1",
    forget: "DELETE FROM durable_instances WHERE no = $1 AND ($2 = 1::bigint OR lease_until <= $3)",
    forget_by_id: "DELETE FROM durable_instances WHERE id = $1",
    exceeding: "SELECT no, id, recoveries, failure FROM durable_runs \
         WHERE owner = $1 AND status = 'running' AND recoveries + 1 > $2 ORDER BY no \
         FOR NO KEY UPDATE",
    count_recovery: "UPDATE durable_runs SET recoveries = recoveries + 1 WHERE no = $1",
    give_back: "UPDATE durable_runs SET owner = NULL, token = token + 1, updated_at = $2, \
         recoveries = recoveries + CASE WHEN $3 = 1::bigint AND status = 'running' THEN 1 ELSE 0 END, \
         wake_at = CASE status WHEN 'pending' THEN greatest(wake_at, $2) ELSE $2 END \
         WHERE owner = $1",
    due: due::POSTGRES,
    claim_found: &[],
    histories: &[
        concat!(
            "SELECT run_no, payload FROM durable_inputs WHERE run_no = ",
            numbers!()
        ),
        concat!(
            "SELECT ",
            checkpoint_columns!(),
            " FROM durable_checkpoints c WHERE c.run_no = ",
            numbers!(),
            " ORDER BY c.run_no, c.seq"
        ),
        concat!(
            "SELECT run_no, id, kind, seq, attempt, failure, payload, signal_id FROM durable_inbox \
             WHERE run_no = ",
            numbers!(),
            " ORDER BY run_no, id"
        ),
    ],
};

const READ: ReadTexts = read_texts!(
    "JOIN",
    held: "SELECT id FROM durable_runs WHERE owner = $1 ORDER BY no",
    list: concat!(
        "SELECT ",
        run_columns!(),
        ", NULL::bytea, NULL::bytea FROM durable_runs r WHERE true"
    ),
    now: concat!("SELECT ", now!()),
);

/// Takes signal `$1` with token `$2`, payload `$3`, sent at `$4`, unless it was taken before, and
/// hands it to the longest-waiting waiter of its token, or to the buffer; `$5` is now. One answer:
/// 1 if it was taken before; then the run's id, wakes and owner, the item, the seq of the wait.
///
/// The gate of the token is held, so nobody else touches its waiters and signals. Index: signal
/// id, waiters by token.
pub(crate) const SIGNAL: &str = "WITH known AS ( \
         SELECT EXISTS (SELECT FROM durable_signals WHERE id = $1) AS it), \
     waiter AS (DELETE FROM durable_waiters WHERE no = (SELECT no FROM durable_waiters \
         WHERE token = $2 AND NOT (SELECT it FROM known) ORDER BY no LIMIT 1) \
         RETURNING run_no, seq), \
     stored AS (INSERT INTO durable_signals (id, token, buffered, sent_at, payload) \
         SELECT $1, $2, NOT EXISTS (SELECT FROM waiter), $4, \
             CASE WHEN EXISTS (SELECT FROM waiter) THEN NULL ELSE $3 END \
         WHERE NOT (SELECT it FROM known)), \
     item AS (INSERT INTO durable_inbox (run_no, kind, seq, signal_id, payload) \
         SELECT run_no, 'signal', seq, $1, $3 FROM waiter RETURNING id), \
     woken AS (UPDATE durable_runs r SET wakes = r.wakes + 1, updated_at = $5, wake_at = CASE \
             WHEN r.owner IS NULL AND r.status NOT IN ('blocked', 'paused') THEN $5 ELSE r.wake_at END \
         FROM waiter w WHERE r.no = w.run_no RETURNING r.id, r.wakes, r.owner, w.seq) \
     SELECT CASE WHEN known.it THEN 1::bigint ELSE 0::bigint END, \
         woken.id, woken.wakes, woken.owner, item.id, woken.seq \
     FROM known LEFT JOIN woken ON true LEFT JOIN item ON true";

/// The name under which [`SIGNAL`] is prepared, and what is written before it for that. It does not
/// begin like our tables, which may get a schema before their names.
pub(crate) const SIGNAL_NAME: &str = "durablesignal";
pub(crate) const NAME_SIGNAL: &str =
    "PREPARE durablesignal (bytea, text, bytea, bigint, bigint) AS ";

/// Locks the runs in `$1` and those of the waiters that as many signals as `$3` says for the
/// tokens in `$2` will take, in one order for everybody, so that two batches never wait for each
/// other. Index: `id`, waiters by token.
pub(crate) const LOCK_RUNS: &str = "SELECT r.no FROM durable_runs r WHERE r.no = ANY (ARRAY( \
         SELECT no FROM durable_runs WHERE id = ANY ($1::text[]) \
         UNION SELECT w.run_no FROM unnest($2::text[], $3::bigint[]) t(token, signals), \
             LATERAL (SELECT run_no FROM durable_waiters WHERE token = t.token \
                 ORDER BY no LIMIT t.signals) w)) \
     ORDER BY r.id FOR NO KEY UPDATE";
