//! Every statement, for SQLite.
//!
//! Rules for all of them:
//!
//! - Placeholders are `$1`, `$2`, … because those name the same value in each statement of a
//!   script.
//! - A list travels as one JSON text, so a statement has the same text for any number of rows.
//!   Payloads need not be text: they lie in one blob, and the rows say where (`substr` of a blob
//!   counts bytes). The rows come out of `jsonb_each` (SQLite 3.51), which is twice as fast as
//!   `json_each`: it does not print and parse each row again.
//! - Writers begin with BEGIN IMMEDIATE and so hold the write lock from their first read on. A
//!   concurrent twin waits; nothing that a statement has read changes before its transaction ends.
//! - CROSS JOIN keeps the list as the outer loop: SQLite has no statistics about it.

pub(super) const BEGIN: &str = "BEGIN IMMEDIATE;";
pub(super) const COMMIT: &str = "COMMIT;";

/// Which of the runs in `$1` exist already, and where they stand. Index: `id`.
pub(super) const FIND_STARTS: &str = "
SELECT v.key, r.status FROM jsonb_each($1) v CROSS JOIN durable_runs r ON r.id = v.value->>0;";

/// Stores the runs in `$1`, unless they exist. Index: `id`. A twin's run of the same id wins if it
/// was committed first.
pub(super) const INSERT_RUNS: &str = "
INSERT INTO durable_runs (id, workflow, version, status, token, owner, wake_at, wakes, seen_wakes,
    recoveries, rev, created_at, updated_at, tags)
SELECT v.value->>0, v.value->>1, v.value->>2, 'pending', v.value->>3 IS NOT NULL, v.value->>3,
    v.value->>4, 0, 0, 0, 0, $3, $3, v.value->>5
FROM jsonb_each($1) v WHERE true ON CONFLICT (id) DO NOTHING;";

/// Stores the inputs of the runs in `$1`; one that existed keeps its own. Index: `id`.
pub(super) const INSERT_INPUTS: &str = "
INSERT INTO durable_inputs (run_no, payload)
SELECT r.no, substr($2, v.value->>6, v.value->>7)
FROM jsonb_each($1) v CROSS JOIN durable_runs r ON r.id = v.value->>0
WHERE true ON CONFLICT (run_no) DO NOTHING;";

/// Makes the runs in `$1` findable by the tags in their rows. Index: `id`.
pub(super) const TAG_STARTS: &str = "
INSERT OR IGNORE INTO durable_tags (tag, run_no)
SELECT t.value, r.no FROM jsonb_each($1) v
CROSS JOIN durable_runs r ON r.id = v.value->>0
CROSS JOIN json_each(r.tags) t;";

/// Puts the checkpoints in `$6` of runs whose token still holds. Index: `id`, then the key of
/// checkpoints. It comes before the run itself changes, so that the token is the only condition.
pub(super) const PUT_CHECKPOINTS: &str = "
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
    failure = excluded.failure, events = excluded.events, result = excluded.result;";

/// Updates the runs in `$4`, which stay with their owner. Index: `id`. It leaves `owner` alone,
/// because SQLite rewrites the index of every column that an UPDATE names.
pub(super) const KEEP_RUNS: &str = "
UPDATE durable_runs AS r SET
    status = CASE r.status WHEN 'cancelling' THEN r.status ELSE v.value->>2 END,
    wake_at = v.value->>3, seen_wakes = v.value->>4, recoveries = v.value->>5,
    rev = v.value->>6, updated_at = v.value->>7, failure = v.value->>8,
    output = substr($2, v.value->>9, v.value->>10)
FROM jsonb_each($4) v WHERE r.id = v.value->>0 AND r.token = v.value->>1;";

/// Updates the runs in `$5`, which lose their owner. Index: `id`. Field 11 tells whether the run
/// just waits (0), is blocked (1) or has ended (2).
pub(super) const RELEASE_RUNS: &str = "
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
FROM jsonb_each($5) v WHERE r.id = v.value->>0 AND r.token = v.value->>1;";

// A script is cut short by an error, and only by an error. These checks raise one when the usual
// case does not hold: `abs` of the smallest integer overflows. The transaction stays open.

/// Stops the script unless the statement before has changed `$12` rows: a token did not hold.
pub(super) const CHECK_KEPT: &str = "SELECT abs(-9223372036854775807 - (changes() <> $12));";
/// The same for `$13` rows.
pub(super) const CHECK_RELEASED: &str = "SELECT abs(-9223372036854775807 - (changes() <> $13));";
/// The same for `$14` rows: a wait was not opened, because a signal lies there already.
pub(super) const CHECK_OPENED: &str = "SELECT abs(-9223372036854775807 - (changes() <> $14));";
/// The message by which the stop is recognised.
pub(super) const STOP: &str = "integer overflow";

