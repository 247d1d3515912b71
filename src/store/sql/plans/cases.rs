//! The statements whose plans are looked at, with values.

use crate::store::sql::statements::{
    AmendTexts, Statements, batch, batch::Shape, events::EventTexts, relations::RelationTexts,
};

/// A value for a placeholder.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value {
    Int(i64),
    Text(&'static str),
    Blob(&'static str),
    /// An array of PostgreSQL, with its type.
    Array(&'static str, &'static str),
    Null,
}

pub(super) use Value::{Array, Blob, Int, Null, Text};

impl Value {
    pub(super) fn literal(self) -> String {
        match self {
            Int(number) => number.to_string(),
            Text(text) | Array(text, _) => format!("'{text}'"),
            Blob(hex) => format!("x'{hex}'"),
            Null => "NULL".to_owned(),
        }
    }

    pub(super) fn postgres(self) -> (String, &'static str) {
        match self {
            Int(_) => (self.literal(), "bigint"),
            Text(_) | Null => (self.literal(), "text"),
            Blob(hex) => (format!("'\\x{hex}'"), "bytea"),
            Array(_, kind) => (self.literal(), kind),
        }
    }
}

/// A statement, and what its plan must name.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) values: Vec<Value>,
    /// Indexes by which it finds its rows; where the databases differ, the test of one says so.
    pub(super) by: Vec<&'static str>,
}

pub(super) const BLOB: Value = Blob("6162");
pub(super) const ID: Value = Blob("00000000000000000000000000000007");

