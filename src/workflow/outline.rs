//! The shape of a workflow's body, captured when it was compiled.

use serde::Serialize;

/// What a workflow's body will ask for, and where: known before it ever ran.
///
/// `#[workflow]` writes it from the source, so the flow can be drawn for a run that has not come
/// that far. It sees the body itself, not the functions that the body calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Outline {
    /// The source file.
    pub file: &'static str,
    /// The line of the `async fn`.
    pub line: u32,
    /// The body, in source order.
    pub nodes: &'static [OutlineNode],
}

impl Outline {
    /// The outline of a body that was registered without `#[workflow]`: nothing is known.
    pub const UNKNOWN: Self = Self {
        file: "",
        line: 0,
        nodes: &[],
    };
}

/// A part of an [`Outline`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum OutlineNode {
    /// A call on the context.
    Operation {
        /// The method, such as `step` or `wait_for_signal`.
        kind: &'static str,
        /// The operation's name: the text of a literal, else the source of the expression.
        name: &'static str,
        /// The source line.
        line: u32,
    },
    /// An `if` or `match`.
    Branch {
        /// The source of what is decided on.
        condition: &'static str,
        /// The source line.
        line: u32,
        /// The ways to go on.
        arms: &'static [OutlineArm],
    },
    /// A `for`, `while` or `loop`.
    Loop {
        /// The source of its head, such as `for item in &order.items`.
        head: &'static str,
        /// The source line.
        line: u32,
        /// What repeats.
        body: &'static [Self],
    },
    /// A `join!`, `try_join!` or `select!`.
    Join {
        /// The macro, such as `try_join`.
        kind: &'static str,
        /// The source line.
        line: u32,
        /// What runs side by side.
        arms: &'static [OutlineArm],
    },
}

/// One way through an [`OutlineNode`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OutlineArm {
    /// The source of its pattern or condition, or `else`; empty for an arm of a join.
    pub label: &'static str,
    /// What happens on it.
    pub nodes: &'static [OutlineNode],
}
