//! The schema of a payload whose type an author wrote, as a constant.

use std::{fmt, marker::PhantomData};

use schemars::{JsonSchema, Schema, schema_for};
use serde::{Serialize, Serializer};

/// The JSON Schema of what a workflow gets from outside or gives away, where the author wrote its
/// type at the call and the type has one.
///
/// It is made when it is asked for. Two are equal if they say the same.
#[derive(Clone, Copy)]
pub struct PayloadSchema(fn() -> Option<Schema>);

impl PayloadSchema {
    /// Nothing is known: the type is not written at the call, or has no schema.
    pub const UNKNOWN: Self = Self(|| None);

    /// What `make` gives. Written by `#[workflow]`.
    #[must_use]
    pub const fn new(make: fn() -> Option<Schema>) -> Self {
        Self(make)
    }

    /// The schema, if it is known.
    #[must_use]
    pub fn schema(self) -> Option<Schema> {
        (self.0)()
    }
}

impl PartialEq for PayloadSchema {
    fn eq(&self, other: &Self) -> bool {
        self.schema() == other.schema()
    }
}

impl Eq for PayloadSchema {}

impl fmt::Debug for PayloadSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PayloadSchema")
            .field(&self.schema())
            .finish()
    }
}

/// As the schema itself; `null` if it is not known.
impl Serialize for PayloadSchema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.schema().serialize(serializer)
    }
}

/// A type that may have a schema. `(&SchemaOf::<T>::NEW).schema()` finds [`HasSchema`] if it has
/// one, else, a reference further, [`HasNoSchema`]: without it a signal's type would need one.
#[derive(Debug)]
pub struct SchemaOf<T: ?Sized>(PhantomData<fn(&T)>);

impl<T: ?Sized> SchemaOf<T> {
    /// The only value.
    pub const NEW: Self = Self(PhantomData);
}

/// The schema of a type that has one.
pub trait HasSchema {
    /// The schema.
    fn schema(&self) -> Option<Schema>;
}

impl<T: JsonSchema + ?Sized> HasSchema for SchemaOf<T> {
    fn schema(&self) -> Option<Schema> {
        Some(schema_for!(T))
    }
}

/// The schema of any other type.
pub trait HasNoSchema {
    /// None.
    fn schema(&self) -> Option<Schema>;
}

impl<T: ?Sized> HasNoSchema for &SchemaOf<T> {
    fn schema(&self) -> Option<Schema> {
        None
    }
}
