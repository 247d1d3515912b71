//! What `#[entity(..)]` and `#[on(..)]` say.

use proc_macro2::TokenStream;
use syn::{Expr, Ident, LitStr, Result};

use super::settings::Settings;
use super::values::{error, name, name_of};
use crate::problems::Problems;

/// The longest name of an entity, in bytes: a third of what an id of a run may have, the rest is
/// for keys.
const MAX_ENTITY_NAME_BYTES: usize = 64;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
