//! What `State<T>` in steps and workflows receives.

use std::{
    any::{Any, TypeId, type_name},
    collections::BTreeMap,
    fmt,
    sync::Arc,
};

use axum::extract::State;

/// The values given with `.provide(..)`, one per type.
#[derive(Clone, Default)]
pub struct States(Arc<BTreeMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl States {
    /// The same values with one more; a value of the same type is replaced.
    #[must_use]
    pub fn with<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        let mut values = (*self.0).clone();
        values.insert(TypeId::of::<T>(), Arc::new(value));
        self.0 = Arc::new(values);
        self
    }

    /// The value of a type.
    #[must_use]
    pub fn get<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        let value = self.0.get(&TypeId::of::<T>())?;
        value.downcast_ref::<T>().cloned()
    }

    /// Whether a need is met.
    #[must_use]
    pub fn covers(&self, need: &StateNeed) -> bool {
        self.0.contains_key(&(need.id)())
    }
}

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "States({} values)", self.0.len())
    }
}

/// A type that a handler asks for with `State<T>`; checked when the engine is built.
#[derive(Debug, Clone, Copy)]
pub struct StateNeed {
    id: fn() -> TypeId,
    name: fn() -> &'static str,
}

impl StateNeed {
    /// The need for a `T`.
    #[must_use]
    pub const fn of<T: 'static>() -> Self {
        Self {
            id: TypeId::of::<T>,
            name: type_name::<T>,
        }
    }

    /// The type's name.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        (self.name)()
    }
}

/// An argument that is taken from the provided values.
pub trait Inject: Sized {
    /// Which value it needs.
    const NEED: StateNeed;

    /// Takes it.
    ///
    /// # Errors
    ///
    /// [`MissingState`]; the engine refuses to build in that case, so a run does not see it.
    fn inject(states: &States) -> Result<Self, MissingState>;
}

impl<T: Clone + Send + Sync + 'static> Inject for State<T> {
    const NEED: StateNeed = StateNeed::of::<T>();

    fn inject(states: &States) -> Result<Self, MissingState> {
        let value = states.get::<T>().ok_or_else(|| MissingState {
            type_name: type_name::<T>(),
        })?;
        Ok(Self(value))
    }
}

/// A handler asks for a value that nobody provided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no `{type_name}` was provided; add `.provide(..)` with one to `Durable::builder()`")]
#[non_exhaustive]
pub struct MissingState {
    /// The type that is missing.
    pub type_name: &'static str,
}