/// Which commits of `$1` are refused, with the token in the store. Index: `id`.
pub(super) const REFUSED: &str = "
SELECT v.key, r.token FROM jsonb_each($1) v LEFT JOIN durable_runs r ON r.id = v.value->>0
WHERE r.token IS NOT v.value->>1;";

/// Removes the items in `$7` from the inboxes of runs whose token holds. Index: rowid, `id`.
pub(super) const TAKE_ITEMS: &str = "
DELETE FROM durable_inbox WHERE id IN (
    SELECT i.id FROM jsonb_each($7) v
    CROSS JOIN durable_runs r ON r.id = v.value->>0 AND r.token = v.value->>1
    CROSS JOIN durable_inbox i ON i.id = v.value->>2 AND i.run_no = r.no);";

/// Publishes the values in `$8`. Index: `id`, then the key of published values.
pub(super) const PUBLISH: &str = "
INSERT INTO durable_published (run_no, key, payload)
SELECT r.no, v.value->>2, substr($2, v.value->>3, v.value->>4)
FROM jsonb_each($8) v CROSS JOIN durable_runs r ON r.id = v.value->>0 AND r.token = v.value->>1
WHERE true ON CONFLICT (run_no, key) DO UPDATE SET payload = excluded.payload;";

/// Adds the tags in `$11` to the rows of their runs, sorted and once each. Index: `id`.
pub(super) const ADD_TAGS: &str = "
UPDATE durable_runs AS r SET tags = (
    SELECT json_group_array(tag) FROM (
        SELECT value AS tag FROM json_each(coalesce(r.tags, '[]'))
        UNION SELECT value FROM json_each(v.value, '$[2]') ORDER BY tag))
FROM jsonb_each($11) v WHERE r.id = v.value->>0 AND r.token = v.value->>1;";

/// Makes the runs in `$11` findable by the tags in their rows. Index: `id`.
pub(super) const TAG_RUNS: &str = "
INSERT OR IGNORE INTO durable_tags (tag, run_no)
SELECT t.value, r.no FROM jsonb_each($11) v
CROSS JOIN durable_runs r ON r.id = v.value->>0 AND r.token = v.value->>1
CROSS JOIN json_each(r.tags) t;";

/// Closes the waits in `$9` and all waits of the ended runs in `$5`. Index: `id`, then
/// key of waiters.
pub(super) const CLOSE_WAITS: &str = "
DELETE FROM durable_waiters WHERE no IN (
    SELECT w.no FROM jsonb_each($9) v
    CROSS JOIN durable_runs r ON r.id = v.value->>0 AND r.token = v.value->>1
    CROSS JOIN durable_waiters w ON w.run_no = r.no AND w.seq = v.value->>2
    UNION ALL
    SELECT w.no FROM jsonb_each($5) v
    CROSS JOIN durable_runs r ON r.id = v.value->>0 AND r.token = v.value->>1
    CROSS JOIN durable_waiters w ON w.run_no = r.no WHERE v.value->>11 = 2);";

/// Stops the script if something was delivered to the waits that [`CLOSE_WAITS`] has closed and
/// was not taken, or lies in the inbox of a run that ended. Index: `id`, inbox by run.
pub(super) const CHECK_UNTAKEN: &str = "
SELECT abs(-9223372036854775807 - (EXISTS (
    SELECT 1 FROM jsonb_each($9) v
    CROSS JOIN durable_runs r ON r.id = v.value->>0 AND r.token = v.value->>1
    CROSS JOIN durable_inbox i ON i.run_no = r.no AND i.seq = v.value->>2 AND i.kind = 'signal')
OR EXISTS (
    SELECT 1 FROM jsonb_each($5) v
    CROSS JOIN durable_runs r ON r.id = v.value->>0 AND r.token = v.value->>1
    CROSS JOIN durable_inbox i ON i.run_no = r.no WHERE v.value->>11 = 2)));";