pub(super) fn case(
    name: &str,
    text: impl Into<String>,
    values: &[Value],
    by: &[&'static str],
) -> Case {
    Case {
        name: name.to_owned(),
        text: text.into(),
        values: values.to_vec(),
        by: by.to_vec(),
    }
}

/// The statements that every database has.
pub(super) fn common(texts: &Statements) -> Vec<Case> {
    let (lease, deliver, read) = (&texts.lease, &texts.deliver, &texts.read);
    let run = [Text("run-77"), Int(3)];
    let page = "ORDER BY created_at DESC, id DESC LIMIT 51";
    let after = "AND created_at <= $1 AND (created_at, id) < ($1, $2)";
    let mut cases = vec![
        case("others", lease.others, &[Text("i-1")], &[]),
        case("held", read.held, &[Text("i-1")], &[]),
        case("instances", read.instances, &[], &[]),
        case(
            "give back",
            lease.give_back,
            &[Text("i-1"), Int(1), Int(1)],
            &[],
        ),
        case("exceeding", lease.exceeding, &[Text("i-1"), Int(3)], &[]),
        case("run", read.run, &run[..1], &[]),
        case("changed", read.changed_since, &run, &[]),
        case("find run", deliver.find_run, &run[..1], &[]),
        case(
            "find waiter",
            deliver.find_waiter,
            &[ID, Text("token-5")],
            &["durable_waiters_by_token"],
        ),
        case("find next waiter", deliver.find_next_waiter, &[ID], &[]),
        case(
            "find item",
            deliver.find_item,
            &[Int(7), Text("signal"), Int(1), Int(1)],
            &["durable_inbox_by_run"],
        ),
        case(
            "newest",
            format!("{} {page}", read.list),
            &[],
            &["durable_runs_newest"],
        ),
        case(
            "older than",
            format!("{} {after} {page}", read.list),
            &[Int(1_003_000), Text("run-3000")],
            &["durable_runs_newest"],
        ),
    ];
    cases.extend(common_scripts(texts));
    cases
}

/// What is served by an index that covers a part of a table.
pub(super) fn partial(texts: &Statements) -> Vec<Case> {
    let list = texts.read.list;
    let waiting = "AND status IN ('suspended', 'running') AND output IS NULL";
    let page = "ORDER BY created_at DESC, id DESC LIMIT 51";
    let after = "AND created_at <= $1 AND (created_at, id) < ($1, $2)";
    let by = ["durable_runs_not_completed"];
    vec![
        case("waiting", format!("{list} {waiting} {page}"), &[], &by),
        case(
            "waiting, older than",
            format!("{list} {waiting} {after} {page}"),
            &[Int(1_003_000), Text("run-3000")],
            &by,
        ),
    ]
}

/// Those of several statements.
pub(super) fn common_scripts(texts: &Statements) -> Vec<Case> {
    let (lease, deliver, read) = (&texts.lease, &texts.deliver, &texts.read);
    let run = [Text("run-77"), Int(3)];
    let numbers = [Text("[7, 8, 9]"), Text("i-1"), Int(5_000)];
    let mut cases = Vec::new();
    let mut several = |name: &str, texts: &[&str], values: &[Value]| {
        for (at, text) in texts.iter().enumerate() {
            cases.push(case(&format!("{name} {at}"), *text, values, &[]));
        }
    };
    several("claim found", lease.claim_found, &numbers);
    several("histories", lease.histories, &numbers);
    several("load", read.load, &run);
    let wait = [Int(7), Int(1), Text("token-5")];
    several("look at wait", deliver.look_at_wait, &wait);
    several("take waiter", deliver.take_waiter, &[Int(7), ID]);
    several("close all", deliver.close_all, &numbers[..1]);
    several("close wait", deliver.close_wait, &wait);
    cases
}

/// What operators change.
pub(super) fn amended(texts: &AmendTexts) -> Vec<Case> {
    let log = [Text("run-77"), Int(200)];
    let no = [Int(77), Int(1)];
    let mut cases = vec![
        case("lock a run", texts.lock_run, &log[..1], &[]),
        case("take a run", texts.take, &no[..1], &[]),
        case("set an input", texts.set_input, &[Int(77), BLOB], &[]),
        case("set a flow", texts.set_flow, &no, &[]),
        case("remove a checkpoint", texts.remove_one, &no, &[]),
        case("log", texts.lines, &log, &["durable_audit_by_run"]),
    ];
    for (at, text) in texts.remove_history.iter().enumerate() {
        cases.push(case(
            &format!("remove a history {at}"),
            *text,
            &no[..1],
            &[],
        ));
    }
    cases
}

/// How runs belong together.
pub(super) fn related(texts: &RelationTexts) -> Vec<Case> {
    let ids = [Text(r#"["run-77", "run-78"]"#)];
    let numbers = [Text("[77, 78]"), Int(9)];
    let waits = [Text("[[77, 1, 78]]")];
    let bound = [Text(r#"[["run-77", "run-78", 1, 9, "default", 7]]"#)];
    let ends = [Text(r#"[[77, 1, "{}", 1, 1]]"#), BLOB];
    let woken = [Text("[[77, 2]]"), Int(9)];
    let no = [Int(77), Int(78)];
    let successor = [Int(77), Text("run-78")];
    let by_target = &["durable_joins_by_target"][..];
    let mut cases = vec![
        case("find runs", texts.find, &ids, &[]),
        case("bind", texts.bind, &bound, &[]),
        case("set next", texts.set_next, &successor, &[]),
        case("hand on", texts.hand_on, &no, by_target),
        case("make due", texts.make_due, &numbers, &[]),
        case("how runs ended", texts.ended, &numbers[..1], &[]),
        case("joiners", texts.joiners, &numbers[..1], by_target),
        case("forget joins", texts.forget, &numbers[..1], by_target),
        case(
            "children",
            texts.children,
            &[Text("run-77")],
            &["durable_runs_children"],
        ),
    ];
    for (name, script, values) in [
        ("mark as joined", texts.mark, &ids[..]),
        ("look at joins", texts.look, &waits[..]),
        ("put ends", texts.put_ends, &ends[..]),
        ("wake", texts.wake, &woken[..]),
    ] {
        for (at, text) in script.iter().enumerate() {
            // A statement that names fewer values than there are takes no more.
            let values = if text.contains("$2") {
                values
            } else {
                values.get(..1).unwrap_or(values)
            };
            cases.push(case(&format!("{name} {at}"), *text, values, &[]));
        }
    }
    cases
}

/// Events.
pub(super) fn heard(texts: &EventTexts) -> Vec<Case> {
    let run = [Int(77), Int(1)];
    let facts = Text("[77, 78, 5000]");
    let waits = [Text("[[77, 1, 77], [78, 1, 78]]"), ID, BLOB, Int(5)];
    let kept = [Int(77), Int(5), Text("[6]"), Int(1_100)];
    let known = [ID, Int(9), Int(5)];
    let keep = [ID, Text("paid"), Int(9), BLOB, facts];
    let take = [Int(77), Int(1), ID, BLOB, Int(5)];
    let by_anchor = &["durable_listens_by_anchor"][..];
    let mut cases = vec![
        case("waits for an event", texts.find, &[facts], by_anchor),
        case(
            "hear an event",
            texts.heard,
            &[Int(77), ID],
            &["durable_events_by_id"],
        ),
        case("waits of a run", texts.open_waits, &run[..1], &[]),
        case("kept events", texts.kept, &kept, &[]),
    ];
    if let Some(lock) = texts.lock {
        cases.push(case("lock listeners", lock, &[facts], by_anchor));
    }
    for (name, script, values) in [
        ("expired events", texts.expired, &[Int(1_050)][..]),
        ("forget events", texts.forget, &[facts]),
        ("publish an event", texts.publish, &known),
        ("keep an event", texts.keep, &keep),
        ("hand an event over", texts.hand_over, &waits),
        ("close a wait for an event", texts.close, &run),
        ("look at a wait for an event", texts.look, &run),
        ("take an event", texts.take, &take),
    ] {
        let script = script.iter().enumerate();
        // An insert of values looks for nothing.
        for (at, text) in script.filter(|(_, text)| !text.starts_with("INSERT")) {
            cases.push(case(&format!("{name} {at}"), *text, values, &[]));
        }
    }
    cases
}

/// The batch of SQLite and MySQL, one run of each kind.
pub(super) fn batch_of_rows(texts: &Statements) -> Vec<Case> {
    let Some(commit) = &texts.commit else {
        return Vec::new();
    };
    let start = Text(r#"[["new", "checkout", 1, null, 5, "[\"t\"]", 1, 1, 7]]"#);
    let kept = Text(r#"[["run-77", 1, "running", 5, 0, 0, 3, 9, null, null, null, 3]]"#);
    let ended = Text(r#"[["run-78", 1, "completed", 5, 0, 0, 3, 9, null, 1, 1, 2]]"#);
    let put = Text(
        r#"[["run-77", 1, 4, 1, "step", "n", "completed", 1, 5, 5, 5, 3, "s", null, null, 1, 1]]"#,
    );
    let item = Text(r#"[["run-77", 1, 9]]"#);
    let published = Text(r#"[["run-77", 1, "key", 1, 1]]"#);
    let wait = Text(r#"[["run-77", 1, 4, "token-5"]]"#);
    let values = [
        start,
        BLOB,
        Int(5),
        kept,
        ended,
        put,
        item,
        published,
        item,
        wait,
        Int(1),
        Int(1),
        Int(1),
    ];
    let mut cases = Vec::new();
    for (name, text) in [
        ("insert runs", commit.insert_runs),
        ("insert inputs", commit.insert_inputs),
        ("tag starts", commit.tag_starts),
        ("keep runs", commit.keep_runs),
        ("release runs", commit.release_runs),
        ("put checkpoints", commit.put_checkpoints),
        ("take items", commit.take_items),
        ("publish", commit.publish),
        ("close waits", commit.close_waits),
        ("close listens", commit.close_listens),
        ("untaken", commit.untaken),
        ("open waits", commit.open_waits),
    ] {
        cases.push(case(name, text, &values, &[]));
    }
    if let Some(text) = commit.count_open {
        cases.push(case("count open waits", text, &values, &[]));
    }
    cases
}

/// One value for each placeholder of the batch of PostgreSQL.
fn array_values() -> Vec<Value> {
    const TEXTS: Value = Array("{run-77}", "text[]");
    const WORDS: Value = Array("{work}", "text[]");
    const START: Value = Array("{1,1,0,5,0,7}", "bigint[]");
    const RUN: Value = Array("{1,1,5,0,0,1,5,0,0,3}", "bigint[]");
    const CHECKPOINT: Value = Array("{1,1,1,1,1,1,1,1,5,5,1,0,0,0}", "bigint[]");
    const INTS: Value = Array("{1}", "bigint[]");
    const BLOBS: Value = Array("{ab}", "bytea[]");
    vec![
        Int(5),
        TEXTS,
        BLOBS,
        START,
        INTS,
        TEXTS,
        WORDS,
        TEXTS,
        RUN,
        BLOBS,
        Int(1),
        BLOBS,
        CHECKPOINT,
        INTS,
        INTS,
        INTS,
        TEXTS,
        BLOBS,
        INTS,
        INTS,
        INTS,
        INTS,
        TEXTS,
    ]
}

/// The batch of PostgreSQL in several shapes.
pub(super) fn batch_of_arrays() -> Vec<Case> {
    let values = array_values();
    let runs = Shape {
        runs: true,
        checkpoints: true,
        is_strict: true,
        ..Shape::default()
    };
    let ends = Shape { ends: true, ..runs };
    let waits = Shape {
        waiters: true,
        ..runs
    };
    let all = Shape {
        starts: true,
        start_tags: true,
        taken: true,
        published: true,
        withdrawn: true,
        waiters: true,
        ..ends
    };
    let loose = Shape {
        is_strict: false,
        ..all
    };
    let shapes = [
        ("runs", runs),
        ("ends", ends),
        ("waits", waits),
        ("all", all),
        ("loose", loose),
    ];
    shapes
        .iter()
        .map(|(name, shape)| case(&format!("batch {name}"), batch::text(*shape), &values, &[]))
        .collect()
}
