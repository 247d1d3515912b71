//! How the parts of an outline are called, and where they stand.

use syn::{Expr, ExprMethodCall, Lit, spanned::Spanned};

use crate::source::source;

/// Operations whose first argument is a definition, so that its last part is the name.
const BY_DEFINITION: [&str; 3] = ["remote", "child", "all"];

/// The name that the outline gives to an operation.
pub(super) fn name_of(call: &ExprMethodCall) -> String {
    let Some(first) = call.args.first() else {
        return String::new();
    };
    match first {
        Expr::Path(path) if is_by_definition(call) => path
            .path
            .segments
            .last()
            .map(|last| last.ident.to_string())
            .unwrap_or_default(),
        other => literal(other).unwrap_or_else(|| source(other)),
    }
}

/// Whether the first argument is a definition. That of `compensate` is one if it stands alone: a
/// step that undoes another one.
fn is_by_definition(call: &ExprMethodCall) -> bool {
    let is_undo = call.method == "compensate" && call.args.len() == 1;
    is_undo || BY_DEFINITION.iter().any(|kind| call.method == kind)
}

/// The text of a literal, also of `"charge".to_owned()` and the like.
fn literal(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => Some(text.value()),
            _ => None,
        },
        Expr::Paren(inner) => literal(&inner.expr),
        Expr::Reference(inner) => literal(&inner.expr),
        Expr::MethodCall(call) if call.args.is_empty() => literal(&call.receiver),
        _ => None,
    }
}

/// The line where something starts, from 1.
pub(super) fn line_of(at: &impl Spanned) -> u32 {
    u32::try_from(at.span().start().line).unwrap_or(u32::MAX)
}
