//! The statements for what operators change. Databases differ little in them: SQLite runs several
//! statements as one text and needs their ends, and the servers lock the row that they look at.

use super::texts::Texts;
use crate::driver::sql::Dialect;

/// What an operator's change does beside the journal's own statements.
pub(crate) struct AmendTexts {
    /// Run `$1`: no, status, token, rev, owner. Locked until the transaction ends. Index: `id`.
    pub(crate) lock_run: &'static str,
    /// Takes run number `$1` from its owner; the new token refuses him.
    pub(crate) take: &'static str,
    /// Gives run number `$1` the input `$2`.
    pub(crate) set_input: &'static str,
    /// Notes that run number `$1` begins anew under flow `$2`.
    pub(crate) set_flow: &'static str,
    /// Removes the checkpoint of run number `$1` at `$2`.
    pub(crate) remove_one: &'static str,
    /// Removes all that run number `$1` has recorded and published.
    pub(crate) remove_history: Texts,
    /// Writes a line about run `$1`: at `$2`, actor `$3`, reason `$4`, action `$5`, detail `$6`.
    pub(crate) write_line: &'static str,
    /// The newest `$2` lines about run `$1`. Index: log by run.
    pub(crate) lines: &'static str,
}

/// The texts for a dialect.
pub(crate) const fn amend_texts(dialect: Dialect) -> &'static AmendTexts {
    match dialect {
        Dialect::Sqlite => &SQLITE,
        Dialect::Postgres => &POSTGRES,
        Dialect::MySql => &MYSQL,
    }
}

/// The texts with `$end` after each statement, and `$lock` behind a look that locks.
macro_rules! texts {
    ($end:literal, $lock:literal) => {
        AmendTexts {
            lock_run: concat!(
                "SELECT no, status, token, rev, owner FROM durable_runs WHERE id = $1",
                $lock,
                $end
            ),
            take: concat!(
                "UPDATE durable_runs SET owner = NULL, token = token + 1 WHERE no = $1",
                $end
            ),
            set_input: concat!(
                "UPDATE durable_inputs SET payload = $2 WHERE run_no = $1",
                $end
            ),
            set_flow: concat!(
                "UPDATE durable_runs SET fingerprint = $2 WHERE no = $1",
                $end
            ),
            remove_one: concat!(
                "DELETE FROM durable_checkpoints WHERE run_no = $1 AND seq = $2",
                $end
            ),
            remove_history: &[
                concat!("DELETE FROM durable_checkpoints WHERE run_no = $1", $end),
                concat!("DELETE FROM durable_published WHERE run_no = $1", $end),
            ],
            write_line: concat!(
                "INSERT INTO durable_audit (run_id, acted_at, actor, reason, action, detail) \
                 VALUES ($1, $2, $3, $4, $5, $6)",
                $end
            ),
            lines: concat!(
                "SELECT run_id, acted_at, actor, reason, action, detail FROM durable_audit \
                 WHERE run_id = $1 ORDER BY no DESC LIMIT $2",
                $end
            ),
        }
    };
}

const SQLITE: AmendTexts = texts!(";", "");
const POSTGRES: AmendTexts = texts!("", " FOR UPDATE");
const MYSQL: AmendTexts = texts!("", " FOR UPDATE");
