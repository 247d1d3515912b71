//! The statements for SQLite.
//!
//! - A list travels as one JSON text, so a statement has the same text for any number of rows.
//!   Payloads need not be text: they lie in one blob, and the rows say where (`substr` of a blob
//!   counts bytes). The rows come out of `jsonb_each` (SQLite 3.51), which is twice as fast as
//!   `json_each`: it does not print and parse each row again.
//! - Writers begin with BEGIN IMMEDIATE and so hold the write lock from their first read on. A
//!   concurrent twin waits; nothing that a statement has read changes before its transaction ends.
//! - CROSS JOIN keeps the list as the outer loop: SQLite has no statistics about it.

use super::due;
use super::owners::{owners, unknown};
use super::texts::{CommitTexts, DeliverTexts, LeaseTexts, ReadTexts, Statements};

pub(crate) const SQLITE: Statements = Statements {
    commit: Some(COMMIT_TEXTS),
    // Which of the runs in `$1` exist already, and where they stand. Index: `id`.
    find_starts: "
SELECT v.key, r.status FROM jsonb_each($1) v CROSS JOIN durable_runs r ON r.id = v.value->>0;",
    // Which commits of `$1` are refused, with the token in the store. Index: `id`.
    refused: "
SELECT v.key, r.token FROM jsonb_each($1) v LEFT JOIN durable_runs r ON r.id = v.value->>0
WHERE r.token IS NOT v.value->>1;",
    deliver: DELIVER,
    lease: LEASE,
    read: READ,
};

pub(crate) const BEGIN: &str = "BEGIN IMMEDIATE;";
/// For readers, who must not take the write lock.
pub(crate) const BEGIN_READ: &str = "BEGIN;";
pub(crate) const COMMIT: &str = "COMMIT;";

// A script is cut short by an error, and only by an error. These checks raise one when the usual
// case does not hold: `abs` of the smallest integer overflows. The transaction stays open.

/// Stops the script unless the statement before has changed `$11` rows: a token did not hold.
pub(crate) const CHECK_KEPT: &str = "SELECT abs(-9223372036854775807 - (changes() <> $11));";
/// The same for `$12` rows.
pub(crate) const CHECK_RELEASED: &str = "SELECT abs(-9223372036854775807 - (changes() <> $12));";
/// The same for `$13` rows: a wait was not opened, because a signal lies there already.
pub(crate) const CHECK_OPENED: &str = "SELECT abs(-9223372036854775807 - (changes() <> $13));";
/// The message by which the stop is recognised.
pub(crate) const STOP: &str = "integer overflow";

/// Stops the script if something was delivered to the waits that [`CLOSE_WAITS`] has closed and
/// was not taken, or lies in the inbox of a run that ended, or if that run has others who wait for
/// its end or children that are cancelled with it. Index: `id`, inbox by run, children.
pub(crate) const CHECK_UNTAKEN: &str = "
SELECT abs(-9223372036854775807 - (EXISTS (
    SELECT 1 FROM jsonb_each($9) v
    CROSS JOIN durable_runs r ON r.id = v.value->>0 AND r.token = v.value->>1
    CROSS JOIN durable_inbox i ON i.run_no = r.no AND i.seq = v.value->>2 AND i.kind = 'signal')
OR EXISTS (
    SELECT 1 FROM jsonb_each($5) v
    CROSS JOIN durable_runs r ON r.id = v.value->>0 AND r.token = v.value->>1
    CROSS JOIN durable_inbox i ON i.run_no = r.no WHERE v.value->>11 = 2)
OR EXISTS (
    SELECT 1 FROM jsonb_each($5) v
    CROSS JOIN durable_runs r ON r.id = v.value->>0 AND r.token = v.value->>1
    WHERE v.value->>11 = 2 AND (r.joined = 1 OR r.status = 'cancelled'
        AND EXISTS (SELECT 1 FROM durable_runs c WHERE c.parent = r.id)))));";

