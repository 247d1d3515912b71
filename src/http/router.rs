//! The routes under one base path, for any router.

use std::future::Future;

use axum::{
    Router, http::request::Parts, middleware::from_fn_with_state, response::IntoResponse,
    routing::any,
};

use super::{
    api,
    guard::{Guard, guard},
};

/// The routes of `axum-durable` with everything at its default: under `/durable`, for this machine
/// only. Merge it into a router of any state.
pub fn durable_router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    DurableRouter::new().into_router()
}

/// The routes of `axum-durable`: the JSON API under `<base path>/api`.
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
}

impl Default for DurableRouter {
    fn default() -> Self {
        Self {
            base_path: crate::durable::DEFAULT_BASE_PATH.to_owned(),
            guard: Guard::default(),
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

    /// Who may ask, in place of the rule that only this machine may. The refusal is any response:
    /// a status, a redirect to a login, a [`Problem`](super::Problem).
    pub fn auth<F, Fut, R>(mut self, check: F) -> Self
    where
        F: Fn(Parts) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), R>> + Send + 'static,
        R: IntoResponse,
    {
        self.guard.set_check(check);
        self
    }

    /// Refuses whatever changes something. Default: what may be seen may be changed.
    pub const fn read_only(mut self) -> Self {
        self.guard.set_read_only();
        self
    }

    /// The routes, for a router of any state.
    pub fn into_router<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        // Explicit routes and no fallback: a fallback would be lost in nested routers, and would
        // fight with the app's own in merged ones.
        let routes = Router::new()
            .nest("/api", api::router())
            .route("/api/", any(api::no_such_route))
            .layer(from_fn_with_state(self.guard, guard));
        if self.base_path.is_empty() {
            routes
        } else {
            Router::new().nest(&self.base_path, routes)
        }
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
