//! Spares authors the type of an inline step body's error.
//!
//! `async || { ..; Ok(label) }` leaves the error type open, and a step takes several, so the
//! compiler would ask for an annotation. `Ok(label)` becomes `ok(label)`, whose error is
//! `StepError`, where nothing else in the closure decides.

use quote::{ToTokens, quote_spanned};
use syn::{
    Block, Expr, ExprClosure, ExprMethodCall, Ident, Item, Macro, ReturnType, Stmt,
    spanned::Spanned,
    visit_mut::{self, VisitMut},
};

use crate::body::{MacroBody, is_ctx, is_undo};

/// Rewrites the closures that are given to operations.
pub(crate) fn settle_errors(body: &mut Block, ctx: &Ident) {
    let mut rewrite = Rewrite {
        ctx,
        changed: false,
    };
    rewrite.visit_block_mut(body);
}

struct Rewrite<'a> {
    ctx: &'a Ident,
    changed: bool,
}

impl Rewrite<'_> {
    /// The closure of `side_effect` returns its value as it is, so an `Ok` there is the author's.
    fn settles(&self, call: &ExprMethodCall) -> bool {
        let is_operation = is_ctx(&call.receiver, self.ctx) && call.method != "side_effect";
        is_operation || is_undo(call)
    }

    fn settle(&mut self, closure: &mut ExprClosure) {
        if !matches!(closure.output, ReturnType::Default) {
            return;
        }
        let mut is_open = true;
        each_result(&mut closure.body, &mut |result| {
            is_open &= leaves_error_open(result);
        });
        if is_open {
            each_result(&mut closure.body, &mut |result| {
                self.changed |= name_error(result);
            });
        }
    }
}

impl VisitMut for Rewrite<'_> {
    fn visit_expr_method_call_mut(&mut self, call: &mut ExprMethodCall) {
        visit_mut::visit_expr_method_call_mut(self, call);
        if self.settles(call) {
            for argument in &mut call.args {
                if let Expr::Closure(closure) = argument {
                    self.settle(closure);
                }
            }
        }
    }

    fn visit_macro_mut(&mut self, mac: &mut Macro) {
        let Some(mut body) = MacroBody::read(mac) else {
            return;
        };
        let outside = std::mem::replace(&mut self.changed, false);
        body.visit_mut(self);
        if self.changed {
            mac.tokens = body.into_token_stream();
        }
        self.changed |= outside;
    }

    /// An item inside the body is a function of its own.
    fn visit_item_mut(&mut self, _item: &mut Item) {}
}

/// Calls `visit` with every expression that is the result of a closure with this body.
fn each_result(body: &mut Expr, visit: &mut dyn FnMut(&mut Expr)) {
    Returns { visit }.visit_expr_mut(body);
    each_tail(body, visit);
}

fn each_tail(expr: &mut Expr, visit: &mut dyn FnMut(&mut Expr)) {
    match expr {
        Expr::Paren(inner) => each_tail(&mut inner.expr, visit),
        Expr::Group(inner) => each_tail(&mut inner.expr, visit),
        Expr::Block(block) => each_tail_of_block(&mut block.block, visit),
        Expr::Unsafe(block) => each_tail_of_block(&mut block.block, visit),
        // A closure that returns a future: what the future returns is the result.
        Expr::Async(future) => {
            Returns { visit }.visit_block_mut(&mut future.block);
            each_tail_of_block(&mut future.block, visit);
        }
        Expr::If(branch) => {
            each_tail_of_block(&mut branch.then_branch, visit);
            if let Some((_, otherwise)) = &mut branch.else_branch {
                each_tail(otherwise, visit);
            }
        }
        Expr::Match(branch) => {
            branch
                .arms
                .iter_mut()
                .for_each(|arm| each_tail(&mut arm.body, visit));
        }
        // Its value was visited as a return.
        Expr::Return(_) => {}
        result => visit(result),
    }
}

fn each_tail_of_block(block: &mut Block, visit: &mut dyn FnMut(&mut Expr)) {
    // A block without a tail ends earlier or returns `()`, and a macro such as `bail!` decides
    // nothing.
    if let Some(Stmt::Expr(tail, None)) = block.stmts.last_mut() {
        each_tail(tail, visit);
    }
}

/// Finds what is returned early, but not from closures and futures inside.
struct Returns<'a> {
    visit: &'a mut dyn FnMut(&mut Expr),
}

impl VisitMut for Returns<'_> {
    fn visit_expr_return_mut(&mut self, early: &mut syn::ExprReturn) {
        if let Some(value) = &mut early.expr {
            self.visit_expr_mut(value);
            each_tail(value, self.visit);
        }
    }

    fn visit_expr_closure_mut(&mut self, _inner: &mut ExprClosure) {}

    fn visit_expr_async_mut(&mut self, _inner: &mut syn::ExprAsync) {}

    fn visit_item_mut(&mut self, _item: &mut Item) {}
}

