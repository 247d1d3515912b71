//! Values written into the text of a statement, where several statements go in one message.
//!
//! Texts and bytes are written as hexadecimal digits, so nothing that somebody has sent is ever
//! read as SQL, whatever the server takes for a quote or an escape.

use std::fmt::Write as _;

use super::{
    args::{Arg, Args},
    dialect::{Dialect, rewritten},
};

/// The statement with its values in place of the placeholders.
pub(crate) fn written(dialect: Dialect, text: &str, args: &Args<'_>) -> String {
    rewritten(text, |number| match args.get(number) {
        Some(arg) => literal(dialect, arg),
        // No text of ours names a value that is not there; the database refuses this one.
        None => format!("${number}"),
    })
}

/// The statement with something else in place of each placeholder.
pub(crate) fn written_with(text: &str, write: impl FnMut(usize) -> String) -> String {
    rewritten(text, write)
}

/// The values as a list.
pub(crate) fn listed(dialect: Dialect, args: &Args<'_>) -> String {
    let all = (1..=args.len()).filter_map(|number| args.get(number));
    let words: Vec<String> = all.map(|arg| literal(dialect, arg)).collect();
    words.join(", ")
}

fn literal(dialect: Dialect, arg: &Arg<'_>) -> String {
    match arg {
        Arg::Int(value) => int(dialect, *value),
        Arg::Text(value) => text(dialect, value.as_deref()),
        Arg::Bytes(value) => bytes(dialect, value.as_deref()),
        Arg::Ints(list) => array(list, "bigint", |one| int(dialect, *one)),
        Arg::Numbers(list) => array(list, "bigint", ToString::to_string),
        Arg::Texts(list) => array(list, "text", |one| text(dialect, one.as_deref())),
        Arg::Blobs(list) => array(list, "bytea", |one| bytes(dialect, *one)),
    }
}

fn int(dialect: Dialect, value: Option<i64>) -> String {
    match (dialect, value) {
        (_, None) => "NULL".to_owned(),
        (Dialect::Postgres, Some(value)) => format!("'{value}'::bigint"),
        (_, Some(value)) => value.to_string(),
    }
}

fn text(dialect: Dialect, value: Option<&str>) -> String {
    let Some(value) = value else {
        return "NULL".to_owned();
    };
    let digits = hex(value.as_bytes());
    match dialect {
        Dialect::Postgres => format!("convert_from(decode('{digits}', 'hex'), 'UTF8')"),
        Dialect::MySql => format!("_utf8mb4 x'{digits}'"),
        Dialect::Sqlite => format!("CAST(x'{digits}' AS TEXT)"),
    }
}

fn bytes(dialect: Dialect, value: Option<&[u8]>) -> String {
    let Some(value) = value else {
        return "NULL".to_owned();
    };
    let digits = hex(value);
    match dialect {
        Dialect::Postgres => format!("decode('{digits}', 'hex')"),
        Dialect::MySql | Dialect::Sqlite => format!("x'{digits}'"),
    }
}

/// An array, which PostgreSQL alone has.
fn array<T>(list: &[T], of: &str, write: impl Fn(&T) -> String) -> String {
    let words: Vec<String> = list.iter().map(write).collect();
    format!("ARRAY[{}]::{of}[]", words.join(", "))
}

fn hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_never_read_as_sql() {
        let args = Args::new()
            .with("it's \\ \"$1\"; --")
            .with(vec![0_u8, 0xff])
            .with(-5_i64)
            .with(Arg::Text(None));
        let text = "SELECT $1, $2, $3, $4, $1";
        let postgres = written(Dialect::Postgres, text, &args);
        assert!(!postgres.contains("it") && !postgres.contains('"') && !postgres.contains(';'));
        assert!(postgres.contains("decode('00ff', 'hex'), '-5'::bigint, NULL, convert_from"));
        let mysql = written(Dialect::MySql, "SELECT $2, $3", &args);
        assert_eq!(mysql, "SELECT x'00ff', -5");
        assert_eq!(
            listed(Dialect::MySql, &Args::new().with(1_i64).with(2_i64)),
            "1, 2"
        );
    }
}
