//! Records the shape of a workflow's body as a constant.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    Block, Expr, ExprForLoop, ExprIf, ExprLoop, ExprMatch, ExprMethodCall, ExprWhile, Ident, Item,
    Lit, Macro,
    spanned::Spanned,
    visit::{self, Visit},
};

use crate::{
    body::{Head, MacroBody, is_ctx, is_select, macro_name, takes_step_body},
    source::source,
};

/// Calls on the context that take no position in the run's history.
const READS: [&str; 8] = [
    "run_id",
    "workflow",
    "attempt",
    "is_replaying",
    "cancelled",
    "state",
    "clone",
    "add_tag",
];

/// Operations whose first argument is a definition, so that its last part is the name.
const BY_DEFINITION: [&str; 3] = ["remote", "child", "all"];

/// The outline of a body, as an expression.
pub(crate) fn outline(body: &Block, function: &Ident, ctx: &Ident) -> TokenStream {
    let nodes = Collect::nodes(ctx, |collect| collect.visit_block(body));
    let nodes = nodes.iter().map(Node::to_tokens);
    let line = line_of(function);
    quote! {
        ::axum_durable::__private::Outline {
            file: ::core::file!(),
            line: #line,
            nodes: &[#(#nodes),*],
        }
    }
}

/// A part of an outline before it is written.
#[derive(Debug, PartialEq)]
enum Node {
    Operation {
        kind: String,
        name: String,
        line: u32,
    },
    Branch {
        condition: String,
        line: u32,
        arms: Vec<Arm>,
    },
    Loop {
        head: String,
        line: u32,
        body: Vec<Self>,
    },
    Join {
        kind: String,
        line: u32,
        arms: Vec<Arm>,
    },
}

#[derive(Debug, PartialEq)]
struct Arm {
    label: String,
    nodes: Vec<Node>,
}

struct Collect<'a> {
    ctx: &'a Ident,
    nodes: Vec<Node>,
}

impl<'a> Collect<'a> {
    fn nodes(ctx: &'a Ident, visit: impl FnOnce(&mut Self)) -> Vec<Node> {
        let mut collect = Self {
            ctx,
            nodes: Vec::new(),
        };
        visit(&mut collect);
        collect.nodes
    }

    fn arm(&self, label: String, visit: impl FnOnce(&mut Self)) -> Arm {
        let nodes = Self::nodes(self.ctx, visit);
        Arm { label, nodes }
    }

    /// Parts without operations say nothing about the flow of a run and are left out.
    fn push(&mut self, node: Node) {
        let holds_any = match &node {
            Node::Operation { .. } => true,
            Node::Loop { body, .. } => !body.is_empty(),
            Node::Branch { arms, .. } | Node::Join { arms, .. } => {
                arms.iter().any(|arm| !arm.nodes.is_empty())
            }
        };
        if holds_any {
            self.nodes.push(node);
        }
    }

    fn visit_loop(&mut self, head: String, at: &impl Spanned, body: &Block) {
        let body = Self::nodes(self.ctx, |inner| inner.visit_block(body));
        let line = line_of(at);
        self.push(Node::Loop { head, line, body });
    }
}

