//! Who a post is from.

use std::{fmt, sync::Arc, time::Duration};

use axum::http::HeaderMap;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::time::Timestamp;

/// How far the time of a post may be from ours, either way: what Standard Webhooks and most
/// providers use. Older posts are refused, newer repetitions are known by their id.
const TOLERANCE: Duration = Duration::from_secs(300);

/// A post to a webhook, as it came in.
#[derive(Debug)]
#[non_exhaustive]
pub struct WebhookDelivery<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its body, byte for byte.
    pub body: &'a [u8],
    /// When it came.
    pub now: Timestamp,
}

impl WebhookDelivery<'_> {
    /// A header that is a text and comes once.
    fn header(&self, name: &str) -> Result<&str, WebhookRefused> {
        let mut all = self.headers.get_all(name).iter();
        let (first, second) = (all.next(), all.next());
        let text = first.filter(|_| second.is_none()).map(|it| it.to_str());
        text.and_then(Result::ok)
            .ok_or(WebhookRefused("a header is missing"))
    }

    /// Checks a time in seconds since 1970.
    fn check_time(&self, text: &str, tolerance: Duration) -> Result<(), WebhookRefused> {
        let seconds: i64 = text
            .parse()
            .map_err(|_| WebhookRefused("its time is no number"))?;
        let at = Timestamp::from_millis(seconds.saturating_mul(1_000));
        if self.now.since(at) > tolerance || at.since(self.now) > tolerance {
            return Err(WebhookRefused("its time is too far from ours"));
        }
        Ok(())
    }
}

/// Why a post is refused. It goes to the log and not to whoever posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WebhookRefused(pub &'static str);

/// A secret that cannot be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret of Standard Webhooks is `whsec_` and base64")]
#[non_exhaustive]
pub struct InvalidWebhookSecret;

type Check = dyn Fn(&WebhookDelivery<'_>) -> Result<Option<String>, WebhookRefused> + Send + Sync;

/// Checks who a post is from. Cheap to clone.
#[derive(Clone)]
pub struct WebhookVerifier(Arc<Check>);

impl WebhookVerifier {
    /// Lets a closure decide. `Ok(Some(id))` names the message: another post of the same id is
    /// answered like the first and changes nothing. Compare secrets in constant time, as the
    /// `verify_slice` of the crate `hmac` does.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum_durable::http::{WebhookRefused, WebhookVerifier};
    ///
    /// let verifier = WebhookVerifier::custom(|post| match post.headers.get("x-event-id") {
    ///     Some(id) if post.body.len() < 1_000 => Ok(id.to_str().ok().map(str::to_owned)),
    ///     _ => Err(WebhookRefused("no event")),
    /// });
    /// # drop(verifier);
    /// ```
    pub fn custom<F>(check: F) -> Self
    where
        F: Fn(&WebhookDelivery<'_>) -> Result<Option<String>, WebhookRefused>,
        F: Send + Sync + 'static,
    {
        Self(Arc::new(check))
    }

    /// The message's id, if the post is genuine and has one.
    pub(super) fn check(
        &self,
        delivery: &WebhookDelivery<'_>,
    ) -> Result<Option<String>, WebhookRefused> {
        (self.0)(delivery)
    }
}

impl fmt::Debug for WebhookVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookVerifier")
    }
}

/// Checks an HMAC-SHA256 over `<timestamp>.<body>`.
///
/// The signature is in hex, with or without `sha256=` before it, in `x-webhook-signature`; the time
/// in seconds since 1970 in `x-webhook-timestamp`. It may be five minutes away. The same signed post
/// counts once.
///
/// # Examples
///
/// ```
/// use axum_durable::{DurableRouter, http::HmacVerifier};
///
/// let shop = HmacVerifier::new("correct-horse").headers("x-shop-signature", "x-shop-time");
/// let router = DurableRouter::new().webhook_verifier("shop", shop);
/// # drop(router);
/// ```
#[derive(Clone)]
#[must_use]
pub struct HmacVerifier {
    secrets: Vec<Vec<u8>>,
    signature: &'static str,
    timestamp: &'static str,
    tolerance: Duration,
}

impl HmacVerifier {
    /// A verifier with a secret.
    pub fn new(secret: impl AsRef<[u8]>) -> Self {
        Self {
            secrets: vec![secret.as_ref().to_vec()],
            signature: "x-webhook-signature",
            timestamp: "x-webhook-timestamp",
            tolerance: TOLERANCE,
        }
    }

    /// Another secret that is good too, while the first one is being replaced.
    pub fn or_secret(mut self, secret: impl AsRef<[u8]>) -> Self {
        self.secrets.push(secret.as_ref().to_vec());
        self
    }

    /// The names of the headers, in lower case.
    pub const fn headers(mut self, signature: &'static str, timestamp: &'static str) -> Self {
        (self.signature, self.timestamp) = (signature, timestamp);
        self
    }

    /// How far the time of a post may be from ours. Default 5 minutes.
    pub const fn tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = tolerance;
        self
    }

    fn check(&self, post: &WebhookDelivery<'_>) -> Result<Option<String>, WebhookRefused> {
        let timestamp = post.header(self.timestamp)?;
        post.check_time(timestamp, self.tolerance)?;
        let signature = post.header(self.signature)?;
        let hex = signature.strip_prefix("sha256=").unwrap_or(signature);
        let bytes = from_hex(hex).ok_or(WebhookRefused("its signature is no hex"))?;
        let parts = [timestamp.as_bytes(), b".", post.body];
        check_mac(&self.secrets, &parts, &bytes)?;
        // There is no id, and the signature is one: of this body at this time. Its letters may be
        // large or small.
        Ok(Some(hex.to_ascii_lowercase()))
    }
}

