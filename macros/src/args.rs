//! The words inside the parentheses of an attribute.

use proc_macro2::TokenStream;
use syn::{
    Expr, ExprLit, ExprPath, Ident, Lit, LitStr, Result, Token,
    parse::{Parse, ParseStream, Parser},
    punctuated::Punctuated,
};

use crate::problems::Problems;

/// The longest name, in bytes: the most that every store can index. The library refuses longer
/// ones at run time; here they are refused where they are written.
const MAX_NAME_BYTES: usize = 191;

/// The most events of a batch, as in the library.
const MOST_EVENTS: u32 = 1_000;
/// The longest name of an entity, in bytes: a third of what an id of a run may have, the rest is
/// for keys.
const MAX_ENTITY_NAME_BYTES: usize = 64;

/// What `#[workflow(..)]` says.
pub(crate) struct WorkflowWords {
    /// The stored name.
    pub(crate) name: LitStr,
    /// The version.
    pub(crate) version: u32,
    /// The tags of every run.
    pub(crate) tags: Vec<LitStr>,
    /// The workflow for its runs that are given up.
    pub(crate) dead_letter: Option<ExprPath>,
    /// The type of its runs' search attributes.
    pub(crate) attributes: Option<ExprPath>,
    /// The events that start runs.
    pub(crate) events: Vec<LitStr>,
    /// How these become fewer runs.
    pub(crate) accumulate: Option<Accumulate>,
}

/// How events become fewer runs.
pub(crate) enum Accumulate {
    /// The last one, after so many milliseconds without any.
    Debounce(u64),
    /// So many, or those of so many milliseconds.
    Batch(u32, u64),
}

/// What `#[step(..)]` says.
pub(crate) struct StepWords {
    /// The name on the wire.
    pub(crate) name: LitStr,
    /// Attempts in all.
    pub(crate) attempts: u32,
    /// The wait between attempts.
    pub(crate) backoff: Option<LitStr>,
    /// How long one attempt may take.
    pub(crate) timeout: Option<LitStr>,
}

/// What `#[entity(..)]` says.
pub(crate) struct EntityWords {
    /// The stored name.
    pub(crate) name: LitStr,
}

impl EntityWords {
    /// Reads the words; what is wrong is added to `problems` and replaced by its default.
    pub(crate) fn read(words: TokenStream, ty: &Ident, problems: &mut Problems) -> Self {
        let mut settings = Settings::read(words, "entity", &["name"], problems);
        let name = settings.take("name", problems, entity_name);
        let default = || LitStr::new(&snake_case(&ty.to_string()), ty.span());
        Self {
            name: name.unwrap_or_else(default),
        }
    }
}

/// The name that `#[on(..)]` gives an operation.
pub(crate) fn operation_name(
    words: TokenStream,
    method: &Ident,
    problems: &mut Problems,
) -> LitStr {
    let mut settings = Settings::read(words, "on", &["name"], problems);
    let given = settings.take("name", problems, name);
    given.unwrap_or_else(|| name_of(method))
}

/// `PageViews` is called `page_views`.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    let mut before_is_lower = false;
    for letter in name.trim_start_matches("r#").chars() {
        if letter.is_uppercase() && before_is_lower {
            snake.push('_');
        }
        before_is_lower = letter.is_lowercase() || letter.is_numeric();
        snake.extend(letter.to_lowercase());
    }
    snake
}

impl WorkflowWords {
    /// Reads the words; what is wrong is added to `problems` and replaced by its default.
    pub(crate) fn read(words: TokenStream, function: &Ident, problems: &mut Problems) -> Self {
        let known = [
            "name",
            "version",
            "tags",
            "dead_letter",
            "on_event",
            "debounce",
            "batch",
            "within",
            "search_attributes",
        ];
        let mut settings = Settings::read(words, "workflow", &known, problems);
        let accumulate = settings.accumulate(problems);
        let name = settings.take("name", problems, name);
        let version = settings.take("version", problems, |value| at_least_one(value, "version"));
        let tags = settings.take("tags", problems, texts);
        Self {
            name: name.unwrap_or_else(|| name_of(function)),
            version: version.unwrap_or(1),
            tags: tags.unwrap_or_default(),
            dead_letter: settings.take("dead_letter", problems, |value| {
                path(
                    value,
                    "`dead_letter` takes the name of a workflow's function, such as `tell_support`",
                )
            }),
            attributes: settings.take("search_attributes", problems, |value| {
                path(
                    value,
                    "`search_attributes` takes the name of a type, such as `OrderAttributes`",
                )
            }),
            events: settings
                .take("on_event", problems, events)
                .unwrap_or_default(),
            accumulate,
        }
    }
}

