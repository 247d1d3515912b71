//! The statements that forget. Numbers of runs travel as a JSON list; the words of statuses are
//! part of the text.

use std::fmt::Write as _;

use super::texts::Texts;
use crate::driver::sql::Dialect;
use crate::model::RunStatus;

/// What is forgotten.
pub(crate) struct PruneTexts {
    /// Removes the runs with the numbers in `$1` with everything that has their number. Index: key
    /// of each table; the tags are found by those of the rows.
    pub(crate) remove_runs: Texts,
    /// Removes the lines about the runs whose ids are in `$1`. Index: log by run.
    pub(crate) remove_lines: &'static str,
    /// How many operations the runs with the numbers in `$1` have: number, count.
    pub(crate) count_operations: &'static str,
    /// Lets run `$1` name `$3` as its next one, if that is `$2` now. Index: `id`.
    pub(crate) skip_link: &'static str,
    /// Signals after id `$1`, in order, no more than `$2`: id, whether one is buffered, when it was
    /// sent. Index: signal id.
    pub(crate) signals: &'static str,
    /// Forgets the taken signals after id `$1` and up to `$2` that were sent before `$3`, but for
    /// those in an inbox. It reads the inboxes, which hold what was not taken yet.
    pub(crate) forget_signals: &'static str,
}

/// The texts for a dialect.
pub(crate) const fn prune_texts(dialect: Dialect) -> &'static PruneTexts {
    match dialect {
        Dialect::Sqlite => &SQLITE,
        Dialect::Postgres => &POSTGRES,
        Dialect::MySql => &MYSQL,
    }
}

/// Which ended runs a rule names, for the run `$of`: their cutoffs are `$<first>` and what follows.
fn rules(of: &str, statuses: &[RunStatus], first: usize) -> String {
    let mut text = String::from("(1 = 0");
    for (at, status) in statuses.iter().enumerate() {
        let cutoff = first + at;
        let _ = write!(
            text,
            " OR {of}.status = '{status}' AND {of}.finished_at < ${cutoff}"
        );
    }
    text + ")"
}

/// Whether nobody needs the run `$of` any more, but for those that continue it.
///
/// On PostgreSQL, OFFSET 0 keeps a look by run a look by run: joined or hashed, it would scan the
/// table where its size is not known.
fn is_free(dialect: Dialect, of: &str) -> String {
    let alone = match dialect {
        Dialect::Postgres => " OFFSET 0",
        Dialect::Sqlite | Dialect::MySql => "",
    };
    format!(
        "NOT EXISTS (SELECT 1 FROM durable_runs p WHERE p.id = {of}.parent{alone}) \
         AND NOT EXISTS (SELECT 1 FROM durable_runs c WHERE c.parent = {of}.id AND c.status IN \
         ('pending', 'running', 'suspended', 'blocked', 'paused', 'cancelling'){alone})"
    )
}

/// Ended runs after end `$1` and number `$2`, before end `$3`, no more than `$4`, by their ends:
/// number, id, end, 1 if it may go, the next run if that is stored. Index: ends.
pub(crate) fn candidates(dialect: Dialect, statuses: &[RunStatus]) -> String {
    let (rules, is_free) = (rules("ended", statuses, 5), is_free(dialect, "ended"));
    let (by, one, zero) = match dialect {
        Dialect::Sqlite => ("", "1", "0"),
        Dialect::Postgres => ("", "1::bigint", "0::bigint"),
        Dialect::MySql => (" FORCE INDEX (durable_runs_ended)", "1", "0"),
    };
    format!(
        "SELECT ended.no, ended.id, ended.finished_at, \
         CASE WHEN {rules} AND {is_free} THEN {one} ELSE {zero} END, \
         (SELECT n.id FROM durable_runs n WHERE n.id = ended.next_run) FROM ( \
         SELECT r.no, r.id, r.status, r.finished_at, r.parent, r.next_run FROM durable_runs r{by} \
         WHERE r.finished_at IS NOT NULL AND r.finished_at >= $1 AND r.finished_at < $3 \
         AND (r.finished_at > $1 OR r.no > $2) \
         ORDER BY r.finished_at, r.no LIMIT $4) ended ORDER BY ended.finished_at, ended.no"
    )
}

