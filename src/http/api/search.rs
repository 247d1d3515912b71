//! A search as people type it: `status:failed workflow:checkout newer:2h order-7`.
//!
//! The pages read the same grammar. What both must agree on stands in one table,
//! `clients/search-grammar.json`, which the tests of both go through.

use std::sync::Arc;

use super::params::unknown_status;
use crate::http::problem::Problem;
use crate::id::{MAX_NAME_BYTES, RunId};
use crate::model::{AttributeFilter, Except, RunQuery, RunStatus};
use crate::time::Timestamp;

/// The longest search: more than every filter at its longest would be abuse.
const MAX_SEARCH_BYTES: usize = 2_048;

/// What a search asks for. The times are spans until now.
#[derive(Debug, Default, PartialEq, Eq)]
struct Search {
    statuses: Vec<RunStatus>,
    /// Statuses that are left out.
    not_statuses: Vec<RunStatus>,
    workflow: Option<String>,
    tag: Option<String>,
    parent: Option<String>,
    id_prefix: Option<String>,
    newer_ms: Option<i64>,
    older_ms: Option<i64>,
    namespace: Option<String>,
    /// Conditions on search attributes, each as `key:op:value`.
    attributes: Vec<String>,
    except: Except,
    has_children: Option<bool>,
    has_parent: Option<bool>,
}

/// A part of a search: `key:value`, or a value alone.
#[derive(Debug, PartialEq, Eq)]
struct Token<'t> {
    /// As it was written.
    text: &'t str,
    key: &'t str,
    value: &'t str,
    is_open: bool,
}

/// Adds what a search says to a query.
///
/// # Errors
///
/// [`Problem`] if a part of it cannot be understood, or says again what the query says already.
pub(super) fn refine(query: &mut RunQuery, text: &str, now: Timestamp) -> Result<(), Problem> {
    if text.len() > MAX_SEARCH_BYTES {
        let detail = format!("`q` is longer than {MAX_SEARCH_BYTES} bytes");
        return Err(Problem::bad_request(detail));
    }
    let (search, wrong) = parse(text);
    if let Some((part, why)) = wrong {
        let part: String = part.chars().take(MAX_NAME_BYTES).collect();
        return Err(Problem::bad_request(format!("`q` at `{part}`: {why}")));
    }
    if !search.statuses.is_empty() {
        once(!query.statuses.is_empty(), "status")?;
        query.statuses = search.statuses;
    }
    if let Some(workflow) = search.workflow {
        once(query.workflow.is_some(), "workflow")?;
        query.workflow = Some(workflow.into());
    }
    if let Some(tag) = search.tag {
        once(query.tag.is_some(), "tag")?;
        query.tag = Some(tag.into());
    }
    if let Some(parent) = search.parent {
        once(query.parent.is_some(), "parent")?;
        query.parent = Some(RunId::from_trusted(parent));
    }
    if let Some(prefix) = search.id_prefix {
        once(query.id_prefix.is_some(), "id_prefix")?;
        query.id_prefix = Some(prefix.into());
    }
    if let Some(namespace) = search.namespace {
        once(query.namespace.is_some(), "namespace")?;
        query.namespace = Some(namespace.into());
    }
    for filter in search.attributes {
        if query.attributes.len() == RunQuery::MAX_ATTRIBUTES {
            let most = RunQuery::MAX_ATTRIBUTES;
            let detail = format!("attributes are asked for {most} times at the most");
            return Err(Problem::bad_request(detail));
        }
        let filter = filter.parse::<AttributeFilter>();
        let filter = filter.map_err(|error| Problem::bad_request(error.to_string()))?;
        query.attributes.push(filter);
    }
    query.except = search.except;
    query.has_children = search.has_children;
    query.has_parent = search.has_parent;
    let ago = |ms: i64| Timestamp::from_millis(now.as_millis().saturating_sub(ms));
    if let Some(ms) = search.newer_ms {
        once(query.since.is_some(), "since")?;
        query.since = Some(ago(ms));
    }
    if let Some(ms) = search.older_ms {
        once(query.until.is_some(), "until")?;
        query.until = Some(ago(ms));
    }
    Ok(())
}

/// Refuses a condition that the query has already.
fn once(is_there: bool, name: &str) -> Result<(), Problem> {
    let detail = format!("`{name}` is given twice, by itself and in `q`");
    if is_there {
        Err(Problem::bad_request(detail))
    } else {
        Ok(())
    }
}

/// What can be understood of a search, and its first part that cannot, with the reason.
fn parse(text: &str) -> (Search, Option<(&str, String)>) {
    let mut search = Search::default();
    let mut wrong = None;
    for token in cut(text) {
        if let Err(why) = search.take(&token) {
            wrong.get_or_insert((token.text, why));
        } else if search.leaves_no_status() {
            wrong.get_or_insert_with(|| (token.text, "it leaves no status".to_owned()));
        }
    }
    search.leave_out();
    (search, wrong)
}

