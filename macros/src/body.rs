//! How the body of a workflow is read: which calls are operations, which closures are step
//! bodies, and what is inside macros.

use proc_macro2::TokenStream;
use quote::{ToTokens, TokenStreamExt};
use syn::{
    Expr, ExprMethodCall, Ident, Macro, Pat, Result, Token,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
    token,
    visit::Visit,
    visit_mut::VisitMut,
};

/// The operations whose closure runs outside of replay, once.
const WITH_STEP_BODY: [&str; 4] = ["step", "side_effect", "transaction", "task"];

/// Whether the expression is the context itself.
pub(crate) fn is_ctx(expr: &Expr, ctx: &Ident) -> bool {
    match expr {
        Expr::Path(path) => path.path.is_ident(ctx),
        Expr::Paren(inner) => is_ctx(&inner.expr, ctx),
        Expr::Group(inner) => is_ctx(&inner.expr, ctx),
        Expr::Reference(inner) => is_ctx(&inner.expr, ctx),
        _ => false,
    }
}

/// Whether closures given to the call run as step bodies.
///
/// A compensation is one too. Its builder may have been bound to a variable before, so the name of
/// the method decides.
pub(crate) fn takes_step_body(call: &ExprMethodCall, ctx: &Ident) -> bool {
    let is_operation = || WITH_STEP_BODY.iter().any(|name| call.method == name);
    is_undo(call) || (is_ctx(&call.receiver, ctx) && is_operation())
}

/// Whether a call says how the operation that it follows is undone.
pub(crate) fn is_undo(call: &ExprMethodCall) -> bool {
    ["compensate", "compensate_with", "compensate_named"]
        .iter()
        .any(|name| call.method == name)
}

/// The inside of a macro whose grammar is known.
pub(crate) enum MacroBody {
    /// Expressions with commas between them, as in `join!`, `vec!` and `format!`.
    List {
        /// `biased;`, which tokio's `join!` and `try_join!` take too.
        biased: Option<Biased>,
        /// The expressions.
        exprs: Punctuated<Expr, Token![,]>,
    },
    /// `select!` of tokio or futures.
    Select {
        /// `biased;`.
        biased: Option<Biased>,
        /// The branches.
        branches: Vec<Branch>,
    },
}

/// `biased;`
pub(crate) struct Biased {
    word: Ident,
    semi: Token![;],
}

/// One branch of a `select!`.
pub(crate) struct Branch {
    /// What its value is bound to, or the word `else`, `complete` or `default`.
    pub(crate) head: Head,
    /// Whether the branch takes part.
    pub(crate) guard: Option<(Token![,], Token![if], Expr)>,
    arrow: Token![=>],
    /// What happens when it wins.
    pub(crate) handler: Expr,
    comma: Option<Token![,]>,
}

/// The left side of a branch.
pub(crate) enum Head {
    /// `pattern = future`.
    Future(Box<Pat>, Token![=], Box<Expr>),
    /// `complete` or `default`.
    Word(Box<Pat>),
    /// `else`.
    Else(Token![else]),
}

/// The name of a macro, without the path before it.
pub(crate) fn macro_name(mac: &Macro) -> String {
    mac.path
        .segments
        .last()
        .map(|last| last.ident.to_string())
        .unwrap_or_default()
}

/// Whether a macro is a `select!` of either library.
pub(crate) fn is_select(name: &str) -> bool {
    matches!(name, "select" | "select_biased")
}

impl MacroBody {
    /// Reads the inside of a macro; `None` if its grammar is another one.
    pub(crate) fn read(mac: &Macro) -> Option<Self> {
        if is_select(&macro_name(mac)) {
            mac.parse_body_with(Self::select).ok()
        } else {
            mac.parse_body_with(Self::list).ok()
        }
    }

    fn list(input: ParseStream<'_>) -> Result<Self> {
        Ok(Self::List {
            biased: Biased::read(input)?,
            exprs: Punctuated::parse_terminated(input)?,
        })
    }

    fn select(input: ParseStream<'_>) -> Result<Self> {
        let biased = Biased::read(input)?;
        let mut branches = Vec::new();
        while !input.is_empty() {
            branches.push(input.parse()?);
        }
        Ok(Self::Select { biased, branches })
    }

    /// Visits its expressions in source order.
    pub(crate) fn visit<'ast>(&'ast self, visitor: &mut impl Visit<'ast>) {
        match self {
            Self::List { exprs, .. } => exprs.iter().for_each(|expr| visitor.visit_expr(expr)),
            Self::Select { branches, .. } => branches.iter().for_each(|branch| {
                branch.visit(visitor);
            }),
        }
    }

    /// Visits its expressions for change.
    pub(crate) fn visit_mut(&mut self, visitor: &mut impl VisitMut) {
        match self {
            Self::List { exprs, .. } => {
                exprs
                    .iter_mut()
                    .for_each(|expr| visitor.visit_expr_mut(expr));
            }
            Self::Select { branches, .. } => {
                for branch in branches {
                    if let Head::Future(_, _, future) = &mut branch.head {
                        visitor.visit_expr_mut(future);
                    }
                    if let Some((_, _, guard)) = &mut branch.guard {
                        visitor.visit_expr_mut(guard);
                    }
                    visitor.visit_expr_mut(&mut branch.handler);
                }
            }
        }
    }
}