const COMMIT_TEXTS: CommitTexts = CommitTexts {
    // Stores the runs in `$1`, unless they exist. Index: `id`. A twin's run of the same id wins if it
    // was committed first.
    insert_runs: "
INSERT INTO durable_runs (id, workflow, version, status, token, owner, wake_at, wakes, seen_wakes,
    recoveries, rev, created_at, updated_at, tags, fingerprint)
SELECT v.value->>0, v.value->>1, v.value->>2, 'pending', v.value->>3 IS NOT NULL, v.value->>3,
    v.value->>4, 0, 0, 0, 0, $3, $3, v.value->>5, v.value->>8
FROM jsonb_each($1) v WHERE true ON CONFLICT (id) DO NOTHING;",
    // Stores the inputs of the runs in `$1`; one that existed keeps its own. Index: `id`.
    insert_inputs: "
INSERT INTO durable_inputs (run_no, payload)
SELECT r.no, substr($2, v.value->>6, v.value->>7)
FROM jsonb_each($1) v CROSS JOIN durable_runs r ON r.id = v.value->>0
WHERE true ON CONFLICT (run_no) DO NOTHING;",
    // Makes the runs in `$1` findable by the tags in their rows. Index: `id`.
    tag_starts: "
INSERT OR IGNORE INTO durable_tags (tag, run_no)
SELECT t.value, r.no FROM jsonb_each($1) v
CROSS JOIN durable_runs r ON r.id = v.value->>0
CROSS JOIN json_each(r.tags) t;",
    // Updates the runs in `$4`, which stay with their owner. Index: `id`. It leaves `owner` alone,
    // because SQLite rewrites the index of every column that an UPDATE names.
    keep_runs: "
UPDATE durable_runs AS r SET
    status = CASE r.status WHEN 'cancelling' THEN r.status ELSE v.value->>2 END,
    wake_at = v.value->>3, seen_wakes = v.value->>4, recoveries = v.value->>5,
    rev = v.value->>6, updated_at = v.value->>7, failure = v.value->>8,
    output = substr($2, v.value->>9, v.value->>10)
FROM jsonb_each($4) v WHERE r.id = v.value->>0 AND r.token = v.value->>1;",
    // Updates the runs in `$5`, which lose their owner. Index: `id`. Field 11 tells whether the run
    // just waits (0), is blocked (1) or has ended (2).
    release_runs: "
UPDATE durable_runs AS r SET
    status = CASE WHEN r.status = 'cancelling' AND v.value->>11 < 2
        THEN r.status ELSE v.value->>2 END,
    wake_at = CASE
        WHEN v.value->>11 = 2 THEN 9223372036854775807
        WHEN v.value->>11 = 1 AND r.status <> 'cancelling' THEN 9223372036854775807
        WHEN r.wakes > v.value->>4 THEN $3
        ELSE v.value->>3 END,
    owner = NULL, seen_wakes = v.value->>4, recoveries = v.value->>5, rev = v.value->>6,
    updated_at = v.value->>7, failure = v.value->>8,
    output = substr($2, v.value->>9, v.value->>10),
    finished_at = CASE v.value->>11 WHEN 2 THEN v.value->>7 END
FROM jsonb_each($5) v WHERE r.id = v.value->>0 AND r.token = v.value->>1;",
    // Puts the checkpoints in `$6` of runs whose token still holds. Index: `id`, then the key of
    // checkpoints. It comes before the run itself changes, so that the token is the only condition.
    put_checkpoints: "
INSERT INTO durable_checkpoints (run_no, seq, ord, kind, name, status, attempt, wake_at,
    started_at, finished_at, rev, site, failure, events, result)
SELECT r.no, v.value->>2, v.value->>3, v.value->>4, v.value->>5, v.value->>6, v.value->>7,
    v.value->>8, v.value->>9, v.value->>10, v.value->>11, v.value->>12, v.value->>13,
    v.value->>14, substr($2, v.value->>15, v.value->>16)
FROM jsonb_each($6) v CROSS JOIN durable_runs r ON r.id = v.value->>0 AND r.token = v.value->>1
WHERE true ON CONFLICT (run_no, seq) DO UPDATE SET ord = excluded.ord, kind = excluded.kind,
    name = excluded.name, status = excluded.status, attempt = excluded.attempt,
    wake_at = excluded.wake_at, started_at = excluded.started_at,
    finished_at = excluded.finished_at, rev = excluded.rev, site = excluded.site,
    failure = excluded.failure, events = excluded.events, result = excluded.result;",
    // Removes the items in `$7` from the inboxes of runs whose token holds. Index: rowid, `id`.
    take_items: "
DELETE FROM durable_inbox WHERE id IN (
    SELECT i.id FROM jsonb_each($7) v
    CROSS JOIN durable_runs r ON r.id = v.value->>0 AND r.token = v.value->>1
    CROSS JOIN durable_inbox i ON i.id = v.value->>2 AND i.run_no = r.no);",
    // Publishes the values in `$8`. Index: `id`, then the key of published values.
    publish: "
INSERT INTO durable_published (run_no, name, payload)
SELECT r.no, v.value->>2, substr($2, v.value->>3, v.value->>4)
FROM jsonb_each($8) v CROSS JOIN durable_runs r ON r.id = v.value->>0 AND r.token = v.value->>1
WHERE true ON CONFLICT (run_no, name) DO UPDATE SET payload = excluded.payload;",
    // Closes the waits in `$9` and all waits of the ended runs in `$5`. Index: `id`, then
    // key of waiters.
    close_waits: "
DELETE FROM durable_waiters WHERE no IN (
    SELECT w.no FROM jsonb_each($9) v
    CROSS JOIN durable_runs r ON r.id = v.value->>0 AND r.token = v.value->>1
    CROSS JOIN durable_waiters w ON w.run_no = r.no AND w.seq = v.value->>2
    UNION ALL
    SELECT w.no FROM jsonb_each($5) v
    CROSS JOIN durable_runs r ON r.id = v.value->>0 AND r.token = v.value->>1
    CROSS JOIN durable_waiters w ON w.run_no = r.no WHERE v.value->>11 = 2);",
    close_listens: "
DELETE FROM durable_listens WHERE no IN (
    SELECT l.no FROM jsonb_each($5) v
    CROSS JOIN durable_runs r ON r.id = v.value->>0 AND r.token = v.value->>1
    CROSS JOIN durable_listens l ON l.run_no = r.no WHERE v.value->>11 = 2);",
    untaken: "
SELECT (EXISTS (
    SELECT 1 FROM jsonb_each($9) v
    CROSS JOIN durable_runs r ON r.id = v.value->>0 AND r.token = v.value->>1
    CROSS JOIN durable_inbox i ON i.run_no = r.no AND i.seq = v.value->>2 AND i.kind = 'signal')
OR EXISTS (
    SELECT 1 FROM jsonb_each($5) v
    CROSS JOIN durable_runs r ON r.id = v.value->>0 AND r.token = v.value->>1
    CROSS JOIN durable_inbox i ON i.run_no = r.no WHERE v.value->>11 = 2)
OR EXISTS (
    SELECT 1 FROM jsonb_each($5) v
    CROSS JOIN durable_runs r ON r.id = v.value->>0 AND r.token = v.value->>1
    WHERE v.value->>11 = 2 AND (r.joined = 1 OR r.status = 'cancelled'
        AND EXISTS (SELECT 1 FROM durable_runs c WHERE c.parent = r.id))));",
    // Opens the waits in `$10` for whose tokens nothing is buffered. One that exists stays where it
    // is in the queue. Index: `id`, `(run_no, seq)`, buffered signals, inbox by run.
    open_waits: "
INSERT OR REPLACE INTO durable_waiters (run_no, seq, token)
SELECT r.no, v.value->>2, v.value->>3
FROM jsonb_each($10) v CROSS JOIN durable_runs r ON r.id = v.value->>0 AND r.token = v.value->>1
WHERE NOT EXISTS (SELECT 1 FROM durable_waiters w
        WHERE w.run_no = r.no AND w.seq = v.value->>2 AND w.token = v.value->>3)
    AND NOT EXISTS (SELECT 1 FROM durable_signals s
        WHERE s.token = v.value->>3 AND s.buffered = 1)
    AND NOT EXISTS (SELECT 1 FROM durable_inbox i
        WHERE i.run_no = r.no AND i.seq = v.value->>2 AND i.kind = 'signal');",
    count_open: None,
};

