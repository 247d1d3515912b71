//! What an outline is made of.

use proc_macro2::TokenStream;
use quote::quote;

use super::payload::Payloads;

/// A part of an outline before it is written.
pub(super) enum Node {
    Operation {
        kind: String,
        name: String,
        value: String,
        compensation: String,
        payloads: Box<Payloads>,
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

pub(super) struct Arm {
    pub(super) label: String,
    /// The workflow ends with it, and nothing behind the branch is reached.
    pub(super) leaves: bool,
    pub(super) nodes: Vec<Node>,
}

impl Node {
    /// Parts without operations say nothing about the flow of a run.
    pub(super) fn holds_any(&self) -> bool {
        match self {
            Self::Operation { .. } => true,
            Self::Loop { body, .. } => !body.is_empty(),
            Self::Branch { arms, .. } | Self::Join { arms, .. } => {
                arms.iter().any(|arm| !arm.nodes.is_empty())
            }
        }
    }

    /// What an operation gets, gives away or answers.
    pub(super) fn payloads(&mut self) -> Option<&mut Payloads> {
        match self {
            Self::Operation { payloads, .. } => Some(payloads),
            _ => None,
        }
    }

    /// The part as an expression of the runtime's own type.
    pub(super) fn to_tokens(&self) -> TokenStream {
        let fields = match self {
            Self::Operation {
                kind,
                name,
                value,
                compensation,
                payloads,
                line,
            } => {
                let (payload, reply) = (payloads.payload.to_tokens(), payloads.reply.to_tokens());
                quote!(Operation {
                    kind: #kind,
                    name: #name,
                    value: #value,
                    compensation: #compensation,
                    payload_schema: #payload,
                    reply_schema: #reply,
                    line: #line,
                })
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
        let leaves = self.leaves;
        quote!(::axum_durable::__private::OutlineArm {
            label: #label,
            leaves: #leaves,
            nodes: &[#(#nodes),*],
        })
    }
}
