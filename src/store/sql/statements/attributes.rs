//! The statements about search attributes, for each database.

use crate::driver::sql::Dialect;

/// Search attributes. Rows travel as one JSON text. Index: the key of attributes, the key of runs.
pub(crate) struct AttributeTexts {
    /// Sets the rows of `$1`: run number, key, kind, number, text.
    pub(crate) set: &'static str,
    /// Removes the rows of `$1`: run number, key.
    pub(crate) remove: &'static str,
    /// Those of the run numbers in `$1`: run number, key, kind, number, text.
    pub(crate) read: &'static str,
    /// Writes the copies of `$1` into the rows of the runs: run number, JSON.
    pub(crate) copy: &'static str,
}

/// The texts for a dialect.
pub(crate) const fn attributes(dialect: Dialect) -> &'static AttributeTexts {
    match dialect {
        Dialect::Sqlite => &SQLITE,
        Dialect::Postgres => &POSTGRES,
        Dialect::MySql => &MYSQL,
    }
}

const SQLITE: AttributeTexts = AttributeTexts {
    set: "INSERT INTO durable_attributes (run_no, name, kind, num, word) \
         SELECT v.value->>0, v.value->>1, v.value->>2, v.value->>3, v.value->>4 \
         FROM jsonb_each($1) v WHERE true ON CONFLICT (run_no, name) DO UPDATE SET \
         kind = excluded.kind, num = excluded.num, word = excluded.word;",
    remove: "DELETE FROM durable_attributes WHERE (run_no, name) IN \
         (SELECT v.value->>0, v.value->>1 FROM jsonb_each($1) v);",
    read: "SELECT a.run_no, a.name, a.kind, a.num, a.word FROM jsonb_each($1) v \
         CROSS JOIN durable_attributes a ON a.run_no = v.value;",
    copy: "UPDATE durable_runs AS r SET attributes = v.value->>1 FROM jsonb_each($1) v \
         WHERE r.no = v.value->>0;",
};

const POSTGRES: AttributeTexts = AttributeTexts {
    set: "INSERT INTO durable_attributes (run_no, name, kind, num, word) \
         SELECT (v.x->>0)::bigint, v.x->>1, v.x->>2, (v.x->>3)::bigint, v.x->>4 \
         FROM jsonb_array_elements($1::jsonb) v(x) ON CONFLICT (run_no, name) DO UPDATE SET \
         kind = excluded.kind, num = excluded.num, word = excluded.word",
    remove: "DELETE FROM durable_attributes a USING jsonb_array_elements($1::jsonb) v(x) \
         WHERE a.run_no = (v.x->>0)::bigint AND a.name = v.x->>1 AND a.run_no = ANY (ARRAY( \
         SELECT (e.value->>0)::bigint FROM jsonb_array_elements($1::jsonb) e))",
    read: "SELECT run_no, name, kind, num, word FROM durable_attributes WHERE run_no = ANY (ARRAY( \
         SELECT e.value::bigint FROM jsonb_array_elements_text($1::jsonb) e))",
    copy: "UPDATE durable_runs r SET attributes = v.x->>1 \
         FROM jsonb_array_elements($1::jsonb) v(x) WHERE r.no = (v.x->>0)::bigint \
         AND r.no = ANY (ARRAY( \
         SELECT (e.value->>0)::bigint FROM jsonb_array_elements($1::jsonb) e))",
};

const MYSQL: AttributeTexts = AttributeTexts {
    set: "INSERT INTO durable_attributes (run_no, name, kind, num, word) \
         SELECT v.run_no, v.name, v.kind, v.num, v.word FROM JSON_TABLE($1, '$[*]' COLUMNS ( \
         run_no BIGINT PATH '$[0]', name VARCHAR(64) PATH '$[1]', kind VARCHAR(8) PATH '$[2]', \
         num BIGINT PATH '$[3]', word VARCHAR(255) CHARACTER SET utf8mb4 PATH '$[4]')) v \
         ON DUPLICATE KEY UPDATE kind = v.kind, num = v.num, word = v.word",
    remove: "DELETE a FROM JSON_TABLE($1, '$[*]' COLUMNS (run_no BIGINT PATH '$[0]', \
         name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[1]')) v \
         STRAIGHT_JOIN durable_attributes a FORCE INDEX (PRIMARY) \
         ON a.run_no = v.run_no AND a.name = v.name",
    read: "SELECT a.run_no, a.name, a.kind, a.num, CONVERT(a.word USING utf8mb4) \
         FROM JSON_TABLE($1, '$[*]' COLUMNS (no BIGINT PATH '$')) v \
         STRAIGHT_JOIN durable_attributes a FORCE INDEX (PRIMARY) ON a.run_no = v.no",
    copy: "UPDATE JSON_TABLE($1, '$[*]' COLUMNS (no BIGINT PATH '$[0]', \
         copy LONGTEXT PATH '$[1]')) v \
         STRAIGHT_JOIN durable_runs r FORCE INDEX (PRIMARY) ON r.no = v.no \
         SET r.attributes = v.copy",
};
