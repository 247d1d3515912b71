//! The shape of a workflow's body, captured when it was compiled.

use serde::Serialize;

use super::payload_schema::PayloadSchema;
use crate::model::Fingerprint;

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
    /// Every operation, in source order.
    pub fn operations(&self) -> impl Iterator<Item = &'static OutlineNode> {
        let mut found = Vec::new();
        list(self.nodes, &mut found);
        found.into_iter()
    }

    /// The outline of a body that was registered without `#[workflow]`: nothing is known.
    pub const UNKNOWN: Self = Self {
        file: "",
        line: 0,
        nodes: &[],
    };
}

fn list(nodes: &'static [OutlineNode], found: &mut Vec<&'static OutlineNode>) {
    for node in nodes {
        match node {
            OutlineNode::Operation { .. } => found.push(node),
            OutlineNode::Loop { body, .. } => list(body, found),
            OutlineNode::Branch { arms, .. } | OutlineNode::Join { arms, .. } => {
                arms.iter().for_each(|arm| list(arm.nodes, found));
            }
        }
    }
}

fn is_empty(text: &&str) -> bool {
    text.is_empty()
}

impl Outline {
    /// A number for the flow of the body; `None` if nothing is known of it.
    ///
    /// It changes with every operation, name, branch, loop and condition, and not with lines,
    /// formatting, step bodies or what stands between the operations. Two builds with the same
    /// fingerprint replay each other's runs, as far as the body itself is concerned; another one
    /// is a reason to replay a history of a run before the build goes out.
    #[must_use]
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        if self.file.is_empty() {
            return None;
        }
        let mut hash = Fnv::default();
        hash.nodes(self.nodes);
        Some(Fingerprint::new(hash.0))
    }
}

/// FNV-1a, whose values are the same on every platform and in every release.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn byte(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }

    /// Source text, without the blanks that a formatter moves about.
    fn text(&mut self, text: &str) {
        let bytes = text.bytes().filter(|byte| !byte.is_ascii_whitespace());
        bytes.for_each(|byte| self.byte(byte));
        self.byte(0);
    }

    fn nodes(&mut self, nodes: &[OutlineNode]) {
        nodes.iter().for_each(|node| self.node(node));
        self.byte(1);
    }

    fn node(&mut self, node: &OutlineNode) {
        match node {
            OutlineNode::Operation {
                kind,
                name,
                value,
                compensation,
                payload_schema: _,
                reply_schema: _,
                line: _,
            } => {
                for text in [kind, name, value, compensation] {
                    self.text(text);
                }
            }
            OutlineNode::Branch {
                condition,
                arms,
                line: _,
            } => self.arms("branch", condition, arms),
            OutlineNode::Loop {
                head,
                body,
                line: _,
            } => {
                self.text(head);
                self.nodes(body);
            }
            OutlineNode::Join {
                kind,
                arms,
                line: _,
            } => self.arms("join", kind, arms),
        }
    }

    fn arms(&mut self, what: &str, head: &str, arms: &[OutlineArm]) {
        self.text(what);
        self.text(head);
        for arm in arms {
            self.text(arm.label);
            if arm.leaves {
                self.text("return");
            }
            self.nodes(arm.nodes);
        }
    }
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
        /// The source of what a `switch` decides on; empty for other operations.
        #[serde(skip_serializing_if = "is_empty")]
        value: &'static str,
        /// The name of the undo that `.compensate(..)` gives it; empty if there is none.
        #[serde(skip_serializing_if = "is_empty")]
        compensation: &'static str,
        /// What it gets from outside or gives away: the payload of a signal, of an update and the
        /// like. `None` where there is no such thing.
        #[serde(skip_serializing_if = "Option::is_none")]
        payload_schema: Option<PayloadSchema>,
        /// What it answers, where somebody waits for an answer.
        #[serde(skip_serializing_if = "Option::is_none")]
        reply_schema: Option<PayloadSchema>,
        /// The source line.
        line: u32,
    },
    /// An `if` or `match`.
    Branch {
        /// The source of what is decided on; of the value, where a `switch` records it.
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
    /// Whether it ends the workflow by a `return`: what stands behind the branch is not reached
    /// from it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub leaves: bool,
    /// What happens on it.
    pub nodes: &'static [OutlineNode],
}
