//! How runs belong together: the statements for each database, side by side, since they differ
//! little.
//!
//! Whatever a batch does to many runs is one statement for each kind of change. Its rows travel as
//! one JSON text, payloads in one blob beside it, and the rows say where.

use super::texts::Texts;
use crate::driver::sql::Dialect;

/// Starts by runs, waits for the end of runs, successors.
pub(crate) struct RelationTexts {
    /// The runs with the ids in `$1`: id, number, status.
    pub(crate) find: &'static str,
    /// Run `id` is a child of `parent`, cancelled with it unless `cascades` is 0, and is cancelled at
    /// its `deadline`, in a `namespace`, of a `priority` unless it is the usual one: the rows of
    /// `$1`.
    pub(crate) bind: &'static str,
    /// Run number `$1` continues as `$2`.
    pub(crate) set_next: &'static str,
    /// What run number `$1` was asked since its newest claim: 1 to cancel, 2 to compensate.
    pub(crate) asked: &'static str,
    /// Who waits for the end of run number `$1` waits for that of number `$2`.
    pub(crate) hand_on: &'static str,
    /// The runs with the ids in `$1` may be waited for; that locks them, in the order of their
    /// ids. The last set is their id, number, status, failure, successor and output.
    pub(crate) mark: Texts,
    /// What the waits in `$1`, of run number, seq and target number, have. The first set is those
    /// with an item: place, item, failure, payload. The second is those that are open: place.
    pub(crate) look: Texts,
    /// Opens the waits in `$1`, in their order.
    pub(crate) open: &'static str,
    /// Puts ends into inboxes: the rows of `$1` are run number, seq, failure, and where in `$2`
    /// the payload lies. The last set is the items: run number, seq, id.
    pub(crate) put_ends: Texts,
    /// The runs with the numbers in `$1` are due at `$2`, if nobody holds them.
    pub(crate) make_due: &'static str,
    /// Wakes runs at `$2`: the rows of `$1` are run number and how often. The last set is number,
    /// id, wakes and owner.
    pub(crate) wake: Texts,
    /// How the runs with the numbers in `$1` have ended: number, status, failure, output.
    pub(crate) ended: &'static str,
    /// Who waits for the end of the run numbers in `$1` and has not ended: target, run number,
    /// seq. Locked in the order of their ids, which is everybody's.
    pub(crate) joiners: &'static str,
    /// Forgets who waits for the end of the run numbers in `$1`.
    pub(crate) forget: &'static str,
    /// The children of run `$1` that are cancelled with it: id, and how.
    pub(crate) children: &'static str,
}

/// The statuses of runs that have not ended.
macro_rules! unfinished {
    () => {
        "('pending', 'running', 'suspended', 'blocked', 'paused', 'cancelling')"
    };
}

