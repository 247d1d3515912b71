//! The routes under one base path, for any router.

use std::future::Future;

use axum::{
    Router, http::request::Parts, middleware::from_fn_with_state, response::IntoResponse,
    routing::any,
};

use serde_json::Value;

#[cfg(feature = "login")]
use super::login::Login;

#[cfg(feature = "dashboard")]
use super::pages;
use super::{
    access::Access,
    api,
    guard::{Guard, guard},
    webhooks::{WebhookVerifier, Webhooks},
};
use crate::control::{Exposure, Redactor};

/// The routes of `axum-durable` with everything at its default: under `/durable`, for this machine
/// only. Merge it into a router of any state.
pub fn durable_router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    DurableRouter::new().into_router()
}

/// The routes of `axum-durable`: the JSON API under `<base path>/api`, and with the feature
/// `dashboard` the pages for people under `<base path>`.
///
/// Until [`auth`](Self::auth) is configured, only this machine may ask: the peer must be a loopback
/// address, the `Host` a name of this machine, and no proxy may have forwarded the request. The app
/// must then be served with `into_make_service_with_connect_info::<SocketAddr>()`, so that the
/// peer is known.
///
/// Whatever the settings, a page of another site cannot change anything: browsers tell where a
/// request comes from.
///
/// # Examples
///
/// ```
/// use axum::{Router, http::{StatusCode, request::Parts}};
/// use axum_durable::DurableRouter;
///
/// let durable = DurableRouter::new().base_path("/ops/durable").auth(|request: Parts| async move {
///     match request.headers.get("authorization") {
///         Some(value) if value == "Bearer correct-horse" => Ok(()),
///         _ => Err(StatusCode::UNAUTHORIZED),
///     }
/// });
/// let app: Router = Router::new().merge(durable.into_router());
/// ```
#[derive(Debug, Clone)]
#[must_use = "it serves nothing until it is merged into a router"]
pub struct DurableRouter {
    base_path: String,
    guard: Guard,
    /// The routes of a login of our own.
    login: Option<Router>,
    redactor: Option<Redactor>,
    webhooks: Option<Webhooks>,
}

impl Default for DurableRouter {
    fn default() -> Self {
        Self {
            base_path: crate::durable::DEFAULT_BASE_PATH.to_owned(),
            guard: Guard::default(),
            login: None,
            redactor: None,
            webhooks: Some(Webhooks::default()),
        }
    }
}

impl DurableRouter {
    /// Everything at its default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the routes are. Default `/durable`. Tell the layer too
    /// ([`DurableLayer::base_path`](super::DurableLayer::base_path)), for the `Location` of
    /// started runs.
    pub fn base_path(mut self, path: &str) -> Self {
        self.base_path = base_path(path);
        self
    }

    /// Who may ask, in place of the rule that only this machine may. `Ok(())` allows everything,
    /// an [`Access`] so much and no more. The refusal is any response: a status, a redirect to a
    /// login, a [`Problem`](super::Problem).
    pub fn auth<F, Fut, A, R>(mut self, check: F) -> Self
    where
        F: Fn(Parts) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<A, R>> + Send + 'static,
        A: Into<Access>,
        R: IntoResponse,
    {
        self.guard.set_check(check);
        self.login = None;
        self
    }

    /// Asks who it is by name and password, in place of the rule that only this machine may ask;
    /// of this, [`auth`](Self::auth) and [`allow_public`](Self::allow_public) the last one counts.
    ///
    /// `POST <base path>/login` with `{"name", "password"}` answers 204 with a signed cookie
    /// (`HttpOnly`, `SameSite=Strict`, `Secure` behind TLS, for the base path alone), or 401; after
    /// five wrong tries a name has to wait, up to a minute. `POST <base path>/logout` takes it
    /// away. Without it the API answers 401, upon which the pages ask; the pages themselves, which
    /// hold no data, are for everyone.
    #[cfg(feature = "login")]
    pub fn login(mut self, login: Login) -> Self {
        self.login = Some(login.clone().into_router());
        self.guard
            .set_check(move |parts: Parts| std::future::ready(login.admit(&parts)));
        self
    }

    /// Lets everyone who reaches the routes see and change everything. For apps that let nobody
    /// else in: behind a gateway that asks for a login, or a layer of their own.
    pub fn allow_public(mut self) -> Self {
        self.guard.set_check(|_: Parts| {
            std::future::ready(Ok::<_, std::convert::Infallible>(Access::full()))
        });
        self.login = None;
        self
    }

    /// Refuses whatever changes something. Default: what may be seen may be changed.
    pub const fn read_only(mut self) -> Self {
        self.guard.set_read_only();
        self
    }

