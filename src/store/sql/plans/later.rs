//! Statements about what still lives and what is forgotten, with values.

use super::cases::{Case, ID, Int, Text, Value, case};
use crate::driver::sql::Dialect;
use crate::model::RunStatus;
use crate::store::sql::listing;
use crate::store::sql::statements::{candidates, end_at, live_flows, lock_candidates, prune_texts};

/// What counts the live runs by their flow.
pub(super) fn flows(dialect: Dialect) -> Vec<Case> {
    let values = [Int(200), Int(3), Text("checkout")];
    let by = match dialect {
        Dialect::MySql => "durable_runs_ended",
        Dialect::Sqlite | Dialect::Postgres => "durable_runs_not_completed",
    };
    let case = |name, is_narrow, values: &[Value], by: &[&'static str]| {
        case(name, live_flows(dialect, is_narrow), values, by)
    };
    vec![
        case("live flows", false, &values[..2], &[by]),
        case("live flows of a workflow", true, &values, &[by]),
    ]
}

/// What lists the runs of a workflow, where an index of workflows costs commits nothing.
pub(super) fn of_workflow(list: &'static str) -> Case {
    let list = list.replace("durable_runs_newest", "durable_runs_of");
    case(
        "of a workflow that nobody has",
        format!("{list} AND workflow = $1 ORDER BY created_at DESC, id DESC LIMIT 51"),
        &[Text("nobody")],
        &["durable_runs_of"],
    )
}

/// The ways by which MySQL and MariaDB are told to find the runs of a list.
pub(super) fn ways() -> Vec<Case> {
    let by = |name: &str| match name {
        "tagged" | "newest of a tag" => (&[Text("tag-5")][..], "PRIMARY"),
        "live" => (&[][..], "durable_runs_ended"),
        _ => (&[][..], "durable_runs_aside"),
    };
    let ways = listing::ways().into_iter().map(|(name, text)| {
        let (values, index) = by(name);
        case(name, text, values, &[index])
    });
    ways.collect()
}

/// What is forgotten.
pub(super) fn forgotten(dialect: Dialect) -> Vec<Case> {
    let texts = prune_texts(dialect);
    let statuses = [RunStatus::Completed, RunStatus::Failed];
    let nos = [Text("[77, 78]"), Int(1_001_000), Int(1_001_500)];
    let look = [
        Int(1_000_000),
        Int(70),
        Int(1_002_000),
        Int(100),
        Int(1_001_000),
        Int(1_001_500),
    ];
    let by_end = &["durable_runs_ended"][..];
    let link = [Text("run-77"), Text("run-78"), Text("run-79")];
    let mut cases = vec![
        case("ended runs", candidates(dialect, &statuses), &look, by_end),
        case(
            "lock ended runs",
            lock_candidates(dialect, &statuses),
            &nos,
            &[],
        ),
        case("count operations", texts.count_operations, &nos[..1], &[]),
        case("skip a link", texts.skip_link, &link, &[]),
        case("signals by id", texts.signals, &[ID, Int(100)], &[]),
        case(
            "remove lines",
            texts.remove_lines,
            &[Text(r#"["run-77", "run-78"]"#)],
            &["durable_audit_by_run"],
        ),
    ];
    // PostgreSQL reads the table for it where it has not gathered statistics, once a sweep.
    if dialect != Dialect::Postgres {
        let text = end_at(dialect, &statuses);
        cases.push(case("newest ends", text, &[Int(50)], by_end));
    }
    for (at, text) in texts.remove_runs.iter().enumerate() {
        cases.push(case(&format!("remove runs {at}"), *text, &nos[..1], &[]));
    }
    cases
}