/// Locks those of the runs with the numbers in `$1` that may still go, whose cutoffs are `$2` and
/// what follows: number, id, the next run if that is stored. A run that another pruner has locked
/// is left to it. Index: key.
pub(crate) fn lock_candidates(dialect: Dialect, statuses: &[RunStatus]) -> String {
    let (rules, is_free) = (rules("r", statuses, 2), is_free(dialect, "r"));
    let (from, at, lock) = match dialect {
        Dialect::Sqlite => (
            "durable_runs r",
            "r.no IN (SELECT value FROM json_each($1))",
            "",
        ),
        Dialect::Postgres => (
            "durable_runs r",
            "r.no = ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)::bigint))",
            " FOR UPDATE OF r SKIP LOCKED",
        ),
        Dialect::MySql => (
            "JSON_TABLE($1, '$[*]' COLUMNS (no BIGINT PATH '$')) v \
             STRAIGHT_JOIN durable_runs r FORCE INDEX (PRIMARY) ON r.no = v.no",
            "1 = 1",
            " FOR UPDATE SKIP LOCKED",
        ),
    };
    format!(
        "SELECT r.no, r.id, (SELECT n.id FROM durable_runs n WHERE n.id = r.next_run) FROM {from} \
         WHERE {at} AND r.finished_at IS NOT NULL AND {rules} AND {is_free} \
         ORDER BY r.finished_at, r.no{lock}"
    )
}

/// When the run ended that stands at place `$1` among the newest ends, from 0. Index: ends.
pub(crate) fn end_at(dialect: Dialect, statuses: &[RunStatus]) -> String {
    let words: Vec<String> = statuses.iter().map(|it| format!("'{it}'")).collect();
    let by = match dialect {
        Dialect::Sqlite | Dialect::Postgres => "",
        Dialect::MySql => " FORCE INDEX (durable_runs_ended)",
    };
    format!(
        "SELECT r.finished_at FROM durable_runs r{by} WHERE r.finished_at IS NOT NULL \
         AND r.status IN ({}) ORDER BY r.finished_at DESC LIMIT 1 OFFSET $1",
        words.join(", ")
    )
}

macro_rules! sqlite {
    ($table:literal, $column:literal) => {
        concat!(
            "DELETE FROM ",
            $table,
            " WHERE ",
            $column,
            " IN (SELECT value FROM json_each($1));"
        )
    };
}

const SQLITE: PruneTexts = PruneTexts {
    remove_runs: &[
        sqlite!("durable_checkpoints", "run_no"),
        sqlite!("durable_published", "run_no"),
        sqlite!("durable_waiters", "run_no"),
        sqlite!("durable_inbox", "run_no"),
        sqlite!("durable_joins", "run_no"),
        sqlite!("durable_listens", "run_no"),
        sqlite!("durable_heard", "run_no"),
        "DELETE FROM durable_tags WHERE rowid IN (SELECT t.rowid FROM json_each($1) v \
         CROSS JOIN durable_runs r ON r.no = v.value CROSS JOIN json_each(r.tags) g \
         CROSS JOIN durable_tags t ON t.tag = g.value AND t.run_no = r.no);",
        sqlite!("durable_attributes", "run_no"),
        sqlite!("durable_inputs", "run_no"),
        sqlite!("durable_runs", "no"),
    ],
    remove_lines: sqlite!("durable_audit", "run_id"),
    count_operations: "SELECT c.run_no, count(*) FROM durable_checkpoints c \
         WHERE c.run_no IN (SELECT value FROM json_each($1)) GROUP BY c.run_no;",
    skip_link: "UPDATE durable_runs SET next_run = $3 WHERE id = $1 AND next_run = $2;",
    signals: "SELECT s.id, s.buffered, s.sent_at FROM durable_signals s WHERE s.id > $1 \
         ORDER BY s.id LIMIT $2;",
    forget_signals: "DELETE FROM durable_signals WHERE id > $1 AND id <= $2 AND buffered = 0 \
         AND sent_at < $3 AND id NOT IN ( \
         SELECT i.signal_id FROM durable_inbox i WHERE i.signal_id IS NOT NULL);",
};

macro_rules! postgres {
    ($table:literal, $column:literal) => {
        concat!(
            "DELETE FROM ",
            $table,
            " WHERE ",
            $column,
            " = ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)::bigint))"
        )
    };
}