const DELIVER: DeliverTexts = DeliverTexts {
    find_run: "SELECT no, status, owner, tags FROM durable_runs WHERE id = $1;",
    insert_signal: "
INSERT INTO durable_signals (id, token, buffered, sent_at, payload) VALUES ($1, $2, 1, $4, $3)
    ON CONFLICT (id) DO NOTHING;",
    find_waiter: "
SELECT run_no, seq, no FROM durable_waiters WHERE token = $2 ORDER BY no LIMIT 1;",
    find_next_waiter: "
SELECT run_no, seq, no FROM durable_waiters
    WHERE token = (SELECT token FROM durable_signals WHERE id = $1) ORDER BY no LIMIT 1;",
    take_waiter: &[
        "DELETE FROM durable_waiters WHERE no = $1;",
        "UPDATE durable_signals SET buffered = 0, payload = NULL WHERE id = $2;",
    ],
    place_of: "SELECT no FROM durable_signals WHERE id = $1;",
    buffer_again: "UPDATE durable_signals SET buffered = 1, payload = $2 WHERE id = $1;",
    put_item: &[
        "
INSERT INTO durable_inbox (run_no, kind, seq, attempt, signal_id, failure, payload)
    VALUES ($1, $3, $4, $5, $6, $7, $8) RETURNING id;",
        "
UPDATE durable_runs SET wakes = wakes + 1, updated_at = $2,
    asked = CASE $3 WHEN 'cancel' THEN 1 WHEN 'compensate' THEN 2 ELSE asked END,
    status = CASE WHEN $3 IN ('cancel', 'compensate') THEN 'cancelling' ELSE status END,
    wake_at = CASE WHEN owner IS NULL AND ($3 = 'compensate' OR status NOT IN ('blocked', 'paused'))
        THEN $2 ELSE wake_at END
    WHERE no = $1 RETURNING id, wakes, owner;",
    ],
    find_item: "
SELECT id FROM durable_inbox WHERE run_no = $1 AND kind = $2 AND seq IS $3 AND attempt IS $4;",
    look_at_wait: &[
        "
SELECT id, payload FROM durable_inbox WHERE run_no = $1 AND seq = $2 AND kind = 'signal'
    ORDER BY id LIMIT 1;",
        "SELECT no FROM durable_waiters WHERE run_no = $1 AND seq = $2 AND token = $3;",
        "SELECT id, payload FROM durable_signals WHERE token = $3 AND buffered = 1 ORDER BY no LIMIT 1;",
    ],
    open_wait: "INSERT OR REPLACE INTO durable_waiters (run_no, seq, token) VALUES ($1, $2, $3);",
    take_buffered: &[
        "DELETE FROM durable_waiters WHERE run_no = $1 AND seq = $2;",
        "UPDATE durable_signals SET buffered = 0, payload = NULL WHERE id = $3;",
        "
INSERT INTO durable_inbox (run_no, kind, seq, signal_id, payload)
    VALUES ($1, 'signal', $2, $3, $4) RETURNING id;",
        "UPDATE durable_runs SET wake_at = $5 WHERE no = $1 AND owner IS NULL AND status NOT IN ('blocked', 'paused');",
    ],
    close_wait: &[
        "DELETE FROM durable_waiters WHERE run_no = $1 AND seq = $2;",
        "
DELETE FROM durable_inbox WHERE run_no = $1 AND seq = $2 AND kind = 'signal'
    RETURNING signal_id, payload;",
    ],
    close_all: &[
        "DELETE FROM durable_waiters WHERE run_no IN (SELECT value FROM json_each($1));",
        "
DELETE FROM durable_inbox WHERE run_no IN (SELECT value FROM json_each($1))
    RETURNING CASE kind WHEN 'signal' THEN signal_id END, payload;",
        "DELETE FROM durable_listens WHERE run_no IN (SELECT value FROM json_each($1));",
    ],
    end_run: "
UPDATE durable_runs SET status = $2, owner = NULL, token = token + 1,
    wake_at = 9223372036854775807, finished_at = $3, updated_at = $4,
    failure = coalesce($5, failure) WHERE no = $1;",
    requeue: &[
        "
DELETE FROM durable_checkpoints WHERE run_no = $1 AND (status IN ('abandoned', 'fatal')
    OR (kind IN ('signal', 'child', 'task', 'breakpoint', 'webhook', 'update', 'entity_call',
        'event') AND status = 'waiting'
        AND (SELECT status FROM durable_runs WHERE no = $1) <> 'blocked'));",
        "
UPDATE durable_runs SET status = 'pending', failure = NULL, output = NULL, recoveries = 0,
    finished_at = NULL, wake_at = $2, updated_at = $2, token = token + 1 WHERE no = $1;",
    ],
    write_tags: "UPDATE durable_runs SET tags = $2 WHERE no = $1;",
    add_tag: "INSERT OR IGNORE INTO durable_tags (run_no, tag) VALUES ($1, $2);",
};

