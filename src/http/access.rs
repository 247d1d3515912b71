//! What whoever asks may do, and what was done by whom.

use std::{convert::Infallible, sync::Arc};

use axum::{extract::FromRequestParts, http::request::Parts};

use super::problem::Problem;

/// What whoever asks may see and do: the answer of [`DurableRouter::auth`].
///
/// `Ok(())` there means [`Access::full`].
///
/// # Examples
///
/// ```
/// use axum_durable::Access;
///
/// // Support may look at runs, but neither at what customers wrote nor change anything.
/// let support = Access::viewer().actor("support");
/// // Whoever is on call may do everything; the log says who it was.
/// let on_call = Access::full().actor("ada");
/// assert!(on_call.may_act() && !support.may_act());
/// ```
///
/// [`DurableRouter::auth`]: super::DurableRouter::auth
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    actor: Option<Arc<str>>,
    payloads: bool,
    act: bool,
    administer: bool,
}

impl Access {
    /// Everything may be seen and done.
    #[must_use]
    pub const fn full() -> Self {
        Self {
            actor: None,
            payloads: true,
            act: true,
            administer: true,
        }
    }

    /// Runs may be seen, without their payloads, and nothing may be changed.
    #[must_use]
    pub const fn viewer() -> Self {
        Self {
            actor: None,
            payloads: false,
            act: false,
            administer: false,
        }
    }

    /// Inputs, results and details of errors may be seen too.
    #[must_use]
    pub const fn with_payloads(mut self) -> Self {
        self.payloads = true;
        self
    }

    /// Runs may be started, signalled, cancelled, retried, forked, paused and resumed.
    #[must_use]
    pub const fn with_actions(mut self) -> Self {
        self.act = true;
        self
    }

    /// Runs may be changed in every way, also those that bend what happened: results given by
    /// hand, ends that the workflow did not come to, and deletion.
    #[must_use]
    pub const fn with_administration(mut self) -> Self {
        self.act = true;
        self.administer = true;
        self
    }

    /// Who it is, for the log of what was done. Default: nobody is named.
    #[must_use]
    pub fn actor(mut self, name: impl Into<Arc<str>>) -> Self {
        self.actor = Some(name.into());
        self
    }

    /// Whether payloads may be seen.
    #[must_use]
    pub const fn may_see_payloads(&self) -> bool {
        self.payloads
    }

    /// Whether runs may be changed.
    #[must_use]
    pub const fn may_act(&self) -> bool {
        self.act
    }

    /// Whether runs may be deleted, made to fail and given results by hand.
    #[must_use]
    pub const fn may_administer(&self) -> bool {
        self.administer
    }

    /// Refuses whoever may not.
    pub(super) fn must_administer(&self) -> Result<(), Problem> {
        if self.administer {
            return Ok(());
        }
        let detail = "you may change runs, but not bend what happened to them";
        Err(Problem::forbidden(detail))
    }

    /// Refuses whoever may not see payloads.
    pub(super) fn must_see_payloads(&self) -> Result<(), Problem> {
        if self.payloads {
            return Ok(());
        }
        Err(Problem::forbidden(
            "you may look at runs, but not at their payloads",
        ))
    }

    /// Who it is, if the host said so.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.actor.as_deref()
    }

    /// The same without the right to change anything.
    pub(super) const fn without_actions(mut self) -> Self {
        self.act = false;
        self.administer = false;
        self
    }
}

impl From<()> for Access {
    fn from((): ()) -> Self {
        Self::full()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Access {
    type Rejection = Infallible;

    /// The guard has left it in the request; where it has not, nothing is allowed.
    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let access = parts.extensions.get::<Self>();
        Ok(access.cloned().unwrap_or_else(Self::viewer))
    }
}