/// Index: `id`, the key of runs, inbox by run, joins by target, children.
const SQLITE: RelationTexts = RelationTexts {
    find: "SELECT r.id, r.no, r.status FROM jsonb_each($1) v \
         CROSS JOIN durable_runs r ON r.id = v.value;",
    bind: "UPDATE durable_runs AS r SET parent = v.value->>1, cascades = v.value->>2, \
         deadline = v.value->>3, namespace = v.value->>4, priority = v.value->>5 \
         FROM jsonb_each($1) v WHERE r.id = v.value->>0;",
    set_next: "UPDATE durable_runs SET next_run = $2 WHERE no = $1;",
    asked: "SELECT asked FROM durable_runs WHERE no = $1;",
    hand_on: "UPDATE durable_joins SET target_no = $2 WHERE target_no = $1;",
    mark: &[
        "UPDATE durable_runs SET joined = 1 WHERE id IN (SELECT value FROM jsonb_each($1));",
        "SELECT r.id, r.no, r.status, r.failure, r.next_run, r.output FROM jsonb_each($1) v \
         CROSS JOIN durable_runs r ON r.id = v.value;",
    ],
    look: &[
        "SELECT v.key, i.id, i.failure, i.payload FROM jsonb_each($1) v \
         CROSS JOIN durable_inbox i ON i.run_no = v.value->>0 AND i.seq = v.value->>1 \
         AND i.kind = 'run_ended';",
        "SELECT v.key FROM jsonb_each($1) v CROSS JOIN durable_joins j \
         ON j.run_no = v.value->>0 AND j.seq = v.value->>1 AND j.target_no = v.value->>2;",
    ],
    open: "INSERT OR REPLACE INTO durable_joins (run_no, seq, target_no) \
         SELECT v.value->>0, v.value->>1, v.value->>2 FROM jsonb_each($1) v;",
    put_ends: &[
        "INSERT INTO durable_inbox (run_no, kind, seq, failure, payload) \
         SELECT v.value->>0, 'run_ended', v.value->>1, v.value->>2, \
         substr($2, v.value->>3, v.value->>4) FROM jsonb_each($1) v RETURNING run_no, seq, id;",
    ],
    make_due: "UPDATE durable_runs SET wake_at = $2 \
         WHERE no IN (SELECT value FROM jsonb_each($1)) \
         AND owner IS NULL AND status NOT IN ('blocked', 'paused');",
    wake: &[
        "UPDATE durable_runs AS r SET wakes = r.wakes + (v.value->>1), updated_at = $2, \
         wake_at = CASE WHEN r.owner IS NULL AND r.status NOT IN ('blocked', 'paused') THEN $2 \
         ELSE r.wake_at END FROM jsonb_each($1) v WHERE r.no = v.value->>0 \
         RETURNING no, id, wakes, owner;",
    ],
    ended: "SELECT r.no, r.status, r.failure, r.output FROM jsonb_each($1) v \
         CROSS JOIN durable_runs r ON r.no = v.value;",
    joiners: concat!(
        "SELECT j.target_no, j.run_no, j.seq FROM jsonb_each($1) v \
         CROSS JOIN durable_joins j ON j.target_no = v.value \
         CROSS JOIN durable_runs r ON r.no = j.run_no WHERE r.status IN ",
        unfinished!(),
        " ORDER BY r.id, j.no;"
    ),
    forget: "DELETE FROM durable_joins WHERE target_no IN (SELECT value FROM jsonb_each($1));",
    children: concat!(
        "SELECT id, cascades FROM durable_runs WHERE parent = $1 AND cascades <> 0 AND status IN ",
        unfinished!(),
        " ORDER BY no;"
    ),
};

/// Run numbers or ids in parameter `$1`. As an array they are a condition on an index; a join with
/// them could become a scan, since the planner cannot know how many there are.
macro_rules! listed {
    (numbers) => {
        "ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)::bigint))"
    };
    (ids) => {
        "ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)))"
    };
    (first numbers) => {
        "ANY (ARRAY(SELECT (e.value->>0)::bigint FROM jsonb_array_elements($1::jsonb) e))"
    };
    (first ids) => {
        "ANY (ARRAY(SELECT e.value->>0 FROM jsonb_array_elements($1::jsonb) e))"
    };
}