/// Opens the waits in `$10` for whose tokens nothing is buffered. One that exists stays where it
/// is in the queue. Index: `id`, `(run_no, seq)`, buffered signals, inbox by run.
pub(super) const OPEN_WAITS: &str = "
INSERT OR REPLACE INTO durable_waiters (run_no, seq, token)
SELECT r.no, v.value->>2, v.value->>3
FROM jsonb_each($10) v CROSS JOIN durable_runs r ON r.id = v.value->>0 AND r.token = v.value->>1
WHERE NOT EXISTS (SELECT 1 FROM durable_waiters w
        WHERE w.run_no = r.no AND w.seq = v.value->>2 AND w.token = v.value->>3)
    AND NOT EXISTS (SELECT 1 FROM durable_signals s
        WHERE s.token = v.value->>3 AND s.buffered = 1)
    AND NOT EXISTS (SELECT 1 FROM durable_inbox i
        WHERE i.run_no = r.no AND i.seq = v.value->>2 AND i.kind = 'signal');";

/// The number of run `$1`. Index: `id`.
pub(super) const FIND_RUN: &str = "SELECT no, status, owner FROM durable_runs WHERE id = $1;";

/// Takes signal `$1` with token `$2`, payload `$3`, sent at `$4`, unless it was taken before; then
/// takes the longest-waiting waiter of its token; then, if there was one, clears the buffer.
/// Index: signal id, waiters by token. `changes()` is the count of the statement before.
pub(super) const SIGNAL: &str = "
INSERT INTO durable_signals (id, token, buffered, sent_at, payload) VALUES ($1, $2, 1, $4, $3)
    ON CONFLICT (id) DO NOTHING;
DELETE FROM durable_waiters WHERE changes() = 1
    AND no = (SELECT no FROM durable_waiters WHERE token = $2 ORDER BY no LIMIT 1)
    RETURNING run_no, seq;
UPDATE durable_signals SET buffered = 0, payload = NULL WHERE id = $1 AND changes() = 1;";

/// Hands signal `$1` with payload `$2`, which was not taken, to the next waiter of its token, or
/// back to the buffer. Index: signal id, waiters by token.
pub(super) const PASS_ON: &str = "
DELETE FROM durable_waiters WHERE no = (
    SELECT no FROM durable_waiters WHERE token = (SELECT token FROM durable_signals WHERE id = $1)
    ORDER BY no LIMIT 1) RETURNING run_no, seq;
UPDATE durable_signals SET buffered = 1, payload = $2 WHERE id = $1 AND changes() = 0;";

/// Puts an item into the inbox of run number `$1` and wakes the run at `$2`. Index: rowid.
pub(super) const PUT_ITEM: &str = "
INSERT INTO durable_inbox (run_no, kind, seq, attempt, signal_id, failure, payload)
    VALUES ($1, $3, $4, $5, $6, $7, $8) RETURNING id;
UPDATE durable_runs SET wakes = wakes + 1, updated_at = $2,
    status = CASE $3 WHEN 'cancel' THEN 'cancelling' ELSE status END,
    wake_at = CASE WHEN owner IS NULL AND status <> 'blocked' THEN $2 ELSE wake_at END
    WHERE no = $1 RETURNING id, wakes, owner;";

/// Whether an item like this is there already. Index: inbox by run.
pub(super) const FIND_ITEM: &str = "
SELECT id FROM durable_inbox WHERE run_no = $1 AND kind = $2 AND seq IS $3 AND attempt IS $4;";

/// What waits for the wait of run number `$1` at `$2` for token `$3`: a signal in the inbox, the
/// wait itself, a buffered signal. Index: inbox by run, `(run_no, seq)`, buffered signals.
pub(super) const LOOK_AT_WAIT: &str = "
SELECT id, payload FROM durable_inbox WHERE run_no = $1 AND seq = $2 AND kind = 'signal'
    ORDER BY id LIMIT 1;
SELECT no FROM durable_waiters WHERE run_no = $1 AND seq = $2 AND token = $3;
SELECT id, payload FROM durable_signals WHERE token = $3 AND buffered = 1 ORDER BY id LIMIT 1;";

/// Opens the wait of run number `$1` at `$2` for token `$3`. Index: `(run_no, seq)`.
pub(super) const OPEN_WAIT: &str =
    "INSERT OR REPLACE INTO durable_waiters (run_no, seq, token) VALUES ($1, $2, $3);";

/// Hands buffered signal `$3` with payload `$4` to the wait of run number `$1` at `$2`, at `$5`.
/// The owner learns of it from the answer, so it does not count as a wake.
pub(super) const TAKE_BUFFERED: &str = "
DELETE FROM durable_waiters WHERE run_no = $1 AND seq = $2;
UPDATE durable_signals SET buffered = 0, payload = NULL WHERE id = $3;
INSERT INTO durable_inbox (run_no, kind, seq, signal_id, payload)
    VALUES ($1, 'signal', $2, $3, $4) RETURNING id;
