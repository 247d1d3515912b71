//! Events: the statements for each database, side by side.
//!
//! Lists travel as JSON texts. A run is given by its number.

use super::texts::Texts;
use crate::driver::sql::Dialect;

/// What is published, waited for, kept and heard.
pub(crate) struct EventTexts {
    /// Which kept events are over at `$1`, some of them; then forgets who was known until then.
    pub(crate) expired: Texts,
    /// Forgets the events whose numbers are in `$1`.
    pub(crate) forget: Texts,
    /// Notes that event `$1` was published, which is known until `$2`, unless that is known at
    /// `$3`: the second statement changes nothing then.
    pub(crate) publish: Texts,
    /// Keeps event `$1` called `$2` until `$3`, with payload `$4` and the facts in `$5`.
    pub(crate) keep: Texts,
    /// Locks the runs that may have a wait which one of the facts in `$1` is the anchor of, in the
    /// order of their ids, which is everybody's. None where there is one writer at a time.
    pub(crate) lock: Option<&'static str>,
    /// Those waits, of runs that have not ended: run, seq, number, facts. By run, longest-waiting
    /// first.
    pub(crate) find: &'static str,
    /// Hands event `$2` with payload `$3` to the waits in `$1` (run, seq, number) at `$4`. The last
    /// set: the id of the run, its wakes and owner, the item, its seq; by run.
    pub(crate) hand_over: Texts,
    /// Run `$1` has heard event `$2`; of no use once that is not kept.
    pub(crate) heard: &'static str,
    /// Closes the wait of run `$1` at `$2`; the second statement drops what lay untaken in it.
    pub(crate) close: Texts,
    /// The open waits of run `$1`, longest-waiting first: seq, facts.
    pub(crate) open_waits: &'static str,
    /// What the wait of run `$1` at `$2` has: the item with its event; the wait itself.
    pub(crate) look: Texts,
    /// The oldest event kept at `$4` with fact `$2` and those in `$3` that run `$1` has neither
    /// heard nor in its inbox: id, payload.
    pub(crate) kept: &'static str,
    /// Opens the wait of run `$1` at `$2` with anchor `$3` and facts `$4`.
    pub(crate) open: &'static str,
    /// Hands event `$3` with payload `$4` to the wait of run `$1` at `$2`, at `$5`. The owner learns
    /// of it from the answer, so it does not count as a wake. Answers with rows: the item's id.
    pub(crate) take: Texts,
}

/// The statuses of runs that have not ended.
macro_rules! unfinished {
    () => {
        "('pending', 'running', 'suspended', 'blocked', 'paused', 'cancelling')"
    };
}

/// How a run is woken.
macro_rules! wake {
    ($now:literal) => {
        concat!(
            "wake_at = CASE WHEN owner IS NULL AND status NOT IN ('blocked', 'paused') THEN ",
            $now,
            " ELSE wake_at END"
        )
    };
}

/// What a kept event must not be for the run: heard before, or in its inbox.
macro_rules! news_to_run {
    () => {
        "e.expires_at > $4 \
         AND NOT EXISTS (SELECT 1 FROM durable_heard h WHERE h.run_no = $1 AND h.id = e.id) \
         AND NOT EXISTS (SELECT 1 FROM durable_inbox i WHERE i.run_no = $1 \
             AND i.signal_id = e.id AND i.kind = 'event')"
    };
}