const LEASE: LeaseTexts = LeaseTexts {
    take_lock: "",
    free_lock: "",
    enroll: &[
        "INSERT OR REPLACE INTO durable_instances (id, lease_until, lock_key) VALUES ($1, $2, $3);",
    ],
    heartbeat: &["UPDATE durable_instances SET lease_until = $2, lock_key = $3 WHERE id = $1;"],
    others: concat!(
        owners!(),
        "SELECT no, id, lease_until, 0 FROM durable_instances WHERE id <> $1
UNION ALL SELECT NULL, o.id, 0, 1 FROM owners o",
        unknown!(),
        ";"
    ),
    renew: "UPDATE durable_instances SET lease_until = $2 WHERE id = $1;",
    report: "UPDATE durable_instances SET report = $2, reported_at = $3 WHERE id = $1;",
    forget: "DELETE FROM durable_instances WHERE no = $1 AND ($2 OR lease_until <= $3);",
    forget_by_id: "DELETE FROM durable_instances WHERE id = $1;",
    exceeding: "
SELECT no, id, recoveries, failure FROM durable_runs
WHERE owner = $1 AND status = 'running' AND recoveries + 1 > $2 ORDER BY no;",
    count_recovery: "UPDATE durable_runs SET recoveries = recoveries + 1 WHERE no = $1;",
    give_back: "
UPDATE durable_runs SET owner = NULL, token = token + 1, updated_at = $2,
    recoveries = recoveries + ($3 AND status = 'running'),
    wake_at = CASE status WHEN 'pending' THEN max(wake_at, $2) ELSE $2 END
WHERE owner = $1;",
    due: due::SQLITE,
    claim_found: &[],
    histories: &[
        "SELECT run_no, payload FROM durable_inputs WHERE run_no IN (SELECT value FROM json_each($1));",
        "
SELECT run_no, seq, ord, kind, name, status, attempt, wake_at, started_at, finished_at, rev, site,
    failure, events, result FROM durable_checkpoints
    WHERE run_no IN (SELECT value FROM json_each($1)) ORDER BY run_no, seq;",
        "
SELECT run_no, id, kind, seq, attempt, failure, payload, signal_id FROM durable_inbox
    WHERE run_no IN (SELECT value FROM json_each($1)) ORDER BY run_no, id;",
    ],
};

