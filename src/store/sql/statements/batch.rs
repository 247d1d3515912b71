//! PostgreSQL: the journal's batch as one statement, put together from what the batch holds.
//!
//! The UPDATE of the run rows is the fence: it locks each row, and looks at the row that it has
//! locked. If a token does not hold, or if something has to be handed on, the statement divides by
//! zero: nothing of it happens, and the batch is written again with more care.
//!
//! Lists travel as few arrays, because the server makes a table of each array that it is given as a
//! column, which for a single row costs more than writing it. The rows are those of one array that
//! has a value of its own in each, and where a row finds its other values is counted:
//!
//! - All numbers of a list are one array, a row after the other. It has no NULL, so the server knows
//!   where each one lies without a search; the smallest number there is stands for NULL.
//! - A text is the number of a word in `$7`, in which each text of the batch is once. Few kinds,
//!   names and places make up a batch. Word 0 is NULL.
//!
//! What belongs to a run says at which place its commit stands; the numbers of the runs are an array
//! too, so that no join depends on what the planner believes about sizes. The commits are sorted by
//! run id, and a nested loop updates them in this order, so two batches do not wait for each other.

use std::sync::OnceLock;

/// What a batch holds, and so which parts its statement has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says whether a part of the statement is there"
)]
pub(crate) struct Shape {
    pub(crate) starts: bool,
    pub(crate) start_tags: bool,
    pub(crate) runs: bool,
    pub(crate) ends: bool,
    pub(crate) checkpoints: bool,
    pub(crate) taken: bool,
    pub(crate) published: bool,
    pub(crate) withdrawn: bool,
    pub(crate) waiters: bool,
    /// Whether what has to be handed on makes the statement fail. Otherwise it is only told.
    pub(crate) is_strict: bool,
}

/// How many shapes there are.
const SHAPES: usize = 1 << 10;

impl Shape {
    /// Its number among all shapes.
    fn number(self) -> usize {
        let parts = [
            self.starts,
            self.start_tags,
            self.runs,
            self.ends,
            self.checkpoints,
            self.taken,
            self.published,
            self.withdrawn,
            self.waiters,
            self.is_strict,
        ];
        parts
            .iter()
            .fold(0, |number, part| number * 2 + usize::from(*part))
    }
}

/// The SQLSTATE of a statement that asks for more care: `division_by_zero`.
pub(crate) const STOP: &str = "22012";

/// The number that stands for NULL in an array of numbers.
pub(crate) const NULL: i64 = i64::MIN;

/// How many numbers a row has: of a start, a run and a checkpoint.
pub(crate) const START_NUMBERS: usize = 6;
pub(crate) const RUN_NUMBERS: usize = 10;
pub(crate) const CHECKPOINT_NUMBERS: usize = 14;

/// Number `$at` of a row, of those in parameter `$list`.
macro_rules! number {
    ($list:literal, $at:literal) => {
        concat!("(", $list, "::bigint[])[x.at + ", $at, "]")
    };
}

/// The same, which may be NULL.
macro_rules! maybe {
    ($list:literal, $at:literal) => {
        concat!(
            "nullif(",
            number!($list, $at),
            ", '-9223372036854775808'::bigint)"
        )
    };
}

/// The word whose number it is.
macro_rules! word {
    ($list:literal, $at:literal) => {
        concat!("($7::text[])[", number!($list, $at), "]")
    };
}

/// `$1` is now.
const STARTS: &str = concat!(
    "s AS MATERIALIZED (SELECT nextval('durable_runs_no_seq') AS no, x.id, x.input, x.place, ",
    word!("$4", 1),
    " AS workflow, ",
    number!("$4", 2),
    " AS version, ",
    word!("$4", 3),
    " AS owner, ",
    number!("$4", 4),
    " AS due_at, ",
    word!("$4", 5),
    " AS tags, ",
    maybe!("$4", 6),
    " AS fingerprint \
     FROM (SELECT id, input, place, (place::int - 1) * 6 AS at \
         FROM unnest($2::text[], $3::bytea[]) WITH ORDINALITY u(id, input, place) OFFSET 0) x), \
 born AS (INSERT INTO durable_runs (no, id, workflow, version, status, token, owner, wake_at, \
         wakes, seen_wakes, recoveries, rev, created_at, updated_at, tags, fingerprint) \
     SELECT s.no, s.id, s.workflow, s.version, 'pending', \
         CASE WHEN s.owner IS NULL THEN 0 ELSE 1 END, s.owner, s.due_at, 0, 0, 0, 0, $1, $1, s.tags, \
         s.fingerprint \
     FROM s ON CONFLICT (id) DO NOTHING RETURNING no), \
 created AS (SELECT array_agg(no) AS a FROM born), \
 inputs AS (INSERT INTO durable_inputs (run_no, payload) \
     SELECT s.no, s.input FROM s WHERE s.no = ANY ((SELECT a FROM created)::bigint[]))"
);