/// The tokens of a search, in their order.
fn cut(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start_matches(is_blank);
    while !rest.is_empty() {
        let from = usize::from(rest.starts_with('-'));
        let word = rest[from..].find(|letter: char| !is_word(letter));
        let word = word.filter(|end| *end > 0).map(|end| from + end);
        let key = word.filter(|end| rest[*end..].starts_with(':'));
        let (key, behind) = match key {
            Some(end) => (&rest[..end], &rest[end + 1..]),
            None => ("", rest),
        };
        let (value, is_open, after) = if let Some(quoted) = behind.strip_prefix('"') {
            match quoted.split_once('"') {
                Some((value, after)) => (value, false, after),
                None => (quoted, true, ""),
            }
        } else {
            let end = behind.find(|letter| is_blank(letter) || letter == '"');
            let (value, after) = behind.split_at(end.unwrap_or(behind.len()));
            (value, false, after)
        };
        tokens.push(Token {
            text: &rest[..rest.len() - after.len()],
            key,
            value,
            is_open,
        });
        rest = after.trim_start_matches(is_blank);
    }
    tokens
}

/// What counts as a blank in browsers.
fn is_blank(letter: char) -> bool {
    letter == '\u{feff}' || (letter.is_whitespace() && letter != '\u{85}')
}

const fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

impl Search {
    fn take(&mut self, token: &Token<'_>) -> Result<(), String> {
        let key = token.key.to_ascii_lowercase();
        if token.is_open {
            return Err("the quote is not closed".to_owned());
        }
        if token.value.is_empty() {
            return Err(format!("nothing stands behind `{key}:`"));
        }
        if token.value.len() > MAX_NAME_BYTES {
            return Err(format!("it is longer than {MAX_NAME_BYTES} bytes"));
        }
        let field = match key.as_str() {
            "status" | "is" => return take_statuses(&mut self.statuses, token.value),
            "-status" | "-is" => return take_statuses(&mut self.not_statuses, token.value),
            "has" => return self.take_has(token.value, true),
            "-has" => return self.take_has(token.value, false),
            "-workflow" | "-tag" | "-namespace" => return self.take_except(&key, token.value),
            "newer" | "older" => {
                let ms = span(token.value);
                let wrong = "a time is a number with s, m, h, d or w, such as 2h";
                let ms = Some(ms.ok_or(wrong)?);
                if key == "newer" {
                    self.newer_ms = ms;
                } else {
                    self.older_ms = ms;
                }
                return Ok(());
            }
            "attr" => {
                let filter = token.value.parse::<AttributeFilter>();
                filter.map_err(|error| error.to_string())?;
                self.attributes.push(token.value.to_owned());
                return Ok(());
            }
            "namespace" => &mut self.namespace,
            "workflow" => &mut self.workflow,
            "tag" => &mut self.tag,
            "parent" => &mut self.parent,
            "id" | "" => &mut self.id_prefix,
            key => return Err(format!("`{key}:` is not known")),
        };
        if field.is_some() {
            return Err("it may stand once".to_owned());
        }
        *field = Some(token.value.to_owned());
        Ok(())
    }

    fn take_has(&mut self, value: &str, has: bool) -> Result<(), String> {
        let field = match value.to_lowercase().as_str() {
            "children" => &mut self.has_children,
            "parent" => &mut self.has_parent,
            _ => return Err("a run has `children` or a `parent`".to_owned()),
        };
        if field.is_some() {
            return Err("it may stand once".to_owned());
        }
        *field = Some(has);
        Ok(())
    }

    fn take_except(&mut self, key: &str, value: &str) -> Result<(), String> {
        if self.except.len() == RunQuery::MAX_EXCEPT {
            let most = RunQuery::MAX_EXCEPT;
            return Err(format!("no more than {most} can be left out"));
        }
        let list = match key {
            "-workflow" => &mut self.except.workflows,
            "-tag" => &mut self.except.tags,
            _ => &mut self.except.namespaces,
        };
        list.push(Arc::from(value));
        Ok(())
    }

    /// Whether statuses are left out until none is left.
    fn leaves_no_status(&self) -> bool {
        let asked = match self.statuses.as_slice() {
            [] => &RunStatus::ALL,
            some => some,
        };
        let not = &self.not_statuses;
        !not.is_empty() && asked.iter().all(|status| not.contains(status))
    }

    /// Takes the statuses that are left out from those that are asked for.
    fn leave_out(&mut self) {
        // A search that leaves none is refused; until then all of it counts.
        if self.not_statuses.is_empty() || self.leaves_no_status() {
            return;
        }
        if self.statuses.is_empty() {
            self.statuses = RunStatus::ALL.to_vec();
        }
        let not = &self.not_statuses;
        self.statuses.retain(|status| !not.contains(status));
    }
}

fn take_statuses(statuses: &mut Vec<RunStatus>, value: &str) -> Result<(), String> {
    for word in value.to_lowercase().split(',') {
        let meant = match group(word) {
            Some(statuses) => statuses.to_vec(),
            None => vec![word.parse().map_err(|_| unknown_status(word))?],
        };
        for status in meant {
            if !statuses.contains(&status) {
                statuses.push(status);
            }
        }
    }
    Ok(())
}

