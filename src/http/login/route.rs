//! `POST login` and `POST logout`.

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, rejection::JsonRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::from_fn,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use serde::Deserialize;

use super::session::{forget, is_secure};
use super::setup::Login;
use crate::durable::Durable;
use crate::http::guard::same_site;
use crate::http::problem::Problem;

/// The most bytes of a name and a password with what is around them.
const MOST_BYTES: usize = 4 * 1_024;

/// Who signs in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    name: String,
    password: String,
}

impl Login {
    /// The routes, below the mount and outside the API. Pages of other sites may not use them
    /// either: a browser that is signed in as somebody else would be of use to them.
    pub(in crate::http) fn into_router(self) -> Router {
        let sign_in = move |durable: Durable, headers: HeaderMap, body| {
            let login = self.clone();
            async move { login.enter(&durable, &headers, body).await }
        };
        // Somebody has typed the address: the pages ask who it is.
        let home = || async { Redirect::to("./") };
        Router::new()
            .route("/login", get(home).post(sign_in))
            .route("/logout", get(home).post(leave))
            .layer(DefaultBodyLimit::max(MOST_BYTES))
            .layer(from_fn(same_site))
    }

    async fn enter(
        &self,
        durable: &Durable,
        headers: &HeaderMap,
        body: Result<Json<Credentials>, JsonRejection>,
    ) -> Result<Response, Problem> {
        let Json(Credentials { name, password }) = body?;
        if let Err(wait) = self.damper.begin(&name) {
            return Err(too_many(wait.as_secs().saturating_add(1)));
        }
        let now = durable.engine().clock().now();
        let Some(session) = self.sign_in(name.clone(), password, now).await else {
            tracing::warn!(target: "axum_durable::audit", "a login was refused");
            return Err(refused());
        };
        self.damper.succeeded(&name);
        tracing::info!(target: "axum_durable::audit", actor = name, "signed in");
        let cookie = session.set(self.key(), now, is_secure(headers));
        Ok(with_cookie(cookie))
    }
}

async fn leave(headers: HeaderMap) -> Response {
    with_cookie(forget(is_secure(&headers)))
}

fn with_cookie(cookie: Option<HeaderValue>) -> Response {
    match cookie {
        Some(cookie) => (StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response(),
        None => Problem::internal().into_response(),
    }
}

/// The same whether there is such a user or not.
fn refused() -> Problem {
    let detail = "the name or the password is wrong";
    let status = StatusCode::UNAUTHORIZED;
    Problem::new(status, "login-refused", "Login refused", detail)
}

fn too_many(seconds: u64) -> Problem {
    let detail = format!("too many tries; wait {seconds} s");
    let status = StatusCode::TOO_MANY_REQUESTS;
    let problem = Problem::new(status, "too-many-tries", "Too many tries", detail);
    problem.retry_after(u32::try_from(seconds).unwrap_or(u32::MAX))
}