/// Index: key of each table, ends, anchors, inbox by run.
const SQLITE: EventTexts = EventTexts {
    expired: &[
        "SELECT no FROM durable_events WHERE expires_at <= $1 ORDER BY expires_at LIMIT 100;",
        "DELETE FROM durable_heard WHERE rowid IN (SELECT rowid FROM durable_heard \
         WHERE forget_at <= $1 ORDER BY forget_at LIMIT 100);",
    ],
    forget: &[
        "DELETE FROM durable_event_facts WHERE event_no IN (SELECT value FROM json_each($1));",
        "DELETE FROM durable_events WHERE no IN (SELECT value FROM json_each($1));",
    ],
    publish: &[
        "DELETE FROM durable_heard WHERE run_no = 0 AND id = $1 AND forget_at <= $3;",
        "INSERT INTO durable_heard (run_no, id, forget_at) VALUES (0, $1, $2) \
         ON CONFLICT DO NOTHING;",
    ],
    keep: &[
        "INSERT INTO durable_events (id, name, expires_at, payload) VALUES ($1, $2, $3, $4);",
        "INSERT OR IGNORE INTO durable_event_facts (fact, event_no) \
         SELECT v.value, (SELECT max(no) FROM durable_events) FROM json_each($5) v;",
    ],
    lock: None,
    find: concat!(
        "SELECT l.run_no, l.seq, l.no, l.facts FROM json_each($1) v \
         CROSS JOIN durable_listens l ON l.anchor = v.value \
         CROSS JOIN durable_runs r ON r.no = l.run_no WHERE r.status IN ",
        unfinished!(),
        " ORDER BY r.id, l.no;"
    ),
    hand_over: &[
        "INSERT INTO durable_inbox (run_no, kind, seq, signal_id, payload) \
         SELECT v.value->>0, 'event', v.value->>1, $2, $3 FROM json_each($1) v;",
        "DELETE FROM durable_listens WHERE no IN (SELECT value->>2 FROM json_each($1));",
        concat!(
            "UPDATE durable_runs SET wakes = wakes + 1, updated_at = $4, ",
            wake!("$4"),
            " WHERE no IN (SELECT value->>0 FROM json_each($1));"
        ),
        "SELECT r.id, r.wakes, r.owner, i.id, i.seq FROM json_each($1) v \
         CROSS JOIN durable_runs r ON r.no = v.value->>0 \
         CROSS JOIN durable_inbox i ON i.run_no = r.no AND i.seq = v.value->>1 \
             AND i.signal_id = $2 AND i.kind = 'event' ORDER BY r.id;",
    ],
    heard: "INSERT INTO durable_heard (run_no, id, forget_at) SELECT $1, e.id, e.expires_at \
         FROM durable_events e WHERE e.id = $2 ON CONFLICT DO NOTHING;",
    close: &[
        "DELETE FROM durable_listens WHERE run_no = $1 AND seq = $2;",
        "DELETE FROM durable_inbox WHERE run_no = $1 AND seq = $2 AND kind = 'event';",
    ],
    open_waits: "SELECT seq, facts FROM durable_listens WHERE run_no = $1 ORDER BY no;",
    look: &[
        "SELECT id, signal_id, payload FROM durable_inbox \
         WHERE run_no = $1 AND seq = $2 AND kind = 'event' ORDER BY id LIMIT 1;",
        "SELECT facts FROM durable_listens WHERE run_no = $1 AND seq = $2;",
    ],
    kept: concat!(
        "SELECT e.id, e.payload FROM durable_event_facts f \
         CROSS JOIN durable_events e ON e.no = f.event_no WHERE f.fact = $2 AND ",
        news_to_run!(),
        " AND NOT EXISTS (SELECT 1 FROM json_each($3) v WHERE NOT EXISTS ( \
             SELECT 1 FROM durable_event_facts x WHERE x.fact = v.value AND x.event_no = f.event_no)) \
         ORDER BY f.event_no LIMIT 1;"
    ),
    open: "INSERT OR REPLACE INTO durable_listens (run_no, seq, anchor, facts) \
         VALUES ($1, $2, $3, $4);",
    take: &[
        "DELETE FROM durable_listens WHERE run_no = $1 AND seq = $2;",
        "INSERT INTO durable_inbox (run_no, kind, seq, signal_id, payload) \
         VALUES ($1, 'event', $2, $3, $4) RETURNING id;",
        "UPDATE durable_runs SET wake_at = $5 \
         WHERE no = $1 AND owner IS NULL AND status NOT IN ('blocked', 'paused');",
    ],
};