impl Branch {
    /// Visits its expressions in source order.
    pub(crate) fn visit<'ast>(&'ast self, visitor: &mut impl Visit<'ast>) {
        if let Head::Future(_, _, future) = &self.head {
            visitor.visit_expr(future);
        }
        if let Some((_, _, guard)) = &self.guard {
            visitor.visit_expr(guard);
        }
        visitor.visit_expr(&self.handler);
    }
}

impl Biased {
    /// Whether `biased;` comes next.
    pub(crate) fn is_next(input: ParseStream<'_>) -> bool {
        let word = input.cursor().ident();
        word.is_some_and(|(word, _)| word == "biased") && input.peek2(Token![;])
    }

    fn read(input: ParseStream<'_>) -> Result<Option<Self>> {
        if !Self::is_next(input) {
            return Ok(None);
        }
        let word = input.parse()?;
        let semi = input.parse()?;
        Ok(Some(Self { word, semi }))
    }
}

impl Parse for Head {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if input.peek(Token![else]) {
            return Ok(Self::Else(input.parse()?));
        }
        let pattern = Box::new(Pat::parse_multi_with_leading_vert(input)?);
        if input.peek(Token![=>]) {
            return Ok(Self::Word(pattern));
        }
        let equals = input.parse()?;
        Ok(Self::Future(pattern, equals, input.parse()?))
    }
}

impl Parse for Branch {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let head = input.parse()?;
        let guard = if input.peek(Token![,]) {
            Some((input.parse()?, input.parse()?, input.parse()?))
        } else {
            None
        };
        let arrow = input.parse()?;
        let is_block = input.peek(token::Brace);
        let handler = Expr::parse_with_earlier_boundary_rule(input)?;
        let comma: Option<Token![,]> = input.parse()?;
        if comma.is_none() && !is_block && !input.is_empty() {
            return Err(input.error("expected `,`"));
        }
        Ok(Self {
            head,
            guard,
            arrow,
            handler,
            comma,
        })
    }
}

impl ToTokens for Biased {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.word.to_tokens(tokens);
        self.semi.to_tokens(tokens);
    }
}

impl ToTokens for Head {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Else(word) => word.to_tokens(tokens),
            Self::Word(word) => word.to_tokens(tokens),
            Self::Future(pattern, equals, future) => {
                pattern.to_tokens(tokens);
                equals.to_tokens(tokens);
                future.to_tokens(tokens);
            }
        }
    }
}

impl ToTokens for Branch {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.head.to_tokens(tokens);
        if let Some((comma, keyword, guard)) = &self.guard {
            comma.to_tokens(tokens);
            keyword.to_tokens(tokens);
            guard.to_tokens(tokens);
        }
        self.arrow.to_tokens(tokens);
        self.handler.to_tokens(tokens);
        self.comma.to_tokens(tokens);
    }
}

impl ToTokens for MacroBody {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::List { biased, exprs } => {
                biased.to_tokens(tokens);
                exprs.to_tokens(tokens);
            }
            Self::Select { biased, branches } => {
                biased.to_tokens(tokens);
                tokens.append_all(branches);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;
    use syn::parse_quote;

    use super::*;

    fn round_trip(mac: &Macro) -> Option<String> {
        let body = MacroBody::read(mac)?;
        Some(body.to_token_stream().to_string())
    }

    #[test]
    fn select_is_read_and_written_unchanged() {
        let bodies = [
            quote!(biased; a = one() => 1, Some(b) = two(), if flag => { 2 } else => 3),
            quote!(a = &mut one => { f(a) } _ = two().fuse() => (), complete => break, default => {}),
            quote!(Ok(x) | Err(x) = one() => match x { _ => 1 }, ),
        ];
        for body in bodies {
            let mac: Macro = parse_quote!(tokio::select! { #body });
            assert_eq!(round_trip(&mac), Some(body.to_string()));
        }
    }

    #[test]
    fn joins_are_read_and_other_grammars_are_left_alone() {
        let mac: Macro = parse_quote!(try_join!(biased; ctx.step("a", f), async { 1 },));
        assert_eq!(round_trip(&mac), Some(mac.tokens.to_string()));
        let mac: Macro = parse_quote!(lookup! { "a" => 1, "b" => 2 });
        assert_eq!(round_trip(&mac), None);
    }
}
