//! Refuses what would not replay, where it is written.
//!
//! Only the body itself is seen: helper functions, aliases and macros with their own grammar
//! escape, so the engine compares every operation with its record again at run time.

use std::collections::BTreeSet;

use syn::{
    Block, Expr, ExprClosure, ExprMethodCall, ExprPath, Ident, Item, Local, Macro, Pat, Path,
    visit::{self, Visit},
};

use crate::{
    body::{Biased, MacroBody, is_ctx, macro_name, takes_step_body},
    problems::Problems,
};

/// Checks the body of a workflow.
pub(crate) fn check(body: &Block, ctx: &Ident, problems: &mut Problems) {
    let mut named = NamedBodies {
        ctx,
        names: BTreeSet::new(),
    };
    named.visit_block(body);
    let mut lints = Lints {
        ctx,
        named: named.names,
        place: Place::Workflow,
        problems,
    };
    lints.visit_block(body);
}

/// Finds variables that are given to operations as step bodies.
struct NamedBodies<'a> {
    ctx: &'a Ident,
    names: BTreeSet<String>,
}

impl<'ast> Visit<'ast> for NamedBodies<'_> {
    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if takes_step_body(call, self.ctx) {
            let names = call.args.iter().filter_map(|argument| match argument {
                Expr::Path(path) => path.path.get_ident().map(Ident::to_string),
                _ => None,
            });
            self.names.extend(names);
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, mac: &'ast Macro) {
        if let Some(body) = MacroBody::read(mac) {
            body.visit(self);
        }
    }
}

/// Where the visitor is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In code that replays.
    Workflow,
    /// In a step body, which runs once.
    StepBody,
    /// In a step body that has a variable of its own with the context's name.
    ShadowingBody,
}

struct Lints<'a> {
    ctx: &'a Ident,
    named: BTreeSet<String>,
    place: Place,
    problems: &'a mut Problems,
}

impl Lints<'_> {
    fn visit_step_body(&mut self, body: &ExprClosure) {
        let outside = self.place;
        self.place = if binds(body, self.ctx) {
            Place::ShadowingBody
        } else {
            Place::StepBody
        };
        visit::visit_expr_closure(self, body);
        self.place = outside;
    }

    /// What messages call the context, also where it has no name yet.
    fn shown_ctx(&self) -> String {
        let name = self.ctx.to_string();
        if name == "_" { "ctx".to_owned() } else { name }
    }

    fn refuse_path(&mut self, path: &Path) {
        let segments: Vec<_> = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        let Some((why, instead)) = verdict(&segments, &self.shown_ctx()) else {
            return;
        };
        let called = segments.join("::");
        self.problems
            .at(path, format!("`{called}` {why}; {instead}"));
    }

    fn refuse_unbiased(&mut self, mac: &Macro) {
        let is_biased = mac.parse_body_with(|input: syn::parse::ParseStream<'_>| {
            let is_biased = Biased::is_next(input);
            input.parse::<proc_macro2::TokenStream>()?;
            Ok(is_biased)
        });
        if is_biased.unwrap_or(false) {
            return;
        }
        let message = "an unbiased `select!` polls its branches in a random order, so operations \
                       made inside its branches would take their positions in a random order and \
                       replay would differ; write `biased;` as its first line (with `futures`: \
                       `select_biased!`)";
        self.problems.at(&mac.path, message);
    }
}

/// Why a path is refused and what to write instead.
fn verdict(path: &[String], ctx: &str) -> Option<(&'static str, String)> {
    const DIFFERS: &str = "gives another value when the run replays";
    const UNRECORDED: &str = "is not part of the history: after a crash it would start anew";
    let [.., owner, function] = path else {
        return None;
    };
    let or_in_a_step = |call: &str| format!("write `{ctx}.{call}`, or use it inside a step body");
    let is_new_uuid = || {
        let version = function
            .strip_prefix("new_v")
            .or_else(|| function.strip_prefix("now_v"));
        // Versions 3 and 5 are computed from their arguments.
        version.is_some_and(|version| !matches!(version, "3" | "5"))
    };
    let verdict = match (owner.as_str(), function.as_str()) {
        ("SystemTime" | "Instant" | "Utc" | "Local" | "OffsetDateTime" | "Timestamp", "now") => {
            (DIFFERS, or_in_a_step("now()"))
        }
        ("Uuid", _) if is_new_uuid() => (DIFFERS, or_in_a_step("uuid()")),
        ("rand", _) if path.len() == 2 => (DIFFERS, or_in_a_step("random()")),
        (_, "from_os_rng" | "from_entropy") => (DIFFERS, or_in_a_step("random()")),
        ("time", "sleep") => (UNRECORDED, format!("write `{ctx}.sleep(..)`")),
        ("time", "sleep_until") => (UNRECORDED, format!("write `{ctx}.sleep_until(..)`")),
        ("time", "timeout" | "timeout_at" | "interval" | "interval_at") => {
            let instead = "write `.timeout(..)` on the operation, or race it with";
            (
                UNRECORDED,
                format!("{instead} `{ctx}.sleep(..)` in a biased `select!`"),
            )
        }
        ("tokio" | "task", "spawn" | "spawn_blocking" | "spawn_local") => {
            let instead = "make the work a step, which `.spawn()` runs in parallel, or use `join!`";
            (
                "starts a task that does not replay and is lost in a crash",
                instead.to_owned(),
            )
        }
        ("env", "var" | "var_os" | "vars" | "vars_os") => {
            let instead = "pass the value in as input or `State<T>`, or record it with";
            let differs = "may differ on the machine and the day that replay the run";
            (
                differs,
                format!("{instead} `{ctx}.side_effect(name, || ..)`"),
            )
        }
        ("thread", "sleep") => {
            let blocks = "blocks every run of this thread and is not part of the history";
            (blocks, format!("write `{ctx}.sleep(..)`"))
        }
        _ => return None,
    };
    Some(verdict)
}

