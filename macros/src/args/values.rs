//! Values that several attributes take.

use syn::{Expr, ExprLit, ExprPath, Ident, Lit, LitStr, Result};

use super::durations::millis;

/// The longest name, in bytes: the most that every store can index. The library refuses longer
/// ones at run time; here they are refused where they are written.
const MAX_NAME_BYTES: usize = 191;

/// A path; `advice` says what else to write.
pub(super) fn path(value: &Expr, advice: &str) -> Result<ExprPath> {
    match value {
        Expr::Path(path) => Ok(path.clone()),
        other => Err(syn::Error::new_spanned(other, advice)),
    }
}

/// A raw identifier such as `r#match` is called `match`.
pub(super) fn name_of(function: &Ident) -> LitStr {
    let name = function.to_string();
    LitStr::new(name.trim_start_matches("r#"), function.span())
}

pub(super) fn error(value: &Expr, message: impl std::fmt::Display) -> syn::Error {
    syn::Error::new_spanned(value, message)
}

/// A text without a prefix or suffix.
pub(super) fn text(value: &Expr) -> Result<LitStr> {
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

pub(super) fn texts(value: &Expr) -> Result<Vec<LitStr>> {
    match value {
        Expr::Array(array) => array.elems.iter().map(text).collect(),
        _ => Err(error(
            value,
            "expected a list of texts, such as `[\"payments\"]`",
        )),
    }
}

pub(super) fn name(value: &Expr) -> Result<LitStr> {
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

/// A whole number that fits.
pub(super) fn whole(value: &Expr) -> Option<u32> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Int(number),
            ..
        }) => number.base10_parse().ok(),
        _ => None,
    }
}

pub(super) fn at_least_one(value: &Expr, key: &str) -> Result<u32> {
    let expected = match key {
        "version" => "versions are whole numbers from 1; the first is `version = 1`",
        _ => "`retries` is the number of attempts in all, from 1; without retries it is 1",
    };
    let number = whole(value).filter(|number| *number > 0);
    number.ok_or_else(|| error(value, expected))
}

/// A duration that is not zero, in milliseconds.
pub(super) fn length(value: &Expr) -> Result<u64> {
    let length = millis(&text(value)?.value()).map_err(|message| error(value, message))?;
    if length == 0 {
        return Err(error(value, "this length is zero; leave the argument out"));
    }
    Ok(length)
}