const START_TAGS: &str = "start_tags AS (INSERT INTO durable_tags (tag, run_no) \
     SELECT t.tag, s.no FROM unnest($5::bigint[], $6::text[]) t(place, tag) \
     JOIN s ON s.place = t.place WHERE s.no = ANY ((SELECT a FROM created)::bigint[]) \
     ON CONFLICT DO NOTHING)";

/// `fate`: 0 waits, 1 is blocked, 2 has ended, 3 stays with its owner.
const RUNS: &str = concat!(
    "v AS (SELECT x.run, x.place, ",
    number!("$9", 1),
    " AS token, ",
    word!("$9", 2),
    " AS status, ",
    number!("$9", 3),
    " AS wake_at, ",
    number!("$9", 4),
    " AS seen_wakes, ",
    number!("$9", 5),
    " AS recoveries, ",
    number!("$9", 6),
    " AS rev, ",
    number!("$9", 7),
    " AS changed_at, ",
    word!("$9", 8),
    " AS failure, \
     ($10::bytea[])[",
    number!("$9", 9),
    "] AS output, ",
    number!("$9", 10),
    " AS fate \
     FROM (SELECT run, place, (place::int - 1) * 10 AS at \
         FROM unnest($8::text[]) WITH ORDINALITY u(run, place) OFFSET 0) x), \
 held AS (UPDATE durable_runs r SET \
     status = CASE WHEN r.status = 'cancelling' AND v.fate <> 2 THEN r.status ELSE v.status END, \
     wake_at = CASE WHEN v.fate = 3 THEN v.wake_at WHEN v.fate = 2 THEN 9223372036854775807 \
         WHEN v.fate = 1 AND r.status <> 'cancelling' THEN 9223372036854775807 \
         WHEN r.wakes > v.seen_wakes THEN $1 ELSE v.wake_at END, \
     owner = CASE WHEN v.fate = 3 THEN r.owner END, seen_wakes = v.seen_wakes, \
     recoveries = v.recoveries, rev = v.rev, updated_at = v.changed_at, failure = v.failure, \
     output = v.output, finished_at = CASE v.fate WHEN 3 THEN r.finished_at \
         WHEN 2 THEN v.changed_at END \
     FROM v WHERE r.id = v.run AND r.token = v.token \
     RETURNING v.place, v.fate, r.no, r.id, r.joined, r.status), \
 nos AS (SELECT array_agg(no ORDER BY place) AS a, \
     array_agg(no) FILTER (WHERE fate = 2) AS ended, \
     count(*) FILTER (WHERE fate = 2 AND (joined = 1 OR status = 'cancelled' AND EXISTS ( \
         SELECT FROM durable_runs c WHERE c.parent = held.id))) AS related, \
     1 / (CASE WHEN count(*) = $11 THEN 1 ELSE 0 END) AS complete FROM held)"
);

const CHECKPOINTS: &str = concat!(
    "put AS (INSERT INTO durable_checkpoints (run_no, seq, ord, kind, name, \
         status, attempt, wake_at, started_at, finished_at, rev, site, failure, events, result) \
     SELECT (SELECT a FROM nos)[",
    number!("$13", 1),
    "], ",
    number!("$13", 2),
    ", ",
    maybe!("$13", 3),
    ", ",
    word!("$13", 4),
    ", ",
    word!("$13", 5),
    ", ",
    word!("$13", 6),
    ", ",
    number!("$13", 7),
    ", ",
    maybe!("$13", 8),
    ", ",
    number!("$13", 9),
    ", ",
    maybe!("$13", 10),
    ", ",
    number!("$13", 11),
    ", ",
    word!("$13", 12),
    ", ",
    word!("$13", 13),
    ", ",
    word!("$13", 14),
    ", x.result \
     FROM (SELECT result, (place::int - 1) * 14 AS at \
         FROM unnest($12::bytea[]) WITH ORDINALITY u(result, place) OFFSET 0) x \
     ON CONFLICT (run_no, seq) DO UPDATE SET ord = excluded.ord, kind = excluded.kind, \
         name = excluded.name, status = excluded.status, attempt = excluded.attempt, \
         wake_at = excluded.wake_at, started_at = excluded.started_at, \
         finished_at = excluded.finished_at, rev = excluded.rev, site = excluded.site, \
         failure = excluded.failure, events = excluded.events, result = excluded.result)"
);

