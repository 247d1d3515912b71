//! The routes and what they answer.

use axum::{
    Router,
    body::Bytes,
    extract::{OriginalUri, Path},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::get,
};

use super::{base, bundle};
use crate::http::problem::Problem;

/// Nothing but our own files, nothing inline, and no frames around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'self'; \
    form-action 'self'; frame-ancestors 'none'";

/// The pages below a mount.
pub(in crate::http) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/", get(mount))
        .route("/assets/{*name}", get(asset))
        .route("/{*path}", get(below))
}

/// The first page at `<base path>/`.
pub(in crate::http) fn index<S: Clone + Send + Sync + 'static>(base_path: &str) -> Router<S> {
    let first = |headers: HeaderMap| async move { page("./", &headers) };
    Router::new().route(&format!("{base_path}/"), get(first))
}

/// The first page. Within a nested router the slash behind the mount may be there or not.
async fn mount(OriginalUri(uri): OriginalUri, headers: HeaderMap) -> Response {
    let path = uri.path();
    if path.ends_with('/') {
        page("./", &headers)
    } else {
        page(&base::way_down(path), &headers)
    }
}

async fn below(uri: Uri, headers: HeaderMap) -> Response {
    page(&base::way_up(uri.path()), &headers)
}

fn page(href: &str, headers: &HeaderMap) -> Response {
    let page = base::set(bundle::page(), href);
    if page.is_empty() {
        return Problem::internal().into_response();
    }
    let page = Bytes::from(page);
    let own = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::VARY, "accept-encoding"),
    ];
    let packed = takes_gzip(headers).then(|| bundle::gzip(&page)).flatten();
    (own, body(page, packed)).into_response()
}

async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(asset) = bundle::asset(&name) else {
        return Problem::not_found("there is no such file").into_response();
    };
    let own = [
        (header::CONTENT_TYPE, asset.content_type),
        (header::CACHE_CONTROL, freshness(&name)),
        (header::VARY, "accept-encoding"),
    ];
    let packed = asset.gzip.clone().filter(|_| takes_gzip(&headers));
    (own, body(asset.plain.clone(), packed)).into_response()
}

/// Characters of the hash that the build puts before the ending of a name.
const HASH: usize = 8;

/// Names that hold a hash of the contents never mean anything else.
fn freshness(name: &str) -> &'static str {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let at = stem.len().checked_sub(HASH + 1);
    let is_hashed = at.and_then(|at| stem.as_bytes().get(at)) == Some(&b'-');
    if is_hashed {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    }
}

fn body(plain: Bytes, packed: Option<Bytes>) -> Response {
    match packed {
        Some(packed) => {
            let encoding = [(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))];
            (StatusCode::OK, encoding, packed).into_response()
        }
        None => plain.into_response(),
    }
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let encodings = headers.get_all(header::ACCEPT_ENCODING).iter();
    let mut encodings = encodings.filter_map(|it| it.to_str().ok());
    encodings.any(|it| it.split(',').any(|it| it.trim().starts_with("gzip")))
}