const POSTGRES: EventTexts = EventTexts {
    // What a twin is forgetting is left to it.
    expired: &[
        "SELECT no FROM durable_events WHERE expires_at <= $1 ORDER BY expires_at LIMIT 100 \
         FOR UPDATE SKIP LOCKED",
        "DELETE FROM durable_heard WHERE ctid = ANY (ARRAY(SELECT ctid FROM durable_heard \
         WHERE forget_at <= $1 ORDER BY forget_at LIMIT 100 FOR UPDATE SKIP LOCKED))",
    ],
    forget: &[
        "DELETE FROM durable_event_facts WHERE event_no = ANY (ARRAY( \
         SELECT jsonb_array_elements_text($1::jsonb)::bigint))",
        "DELETE FROM durable_events WHERE no = ANY (ARRAY( \
         SELECT jsonb_array_elements_text($1::jsonb)::bigint))",
    ],
    keep: &[
        "WITH e AS (INSERT INTO durable_events (id, name, expires_at, payload) \
             VALUES ($1, $2, $3, $4) RETURNING no) \
         INSERT INTO durable_event_facts (fact, event_no) \
         SELECT DISTINCT v::bigint, e.no FROM e, jsonb_array_elements_text($5::jsonb) v",
    ],
    lock: Some(concat!(
        "SELECT r.no FROM durable_runs r WHERE r.no = ANY (ARRAY(SELECT l.run_no \
         FROM durable_listens l WHERE l.anchor = ANY (ARRAY( \
         SELECT jsonb_array_elements_text($1::jsonb)::bigint)))) AND r.status IN ",
        unfinished!(),
        " ORDER BY r.id FOR NO KEY UPDATE"
    )),
    // OFFSET 0 keeps the look for a run a look by its number: joined, it would scan the table.
    find: concat!(
        "SELECT l.run_no, l.seq, l.no, l.facts FROM durable_listens l, \
             LATERAL (SELECT id, status FROM durable_runs WHERE no = l.run_no OFFSET 0) r \
         WHERE l.anchor = ANY (ARRAY( \
             SELECT jsonb_array_elements_text($1::jsonb)::bigint)) AND r.status IN ",
        unfinished!(),
        " ORDER BY r.id, l.no"
    ),
    hand_over: &[concat!(
        "WITH v AS (SELECT (v->>0)::bigint AS run_no, (v->>1)::bigint AS seq, \
             (v->>2)::bigint AS no FROM jsonb_array_elements($1::jsonb) v), \
         closed AS (DELETE FROM durable_listens WHERE no = ANY (ARRAY(SELECT no FROM v))), \
         item AS (INSERT INTO durable_inbox (run_no, kind, seq, signal_id, payload) \
             SELECT v.run_no, 'event', v.seq, $2, $3 FROM v RETURNING run_no, id, seq), \
         woken AS (UPDATE durable_runs SET wakes = wakes + 1, updated_at = $4, ",
        wake!("$4"),
        " WHERE no = ANY (ARRAY(SELECT run_no FROM v)) RETURNING no, id, wakes, owner) \
         SELECT woken.id, woken.wakes, woken.owner, item.id, item.seq \
         FROM woken JOIN item ON item.run_no = woken.no ORDER BY woken.id"
    )],
    kept: concat!(
        "SELECT e.id, e.payload FROM durable_event_facts f \
         JOIN durable_events e ON e.no = f.event_no WHERE f.fact = $2 AND ",
        news_to_run!(),
        " AND NOT EXISTS (SELECT FROM jsonb_array_elements_text($3::jsonb) v WHERE NOT EXISTS ( \
             SELECT FROM durable_event_facts x WHERE x.fact = v::bigint \
                 AND x.event_no = f.event_no)) \
         ORDER BY f.event_no LIMIT 1"
    ),
    open: "INSERT INTO durable_listens (run_no, seq, anchor, facts) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (run_no, seq) DO UPDATE SET no = excluded.no, anchor = excluded.anchor, \
         facts = excluded.facts",
    ..SQLITE
};

/// Facts in parameter `$1`.
macro_rules! facts {
    ($list:literal) => {
        concat!(
            "JSON_TABLE(",
            $list,
            ", '$[*]' COLUMNS (fact BIGINT PATH '$')) v"
        )
    };
}

/// Waits in parameter `$1`.
macro_rules! waits {
    () => {
        "JSON_TABLE($1, '$[*]' COLUMNS (run_no BIGINT PATH '$[0]', seq BIGINT PATH '$[1]', \
         no BIGINT PATH '$[2]')) v"
    };
}

