//! What `#[step(..)]` says.

use proc_macro2::TokenStream;
use syn::{Expr, Ident, LitStr, Result};

use super::durations::{check_backoff, millis};
use super::settings::Settings;
use super::values::{at_least_one, error, name, name_of, text};
use crate::problems::Problems;

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
    fn a_name_is_one_to_191_bytes() {
        let long = "x".repeat(192);
        assert!(problems_of(quote!(name = #long)).contains("longer than 191 bytes"));
        assert!(problems_of(quote!(name = "")).contains("it is empty"));
        assert!(problems_of(quote!(name = "a\nb")).contains("control character"));
        assert!(problems_of(quote!(name = "a", name = "b")).contains("given twice"));
        assert_eq!(problems_of(quote!(name = "payments.charge-card")), "");
    }
}
