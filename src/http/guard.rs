//! Who may ask, and which browsers may change something.

#[cfg(feature = "dashboard")]
use std::convert::Infallible;
use std::{fmt, future::Future, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{access::Access, problem::Problem};
use crate::workflow::BoxFuture;

/// Decides about one request; the response is the refusal.
type Check = Arc<dyn Fn(Parts) -> BoxFuture<'static, Result<Access, Response>> + Send + Sync>;

/// Headers by which a proxy says that the peer is not who asks.
const FORWARDED: [&str; 4] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-real-ip",
];

/// Who may ask, and what.
#[derive(Clone, Default)]
pub(super) struct Guard {
    check: Option<Check>,
    read_only: bool,
}

impl Guard {
    /// Lets `check` decide in place of the rule that only this machine may ask.
    pub(super) fn set_check<F, Fut, A, R>(&mut self, check: F)
    where
        F: Fn(Parts) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<A, R>> + Send + 'static,
        A: Into<Access>,
        R: IntoResponse,
    {
        self.check = Some(Arc::new(move |parts| {
            let allowed = check(parts);
            Box::pin(async move {
                let allowed = allowed.await.map(Into::into);
                allowed.map_err(IntoResponse::into_response)
            })
        }));
    }

    /// Lets everyone look, at what holds no data.
    #[cfg(feature = "dashboard")]
    pub(super) fn open() -> Self {
        let mut guard = Self::default();
        guard.set_read_only();
        guard.set_check(|_: Parts| std::future::ready(Ok::<_, Infallible>(Access::viewer())));
        guard
    }

    /// Refuses whatever changes something.
    pub(super) const fn set_read_only(&mut self) {
        self.read_only = true;
    }

    async fn admit(&self, parts: Parts) -> Result<Access, Response> {
        let changes = !parts.method.is_safe();
        let refusal = if changes && self.read_only {
            Some(Problem::forbidden("this router is read-only"))
        } else if changes {
            cross_site(&parts)
        } else {
            None
        };
        if let Some(problem) = refusal {
            return Err(problem.into_response());
        }
        let access = match &self.check {
            Some(check) => check(parts).await?,
            None => match not_local(&parts) {
                Some(problem) => return Err(problem.into_response()),
                None => Access::full(),
            },
        };
        if changes && !access.may_act() {
            let problem = Problem::forbidden("you may look at runs, but not change them");
            return Err(problem.into_response());
        }
        Ok(if self.read_only {
            access.without_actions()
        } else {
            access
        })
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("has_check", &self.check.is_some())
            .field("read_only", &self.read_only)
            .finish()
    }
}

/// How often a stream that is open asks whether it still may be: longer than a session is good
/// after its end it does not live.
const ASK_AGAIN: Duration = Duration::from_secs(15);

/// By what whoever has asked was let in, to ask again while an answer lasts.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    guard: Guard,
    parts: Arc<Parts>,
    access: Access,
}