/// Statuses that are asked for together.
fn group(word: &str) -> Option<&'static [RunStatus]> {
    use RunStatus::{
        Blocked, Cancelled, Cancelling, CompensationFailed, Completed, Dead, Failed, Pending,
        Running, Suspended,
    };
    match word {
        "active" => Some(&[Pending, Running, Suspended, Cancelling]),
        "waiting" => Some(&[Suspended]),
        "broken" => Some(&[Failed, Dead, Blocked, CompensationFailed]),
        "ended" => Some(&[Completed, Failed, Cancelled, Dead, CompensationFailed]),
        _ => None,
    }
}

/// `90s`, `15m`, `1h`, `2d`, `1w` in milliseconds.
fn span(text: &str) -> Option<i64> {
    let unit = match text.as_bytes().last()? {
        b's' => 1_000,
        b'm' => 60_000,
        b'h' => 3_600_000,
        b'd' => 86_400_000,
        b'w' => 604_800_000,
        _ => return None,
    };
    let digits = &text[..text.len() - 1];
    let is_number = digits.len() <= 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: i64 = digits.parse().ok().filter(|_| is_number)?;
    Some(number * unit)
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;

    const TABLE: &str = include_str!("../../../clients/search-grammar.json");

    fn some(list: &[Arc<str>]) -> Option<Value> {
        let list: Vec<&str> = list.iter().map(|it| &**it).collect();
        (!list.is_empty()).then(|| json!(list))
    }

    /// What was understood, as the table writes it.
    fn shown(search: &Search) -> Value {
        let mut shown = Map::new();
        if !search.statuses.is_empty() {
            shown.insert("statuses".to_owned(), json!(search.statuses));
        }
        for (name, value) in [
            ("workflow", search.workflow.as_ref().map(|it| json!(it))),
            ("tag", search.tag.as_ref().map(|it| json!(it))),
            ("parent", search.parent.as_ref().map(|it| json!(it))),
            ("idPrefix", search.id_prefix.as_ref().map(|it| json!(it))),
            ("newerMs", search.newer_ms.map(|it| json!(it))),
            ("olderMs", search.older_ms.map(|it| json!(it))),
            ("namespace", search.namespace.as_ref().map(|it| json!(it))),
            (
                "attributes",
                (!search.attributes.is_empty()).then(|| json!(search.attributes)),
            ),
            ("notWorkflows", some(&search.except.workflows)),
            ("notTags", some(&search.except.tags)),
            ("notNamespaces", some(&search.except.namespaces)),
            ("hasChildren", search.has_children.map(|it| json!(it))),
            ("hasParent", search.has_parent.map(|it| json!(it))),
        ] {
            shown.extend(value.map(|value| (name.to_owned(), value)));
        }
        Value::Object(shown)
    }

    #[test]
    fn a_search_is_read_as_the_shared_table_says() {
        let table: Value = serde_json::from_str(TABLE).unwrap();
        let cases = table["cases"].as_array().unwrap();
        assert!(cases.len() > 30);
        for case in cases {
            let text = case["text"].as_str().unwrap();
            let (search, wrong) = parse(text);
            assert_eq!(shown(&search), case["search"], "{text}");
            let bad = wrong.as_ref().map(|(part, _)| *part);
            assert_eq!(bad, case["bad"].as_str(), "{text}");
            let refined = refine(&mut RunQuery::default(), text, Timestamp::from_millis(0));
            assert_eq!(refined.is_err(), bad.is_some(), "{text}");
        }
    }

    #[test]
    fn a_search_never_fails_to_be_cut_into_what_was_typed() {
        let letters = [
            "\"", ":", " ", "a", "status", ",", "7", "<", "\\", "ü", "\n",
        ];
        let mut seed = 7_u64;
        for _ in 0..2_000 {
            let mut text = String::new();
            for _ in 0..seed % 12 {
                seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
                text += letters[usize::try_from(seed).unwrap() % letters.len()];
            }
            seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
            let tokens: String = cut(&text).iter().map(|it| it.text).collect();
            let dense = |text: &str| text.replace(is_blank, "");
            assert_eq!(dense(&tokens), dense(&text));
        }
    }

    #[test]
    fn what_is_asked_for_twice_is_refused() {
        let mut query = RunQuery {
            tag: Some("a".into()),
            ..RunQuery::default()
        };
        let now = Timestamp::from_millis(10_000_000);
        let refused = refine(&mut query, "tag:b", now).unwrap_err();
        assert!(refused.detail.contains("twice"), "{refused:?}");
        refine(&mut query, "is:waiting newer:2h", now).unwrap();
        assert_eq!(query.statuses, [RunStatus::Suspended]);
        assert_eq!(query.since, Some(Timestamp::from_millis(2_800_000)));
    }
}
