//! The signed cookie by which a browser shows who has signed in.
//!
//! It says all there is to say, so sessions need no table, hold across restarts and are known to
//! every instance with the same secret. It cannot be taken back before its time, except by
//! another password or the removal of the user.

use axum::http::{HeaderMap, HeaderValue, header};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use cookie::{Cookie, CookieJar, Key, SameSite, time};
use serde::{Deserialize, Serialize};

use crate::http::access::Access;
use crate::time::Timestamp;

/// The cookie's name.
const NAME: &str = "durable_session";

/// What a session says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Session {
    /// Who it is.
    pub(super) name: String,
    /// When it ends, in milliseconds since 1970.
    pub(super) until: i64,
    /// By what it was proven.
    pub(super) by: Proof,
}

/// By what a session was proven.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Proof {
    /// By a password that is configured; the stamp tells it from a later one.
    Password(String),
    /// By the host, which allowed so much then.
    Host {
        payloads: bool,
        act: bool,
        administer: bool,
    },
}

impl Proof {
    pub(super) const fn of_host(access: &Access) -> Self {
        Self::Host {
            payloads: access.may_see_payloads(),
            act: access.may_act(),
            administer: access.may_administer(),
        }
    }
}

impl Session {
    /// The sessions that a request carries, as far as they are ours and have not ended. A browser
    /// sends several if routers are mounted below each other.
    pub(super) fn all(
        headers: &HeaderMap,
        key: &Key,
        now: Timestamp,
    ) -> impl Iterator<Item = Self> {
        let texts = headers.get_all(header::COOKIE).iter();
        let texts = texts.filter_map(|it| it.to_str().ok());
        let cookies = texts.flat_map(Cookie::split_parse).filter_map(Result::ok);
        let ours = cookies.filter(|cookie| cookie.name() == NAME);
        ours.filter_map(move |cookie| {
            // The comparison takes as long whatever the signature is.
            let jar = CookieJar::new();
            let cookie = jar.signed(key).verify(cookie.into_owned())?;
            let text = URL_SAFE_NO_PAD.decode(cookie.value()).ok()?;
            let session: Self = serde_json::from_slice(&text).ok()?;
            (now.as_millis() < session.until).then_some(session)
        })
    }

    /// The header that gives it to a browser.
    pub(super) fn set(&self, key: &Key, now: Timestamp, is_secure: bool) -> Option<HeaderValue> {
        let text = URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).ok()?);
        let left = time::Duration::milliseconds(self.until - now.as_millis());
        let mut jar = CookieJar::new();
        jar.signed_mut(key)
            .add(bare(text, is_secure).max_age(left).build());
        let cookie = jar.get(NAME)?.to_string();
        HeaderValue::from_str(&cookie).ok()
    }
}

/// The header that takes a session from a browser.
pub(super) fn forget(is_secure: bool) -> Option<HeaderValue> {
    let gone = bare(String::new(), is_secure).max_age(time::Duration::ZERO);
    HeaderValue::from_str(&gone.build().to_string()).ok()
}

/// The cookie without its time.
///
/// It names no path. A browser then keeps it for the folder of the address that gave it, which for
/// `<mount>/login` is the mount as the browser sees it, also behind a proxy that strips a prefix.
fn bare(value: String, is_secure: bool) -> cookie::CookieBuilder<'static> {
    Cookie::build((NAME, value))
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(is_secure)
}

/// Whether the page was served by TLS, as the browser or a proxy says.
pub(super) fn is_secure(headers: &HeaderMap) -> bool {
    let says = |name: &str| headers.get(name).and_then(|it| it.to_str().ok());
    let origin = says("origin").is_some_and(|it| it.starts_with("https://"));
    origin || says("x-forwarded-proto").is_some_and(|it| it.trim().starts_with("https"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(cookie: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, cookie.parse().unwrap());
        headers
    }

    #[test]
    fn a_session_is_known_until_it_ends_and_only_as_it_was_signed() {
        let key = Key::derive_from(&[7; 32]);
        let session = Session {
            name: "ada; ü".to_owned(),
            until: 2_000,
            by: Proof::Password("1f".to_owned()),
        };
        let at = Timestamp::from_millis;
        let set = session.set(&key, at(1_000), true).unwrap();
        let set = set.to_str().unwrap();
        for part in ["HttpOnly", "SameSite=Strict", "Secure", "Max-Age=1"] {
            assert!(set.contains(part), "{set}");
        }
        assert!(!set.contains("Path"), "{set}");
        let cookie = set.split(';').next().unwrap();
        let find = |cookie: &str, key: &Key, now| Session::all(&sent(cookie), key, at(now)).next();
        assert_eq!(find(cookie, &key, 1_999), Some(session));
        assert_eq!(find(cookie, &key, 2_000), None);
        assert_eq!(find(cookie, &Key::derive_from(&[8; 32]), 1_000), None);
        for at in 0..cookie.len() {
            let mut other = cookie.as_bytes().to_vec();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            assert_eq!(find(&other, &key, 1_000), None, "{other}");
        }
    }
}