impl From<HmacVerifier> for WebhookVerifier {
    fn from(verifier: HmacVerifier) -> Self {
        Self::custom(move |post| verifier.check(post))
    }
}

impl fmt::Debug for HmacVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HmacVerifier")
            .field("signature", &self.signature)
            .field("timestamp", &self.timestamp)
            .finish_non_exhaustive()
    }
}

/// Checks posts as [Standard Webhooks](https://www.standardwebhooks.com) has them: `webhook-id`,
/// `webhook-timestamp` and `webhook-signature` with `v1` signatures. The same id counts once.
#[derive(Clone)]
#[must_use]
pub struct StandardWebhooks {
    secrets: Vec<Vec<u8>>,
    tolerance: Duration,
}

impl StandardWebhooks {
    /// A verifier with a secret, such as `whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw`.
    ///
    /// # Errors
    ///
    /// [`InvalidWebhookSecret`].
    pub fn new(secret: &str) -> Result<Self, InvalidWebhookSecret> {
        let secrets = Vec::new();
        let tolerance = TOLERANCE;
        Self { secrets, tolerance }.or_secret(secret)
    }

    /// Another secret that is good too, while the first one is being replaced.
    ///
    /// # Errors
    ///
    /// [`InvalidWebhookSecret`].
    pub fn or_secret(mut self, secret: &str) -> Result<Self, InvalidWebhookSecret> {
        let text = secret.strip_prefix("whsec_").unwrap_or(secret);
        let bytes = BASE64_STANDARD.decode(text);
        let bytes = bytes.ok().filter(|bytes| !bytes.is_empty());
        self.secrets.push(bytes.ok_or(InvalidWebhookSecret)?);
        Ok(self)
    }

    /// How far the time of a post may be from ours. Default 5 minutes.
    pub const fn tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = tolerance;
        self
    }

    fn check(&self, post: &WebhookDelivery<'_>) -> Result<Option<String>, WebhookRefused> {
        let id = post.header("webhook-id")?;
        let timestamp = post.header("webhook-timestamp")?;
        post.check_time(timestamp, self.tolerance)?;
        let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", post.body];
        let signatures = post.header("webhook-signature")?.split(' ');
        let mut signatures = signatures
            .filter_map(|it| it.strip_prefix("v1,"))
            .filter_map(|it| BASE64_STANDARD.decode(it).ok());
        signatures
            .any(|it| check_mac(&self.secrets, &parts, &it).is_ok())
            .then(|| Some(id.to_owned()))
            .ok_or(WRONG)
    }
}

impl From<StandardWebhooks> for WebhookVerifier {
    fn from(verifier: StandardWebhooks) -> Self {
        Self::custom(move |post| verifier.check(post))
    }
}

impl fmt::Debug for StandardWebhooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StandardWebhooks")
    }
}

const WRONG: WebhookRefused = WebhookRefused("its signature is wrong");

/// Compares in constant time.
fn check_mac(secrets: &[Vec<u8>], parts: &[&[u8]], tag: &[u8]) -> Result<(), WebhookRefused> {
    let is_right = secrets.iter().any(|secret| {
        Hmac::<Sha256>::new_from_slice(secret).is_ok_and(|mut mac| {
            parts.iter().for_each(|part| mac.update(part));
            mac.verify_slice(tag).is_ok()
        })
    });
    is_right.then_some(()).ok_or(WRONG)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |[high, low]: &[u8; 2]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok();
    rest.is_empty().then(|| pairs.iter().map(byte).collect())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(
        headers: &[(&'static str, &str)],
        body: &[u8],
        at: i64,
    ) -> Result<Option<String>, WebhookRefused> {
        let verifier = StandardWebhooks::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let headers: HeaderMap = headers.collect();
        let now = Timestamp::from_millis(at * 1_000);
        let post = WebhookDelivery {
            headers: &headers,
            body,
            now,
        };
        WebhookVerifier::from(verifier).check(&post)
    }

    #[test]
    fn the_example_of_standard_webhooks_is_genuine_and_nothing_else() {
        const AT: i64 = 1_614_265_330;
        let body = br#"{"test": 2432232314}"#;
        let signed = [
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            (
                "webhook-signature",
                "v1,AAAA v2,x v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
        ];
        let id = checked(&signed, body, AT + 299);
        assert_eq!(id.unwrap().as_deref(), Some("msg_p5jXN8AQM9LWM0D4loKWxJek"));
        for (body, at) in [(&b"{}"[..], AT), (body, AT + 301), (body, AT - 301)] {
            checked(&signed, body, at).unwrap_err();
        }
        for missing in 0..3 {
            let mut some = signed.to_vec();
            some.remove(missing);
            checked(&some, body, AT).unwrap_err();
        }
        StandardWebhooks::new("whsec_").unwrap_err();
    }

    #[test]
    fn hex_reads_back() {
        assert_eq!(from_hex("00fF"), Some(vec![0, 255]));
        for wrong in ["0", "0g", "ä"] {
            assert_eq!(from_hex(wrong), None, "{wrong}");
        }
    }
}