impl StepWords {
    /// Reads the words; what is wrong is added to `problems` and replaced by its default.
    pub(crate) fn read(words: TokenStream, function: &Ident, problems: &mut Problems) -> Self {
        let known = ["name", "retries", "backoff", "timeout"];
        let mut settings = Settings::read(words, "step", &known, problems);
        let name = settings.take("name", problems, name);
        let attempts = settings.take("retries", problems, |value| at_least_one(value, "retries"));
        Self {
            name: name.unwrap_or_else(|| name_of(function)),
            attempts: attempts.unwrap_or(1),
            backoff: settings.take("backoff", problems, backoff),
            timeout: settings.take("timeout", problems, timeout),
        }
    }
}

/// A path; `advice` says what else to write.
fn path(value: &Expr, advice: &str) -> Result<ExprPath> {
    match value {
        Expr::Path(path) => Ok(path.clone()),
        other => Err(syn::Error::new_spanned(other, advice)),
    }
}

/// A raw identifier such as `r#match` is called `match`.
fn name_of(function: &Ident) -> LitStr {
    let name = function.to_string();
    LitStr::new(name.trim_start_matches("r#"), function.span())
}

/// One `key = value`.
struct Setting {
    key: Ident,
    value: Expr,
}

impl Parse for Setting {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if !(input.peek(Ident) && input.peek2(Token![=])) {
            return Err(input.error("expected `key = value`, such as `name = \"checkout\"`"));
        }
        let key = input.parse()?;
        input.parse::<Token![=]>()?;
        let value = input.parse()?;
        Ok(Self { key, value })
    }
}

/// Every `key = value` that is known, once.
struct Settings(Vec<Setting>);

impl Settings {
    fn read(words: TokenStream, what: &str, known: &[&str], problems: &mut Problems) -> Self {
        let parser = Punctuated::<Setting, Token![,]>::parse_terminated;
        let parsed = problems.keep(parser.parse2(words)).unwrap_or_default();
        let mut settings: Vec<Setting> = Vec::new();
        for setting in parsed {
            let key = &setting.key;
            if !known.iter().any(|name| key == name) {
                let known = known
                    .iter()
                    .map(|name| format!("`{name}`"))
                    .collect::<Vec<_>>();
                let known = known.join(", ");
                problems.at(
                    key,
                    format!("`#[{what}]` has no argument `{key}`; it takes {known}"),
                );
            } else if settings.iter().any(|earlier| earlier.key == *key) {
                problems.at(key, format!("`{key}` is given twice; keep one of them"));
            } else {
                settings.push(setting);
            }
        }
        Self(settings)
    }

    /// What `debounce`, `batch` and `within` say together.
    fn accumulate(&mut self, problems: &mut Problems) -> Option<Accumulate> {
        let has = |key: &str| self.0.iter().find(|setting| setting.key == key);
        let pairs = [
            (
                "debounce",
                has("on_event").is_some(),
                "needs `on_event`, which names the events",
            ),
            (
                "batch",
                has("on_event").is_some(),
                "needs `on_event`, which names the events",
            ),
            (
                "batch",
                has("within").is_some(),
                "needs `within`, such as `within = \"30s\"`",
            ),
            (
                "within",
                has("batch").is_some(),
                "needs `batch`, such as `batch = 100`",
            ),
            (
                "batch",
                has("debounce").is_none(),
                "excludes `debounce`; keep one of them",
            ),
        ];
        for (key, is_met, needs) in pairs {
            if let (Some(setting), false) = (has(key), is_met) {
                problems.at(&setting.key, format!("`{key}` {needs}"));
            }
        }
        let quiet = self.take("debounce", problems, length);
        let most = self.take("batch", problems, batch_size);
        let within = self.take("within", problems, length);
        match (quiet, most, within) {
            (Some(quiet), ..) => Some(Accumulate::Debounce(quiet)),
            (None, Some(most), Some(within)) => Some(Accumulate::Batch(most, within)),
            _ => None,
        }
    }