/// The name that the outline gives to an operation.
fn name_of(call: &ExprMethodCall) -> String {
    let Some(first) = call.args.first() else {
        return String::new();
    };
    match first {
        Expr::Path(path) if BY_DEFINITION.iter().any(|kind| call.method == kind) => path
            .path
            .segments
            .last()
            .map(|last| last.ident.to_string())
            .unwrap_or_default(),
        other => literal(other).unwrap_or_else(|| source(other)),
    }
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
fn line_of(at: &impl Spanned) -> u32 {
    u32::try_from(at.span().start().line).unwrap_or(u32::MAX)
}

impl<'ast> Visit<'ast> for Collect<'_> {
    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        self.visit_expr(&call.receiver);
        let takes_step_body = takes_step_body(call, self.ctx);
        for argument in &call.args {
            if !(takes_step_body && matches!(argument, Expr::Closure(_))) {
                self.visit_expr(argument);
            }
        }
        let is_read = READS.iter().any(|read| call.method == read);
        if is_ctx(&call.receiver, self.ctx) && !is_read {
            self.push(Node::Operation {
                kind: call.method.to_string(),
                name: name_of(call),
                line: line_of(&call.method),
            });
        }
    }

    fn visit_expr_if(&mut self, branch: &'ast ExprIf) {
        self.visit_expr(&branch.cond);
        let mut arms = Vec::new();
        let mut next = Some(branch);
        while let Some(branch) = next.take() {
            let label = source(&branch.cond);
            arms.push(self.arm(label, |inner| {
                // What the condition of an `else if` asks for happens on the way to its arm.
                if !arms.is_empty() {
                    inner.visit_expr(&branch.cond);
                }
                inner.visit_block(&branch.then_branch);
            }));
            match branch
                .else_branch
                .as_ref()
                .map(|(_, otherwise)| &**otherwise)
            {
                Some(Expr::If(other)) => next = Some(other),
                Some(other) => {
                    arms.push(self.arm("else".to_owned(), |inner| inner.visit_expr(other)));
                }
                None => {}
            }
        }
        let (condition, line) = (source(&branch.cond), line_of(branch));
        self.push(Node::Branch {
            condition,
            line,
            arms,
        });
    }

    fn visit_expr_match(&mut self, branch: &'ast ExprMatch) {
        self.visit_expr(&branch.expr);
        let arms = branch.arms.iter();
        let arms = arms.map(|arm| self.arm(source(&arm.pat), |inner| inner.visit_expr(&arm.body)));
        let arms = arms.collect();
        let (condition, line) = (source(&branch.expr), line_of(branch));
        self.push(Node::Branch {
            condition,
            line,
            arms,
        });
    }

    fn visit_expr_for_loop(&mut self, repeat: &'ast ExprForLoop) {
        self.visit_expr(&repeat.expr);
        let head = format!("for {} in {}", source(&repeat.pat), source(&repeat.expr));
        self.visit_loop(head, repeat, &repeat.body);
    }

    fn visit_expr_while(&mut self, repeat: &'ast ExprWhile) {
        let head = format!("while {}", source(&repeat.cond));
        let body = Self::nodes(self.ctx, |inner| {
            inner.visit_expr(&repeat.cond);
            inner.visit_block(&repeat.body);
        });
        let line = line_of(repeat);
        self.push(Node::Loop { head, line, body });
    }

    fn visit_expr_loop(&mut self, repeat: &'ast ExprLoop) {
        self.visit_loop("loop".to_owned(), repeat, &repeat.body);
    }

    fn visit_macro(&mut self, mac: &'ast Macro) {
        let Some(body) = MacroBody::read(mac) else {
            return;
        };
        let (kind, line) = (macro_name(mac), line_of(mac));
        let arms = match &body {
            MacroBody::List { exprs, .. } if matches!(&*kind, "join" | "try_join") => exprs
                .iter()
                .map(|expr| self.arm(String::new(), |inner| inner.visit_expr(expr)))
                .collect(),
            MacroBody::Select { branches, .. } if is_select(&kind) => branches
                .iter()
                .map(|branch| {
                    let label = match &branch.head {
                        Head::Future(pattern, ..) | Head::Word(pattern) => source(pattern),
                        Head::Else(_) => "else".to_owned(),
                    };
                    self.arm(label, |inner| branch.visit(inner))
                })
                .collect(),
            other => return other.visit(self),
        };
        self.push(Node::Join { kind, line, arms });
    }

    /// An item inside the body is a function of its own.
    fn visit_item(&mut self, _item: &'ast Item) {}

    fn visit_block(&mut self, block: &'ast Block) {
        visit::visit_block(self, block);
    }
}

