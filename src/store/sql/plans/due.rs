//! What is due, with values.

use super::cases::{Case, Int, Null, Text, Value, case};
use crate::store::sql::statements::Statements;

/// Claims and looks: by one index for the usual runs and one for the others, or, where each
/// priority has a statement of its own, by that priority's part of an index.
pub(super) fn due(texts: &Statements) -> Vec<Case> {
    let due = &texts.lease.due;
    let workflows = Text(r#"[["checkout", 1]]"#);
    let (me, shop) = (Text("i-1"), Text("shop"));
    let claim = [workflows, me, Int(5_000), Int(16), shop];
    let look = [workflows, me, shop];
    let Some(ranked) = &due.ranked else {
        let both = ["durable_runs_due", "durable_runs_ranked"];
        return vec![
            case("claim", due.claim, &claim, &both),
            case("look", due.look, &look, &both),
        ];
    };
    // The time is part of the range: what waits for later, and what has ended, is not read.
    let range = ["range", "durable_runs_due"];
    let constant = ["optimized away"];
    let with = |values: &[Value], priority| [values, &[priority]].concat();
    let usual = |text: &str| text.replace("n.owner IS NULL", "n.owner = 'nobody'");
    vec![
        case("claim", usual(due.claim), &claim, &range),
        case("claim among others", due.claim, &claim, &constant),
        case("look", due.look, &look, &[range[1], constant[0]]),
        case("usual", ranked.claim, &with(&claim, Null), &range),
        case("ranked", ranked.claim, &with(&claim, Int(7)), &range),
        case("ahead", ranked.look, &with(&look, Int(7)), &range),
        case("next priority", ranked.next, &[Int(7)], &constant),
    ]
}