const READ: ReadTexts = ReadTexts {
    run: "
SELECT no, id, workflow, version, status, token, owner, wake_at, wakes, seen_wakes, recoveries,
    rev, created_at, updated_at, finished_at, tags, failure, parent, cascades,
    joined, next_run, deadline, fingerprint, attributes, namespace, priority, output,
    (SELECT payload FROM durable_inputs WHERE run_no = no) FROM durable_runs WHERE id = $1;",
    load: &[
        "
SELECT no, id, workflow, version, status, token, owner, wake_at, wakes, seen_wakes, recoveries,
    rev, created_at, updated_at, finished_at, tags, failure, parent, cascades,
    joined, next_run, deadline, fingerprint, attributes, namespace, priority, output,
    (SELECT payload FROM durable_inputs WHERE run_no = no) FROM durable_runs WHERE id = $1;",
        "
SELECT c.run_no, c.seq, c.ord, c.kind, c.name, c.status, c.attempt, c.wake_at, c.started_at,
    c.finished_at, c.rev, c.site, c.failure, c.events, c.result
    FROM durable_runs r CROSS JOIN durable_checkpoints c ON c.run_no = r.no
    WHERE r.id = $1 ORDER BY c.seq;",
        "
SELECT i.run_no, i.id, i.kind, i.seq, i.attempt, i.failure, i.payload, i.signal_id
    FROM durable_runs r CROSS JOIN durable_inbox i ON i.run_no = r.no
    WHERE r.id = $1 ORDER BY i.id;",
    ],
    changed_since: "
SELECT c.run_no, c.seq, c.ord, c.kind, c.name, c.status, c.attempt, c.wake_at, c.started_at,
    c.finished_at, c.rev, c.site, c.failure, c.events, c.result
    FROM durable_runs r CROSS JOIN durable_checkpoints c ON c.run_no = r.no
    WHERE r.id = $1 AND c.rev > $2 ORDER BY c.seq;",
    open_operations: "
SELECT c.run_no, c.seq, c.ord, c.kind, c.name, c.status, c.attempt, c.wake_at, c.started_at,
    c.finished_at, c.rev, c.site, c.failure, c.events, c.result, r.id
    FROM durable_runs r CROSS JOIN durable_checkpoints c ON c.run_no = r.no
    WHERE c.status IN ('waiting', 'retrying')",
    published: "
SELECT p.payload FROM durable_runs r
CROSS JOIN durable_published p ON p.run_no = r.no AND p.name = $2 WHERE r.id = $1;",
    held: "SELECT id FROM durable_runs WHERE owner = $1 ORDER BY no;",
    instances: "SELECT i.id, i.lease_until, i.reported_at, i.report, \
         (SELECT count(*) FROM durable_runs r WHERE r.owner = i.id) \
         FROM durable_instances i ORDER BY i.no;",
    list: "
SELECT no, id, workflow, version, status, token, owner, wake_at, wakes, seen_wakes, recoveries,
    rev, created_at, updated_at, finished_at, tags, failure, parent, cascades,
    joined, next_run, deadline, fingerprint, attributes, namespace, priority, NULL, NULL
FROM durable_runs r WHERE true",
    now: "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER);",
};

/// Takes signal `$1` with token `$2`, payload `$3`, sent at `$4`, unless it was taken before; then
/// takes the longest-waiting waiter of its token; then, if there was one, clears the buffer.
/// Index: signal id, waiters by token. `changes()` is the count of the statement before.
pub(crate) const SIGNAL: &str = "
INSERT INTO durable_signals (id, token, buffered, sent_at, payload) VALUES ($1, $2, 1, $4, $3)
    ON CONFLICT (id) DO NOTHING;
DELETE FROM durable_waiters WHERE changes() = 1
    AND no = (SELECT no FROM durable_waiters WHERE token = $2 ORDER BY no LIMIT 1)
    RETURNING run_no, seq;
UPDATE durable_signals SET buffered = 0, payload = NULL WHERE id = $1 AND changes() = 1;";
