//! Records the shape of a workflow's body as a constant.

mod text;

mod collect;
mod leaves;
mod names;
mod node;
mod payload;

#[cfg(test)]
mod tests;

pub(crate) use text::outline;