const TAKEN: &str = "taken AS (DELETE FROM durable_inbox i \
     USING unnest($14::int[], $15::bigint[]) t(place, id) \
     WHERE i.id = t.id AND i.run_no = (SELECT a FROM nos)[t.place])";

const PUBLISHED: &str = "published AS (INSERT INTO durable_published (run_no, name, payload) \
     SELECT (SELECT a FROM nos)[t.place], t.name, t.payload \
     FROM unnest($16::int[], $17::text[], $18::bytea[]) t(place, name, payload) \
     ON CONFLICT (run_no, name) DO UPDATE SET payload = excluded.payload)";

const WITHDRAWN: &str = "withdrawn AS (DELETE FROM durable_waiters w \
     USING unnest($19::int[], $20::bigint[]) t(place, seq) \
     WHERE w.run_no = (SELECT a FROM nos)[t.place] AND w.seq = t.seq)";

/// What an ended run leaves; a signal that was not taken stays for now, to be handed on.
const ENDS: &str = "ended_waits AS (DELETE FROM durable_waiters \
     WHERE run_no = ANY ((SELECT ended FROM nos)::bigint[])), \
 ended_listens AS (DELETE FROM durable_listens \
     WHERE run_no = ANY ((SELECT ended FROM nos)::bigint[])), \
 ended_items AS (DELETE FROM durable_inbox \
     WHERE run_no = ANY ((SELECT ended FROM nos)::bigint[]) AND kind <> 'signal')";

/// The waits are sorted, because their numbers say who waits longest and a plan may shuffle them.
/// The statement still sees the wait that it withdraws and the signal that it takes: neither of
/// them is in the way of a new wait of the same operation.
///
/// OFFSET 0 keeps a look into the inbox a look by run, for each wait: joined, it would scan the
/// table, because the planner believes that hardly any item is a signal.
const WAITERS: &str = "opened AS (INSERT INTO durable_waiters (run_no, seq, token) \
     SELECT (SELECT a FROM nos)[t.place], t.seq, t.token \
     FROM unnest($21::int[], $22::bigint[], $23::text[]) WITH ORDINALITY t(place, seq, token, nth) \
     WHERE NOT EXISTS (SELECT FROM durable_waiters w \
             WHERE w.run_no = (SELECT a FROM nos)[t.place] AND w.seq = t.seq AND w.token = t.token \
             AND NOT EXISTS (SELECT FROM unnest($19::int[], $20::bigint[]) g(place, seq) \
                 WHERE g.place = t.place AND g.seq = t.seq) OFFSET 0) \
         AND NOT EXISTS (SELECT FROM durable_signals g WHERE g.token = t.token AND g.buffered) \
         AND NOT EXISTS (SELECT FROM durable_inbox i WHERE i.run_no = (SELECT a FROM nos)[t.place] \
             AND i.seq = t.seq AND i.kind = 'signal' \
             AND NOT EXISTS (SELECT FROM unnest($14::int[], $15::bigint[]) g(place, id) \
                 WHERE g.place = t.place AND g.id = i.id) OFFSET 0) \
     ORDER BY t.nth \
     ON CONFLICT (run_no, seq) DO UPDATE SET no = excluded.no, token = excluded.token RETURNING no)";

/// Signals in the inboxes of ended runs, but for those that this batch takes (`$15`).
const LEFT_AT_END: &str = "FROM durable_inbox i \
     WHERE i.run_no = ANY ((SELECT ended FROM nos)::bigint[]) AND i.kind = 'signal' \
     AND NOT EXISTS (SELECT FROM unnest($14::int[], $15::bigint[]) t(place, id) \
         WHERE t.id = i.id AND i.run_no = (SELECT a FROM nos)[t.place])";