/// Whether the result fits `StepError` and does not name an error type of its own.
fn leaves_error_open(result: &Expr) -> bool {
    match result {
        Expr::Call(call) if is_path(&call.func, "Ok") => true,
        Expr::Call(call) if is_path(&call.func, "Err") => {
            call.args.iter().all(|error| match error {
                Expr::MethodCall(error) => error.method == "into",
                Expr::Call(error) => starts_with_step_error(&error.func),
                _ => false,
            })
        }
        Expr::MethodCall(call) if call.method == "map_err" => call.args.iter().all(|map| {
            is_path(map, "Into::into") || is_path(map, "From::from") || starts_with_step_error(map)
        }),
        // Each of them may have any type.
        Expr::Try(_) | Expr::Macro(_) | Expr::Break(_) | Expr::Continue(_) => true,
        _ => false,
    }
}

/// Turns `Ok(x)` into `ok(x)`.
fn name_error(result: &mut Expr) -> bool {
    let Expr::Call(call) = result else {
        return false;
    };
    if !is_path(&call.func, "Ok") || call.args.len() != 1 {
        return false;
    }
    // The author's span: what is wrong with the value is reported at the value.
    let span = call.func.span();
    *call.func = Expr::Verbatim(quote_spanned!(span=> ::axum_durable::__private::ok));
    true
}

/// Whether the expression is this path, without generic arguments.
fn is_path(expr: &Expr, path: &str) -> bool {
    let Expr::Path(found) = expr else {
        return false;
    };
    let segments = &found.path.segments;
    let is_plain = segments.iter().all(|segment| segment.arguments.is_none());
    is_plain
        && path
            .split("::")
            .eq(segments.iter().map(|segment| segment.ident.to_string()))
}

fn starts_with_step_error(expr: &Expr) -> bool {
    let Expr::Path(path) = expr else {
        return false;
    };
    path.path
        .segments
        .iter()
        .any(|segment| segment.ident == "StepError")
}

#[cfg(test)]
mod tests {
    use quote::format_ident;

    use super::*;

    /// How many `Ok` of the code become `ok`.
    fn rewritten(code: &str) -> usize {
        let mut body: Block = syn::parse_str(&format!("{{{code}}}")).unwrap();
        settle_errors(&mut body, &format_ident!("ctx"));
        body.to_token_stream().to_string().matches(":: ok").count()
    }

    #[test]
    fn every_way_out_of_a_closure_is_rewritten() {
        let closures = [
            (1, "async || Ok(1)"),
            (1, "|| async { Ok(1) }"),
            (1, "|| { let a = 1; async move { Ok(a) } }"),
            (1, "async |step: StepCtx| { f().await?; Ok(1) }"),
            (2, "async || if a { Ok(1) } else { { Ok(2) } }"),
            (
                3,
                "async || { if a { return Ok(1); } match b { 1 => Ok(1), _ => { Ok(3) } } }",
            ),
            (
                1,
                r#"async || { if a { return Err(StepError::fatal("a", "b")); } Ok(1) }"#,
            ),
            (
                1,
                "async || match f() { Err(e) => Err(e.into()), Ok(x) => Ok(x) }",
            ),
            (
                1,
                "async || { if a { return f().map_err(Into::into); } Ok(1) }",
            ),
            (1, "|| async { if a { return Ok(1); } panic!() }"),
        ];
        for (count, closure) in closures {
            assert_eq!(
                rewritten(&format!("ctx.step(name, {closure})")),
                count,
                "{closure}"
            );
        }
    }

    #[test]
    fn a_closure_that_names_its_error_is_left_alone() {
        let closures = [
            "async || -> Result<u8> { Ok(1) }",
            "async || { if a { return Err(MyError); } Ok(1) }",
            "async || { if a { return f().await; } Ok(1) }",
            "async || Ok::<u8, MyError>(1)",
            "async || { let inner = || Ok(1); f(inner).await }",
        ];
        for closure in closures {
            assert_eq!(
                rewritten(&format!("ctx.step(name, {closure})")),
                0,
                "{closure}"
            );
        }
    }

    #[test]
    fn closures_of_operations_are_found_wherever_they_are() {
        let cases = [
            (1, "try_join!(ctx.step(a, async || Ok(1)), g)"),
            (
                1,
                "select! { biased; a = ctx.step(b, async || Ok(1)) => Ok(a), }",
            ),
            (1, "ctx.step(a, f).compensate(b, async |x| Ok(())).await"),
            (1, "items.map(|i| ctx.step(a, async move || Ok(i)))"),
            (0, "ctx.step(a, f).and_then(async |x| Ok(x))"),
            (0, "ctx.side_effect(a, || Ok(1))"),
            (0, "other.step(a, async || Ok(1)); Ok(2)"),
            (
                0,
                "fn helper(ctx: &WorkflowCtx) { ctx.step(a, async || Ok(1)); }",
            ),
        ];
        for (count, code) in cases {
            assert_eq!(rewritten(code), count, "{code}");
        }
    }
}