    /// Changes or withholds values before they leave by the API and its streams: inputs, results,
    /// messages and details of failures, logs, published values, replies and tags. `None`
    /// withholds one. What is made of a value, such as the reason in a list, is made of what
    /// `redact` has returned. Ids, names of workflows and steps, tokens of signals, and what
    /// operators wrote as their reasons are shown as they are.
    ///
    /// It is called for each value of each answer, so it should be quick, and always return the
    /// same for the same value. Values of more than 4 MiB are withheld without asking.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum_durable::{DurableRouter, http::{Exposure, ExposureKind}};
    /// use serde_json::Value;
    ///
    /// let durable = DurableRouter::new().redact(|what: &Exposure<'_>, mut value: Value| {
    ///     if &*what.workflow.name == "payroll" && what.kind == ExposureKind::Output {
    ///         return None;
    ///     }
    ///     if let Some(card) = value.get_mut("card") {
    ///         *card = "…".into();
    ///     }
    ///     Some(value)
    /// });
    /// # drop(durable);
    /// ```
    pub fn redact(
        mut self,
        redact: impl Fn(&Exposure<'_>, Value) -> Option<Value> + Send + Sync + 'static,
    ) -> Self {
        self.redactor = Some(Redactor::new(redact));
        self
    }

    /// Checks posts to webhooks that ask for it with
    /// [`verified_by`](crate::workflow::ops::WebhookOptions::verified_by) and this name: an
    /// [`HmacVerifier`](super::HmacVerifier), [`StandardWebhooks`](super::StandardWebhooks) or a
    /// closure. A webhook that asks for one that is not here takes nothing.
    pub fn webhook_verifier(
        mut self,
        name: impl Into<String>,
        verifier: impl Into<WebhookVerifier>,
    ) -> Self {
        if let Some(webhooks) = &mut self.webhooks {
            webhooks.verify_by(name.into(), verifier.into());
        }
        self
    }

    /// Bytes of a post to a webhook at the most. Default 256 KiB: providers send less, and a post
    /// is held in memory until it is stored.
    pub const fn webhook_limit(mut self, bytes: usize) -> Self {
        if let Some(webhooks) = &mut self.webhooks {
            webhooks.limit(bytes);
        }
        self
    }

    /// Takes no posts to webhooks. Default: under `<base path>/webhooks`, open to whoever has a
    /// token: neither [`auth`](Self::auth) nor [`read_only`](Self::read_only) concern it.
    pub fn without_webhooks(mut self) -> Self {
        self.webhooks = None;
        self
    }

    /// The routes, for a router of any state.
    ///
    /// With base path `/` they are for a router of their own, which the app nests where it likes;
    /// merged into the root of an app, the pages would be in the way of its other routes.
    pub fn into_router<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        // Explicit routes and no fallback: a fallback would be lost in nested routers, and would
        // fight with the app's own in merged ones.
        let offers = api::Offers {
            login: self.login.is_some(),
            redactor: self.redactor,
        };
        let protect = from_fn_with_state(self.guard.clone(), guard);
        let routes = Router::new()
            .nest("/api", api::router(offers))
            .route("/api/", any(api::no_such_route))
            .layer(protect);
        // With a login of our own the pages are what asks for it.
        #[cfg(feature = "dashboard")]
        let for_pages = if self.login.is_some() {
            Guard::open()
        } else {
            self.guard
        };
        #[cfg(feature = "dashboard")]
        let protect = from_fn_with_state(for_pages, guard);
        #[cfg(feature = "dashboard")]
        let routes = routes.merge(pages::router().layer(protect.clone()));
        let routes = match self.login {
            Some(login) => routes.merge(login.with_state(())),
            None => routes,
        };
        // Behind the guard's back: who posts has no session here, and a token instead.
        let routes = match self.webhooks {
            Some(webhooks) => routes.merge(webhooks.into_router()),
            None => routes,
        };
        if self.base_path.is_empty() {
            return routes;
        }
        let router = Router::new().nest(&self.base_path, routes);
        // A nested router does not see its own path with a slash behind it.
        #[cfg(feature = "dashboard")]
        let router = router.merge(pages::index(&self.base_path).layer(protect));
        router
    }
}

impl<S: Clone + Send + Sync + 'static> From<DurableRouter> for Router<S> {
    fn from(router: DurableRouter) -> Self {
        router.into_router()
    }
}

/// A base path with one slash before it and none behind; empty for the root.
pub(super) fn base_path(path: &str) -> String {
    let path = path.trim_matches('/');
    if path.is_empty() {
        String::new()
    } else {
        format!("/{path}")
    }
}