/// Waits that an end would close.
const OPEN_AT_END: &str = "FROM (SELECT no FROM durable_waiters \
         WHERE run_no = ANY ((SELECT ended FROM nos)::bigint[]) \
     UNION ALL SELECT no FROM durable_listens \
         WHERE run_no = ANY ((SELECT ended FROM nos)::bigint[])) o";

/// Signals that were delivered to withdrawn waits, but for those that this batch takes.
const LEFT_AT_WITHDRAWN: &str = "FROM unnest($19::int[], $20::bigint[]) t(place, seq), \
     LATERAL (SELECT id, run_no FROM durable_inbox WHERE run_no = (SELECT a FROM nos)[t.place] \
         AND seq = t.seq AND kind = 'signal' OFFSET 0) i \
     WHERE NOT EXISTS (SELECT FROM unnest($14::int[], $15::bigint[]) g(place, id) \
         WHERE g.id = i.id AND i.run_no = (SELECT a FROM nos)[g.place])";

/// The starts that were not created, with where their runs stood before this batch; NULL is a run
/// that a twin has stored meanwhile.
const FOUND: &str = "CASE WHEN cardinality((SELECT a FROM created)) = (SELECT count(*) FROM s) \
     THEN NULL ELSE (SELECT json_agg(json_build_array(s.place - 1, r.status))::text \
         FROM s LEFT JOIN durable_runs r ON r.id = s.id \
         WHERE s.no <> ALL (coalesce((SELECT a FROM created), '{}')::bigint[])) END, ";

/// The statement. Its answer: which starts were not created, as JSON pairs of place and status; 1 if
/// every token holds; 1 if signals are left over; how many waits were opened.
pub(crate) fn text(shape: Shape) -> &'static str {
    static TEXTS: [OnceLock<String>; SHAPES] = [const { OnceLock::new() }; SHAPES];
    let made = TEXTS.get(shape.number());
    made.map_or("", |made| made.get_or_init(|| make(shape)))
}

fn make(shape: Shape) -> String {
    let mut parts = Vec::with_capacity(10);
    let mut add = |wanted: bool, part: &'static str| {
        if wanted {
            parts.push(part);
        }
    };
    add(shape.starts, STARTS);
    add(shape.start_tags, START_TAGS);
    add(shape.runs, RUNS);
    add(shape.checkpoints, CHECKPOINTS);
    add(shape.taken, TAKEN);
    add(shape.published, PUBLISHED);
    add(shape.withdrawn, WITHDRAWN);
    add(shape.ends, ENDS);
    add(shape.waiters, WAITERS);
    let mut text = String::with_capacity(4096);
    text.push_str("WITH ");
    text.push_str(&parts.join(", "));
    text.push_str(" SELECT ");
    text.push_str(if shape.starts { FOUND } else { "NULL::text, " });
    text.push_str(if shape.runs {
        "(SELECT complete FROM nos), "
    } else {
        "1, "
    });
    push_left_over(&mut text, shape);
    text.push_str(if shape.waiters {
        ", (SELECT count(*) FROM opened)"
    } else {
        ", 0::bigint"
    });
    text
}

fn push_left_over(text: &mut String, shape: Shape) {
    // Counted and not asked for with EXISTS, for which the planner scans a table in the belief that
    // the first row comes soon; as a rule there is none.
    let any = |of: &str| format!("(SELECT count(*) {of}) > 0");
    let mut found = Vec::new();
    if shape.ends {
        found.push(any(LEFT_AT_END));
        // Others wait for its end, or it has children that are cancelled with it.
        found.push("(SELECT related FROM nos) > 0".to_owned());
        if shape.is_strict {
            found.push(any(OPEN_AT_END));
        }
    }
    if shape.withdrawn {
        found.push(any(LEFT_AT_WITHDRAWN));
    }
    if found.is_empty() {
        text.push_str("0::bigint");
        return;
    }
    let (yes, no) = if shape.is_strict { (0, 1) } else { (1, 0) };
    let flag = format!("CASE WHEN {} THEN {yes} ELSE {no} END", found.join(" OR "));
    // Strict: 1 / 0 stops the statement, 1 / 1 - 1 says that nothing is left over.
    text.push_str(&if shape.is_strict {
        format!("(1 / ({flag}) - 1)::bigint")
    } else {
        format!("({flag})::bigint")
    });
}
