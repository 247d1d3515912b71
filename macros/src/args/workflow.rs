//! What `#[workflow(..)]` says.

use proc_macro2::TokenStream;
use syn::{Expr, ExprPath, Ident, LitStr, Result};

use super::accumulate::Accumulate;
use super::settings::Settings;
use super::values::{at_least_one, error, name, name_of, path, texts};
use crate::problems::Problems;

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
        let accumulate = Accumulate::read(&mut settings, problems);
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

#[cfg(test)]
mod tests {
    use quote::format_ident;

    use super::*;

    #[test]
    fn words_default_to_the_function_and_the_first_version() {
        let mut problems = Problems::default();
        let words =
            WorkflowWords::read(TokenStream::new(), &format_ident!("r#match"), &mut problems);
        assert!(problems.is_empty());
        assert_eq!((words.name.value().as_str(), words.version), ("match", 1));
        assert!(words.tags.is_empty());
    }
}