const MYSQL: EventTexts = EventTexts {
    expired: &[
        "SELECT no FROM durable_events FORCE INDEX (durable_events_by_end) \
         WHERE expires_at <= $1 ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED",
        "DELETE FROM durable_heard WHERE forget_at <= $1 ORDER BY forget_at LIMIT 100",
    ],
    forget: &[
        concat!(
            "DELETE f FROM ",
            facts!("$1"),
            " STRAIGHT_JOIN durable_event_facts f FORCE INDEX (durable_event_facts_by_event) \
             ON f.event_no = v.fact"
        ),
        concat!(
            "DELETE e FROM ",
            facts!("$1"),
            " STRAIGHT_JOIN durable_events e FORCE INDEX (PRIMARY) ON e.no = v.fact"
        ),
    ],
    publish: &[
        "DELETE FROM durable_heard WHERE run_no = 0 AND id = $1 AND forget_at <= $3",
        "INSERT INTO durable_heard (run_no, id, forget_at) SELECT 0, $1, $2 FROM DUAL \
         WHERE NOT EXISTS (SELECT 1 FROM durable_heard h WHERE h.run_no = 0 AND h.id = $1)",
    ],
    keep: &[
        "INSERT INTO durable_events (id, name, expires_at, payload) VALUES ($1, $2, $3, $4)",
        concat!(
            "INSERT IGNORE INTO durable_event_facts (fact, event_no) \
             SELECT v.fact, LAST_INSERT_ID() FROM ",
            facts!("$5")
        ),
    ],
    lock: Some(concat!(
        "SELECT r.no FROM (SELECT DISTINCT l.run_no FROM ",
        facts!("$1"),
        " STRAIGHT_JOIN durable_listens l FORCE INDEX (durable_listens_by_anchor) \
         ON l.anchor = v.fact) x STRAIGHT_JOIN durable_runs r FORCE INDEX (PRIMARY) \
         ON r.no = x.run_no WHERE r.status IN ",
        unfinished!(),
        " ORDER BY r.id FOR UPDATE"
    )),
    find: concat!(
        "SELECT l.run_no, l.seq, l.no, l.facts FROM ",
        facts!("$1"),
        " STRAIGHT_JOIN durable_listens l FORCE INDEX (durable_listens_by_anchor) \
         ON l.anchor = v.fact STRAIGHT_JOIN durable_runs r FORCE INDEX (PRIMARY) \
         ON r.no = l.run_no WHERE r.status IN ",
        unfinished!(),
        " ORDER BY r.id, l.no"
    ),
    hand_over: &[
        concat!(
            "INSERT INTO durable_inbox (run_no, kind, seq, signal_id, payload) \
             SELECT v.run_no, 'event', v.seq, $2, $3 FROM ",
            waits!()
        ),
        concat!(
            "DELETE l FROM ",
            waits!(),
            " STRAIGHT_JOIN durable_listens l FORCE INDEX (PRIMARY) ON l.no = v.no"
        ),
        concat!(
            "UPDATE ",
            waits!(),
            " STRAIGHT_JOIN durable_runs r FORCE INDEX (PRIMARY) ON r.no = v.run_no \
             SET r.wakes = r.wakes + 1, r.updated_at = $4, ",
            wake!("$4")
        ),
        concat!(
            "SELECT r.id, r.wakes, r.owner, i.id, i.seq FROM ",
            waits!(),
            " STRAIGHT_JOIN durable_runs r FORCE INDEX (PRIMARY) ON r.no = v.run_no \
             STRAIGHT_JOIN durable_inbox i FORCE INDEX (durable_inbox_by_run) \
             ON i.run_no = r.no AND i.seq = v.seq AND i.signal_id = $2 AND i.kind = 'event' \
             ORDER BY r.id"
        ),
    ],
    heard: "INSERT IGNORE INTO durable_heard (run_no, id, forget_at) \
         SELECT $1, e.id, e.expires_at FROM durable_events e \
         FORCE INDEX (durable_events_by_id) WHERE e.id = $2",
    kept: concat!(
        "SELECT e.id, e.payload FROM durable_event_facts f FORCE INDEX (PRIMARY) \
         STRAIGHT_JOIN durable_events e FORCE INDEX (PRIMARY) ON e.no = f.event_no \
         WHERE f.fact = $2 AND ",
        news_to_run!(),
        " AND NOT EXISTS (SELECT 1 FROM ",
        facts!("$3"),
        " WHERE NOT EXISTS (SELECT 1 FROM durable_event_facts x \
             WHERE x.fact = v.fact AND x.event_no = f.event_no)) \
         ORDER BY f.event_no LIMIT 1"
    ),
    open: "REPLACE INTO durable_listens (run_no, seq, anchor, facts) VALUES ($1, $2, $3, $4)",
    take: &[
        "DELETE FROM durable_listens WHERE run_no = $1 AND seq = $2",
        "INSERT INTO durable_inbox (run_no, kind, seq, signal_id, payload) \
         VALUES ($1, 'event', $2, $3, $4)",
        "SELECT CAST(LAST_INSERT_ID() AS SIGNED)",
        "UPDATE durable_runs SET wake_at = $5 \
         WHERE no = $1 AND owner IS NULL AND status NOT IN ('blocked', 'paused')",
    ],
    ..SQLITE
};

/// The statements of a dialect.
pub(crate) const fn events(dialect: Dialect) -> &'static EventTexts {
    match dialect {
        Dialect::Sqlite => &SQLITE,
        Dialect::Postgres => &POSTGRES,
        Dialect::MySql => &MYSQL,
    }
}
