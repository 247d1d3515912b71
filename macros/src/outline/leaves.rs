//! Which parts of a body end the workflow.

use syn::{Block, Expr, Stmt};

/// Whether the workflow ends with this expression, and nothing behind it is reached.
pub(super) fn expr_leaves(expr: &Expr) -> bool {
    match expr {
        Expr::Return(_) => true,
        Expr::Block(block) => block_leaves(&block.block),
        Expr::Paren(paren) => expr_leaves(&paren.expr),
        Expr::If(branch) => {
            let other = branch.else_branch.as_ref();
            block_leaves(&branch.then_branch) && other.is_some_and(|(_, other)| expr_leaves(other))
        }
        Expr::Match(branch) => {
            !branch.arms.is_empty() && branch.arms.iter().all(|arm| expr_leaves(&arm.body))
        }
        _ => false,
    }
}

pub(super) fn block_leaves(block: &Block) -> bool {
    matches!(block.stmts.last(), Some(Stmt::Expr(expr, _)) if expr_leaves(expr))
}