impl Node {
    fn to_tokens(&self) -> TokenStream {
        let fields = match self {
            Self::Operation { kind, name, line } => {
                quote!(Operation { kind: #kind, name: #name, line: #line })
            }
            Self::Branch {
                condition,
                line,
                arms,
            } => {
                let arms = arms.iter().map(Arm::to_tokens);
                quote!(Branch { condition: #condition, line: #line, arms: &[#(#arms),*] })
            }
            Self::Loop { head, line, body } => {
                let body = body.iter().map(Self::to_tokens);
                quote!(Loop { head: #head, line: #line, body: &[#(#body),*] })
            }
            Self::Join { kind, line, arms } => {
                let arms = arms.iter().map(Arm::to_tokens);
                quote!(Join { kind: #kind, line: #line, arms: &[#(#arms),*] })
            }
        };
        quote!(::axum_durable::__private::OutlineNode::#fields)
    }
}

impl Arm {
    fn to_tokens(&self) -> TokenStream {
        let label = &self.label;
        let nodes = self.nodes.iter().map(Node::to_tokens);
        quote!(::axum_durable::__private::OutlineArm { label: #label, nodes: &[#(#nodes),*] })
    }
}

#[cfg(test)]
mod tests {
    use quote::format_ident;

    use super::*;

    /// The outline as indented lines: `line kind name`.
    fn outline_of(body: &str) -> Vec<String> {
        let body: Block = syn::parse_str(&format!("{{{body}}}")).unwrap();
        let ctx = format_ident!("ctx");
        let mut lines = Vec::new();
        let nodes = Collect::nodes(&ctx, |collect| collect.visit_block(&body));
        print(&nodes, "", &mut lines);
        lines
    }

    fn print(nodes: &[Node], indent: &str, lines: &mut Vec<String>) {
        let deeper = format!("{indent}  ");
        let print_arms = |arms: &[Arm], lines: &mut Vec<String>| {
            for arm in arms {
                lines.push(format!("{indent}- {}", arm.label));
                print(&arm.nodes, &deeper, lines);
            }
        };
        for node in nodes {
            match node {
                Node::Operation { kind, name, line } => {
                    lines.push(format!("{indent}{line} {kind} {name}"));
                }
                Node::Branch {
                    condition,
                    line,
                    arms,
                } => {
                    lines.push(format!("{indent}{line} if {condition}"));
                    print_arms(arms, lines);
                }
                Node::Loop { head, line, body } => {
                    lines.push(format!("{indent}{line} {head}"));
                    print(body, &deeper, lines);
                }
                Node::Join { kind, line, arms } => {
                    lines.push(format!("{indent}{line} {kind}!"));
                    print_arms(arms, lines);
                }
            }
        }
    }

    #[test]
    fn operations_are_named_by_literals_definitions_or_their_source() {
        let body = r#"
            ctx.step("reserve", async || f().await).retries(5).compensate("x", g).await?;
            let approval: Approval = ctx
                .wait_for_signal(format!("approve:{}", order.id))
                .timeout(DAY)
                .await?;
            ctx.remote(steps::charge_card, ChargeInput::new(ctx.uuid(), ctx.run_id())).await?;
            ctx.remote_named::<u8>("py.score".to_owned(), 1).await?;
            ctx.sleep(Duration::from_secs(5)).await;
            ctx.step(name_of( &order ), body).await
        "#;
        assert_eq!(
            outline_of(body),
            [
                "2 step reserve",
                r#"4 wait_for_signal format!("approve:{}", order.id)"#,
                "7 uuid ",
                "7 remote charge_card",
                "8 remote_named py.score",
                "9 sleep Duration::from_secs(5)",
                "10 step name_of( &order )",
            ]
        );
    }

    #[test]
    fn branches_and_loops_hold_what_they_decide() {
        let body = r#"
            if order.total > 10 { ctx.step("a", f).await?; } else if ctx.random::<bool>() { 1 } else { ctx.now(); }
            match ctx.step("b", f).await? {
                Some(n) if n > 1 => ctx.step("c", f).await?,
                _ => return Ok(()),
            }
            for item in &order.items { ctx.step("d", f).await?; }
            while let Some(x) = ctx.step("e", f).await? { g(x); }
            loop { if done { break; } }
        "#;
        assert_eq!(
            outline_of(body),
            [
                "2 if order.total > 10",
                "- order.total > 10",
                "  2 step a",
                "- ctx.random::<bool>()",
                "  2 random ",
                "- else",
                "  2 now ",
                "3 step b",
                r#"3 if ctx.step("b", f).await?"#,
                "- Some(n) if n > 1",
                "  4 step c",
                "- _",
                "7 for item in &order.items",
                "  7 step d",
                "8 while let Some(x) = ctx.step(\"e\", f).await?",
                "  8 step e",
            ]
        );
    }

    #[test]
    fn joins_have_an_arm_for_each_side() {
        let body = r#"
            let both = tokio::try_join!(ctx.step("a", f), async { ctx.step("b", f).await?; ctx.step("c", f).await })?;
            tokio::select! {
                biased;
                answer = ctx.wait_for_signal("go") => ctx.step("d", f).await?,
                () = ctx.sleep(DAY) => {}
                else => ctx.rollback().await?,
            }
            let all = vec![ctx.step("e", f)];
            let more = items.map(|i| ctx.step("g", f));
        "#;
        assert_eq!(
            outline_of(body),
            [
                "2 try_join!",
                "- ",
                "  2 step a",
                "- ",
                "  2 step b",
                "  2 step c",
                "3 select!",
                "- answer",
                "  5 wait_for_signal go",
                "  5 step d",
                "- ()",
                "  6 sleep DAY",
                "- else",
                "  7 rollback ",
                "9 step e",
                "10 step g",
            ]
        );
    }

    #[test]
    fn step_bodies_and_inner_functions_are_not_part_of_the_flow() {
        let body = r#"
            ctx.step("a", async || { if x { ctx.step("hidden", f) } });
            fn inner(ctx: &WorkflowCtx) { ctx.step("hidden", f); }
            if order.total > 10 { return Err(x); }
            other.step("hidden", f);
        "#;
        assert_eq!(outline_of(body), ["2 step a"]);
    }
}