const POSTGRES: PruneTexts = PruneTexts {
    remove_runs: &[
        postgres!("durable_checkpoints", "run_no"),
        postgres!("durable_published", "run_no"),
        postgres!("durable_waiters", "run_no"),
        postgres!("durable_inbox", "run_no"),
        postgres!("durable_joins", "run_no"),
        postgres!("durable_listens", "run_no"),
        postgres!("durable_heard", "run_no"),
        "DELETE FROM durable_tags WHERE tag = ANY (ARRAY( \
         SELECT DISTINCT jsonb_array_elements_text(r.tags::jsonb) FROM durable_runs r \
         WHERE r.no = ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)::bigint)))) \
         AND run_no = ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)::bigint))",
        postgres!("durable_attributes", "run_no"),
        postgres!("durable_inputs", "run_no"),
        postgres!("durable_runs", "no"),
    ],
    remove_lines: "DELETE FROM durable_audit WHERE no = ANY (ARRAY(SELECT l.no \
         FROM jsonb_array_elements_text($1::jsonb) v(id), \
         LATERAL (SELECT a.no FROM durable_audit a WHERE a.run_id = v.id OFFSET 0) l))",
    count_operations: "SELECT c.run_no, count(*) FROM durable_checkpoints c \
         WHERE c.run_no = ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)::bigint)) \
         GROUP BY c.run_no",
    skip_link: "UPDATE durable_runs SET next_run = $3 WHERE id = $1 AND next_run = $2",
    signals: "SELECT s.id, CASE WHEN s.buffered THEN 1::bigint ELSE 0::bigint END, s.sent_at \
         FROM durable_signals s WHERE s.id > $1 ORDER BY s.id LIMIT $2",
    forget_signals: "DELETE FROM durable_signals s WHERE s.id > $1 AND s.id <= $2 \
         AND NOT s.buffered AND s.sent_at < $3 \
         AND NOT EXISTS (SELECT FROM durable_inbox i WHERE i.signal_id = s.id)",
};

macro_rules! mysql {
    ($table:literal, $column:literal, $by:literal) => {
        concat!(
            "DELETE t FROM JSON_TABLE($1, '$[*]' COLUMNS (no BIGINT PATH '$')) v STRAIGHT_JOIN ",
            $table,
            " t FORCE INDEX (",
            $by,
            ") ON t.",
            $column,
            " = v.no"
        )
    };
}

const MYSQL: PruneTexts = PruneTexts {
    remove_runs: &[
        mysql!("durable_checkpoints", "run_no", "PRIMARY"),
        mysql!("durable_published", "run_no", "PRIMARY"),
        mysql!("durable_waiters", "run_no", "durable_waiters_run"),
        mysql!("durable_inbox", "run_no", "durable_inbox_by_run"),
        mysql!("durable_joins", "run_no", "durable_joins_run"),
        mysql!("durable_listens", "run_no", "durable_listens_run"),
        mysql!("durable_heard", "run_no", "PRIMARY"),
        "DELETE t FROM JSON_TABLE($1, '$[*]' COLUMNS (no BIGINT PATH '$')) n \
         STRAIGHT_JOIN durable_runs r FORCE INDEX (PRIMARY) ON r.no = n.no \
         STRAIGHT_JOIN JSON_TABLE(r.tags, '$[*]' COLUMNS ( \
         tag VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$')) v \
         STRAIGHT_JOIN durable_tags t FORCE INDEX (PRIMARY) ON t.tag = v.tag AND t.run_no = r.no",
        mysql!("durable_attributes", "run_no", "PRIMARY"),
        mysql!("durable_inputs", "run_no", "PRIMARY"),
        mysql!("durable_runs", "no", "PRIMARY"),
    ],
    remove_lines: "DELETE t FROM JSON_TABLE($1, '$[*]' COLUMNS ( \
         id VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$')) v \
         STRAIGHT_JOIN durable_audit t FORCE INDEX (durable_audit_by_run) ON t.run_id = v.id",
    count_operations: "SELECT c.run_no, count(*) \
         FROM JSON_TABLE($1, '$[*]' COLUMNS (no BIGINT PATH '$')) v \
         STRAIGHT_JOIN durable_checkpoints c FORCE INDEX (PRIMARY) ON c.run_no = v.no \
         GROUP BY c.run_no",
    skip_link: "UPDATE durable_runs SET next_run = $3 WHERE id = $1 AND next_run = $2",
    signals: "SELECT s.id, s.buffered, s.sent_at FROM durable_signals s FORCE INDEX (PRIMARY) \
         WHERE s.id > $1 ORDER BY s.id LIMIT $2",
    forget_signals: "DELETE s FROM durable_signals s LEFT JOIN ( \
         SELECT DISTINCT i.signal_id FROM durable_inbox i WHERE i.signal_id IS NOT NULL) held \
         ON held.signal_id = s.id WHERE s.id > $1 AND s.id <= $2 AND s.buffered = 0 \
         AND s.sent_at < $3 AND held.signal_id IS NULL",
};
