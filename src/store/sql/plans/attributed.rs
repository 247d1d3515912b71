//! The statements about search attributes.

use super::cases::{Case, Int, Text, case};
use crate::driver::sql::Dialect;
use crate::store::sql::attributes::condition;
use crate::store::sql::statements::{attributes::attributes, statements};

/// Search attributes, and what is found by them.
pub(super) fn attributed(dialect: Dialect) -> Vec<Case> {
    let (texts, read) = (attributes(dialect), &statements(dialect).read);
    let rows = [Text(r#"[[77, "total", "number", 5, null]]"#)];
    let keys = [Text(r#"[[77, "total"]]"#)];
    let copies = [Text(r#"[[77, "{}"]]"#)];
    let mut cases = vec![
        case("set attributes", texts.set, &rows, &[]),
        case("remove attributes", texts.remove, &keys, &[]),
        case("read attributes", texts.read, &[Text("[77, 78]")], &[]),
        case("copy attributes", texts.copy, &copies, &[]),
    ];
    let (of_number, of_text) = (
        &["durable_attributes_by_number"][..],
        &["durable_attributes_by_text"][..],
    );
    for (text, value, by) in [
        ("total:eq:7", Int(7), of_number),
        // Half of the runs: the list in its order is as good a way.
        ("total:gte:2999", Int(2_999), &[]),
        ("region:eq:region-7", Text("region-7"), of_text),
    ] {
        let Ok(filter) = text.parse() else { continue };
        let mut place = 0;
        let condition = condition(&filter, |_| {
            place += 1;
            format!("${place}")
        });
        let list = format!(
            "{}{condition} ORDER BY created_at DESC, id DESC LIMIT 51",
            read.list
        );
        let key = Text(text.split(':').next().unwrap_or_default());
        cases.push(case(text, list, &[key, value], by));
    }
    cases
}
