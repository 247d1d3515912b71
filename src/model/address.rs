//! Addresses of waits that belong to one run, and tickets by which the outside reaches them.

use std::sync::Arc;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::inbox::SignalId;
use crate::id::{RunId, Seq};

/// The bytes of chance in a ticket: 192 bits, so that nobody guesses one.
pub(crate) const SECRET_BYTES: usize = 24;

/// The first byte of a ticket; another layout gets another one.
const LAYOUT: u8 = 1;

/// The token of a wait that only its run has. Its length does not depend on the names.
///
/// A run id holds no control character, so that no two pairs of run and name look alike.
pub(crate) fn of_run(word: &str, run: &RunId, name: &str) -> Arc<str> {
    let hash = hash(&[run.as_str(), name]);
    format!("{word}:{}", hex(&hash)).into()
}

/// The token of a wait that is reached by a ticket. Who reads the store's waits or signals learns
/// no ticket from it.
pub(crate) fn of_ticket(word: &str, ticket: &str) -> Arc<str> {
    format!("{word}:{}", hex(&hash(&[ticket]))).into()
}

/// The id of a delivery that a sender has named: the same for the same address and name.
pub(crate) fn delivery_id(address: &str, name: &str) -> SignalId {
    let hash = hash(&["delivery", address, name]);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(hash.split_at(16).0);
    SignalId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

/// What the outside gets to reach one wait of one run: a secret, and where to look for the wait.
pub(crate) fn ticket(run: &RunId, seq: Seq, secret: &[u8; SECRET_BYTES]) -> String {
    let mut bytes = Vec::with_capacity(1 + SECRET_BYTES + 4 + run.as_str().len());
    bytes.push(LAYOUT);
    bytes.extend_from_slice(secret);
    bytes.extend_from_slice(&seq.0.to_be_bytes());
    bytes.extend_from_slice(run.as_str().as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Where a ticket leads, if it is one. Whether it is genuine is not known yet.
pub(crate) fn place_of(ticket: &str) -> Option<(RunId, Seq)> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(ticket).ok()?;
    let (layout, rest) = bytes.split_first()?;
    let (_, rest) = rest.split_at_checked(SECRET_BYTES)?;
    let (seq, run) = rest.split_first_chunk()?;
    let run = RunId::parse(std::str::from_utf8(run).ok()?).ok()?;
    (*layout == LAYOUT).then(|| (run, Seq(u32::from_be_bytes(*seq))))
}

/// One hash of several texts without control characters.
fn hash(texts: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for text in texts {
        hasher.update(text);
        hasher.update([0]);
    }
    hasher.finalize().into()
}

/// Bytes as hex digits.
fn hex(bytes: &[u8]) -> String {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().map(char::from);
    let digits = bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    digits.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_leads_to_its_wait() {
        let run = RunId::parse("order-ü").unwrap();
        let text = ticket(&run, Seq(7), &[9; SECRET_BYTES]);
        assert_eq!(place_of(&text), Some((run, Seq(7))));
        for wrong in ["", "AQ", "a b", "x".repeat(60).as_str()] {
            assert_eq!(place_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn addresses_differ_where_their_parts_do() {
        let of = |run: &str, name: &str| of_run("task", &RunId::from_trusted(run), name);
        assert_eq!(of("a", "b"), of("a", "b"));
        assert_ne!(of("a:b", "c"), of("a", "b:c"));
        assert_eq!(
            &*of_ticket("task", "abc"),
            "task:dc1114cd074914bd872cc1f9a23ec910ea2203bc79779ab2e17da25782a624fc"
        );
        assert_ne!(delivery_id("a", "b"), delivery_id("a", "c"));
    }
}