    fn take<T>(
        &mut self,
        key: &str,
        problems: &mut Problems,
        read: impl FnOnce(&Expr) -> Result<T>,
    ) -> Option<T> {
        let index = self.0.iter().position(|setting| setting.key == key)?;
        let setting = self.0.swap_remove(index);
        problems.keep(read(&setting.value))
    }
}

fn error(value: &Expr, message: impl std::fmt::Display) -> syn::Error {
    syn::Error::new_spanned(value, message)
}

/// A text without a prefix or suffix.
fn text(value: &Expr) -> Result<LitStr> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => Ok(text.clone()),
        _ => Err(error(
            value,
            "expected a text in double quotes, such as `\"checkout\"`",
        )),
    }
}

fn texts(value: &Expr) -> Result<Vec<LitStr>> {
    match value {
        Expr::Array(array) => array.elems.iter().map(text).collect(),
        _ => Err(error(
            value,
            "expected a list of texts, such as `[\"payments\"]`",
        )),
    }
}

fn name(value: &Expr) -> Result<LitStr> {
    let name = text(value)?;
    let content = name.value();
    let reason = if content.is_empty() {
        "it is empty"
    } else if content.len() > MAX_NAME_BYTES {
        "it is longer than 191 bytes"
    } else if content.chars().any(char::is_control) {
        "it holds a control character"
    } else {
        return Ok(name);
    };
    Err(error(
        value,
        format!("this name cannot be used: {reason}; write 1 to 191 bytes"),
    ))
}

/// One event, or a list.
fn events(value: &Expr) -> Result<Vec<LitStr>> {
    match value {
        Expr::Array(array) if array.elems.is_empty() => Err(error(
            value,
            "this list names no event; write one, such as `on_event = \"order.placed\"`",
        )),
        Expr::Array(array) => array.elems.iter().map(name).collect(),
        one => name(one).map(|event| vec![event]),
    }
}

fn batch_size(value: &Expr) -> Result<u32> {
    let number = match value {
        Expr::Lit(ExprLit {
            lit: Lit::Int(number),
            ..
        }) => number.base10_parse::<u32>().ok(),
        _ => None,
    };
    let size = number.filter(|number| (1..=MOST_EVENTS).contains(number));
    size.ok_or_else(|| error(value, "`batch` is the most events of a run, from 1 to 1000"))
}

/// A duration that is not zero, in milliseconds.
fn length(value: &Expr) -> Result<u64> {
    let length = millis(&text(value)?.value()).map_err(|message| error(value, message))?;
    if length == 0 {
        return Err(error(value, "this length is zero; leave the argument out"));
    }
    Ok(length)
}

/// It stands in front of keys, in the ids of runs.
fn entity_name(value: &Expr) -> Result<LitStr> {
    let name = name(value)?;
    let content = name.value();
    let reason = if content.len() > MAX_ENTITY_NAME_BYTES {
        "it is longer than 64 bytes, and keys need room beside it"
    } else if content.contains([':', '~']) {
        "it holds `:` or `~`, which stand between it and keys"
    } else {
        return Ok(name);
    };
    Err(error(value, format!("this name cannot be used: {reason}")))
}

fn at_least_one(value: &Expr, key: &str) -> Result<u32> {
    let number = match value {
        Expr::Lit(ExprLit {
            lit: Lit::Int(number),
            ..
        }) => number.base10_parse::<u32>().ok(),
        _ => None,
    };
    let expected = match key {
        "version" => "versions are whole numbers from 1; the first is `version = 1`",
        _ => "`retries` is the number of attempts in all, from 1; without retries it is 1",
    };
    number
        .filter(|number| *number > 0)
        .ok_or_else(|| error(value, expected))
}

fn timeout(value: &Expr) -> Result<LitStr> {
    let timeout = text(value)?;
    millis(&timeout.value()).map_err(|message| error(value, message))?;
    Ok(timeout)
}