const POSTGRES: RelationTexts = RelationTexts {
    find: concat!(
        "SELECT id, no, status FROM durable_runs WHERE id = ",
        listed!(ids)
    ),
    bind: concat!(
        "UPDATE durable_runs r SET parent = v.x->>1, cascades = (v.x->>2)::bigint, \
         deadline = (v.x->>3)::bigint, namespace = v.x->>4, priority = (v.x->>5)::bigint \
         FROM jsonb_array_elements($1::jsonb) v(x) WHERE r.id = v.x->>0 AND r.id = ",
        listed!(first ids)
    ),
    mark: &[concat!(
        "WITH t AS MATERIALIZED (SELECT no FROM durable_runs WHERE id = ",
        listed!(ids),
        " ORDER BY id FOR NO KEY UPDATE) \
         UPDATE durable_runs r SET joined = 1 FROM t WHERE r.no = t.no \
         RETURNING r.id, r.no, r.status, r.failure, r.next_run, r.output"
    )],
    look: &[
        concat!(
            "SELECT v.place - 1, i.id, i.failure, i.payload \
             FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY v(x, place) \
             JOIN durable_inbox i ON i.run_no = (v.x->>0)::bigint AND i.seq = (v.x->>1)::bigint \
             AND i.kind = 'run_ended' WHERE i.run_no = ",
            listed!(first numbers)
        ),
        concat!(
            "SELECT v.place - 1 FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY v(x, place) \
             JOIN durable_joins j ON j.run_no = (v.x->>0)::bigint AND j.seq = (v.x->>1)::bigint \
             AND j.target_no = (v.x->>2)::bigint WHERE j.run_no = ",
            listed!(first numbers)
        ),
    ],
    open: "INSERT INTO durable_joins (run_no, seq, target_no) \
         SELECT (v.x->>0)::bigint, (v.x->>1)::bigint, (v.x->>2)::bigint \
         FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY v(x, place) ORDER BY v.place \
         ON CONFLICT (run_no, seq) DO UPDATE SET no = excluded.no, target_no = excluded.target_no",
    put_ends: &[
        "INSERT INTO durable_inbox (run_no, kind, seq, failure, payload) \
         SELECT (v.x->>0)::bigint, 'run_ended', (v.x->>1)::bigint, v.x->>2, \
         substr($2::bytea, (v.x->>3)::int, (v.x->>4)::int) \
         FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY v(x, place) ORDER BY v.place \
         RETURNING run_no, seq, id",
    ],
    make_due: concat!(
        "UPDATE durable_runs SET wake_at = $2 WHERE no = ",
        listed!(numbers),
        " AND owner IS NULL AND status NOT IN ('blocked', 'paused')"
    ),
    wake: &[concat!(
        "UPDATE durable_runs r SET wakes = r.wakes + (v.x->>1)::bigint, updated_at = $2, \
         wake_at = CASE WHEN r.owner IS NULL AND r.status NOT IN ('blocked', 'paused') THEN $2 \
         ELSE r.wake_at END FROM jsonb_array_elements($1::jsonb) v(x) \
         WHERE r.no = (v.x->>0)::bigint AND r.no = ",
        listed!(first numbers),
        " RETURNING r.no, r.id, r.wakes, r.owner"
    )],
    ended: concat!(
        "SELECT no, status, failure, output FROM durable_runs WHERE no = ",
        listed!(numbers)
    ),
    joiners: concat!(
        "WITH j AS MATERIALIZED (SELECT no, target_no, run_no, seq FROM durable_joins \
         WHERE target_no = ",
        listed!(numbers),
        "), r AS MATERIALIZED (SELECT no, id FROM durable_runs \
         WHERE no = ANY (ARRAY(SELECT run_no FROM j)) AND status IN ",
        unfinished!(),
        " ORDER BY id FOR NO KEY UPDATE) \
         SELECT j.target_no, j.run_no, j.seq FROM r JOIN j ON j.run_no = r.no ORDER BY r.id, j.no"
    ),
    forget: concat!(
        "DELETE FROM durable_joins WHERE target_no = ",
        listed!(numbers)
    ),
    ..SQLITE
};

/// Rows of parameter `$1` as a table `v`; a row that is no list is one value.
macro_rules! rows {
    (numbers) => {
        "JSON_TABLE($1, '$[*]' COLUMNS (no BIGINT PATH '$')) v"
    };
    (ids) => {
        "JSON_TABLE($1, '$[*]' COLUMNS ( \
         id VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$')) v"
    };
    ($($columns:literal),*) => {
        concat!("JSON_TABLE($1, '$[*]' COLUMNS (", $($columns),*, ")) v")
    };
}

/// The waits in parameter `$1`.
macro_rules! waits {
    () => {
        rows!(
            "place FOR ORDINALITY, run_no BIGINT PATH '$[0]', seq BIGINT PATH '$[1]', \
             target_no BIGINT PATH '$[2]'"
        )
    };
}

