//! Reads the parts of an outline from a body.

use syn::{
    Block, Expr, ExprForLoop, ExprIf, ExprLoop, ExprMatch, ExprMethodCall, ExprWhile, Item, Local,
    Macro,
    spanned::Spanned,
    visit::{self, Visit},
};

use super::{
    leaves::{block_leaves, expr_leaves},
    names::{line_of, name_of},
    node::{Arm, Node},
    payload::{Payloads, Scope, Written, is_builder},
};
use crate::{
    body::{Head, MacroBody, is_ctx, is_select, is_undo, macro_name, takes_step_body},
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

/// Collects the parts of a body in the order of its text.
pub(super) struct Collect<'a> {
    scope: &'a Scope<'a>,
    nodes: Vec<Node>,
}

impl<'a> Collect<'a> {
    /// The parts of whatever `visit` shows it.
    pub(super) fn nodes(scope: &'a Scope<'a>, visit: impl FnOnce(&mut Self)) -> Vec<Node> {
        let mut collect = Self {
            scope,
            nodes: Vec::new(),
        };
        visit(&mut collect);
        collect.nodes
    }

    fn arm(&self, label: String, leaves: bool, visit: impl FnOnce(&mut Self)) -> Arm {
        let nodes = Self::nodes(self.scope, visit);
        Arm {
            label,
            leaves,
            nodes,
        }
    }

    fn push(&mut self, node: Node) {
        if node.holds_any() {
            self.nodes.push(node);
        }
    }

    /// What a branch decides on: where `ctx.switch` records it, the value that is recorded.
    fn condition(&self, expr: &Expr) -> String {
        let mut inner = expr;
        loop {
            inner = match inner {
                Expr::Try(tried) => &tried.expr,
                Expr::Paren(paren) => &paren.expr,
                Expr::MethodCall(call) if is_ctx(&call.receiver, self.scope.ctx) => {
                    let is_switch = call.method == "switch";
                    let value = call.args.iter().nth(1).filter(|_| is_switch);
                    return source(value.unwrap_or(expr));
                }
                _ => return source(expr),
            }
        }
    }

    fn visit_loop(&mut self, head: String, at: &impl Spanned, body: &Block) {
        let body = Self::nodes(self.scope, |inner| inner.visit_block(body));
        let line = line_of(at);
        self.push(Node::Loop { head, line, body });
    }
}

impl<'ast> Visit<'ast> for Collect<'_> {
    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        self.visit_expr(&call.receiver);
        if call.method == "validate" && is_builder(&call.receiver, self.scope.ctx) {
            // The operation that it belongs to was visited last, as part of the receiver.
            if let Some(payloads) = self.nodes.last_mut().and_then(Node::payloads) {
                payloads.add_validator(call, self.scope);
            }
        }
        let takes_step_body = takes_step_body(call, self.scope.ctx);
        for argument in &call.args {
            if !(takes_step_body && matches!(argument, Expr::Closure(_))) {
                self.visit_expr(argument);
            }
        }
        let is_read = READS.iter().any(|read| call.method == read);
        if is_ctx(&call.receiver, self.scope.ctx) && !is_read {
            let is_switch = call.method == "switch";
            let value = call.args.iter().nth(1).filter(|_| is_switch);
            self.push(Node::Operation {
                kind: call.method.to_string(),
                name: name_of(call),
                value: value.map(source).unwrap_or_default(),
                compensation: String::new(),
                payloads: Box::new(Payloads::of_call(call, self.scope)),
                line: line_of(&call.method),
            });
        } else if is_undo(call)
            && let Some(Node::Operation { compensation, .. }) = self.nodes.last_mut()
        {
            // The operation that it belongs to is the receiver, which was visited last.
            *compensation = name_of(call);
        }
    }

    fn visit_local(&mut self, local: &'ast Local) {
        let before = self.nodes.len();
        visit::visit_local(self, local);
        let Some(written) = Written::read(local, self.scope.ctx) else {
            return;
        };
        // What it asks for among its arguments comes before.
        let mut own = self
            .nodes
            .iter_mut()
            .skip(before)
            .filter_map(Node::payloads);
        if let Some(payloads) = own.next_back() {
            payloads.add_let(written, self.scope);
        }
    }

    fn visit_expr_if(&mut self, branch: &'ast ExprIf) {
        self.visit_expr(&branch.cond);
        let mut arms = Vec::new();
        let mut next = Some(branch);
        while let Some(branch) = next.take() {
            let label = self.condition(&branch.cond);
            let leaves = block_leaves(&branch.then_branch);
            arms.push(self.arm(label, leaves, |inner| {
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
                    let arm = self.arm("else".to_owned(), expr_leaves(other), |inner| {
                        inner.visit_expr(other);
                    });
                    arms.push(arm);
                }
                None => {}
            }
        }
        let (condition, line) = (self.condition(&branch.cond), line_of(branch));
        self.push(Node::Branch {
            condition,
            line,
            arms,
        });
    }

    fn visit_expr_match(&mut self, branch: &'ast ExprMatch) {
        self.visit_expr(&branch.expr);
        let arms = branch.arms.iter();
        let arms = arms.map(|arm| {
            self.arm(source(&arm.pat), expr_leaves(&arm.body), |inner| {
                inner.visit_expr(&arm.body);
            })
        });
        let arms = arms.collect();
        let (condition, line) = (self.condition(&branch.expr), line_of(branch));
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
        let body = Self::nodes(self.scope, |inner| {
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
                .map(|expr| self.arm(String::new(), false, |inner| inner.visit_expr(expr)))
                .collect(),
            MacroBody::Select { branches, .. } if is_select(&kind) => branches
                .iter()
                .map(|branch| {
                    let label = match &branch.head {
                        Head::Future(pattern, ..) | Head::Word(pattern) => source(pattern),
                        Head::Else(_) => "else".to_owned(),
                    };
                    self.arm(label, false, |inner| branch.visit(inner))
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
