//! An outline as the constant that goes with its function.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Block, Ident, visit::Visit as _};

use super::{collect::Collect, names::line_of, node::Node, payload::Scope};

/// The outline of a body, as an expression.
pub(crate) fn outline(body: &Block, function: &Ident, ctx: &Ident) -> TokenStream {
    let scope = Scope::of(body, ctx);
    let nodes = Collect::nodes(&scope, |collect| collect.visit_block(body));
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