impl Standing {
    /// Returns once the same request would be refused or allowed something else: the session has
    /// ended, or its rights were changed.
    pub(super) async fn ended(self) {
        loop {
            tokio::time::sleep(ASK_AGAIN).await;
            let again = self.guard.admit(Parts::clone(&self.parts)).await;
            if !again.is_ok_and(|access| access == self.access) {
                return;
            }
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Standing {
    type Rejection = Problem;

    /// The guard has left it in the request.
    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let standing = parts.extensions.get::<Self>();
        standing.cloned().ok_or_else(Problem::internal)
    }
}

/// The middleware in front of every route of the router.
pub(super) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let mut response = match guard.admit(parts.clone()).await {
        Ok(access) => {
            let standing = Standing {
                guard: guard.clone(),
                parts: Arc::new(parts.clone()),
                access: access.clone(),
            };
            let mut request = Request::from_parts(parts, body);
            request.extensions_mut().insert(access);
            request.extensions_mut().insert(standing);
            next.run(request).await
        }
        Err(refusal) => refusal,
    };
    protect(response.headers_mut());
    response
}

/// The middleware of routes that anyone may ask, but no page of another site.
#[cfg(feature = "login")]
pub(super) async fn same_site(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let mut response = match cross_site(&parts) {
        Some(problem) if !parts.method.is_safe() => problem.into_response(),
        _ => next.run(Request::from_parts(parts, body)).await,
    };
    protect(response.headers_mut());
    response
}

/// What each answer says to browsers and caches, unless the route has said it differently: runs
/// are kept by nobody, and nothing but the pages themselves may be shown as a page.
fn protect(headers: &mut HeaderMap) {
    const DEFAULTS: [(HeaderName, &str); 4] = [
        (header::CACHE_CONTROL, "no-store"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in DEFAULTS {
        let value = HeaderValue::from_static(value);
        headers.entry(name).or_insert(value);
    }
}

/// Why a request does not count as one from this machine.
fn not_local(parts: &Parts) -> Option<Problem> {
    let Some(ConnectInfo(peer)) = parts.extensions.get::<ConnectInfo<SocketAddr>>() else {
        return Some(Problem::forbidden(
            "the peer's address is not known; serve the app with \
             `into_make_service_with_connect_info::<SocketAddr>()` or configure `.auth(..)`",
        ));
    };
    if !peer.ip().to_canonical().is_loopback() {
        let detail = "only this machine may ask; configure `.auth(..)` to let others in";
        return Some(Problem::forbidden(detail));
    }
    // Behind a proxy on this machine everyone comes from it.
    if FORWARDED
        .iter()
        .any(|name| parts.headers.contains_key(*name))
    {
        let detail = "a proxy forwarded this request; configure `.auth(..)` to let others in";
        return Some(Problem::forbidden(detail));
    }
    // A page whose name was made to point at this machine would count as the same origin.
    match asked_host(parts) {
        Some(host) if !is_local_name(host) => Some(Problem::forbidden(
            "only this machine may ask, under a name such as `localhost`; configure `.auth(..)` \
             to use others",
        )),
        _ => None,
    }
}

fn asked_host(parts: &Parts) -> Option<&str> {
    let host = text(&parts.headers, header::HOST.as_str());
    host.or_else(|| parts.uri.authority().map(|it| it.as_str()))
}

/// Whether a `Host` names this machine and no other, whatever a name server says.
fn is_local_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let address = name.parse::<std::net::IpAddr>();
    let lower = name.to_ascii_lowercase();
    lower == "localhost"
        || lower.ends_with(".localhost")
        || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

/// Why a request that changes something does not count as one of our own pages or of a program.
///
/// Browsers say where a request comes from: by
/// [`Sec-Fetch-Site`](https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header), older ones by
/// `Origin`. Who says neither is no browser, and carries no one else's cookies.
fn cross_site(parts: &Parts) -> Option<Problem> {
    let headers = &parts.headers;
    let is_own = if headers.contains_key("sec-fetch-site") {
        matches!(
            text(headers, "sec-fetch-site"),
            Some("same-origin" | "none")
        )
    } else if headers.contains_key(header::ORIGIN) {
        let origin = text(headers, header::ORIGIN.as_str());
        let origin = origin.and_then(|origin| origin.split_once("://"));
        origin.is_some_and(|(_, origin)| {
            asked_host(parts).is_some_and(|host| host.eq_ignore_ascii_case(origin))
        })
    } else {
        true
    };
    let detail = "a page of another site may not change anything here";
    (!is_own).then(|| Problem::forbidden(detail))
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_local() {
        for host in [
            "localhost",
            "LOCALHOST:3000",
            "shop.localhost:80",
            "127.0.0.1:3000",
            "127.8.8.8",
            "[::1]:3000",
            "[::1]",
        ] {
            assert!(is_local_name(host), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example:3000",
            "10.0.0.1",
            "notlocalhost",
            "",
        ] {
            assert!(!is_local_name(host), "{host}");
        }
    }
}