const MYSQL: RelationTexts = RelationTexts {
    find: concat!(
        "SELECT r.id, r.no, r.status FROM ",
        rows!(ids),
        " STRAIGHT_JOIN durable_runs r FORCE INDEX (durable_runs_id) ON r.id = v.id"
    ),
    bind: concat!(
        "UPDATE ",
        rows!(
            "id VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]', \
             parent VARCHAR(191) PATH '$[1]', cascades BIGINT PATH '$[2]', \
             deadline BIGINT PATH '$[3]', namespace VARCHAR(191) PATH '$[4]', \
             priority BIGINT PATH '$[5]'"
        ),
        " STRAIGHT_JOIN durable_runs r FORCE INDEX (durable_runs_id) ON r.id = v.id \
         SET r.parent = v.parent, r.cascades = v.cascades, r.deadline = v.deadline, \
         r.namespace = v.namespace, r.priority = v.priority"
    ),
    mark: &[
        concat!(
            "UPDATE ",
            rows!(ids),
            " STRAIGHT_JOIN durable_runs r FORCE INDEX (durable_runs_id) ON r.id = v.id \
             SET r.joined = 1"
        ),
        concat!(
            "SELECT r.id, r.no, r.status, r.failure, r.next_run, r.output FROM ",
            rows!(ids),
            " STRAIGHT_JOIN durable_runs r FORCE INDEX (durable_runs_id) ON r.id = v.id"
        ),
    ],
    look: &[
        concat!(
            "SELECT v.place - 1, i.id, i.failure, i.payload FROM ",
            waits!(),
            " STRAIGHT_JOIN durable_inbox i FORCE INDEX (durable_inbox_by_run) \
             ON i.run_no = v.run_no AND i.seq = v.seq AND i.kind = 'run_ended'"
        ),
        concat!(
            "SELECT v.place - 1 FROM ",
            waits!(),
            " STRAIGHT_JOIN durable_joins j FORCE INDEX (durable_joins_run) \
             ON j.run_no = v.run_no AND j.seq = v.seq AND j.target_no = v.target_no"
        ),
    ],
    open: concat!(
        "REPLACE INTO durable_joins (run_no, seq, target_no) \
         SELECT v.run_no, v.seq, v.target_no FROM ",
        waits!()
    ),
    // The number that was given first is the smallest of those that this statement has given.
    put_ends: &[
        concat!(
            "INSERT INTO durable_inbox (run_no, kind, seq, failure, payload) \
             SELECT v.run_no, 'run_ended', v.seq, v.failure, SUBSTR($2, v.at, v.length) FROM ",
            rows!(
                "run_no BIGINT PATH '$[0]', seq BIGINT PATH '$[1]', \
                 failure LONGTEXT PATH '$[2]', at BIGINT PATH '$[3]', length BIGINT PATH '$[4]'"
            )
        ),
        concat!(
            "SELECT i.run_no, i.seq, i.id FROM (SELECT DISTINCT v.run_no FROM ",
            rows!("run_no BIGINT PATH '$[0]'"),
            ") x STRAIGHT_JOIN durable_inbox i FORCE INDEX (durable_inbox_by_run) \
             ON i.run_no = x.run_no AND i.id >= LAST_INSERT_ID() AND i.kind = 'run_ended'"
        ),
    ],
    make_due: concat!(
        "UPDATE ",
        rows!(numbers),
        " STRAIGHT_JOIN durable_runs r FORCE INDEX (PRIMARY) ON r.no = v.no SET r.wake_at = $2 \
         WHERE r.owner IS NULL AND r.status NOT IN ('blocked', 'paused')"
    ),
    wake: &[
        concat!(
            "UPDATE ",
            rows!("no BIGINT PATH '$[0]', times BIGINT PATH '$[1]'"),
            " STRAIGHT_JOIN durable_runs r FORCE INDEX (PRIMARY) ON r.no = v.no \
             SET r.wakes = r.wakes + v.times, r.updated_at = $2, \
             r.wake_at = CASE WHEN r.owner IS NULL AND r.status NOT IN ('blocked', 'paused') \
             THEN $2 ELSE r.wake_at END"
        ),
        concat!(
            "SELECT r.no, r.id, r.wakes, r.owner FROM ",
            rows!("no BIGINT PATH '$[0]'"),
            " STRAIGHT_JOIN durable_runs r FORCE INDEX (PRIMARY) ON r.no = v.no"
        ),
    ],
    ended: concat!(
        "SELECT r.no, r.status, r.failure, r.output FROM ",
        rows!(numbers),
        " STRAIGHT_JOIN durable_runs r FORCE INDEX (PRIMARY) ON r.no = v.no"
    ),
    // Locks the waits too, which nobody else touches: the run that they are for is locked.
    joiners: concat!(
        "SELECT j.target_no, j.run_no, j.seq FROM ",
        rows!(numbers),
        " STRAIGHT_JOIN durable_joins j FORCE INDEX (durable_joins_by_target) \
         ON j.target_no = v.no \
         STRAIGHT_JOIN durable_runs r FORCE INDEX (PRIMARY) ON r.no = j.run_no \
         WHERE r.status IN ",
        unfinished!(),
        " ORDER BY r.id, j.no FOR UPDATE"
    ),
    forget: concat!(
        "DELETE j FROM ",
        rows!(numbers),
        " STRAIGHT_JOIN durable_joins j FORCE INDEX (durable_joins_by_target) \
         ON j.target_no = v.no"
    ),
    ..SQLITE
};

/// The statements of a dialect.
pub(crate) const fn relations(dialect: Dialect) -> &'static RelationTexts {
    match dialect {
        Dialect::Sqlite => &SQLITE,
        Dialect::Postgres => &POSTGRES,
        Dialect::MySql => &MYSQL,
    }
}