impl<'ast> Visit<'ast> for Lints<'_> {
    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        self.visit_expr(&call.receiver);
        let takes_step_body = takes_step_body(call, self.ctx);
        for argument in &call.args {
            match argument {
                Expr::Closure(body) if takes_step_body && self.place == Place::Workflow => {
                    self.visit_step_body(body);
                }
                other => self.visit_expr(other),
            }
        }
    }

    fn visit_local(&mut self, local: &'ast Local) {
        let named = matches!(
            &local.pat,
            Pat::Ident(name) if self.named.contains(&name.ident.to_string())
        );
        match local.init.as_ref().map(|init| &*init.expr) {
            Some(Expr::Closure(body)) if named => self.visit_step_body(body),
            _ => visit::visit_local(self, local),
        }
    }

    fn visit_expr_path(&mut self, path: &'ast ExprPath) {
        match self.place {
            Place::Workflow => self.refuse_path(&path.path),
            Place::StepBody if is_ctx(&Expr::Path(path.clone()), self.ctx) => {
                let message = format!(
                    "operations cannot be nested in a step: it is one unit of side effect, \
                     recorded once; call `{}` before the step and use the value in it, or make \
                     the inner operation a step of its own (what `async |step: StepCtx|` receives \
                     knows the run and the attempt)",
                    self.ctx
                );
                self.problems.at(path, message);
            }
            Place::StepBody | Place::ShadowingBody => {}
        }
    }

    fn visit_macro(&mut self, mac: &'ast Macro) {
        if self.place == Place::Workflow && macro_name(mac) == "select" {
            self.refuse_unbiased(mac);
        }
        if let Some(body) = MacroBody::read(mac) {
            body.visit(self);
        }
    }

    /// An item inside the body is a function of its own.
    fn visit_item(&mut self, _item: &'ast Item) {}
}

/// Whether a closure has a variable called `name`.
fn binds(closure: &ExprClosure, name: &Ident) -> bool {
    let mut binds = Binds { name, found: false };
    binds.visit_expr_closure(closure);
    binds.found
}

struct Binds<'a> {
    name: &'a Ident,
    found: bool,
}

impl<'ast> Visit<'ast> for Binds<'_> {
    fn visit_pat_ident(&mut self, pattern: &'ast syn::PatIdent) {
        self.found |= pattern.ident == *self.name;
    }
}

#[cfg(test)]
mod tests {
    use quote::format_ident;

    use super::*;

    fn problems_of(code: &str) -> String {
        let body = syn::parse_str(&format!("{{{code}}}")).unwrap();
        let mut problems = Problems::default();
        check(&body, &format_ident!("ctx"), &mut problems);
        problems.to_compile_errors().to_string()
    }

    #[test]
    fn what_does_not_replay_is_refused_with_its_replacement() {
        let cases = [
            ("std::time::SystemTime::now()", "`ctx.now()`"),
            ("x.unwrap_or_else(Utc::now)", "`ctx.now()`"),
            ("vec![Uuid::new_v4()]", "`ctx.uuid()`"),
            ("rand::random::<u8>()", "`ctx.random()`"),
            ("join!(tokio::time::sleep(d))", "`ctx.sleep(..)`"),
            ("tokio::spawn(f)", "`.spawn()`"),
            ("std::env::var(name)", "`ctx.side_effect"),
            ("items.iter().map(|i| Instant::now())", "`ctx.now()`"),
            (
                "tokio::select! { biased; a = b => Local::now(), }",
                "`ctx.now()`",
            ),
            ("futures::select! { a = b => 1, }", "`biased;`"),
            ("ctx.wait_for_signal(a).map(|b| Utc::now())", "`ctx.now()`"),
        ];
        for (code, expected) in cases {
            let found = problems_of(code);
            assert!(found.contains(expected), "{code}: {found}");
        }
    }

    #[test]
    fn step_bodies_and_computed_values_are_free() {
        let cases = [
            "ctx.step(a, async || { SystemTime::now(); select! { a = tokio::spawn(f) => 1 } })",
            "ctx.side_effect(a, || std::env::var(name))",
            "ctx.step(a, f).compensate(b, async |x| Uuid::new_v4())",
            "join!(ctx.step(a, async || rand::random()))",
            "let body = async || rand::random(); ctx.step(a, body)",
            "Uuid::new_v5(&ns, name); SystemTime::UNIX_EPOCH",
            "rand::rngs::StdRng::seed_from_u64(ctx.random())",
            "select! { biased; a = b => 1 } select_biased! { a = b => 1 }",
            "fn helper() -> Instant { Instant::now() }",
        ];
        for code in cases {
            assert_eq!(problems_of(code), "", "{code}");
        }
    }

    #[test]
    fn the_context_is_refused_in_a_step_body_unless_the_name_is_the_bodys_own() {
        let nested = "ctx.step(a, async || { ctx.step(b, f).await })";
        assert!(problems_of(nested).contains("operations cannot be nested"));
        assert_eq!(
            problems_of("ctx.step(a, async |ctx: StepCtx| { ctx.attempt() })"),
            ""
        );
    }

    #[test]
    fn everything_is_reported_at_once() {
        let found = problems_of("Instant::now(); Uuid::now_v7(); std::thread::sleep(d)");
        assert_eq!(found.matches("compile_error").count(), 3);
    }
}