fn backoff(value: &Expr) -> Result<LitStr> {
    let backoff = text(value)?;
    check_backoff(&backoff.value()).map_err(|message| error(value, message))?;
    Ok(backoff)
}

/// The grammar of `Backoff::from_str`, which cannot be called from here: the library depends on
/// this crate.
fn check_backoff(text: &str) -> std::result::Result<(), String> {
    let shape = || format!("`{text}` is no backoff; write `fixed 2s` or `exp 200ms..10s`");
    let (word, rest) = text.split_once(' ').ok_or_else(shape)?;
    match word {
        "fixed" => millis(rest).map(drop),
        "exp" => {
            let (first, cap) = rest.split_once("..").ok_or_else(shape)?;
            let (first, cap) = (millis(first)?, millis(cap)?);
            let falls = "has a cap below its first wait; write the shorter one first";
            if cap < first {
                Err(format!("`{text}` {falls}"))
            } else {
                Ok(())
            }
        }
        _ => Err(shape()),
    }
}

/// The grammar of `parse_duration`.
fn millis(text: &str) -> std::result::Result<u64, String> {
    let invalid = || {
        let expected = "write a whole number with ms, s, m, h, d or w, such as `30s`";
        format!("`{text}` is no duration; {expected}")
    };
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .ok_or_else(invalid)?;
    let (number, unit) = text.split_at(digits);
    let unit: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 604_800_000,
        _ => return Err(invalid()),
    };
    let number: u64 = number.parse().map_err(|_| invalid())?;
    number.checked_mul(unit).ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use quote::{format_ident, quote};

    use super::*;

    fn problems_of(words: TokenStream) -> String {
        let mut problems = Problems::default();
        StepWords::read(words, &format_ident!("charge"), &mut problems);
        problems.to_compile_errors().to_string()
    }

    #[test]
    fn words_default_to_the_function_and_the_first_version() {
        let mut problems = Problems::default();
        let words =
            WorkflowWords::read(TokenStream::new(), &format_ident!("r#match"), &mut problems);
        assert!(problems.is_empty());
        assert_eq!((words.name.value().as_str(), words.version), ("match", 1));
        assert!(words.tags.is_empty());
    }

    #[test]
    fn an_entity_is_called_like_its_type() {
        for (ty, name) in [
            ("Cart", "cart"),
            ("PageViews", "page_views"),
            ("V2Cart", "v2_cart"),
        ] {
            assert_eq!(snake_case(ty), name);
        }
    }

    #[test]
    fn every_wrong_word_is_reported() {
        let found = problems_of(quote!(
            nme = "x",
            retries = 0,
            backoff = "exp 5s",
            timeout = 3
        ));
        for text in [
            "no argument `nme`",
            "from 1",
            "`exp 5s` is no backoff",
            "expected a text",
        ] {
            assert!(found.contains(text), "{text} is not in {found}");
        }
    }

    #[test]
    fn the_durations_of_the_library_are_accepted_and_no_others() {
        for text in ["500ms", "30s", "15m", "2h", "7d", "1w", "0s"] {
            assert!(millis(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "30",
            "s",
            "1.5s",
            "-1s",
            "1y",
            " 1s",
            "1s 2ms",
            "99999999999999999999s",
        ] {
            assert!(millis(text).is_err(), "{text}");
        }
        assert!(millis(&format!("{}w", u64::MAX)).is_err());
    }

    #[test]
    fn the_backoffs_of_the_library_are_accepted_and_no_others() {
        for text in ["fixed 2s", "exp 200ms..10s", "exp 1s..1s"] {
            assert!(check_backoff(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "exp",
            "exp 5s",
            "exp 5s..1s",
            "linear 1s",
            "fixed",
            "fixed 1y",
        ] {
            assert!(check_backoff(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_is_one_to_191_bytes() {
        let long = "x".repeat(192);
        assert!(problems_of(quote!(name = #long)).contains("longer than 191 bytes"));
        assert!(problems_of(quote!(name = "")).contains("it is empty"));
        assert!(problems_of(quote!(name = "a\nb")).contains("control character"));
        assert!(problems_of(quote!(name = "a", name = "b")).contains("given twice"));
        assert_eq!(problems_of(quote!(name = "payments.charge-card")), "");
    }
}
