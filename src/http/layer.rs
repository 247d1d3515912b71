//! Puts a `Durable` into each request.

use std::task::{Context, Poll};

use axum::{Router, extract::NestedPath, http::Request};
use tower_layer::Layer;
use tower_service::Service;

use super::router::base_path;
use crate::durable::Durable;

/// Puts a [`Durable`] into each request, where the extractor finds it.
///
/// A layer covers the routes that were added before it, so it is added after all of them.
///
/// # Examples
///
/// ```
/// use axum::{Router, routing::get};
/// use axum_durable::{Durable, DurableLayer, durable_router};
///
/// fn app(durable: Durable) -> Router {
///     Router::new()
///         .route("/", get(|durable: Durable| async move { durable.engine().instance().to_string() }))
///         .merge(durable_router())
///         .layer(DurableLayer::new(durable))
/// }
/// ```
#[derive(Debug, Clone)]
pub struct DurableLayer {
    durable: Durable,
}

impl DurableLayer {
    /// A layer that hands out clones of `durable`.
    #[must_use]
    pub const fn new(durable: Durable) -> Self {
        Self { durable }
    }

    /// Where the app has mounted its [`DurableRouter`](super::DurableRouter), for the `Location`
    /// of started runs. Default `/durable`, the router's own; paths of nested routers above this
    /// layer are added by themselves.
    #[must_use]
    pub fn base_path(mut self, path: &str) -> Self {
        self.durable = self.durable.mounted_at(base_path(path));
        self
    }
}

impl<S> Layer<S> for DurableLayer {
    type Service = DurableService<S>;

    fn layer(&self, inner: S) -> DurableService<S> {
        DurableService {
            inner,
            durable: self.durable.clone(),
        }
    }
}

/// The service that [`DurableLayer`] makes.
#[derive(Debug, Clone)]
pub struct DurableService<S> {
    inner: S,
    durable: Durable,
}

impl<S, B> Service<Request<B>> for DurableService<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        // Routers nested below this layer have not added their paths yet, so what is here is the
        // path above the app.
        let durable = match request.extensions().get::<NestedPath>() {
            Some(above) => {
                let path = format!("{}{}", above.as_str(), self.durable.base_path());
                self.durable.mounted_at(path)
            }
            None => self.durable.clone(),
        };
        request.extensions_mut().insert(durable);
        self.inner.call(request)
    }
}

impl Durable {
    /// The layer that hands out clones of this.
    #[must_use]
    pub fn layer(&self) -> DurableLayer {
        DurableLayer::new(self.clone())
    }
}

/// Adds a [`DurableLayer`] to a router: `router.with_durable(durable)`.
pub trait WithDurable {
    /// Hands out clones of `durable` to the routes that were added before.
    #[must_use]
    fn with_durable(self, durable: Durable) -> Self;
}

impl<S: Clone + Send + Sync + 'static> WithDurable for Router<S> {
    fn with_durable(self, durable: Durable) -> Self {
        self.layer(DurableLayer::new(durable))
    }
}
