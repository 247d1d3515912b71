//! What arrives at runs of a workflow and what they show, read off its outline.

use schemars::Schema;
use serde::Serialize;

use crate::workflow::{Outline, OutlineNode, PayloadSchema};

/// A signal or an event that a workflow waits for, or a value that it sets.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MessageDescription {
    /// Its token, name or key; where that is made at run time, the source of the expression.
    pub name: &'static str,
    /// The JSON Schema of its payload; `None` if that is not known.
    pub schema: Option<Schema>,
}

/// An update that a workflow takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct UpdateDescription {
    /// Its name; where that is made at run time, the source of the expression.
    pub name: &'static str,
    /// The JSON Schema of what is asked; `None` if that is not known.
    pub args_schema: Option<Schema>,
    /// The JSON Schema of the answer; `None` if that is not known.
    pub reply_schema: Option<Schema>,
}

/// The messages of operations of one kind, in source order, each once.
pub(super) fn messages(outline: &Outline, kind: &str) -> Vec<MessageDescription> {
    let mut found = Vec::<MessageDescription>::new();
    for (name, schema, _) in of_kind(outline, kind) {
        let mut same = found.iter_mut().filter(|it| it.name == name);
        // A wait whose type is not written says nothing against one whose type is.
        match same.find(|it| it.schema.is_none() || schema.is_none() || it.schema == schema) {
            Some(known) => known.schema = known.schema.take().or(schema),
            None => found.push(MessageDescription { name, schema }),
        }
    }
    found
}

/// The updates, in source order, each once.
pub(super) fn updates(outline: &Outline) -> Vec<UpdateDescription> {
    let mut found = Vec::new();
    for (name, args_schema, reply_schema) in of_kind(outline, "on_update") {
        let update = UpdateDescription {
            name,
            args_schema,
            reply_schema,
        };
        if !found.contains(&update) {
            found.push(update);
        }
    }
    found
}

type Found = (&'static str, Option<Schema>, Option<Schema>);

fn of_kind(outline: &Outline, wanted: &str) -> impl Iterator<Item = Found> {
    outline.operations().filter_map(move |node| match node {
        OutlineNode::Operation {
            kind,
            name,
            payload_schema,
            reply_schema,
            ..
        } if *kind == wanted => Some((
            *name,
            payload_schema.and_then(PayloadSchema::schema),
            reply_schema.and_then(PayloadSchema::schema),
        )),
        _ => None,
    })
}
