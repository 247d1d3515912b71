//! `key = value`, separated by commas.

use proc_macro2::TokenStream;
use syn::{
    Expr, Ident, Result, Token,
    parse::{Parse, ParseStream, Parser},
    punctuated::Punctuated,
};

use crate::problems::Problems;

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
pub(super) struct Settings(Vec<Setting>);

impl Settings {
    /// Reads them; what is wrong is added to `problems` and left out.
    pub(super) fn read(
        words: TokenStream,
        what: &str,
        known: &[&str],
        problems: &mut Problems,
    ) -> Self {
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

    /// Where `key` is given.
    pub(super) fn key(&self, key: &str) -> Option<&Ident> {
        let mut keys = self.0.iter().map(|setting| &setting.key);
        keys.find(|it| *it == key)
    }

    /// Reads the value of `key`, if it is given.
    pub(super) fn take<T>(
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