UPDATE durable_runs SET wake_at = $5 WHERE no = $1 AND owner IS NULL AND status <> 'blocked';";

/// Closes one wait and takes what was delivered to it. Index: `(run_no, seq)`, inbox by run.
pub(super) const CLOSE_WAIT: &str = "
DELETE FROM durable_waiters WHERE run_no = $1 AND seq = $2;
DELETE FROM durable_inbox WHERE run_no = $1 AND seq = $2 AND kind = 'signal'
    RETURNING signal_id, payload;";

/// Closes all waits of a run, empties its inbox and takes the signals in it.
pub(super) const CLOSE_ALL: &str = "
DELETE FROM durable_waiters WHERE run_no = $1;
DELETE FROM durable_inbox WHERE run_no = $1 RETURNING signal_id, payload;";

/// Ends run number `$1` as `$2` at `$3`; `$4` is now and `$5` why. The new token refuses whoever
/// held it.
pub(super) const END_RUN: &str = "
UPDATE durable_runs SET status = $2, owner = NULL, token = token + 1,
    wake_at = 9223372036854775807, finished_at = $3, updated_at = $4,
    failure = coalesce($5, failure) WHERE no = $1;";

/// Requeues run number `$1` at `$2`. The new token refuses whoever held it.
pub(super) const REQUEUE: &str = "
DELETE FROM durable_checkpoints WHERE run_no = $1 AND (status IN ('abandoned', 'fatal')
    OR (kind = 'signal' AND status = 'waiting'
        AND (SELECT status FROM durable_runs WHERE no = $1) <> 'blocked'));
UPDATE durable_runs SET status = 'pending', failure = NULL, output = NULL, recoveries = 0,
    finished_at = NULL, wake_at = $2, updated_at = $2, token = token + 1 WHERE no = $1;";

/// Makes instance `$1` known until `$2`. A new number tells it from an earlier enrollment.
pub(super) const ENROLL: &str =
    "INSERT OR REPLACE INTO durable_instances (id, lease_until) VALUES ($1, $2);";
pub(super) const HEARTBEAT: &str = "UPDATE durable_instances SET lease_until = $2 WHERE id = $1;";
pub(super) const OTHERS: &str =
    "SELECT no, id, lease_until FROM durable_instances WHERE id <> $1 ORDER BY id;";
/// Forgets enrollment `$1`, if its lock was taken (`$2`) or its lease is over at `$3`. A twin that
/// recovers the same instance finds no row any more and leaves its runs alone.
pub(super) const FORGET: &str =
    "DELETE FROM durable_instances WHERE no = $1 AND ($2 OR lease_until <= $3);";
pub(super) const FORGET_BY_ID: &str = "DELETE FROM durable_instances WHERE id = $1;";

/// The runs of instance `$1` that would be recovered more than `$2` times. Index: held.
pub(super) const EXCEEDING: &str = "
SELECT no, id, recoveries, failure FROM durable_runs
WHERE owner = $1 AND status = 'running' AND recoveries + 1 > $2 ORDER BY no;";
/// Counts the recovery that ends run number `$1`.
pub(super) const COUNT_RECOVERY: &str =
    "UPDATE durable_runs SET recoveries = recoveries + 1 WHERE no = $1;";
/// Gives back the runs of instance `$1` at `$2`; `$3` is 1 if that counts as a recovery of those
/// that ran. The new token refuses the old owner. Index: held.
pub(super) const GIVE_BACK: &str = "
UPDATE durable_runs SET owner = NULL, token = token + 1, updated_at = $2,
    recoveries = recoveries + ($3 AND status = 'running'),
    wake_at = CASE status WHEN 'pending' THEN max(wake_at, $2) ELSE $2 END
WHERE owner = $1;";

/// When the next run of the workflows in `$1` falls due. Index: due, in its order.
pub(super) const NEXT_DUE: &str = "
SELECT wake_at FROM durable_runs WHERE owner IS NULL AND wake_at < 9223372036854775807
    AND (workflow, version) IN (SELECT value->>0, value->>1 FROM json_each($1))
    AND status IN ('pending', 'running', 'suspended', 'cancelling')
ORDER BY wake_at LIMIT 1;";

/// Claims at most `$4` runs of the workflows in `$1` that are due at `$3` for instance `$2`. Index:
/// due, in its order. A status that this build does not know is left to those who know it.
pub(super) const CLAIM: &str = "
UPDATE durable_runs SET owner = $2, token = token + 1, updated_at = $3,
    status = CASE status WHEN 'cancelling' THEN status ELSE 'running' END
WHERE no IN (
    SELECT no FROM durable_runs WHERE owner IS NULL AND wake_at < 9223372036854775807
        AND wake_at <= $3
        AND (workflow, version) IN (SELECT value->>0, value->>1 FROM json_each($1))
        AND status IN ('pending', 'running', 'suspended', 'cancelling')
    ORDER BY wake_at, no LIMIT $4)
RETURNING no, id, workflow, version, status, token, owner, wake_at, wakes, seen_wakes, recoveries,
    rev, created_at, updated_at, finished_at, tags, failure, output;";

/// Inputs, histories and inboxes of the run numbers in `$1`. Index: the key of each table.
pub(super) const HISTORIES: &str = "
SELECT run_no, payload FROM durable_inputs WHERE run_no IN (SELECT value FROM json_each($1));
SELECT run_no, seq, ord, kind, name, status, attempt, wake_at, started_at, finished_at, rev, site,
    failure, events, result FROM durable_checkpoints
    WHERE run_no IN (SELECT value FROM json_each($1)) ORDER BY run_no, seq;
SELECT run_no, id, kind, seq, attempt, failure, payload FROM durable_inbox
    WHERE run_no IN (SELECT value FROM json_each($1)) ORDER BY run_no, id;";

/// Run `$1`. Index: `id`.
pub(super) const RUN: &str = "
SELECT no, id, workflow, version, status, token, owner, wake_at, wakes, seen_wakes, recoveries,
    rev, created_at, updated_at, finished_at, tags, failure, output,
    (SELECT payload FROM durable_inputs WHERE run_no = no) FROM durable_runs WHERE id = $1;";

/// Run `$1` with its history and inbox, of one moment.
pub(super) const LOAD: &str = "
BEGIN;
SELECT no, id, workflow, version, status, token, owner, wake_at, wakes, seen_wakes, recoveries,
    rev, created_at, updated_at, finished_at, tags, failure, output,
    (SELECT payload FROM durable_inputs WHERE run_no = no) FROM durable_runs WHERE id = $1;
SELECT c.run_no, c.seq, c.ord, c.kind, c.name, c.status, c.attempt, c.wake_at, c.started_at,
    c.finished_at, c.rev, c.site, c.failure, c.events, c.result
    FROM durable_runs r CROSS JOIN durable_checkpoints c ON c.run_no = r.no
    WHERE r.id = $1 ORDER BY c.seq;
SELECT i.run_no, i.id, i.kind, i.seq, i.attempt, i.failure, i.payload
    FROM durable_runs r CROSS JOIN durable_inbox i ON i.run_no = r.no
    WHERE r.id = $1 ORDER BY i.id;
COMMIT;";

/// The checkpoints of run `$1` that changed after revision `$2`. Index: `id`, key of checkpoints.
pub(super) const CHANGED_SINCE: &str = "
SELECT c.run_no, c.seq, c.ord, c.kind, c.name, c.status, c.attempt, c.wake_at, c.started_at,
    c.finished_at, c.rev, c.site, c.failure, c.events, c.result
    FROM durable_runs r CROSS JOIN durable_checkpoints c ON c.run_no = r.no
    WHERE r.id = $1 AND c.rev > $2 ORDER BY c.seq;";

/// What run `$1` has published under `$2`.
pub(super) const PUBLISHED: &str = "
SELECT p.payload FROM durable_runs r
CROSS JOIN durable_published p ON p.run_no = r.no AND p.key = $2 WHERE r.id = $1;";

/// The runs of instance `$1`. Index: held.
pub(super) const HELD: &str = "SELECT id FROM durable_runs WHERE owner = $1 ORDER BY no;";
/// The runs of instance `$1` with news. Index: held.
pub(super) const WOKEN: &str =
    "SELECT id FROM durable_runs WHERE owner = $1 AND wakes > seen_wakes ORDER BY no;";

/// The columns of a listed run: no payloads. The conditions follow. Index: newest.
pub(super) const LIST: &str = "
SELECT no, id, workflow, version, status, token, owner, wake_at, wakes, seen_wakes, recoveries,
    rev, created_at, updated_at, finished_at, tags, failure, NULL, NULL
FROM durable_runs r WHERE true";
