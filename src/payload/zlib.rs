//! Compression with zlib.

use std::io::{Read, Write};

use flate2::{Compression, bufread::ZlibDecoder, write::ZlibEncoder};

use super::{
    codec::Codec,
    value::{Payload, PayloadError},
};

const NAME: &str = "zlib";

/// How a value that this codec has changed begins. No JSON text begins so, and no other codec's
/// value: a keyring's goes on with another byte.
const MARK: [u8; 2] = [0xd1, 0x02];

/// Behind the mark: the value as it is, because it begins with the mark itself.
const RAW: u8 = 0;

/// Behind the mark: four bytes with the length of the value, least first, and the value in the
/// format of [RFC 1950](https://www.rfc-editor.org/rfc/rfc1950).
const ZLIB: u8 = 1;

/// Bytes of a header with a length.
const HEADER: usize = MARK.len() + 1 + 4;

/// Values of fewer bytes are left as they are: the header and the tables would cost more than is
/// won, and most results are that small.
const WORTH_IT: usize = 128;

/// Compresses payloads, where that makes them smaller.
///
/// A value that it leaves alone has no header and is stored as it is. So it also reads what was
/// written before there was a codec, and can be added to a database at any time. What is stored
/// carries a checksum: one that was changed is refused. It runs on the threads that drive runs; a
/// value of a megabyte takes some tens of milliseconds there, so keep larger ones elsewhere.
///
/// Compress first and encrypt then, as here: what is encrypted does not get smaller any more. But
/// the size of an encrypted value then tells something of what it holds. Where others can choose a
/// part of a value and see its size, leave the compression out
/// ([CRIME](https://en.wikipedia.org/wiki/CRIME)).
///
/// # Examples
///
/// ```
/// use axum_durable::payload::{Codec, Payload, PayloadError, ZlibCodec};
///
/// # fn main() -> Result<(), PayloadError> {
/// let codec = ZlibCodec::default(); // `.then(keyring)` encrypts what it makes
/// let text = "the same again ".repeat(100);
/// let stored = codec.encode(&Payload::encode(&text)?);
/// assert!(stored.as_bytes().len() < 100);
/// assert_eq!(codec.decode(&stored)?.decode::<String>()?, text);
/// let small = Payload::encode("small")?;
/// assert_eq!(codec.encode(&small), small);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct ZlibCodec;

fn refused(reason: String) -> PayloadError {
    PayloadError::Codec {
        codec: NAME,
        reason,
    }
}

/// The value behind a header; `None` if that does not make it smaller.
fn compress(plain: &[u8]) -> Option<Vec<u8>> {
    if plain.len() < WORTH_IT {
        return None;
    }
    let length = u32::try_from(plain.len()).ok()?;
    let mut stored = Vec::with_capacity(HEADER + plain.len() / 2);
    stored.extend_from_slice(&MARK);
    stored.push(ZLIB);
    stored.extend_from_slice(&length.to_le_bytes());
    let mut encoder = ZlibEncoder::new(stored, Compression::fast());
    encoder.write_all(plain).ok()?;
    let stored = encoder.finish().ok()?;
    (stored.len() < plain.len()).then_some(stored)
}

/// What `body` holds, if that is as long as it says. No more is read than that, so that a forged
/// value does not fill the memory.
fn expand(body: &[u8]) -> Result<Vec<u8>, PayloadError> {
    let torn = || refused("it is too short".to_owned());
    let (length, body) = body.split_first_chunk::<4>().ok_or_else(torn)?;
    let length = u32::from_le_bytes(*length);
    let mut plain = Vec::new();
    let mut decoder = ZlibDecoder::new(body).take(u64::from(length) + 1);
    let read = decoder.read_to_end(&mut plain);
    let read = read.map_err(|error| refused(format!("it was changed: {error}")))?;
    if u32::try_from(read) != Ok(length) {
        return Err(refused("it has another length than it says".to_owned()));
    }
    Ok(plain)
}

impl Codec for ZlibCodec {
    fn name(&self) -> &'static str {
        NAME
    }

    fn encode(&self, plain: &Payload) -> Payload {
        let bytes = plain.as_bytes();
        if let Some(stored) = compress(bytes) {
            return Payload::from_bytes(stored);
        }
        if !bytes.starts_with(&MARK) {
            return plain.clone();
        }
        let mut stored = MARK.to_vec();
        stored.push(RAW);
        stored.extend_from_slice(bytes);
        Payload::from_bytes(stored)
    }

    fn decode(&self, stored: &Payload) -> Result<Payload, PayloadError> {
        let Some(rest) = stored.as_bytes().strip_prefix(&MARK) else {
            return Ok(stored.clone());
        };
        match rest.split_first() {
            Some((&RAW, body)) => Ok(Payload::from_bytes(body.to_vec())),
            Some((&ZLIB, body)) => Ok(Payload::from_bytes(expand(body)?)),
            Some((kind, _)) => Err(refused(format!("its kind {kind} is not known"))),
            None => Err(refused("it is too short".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_comes_back_and_none_grows_but_by_its_header() {
        let codec = ZlibCodec;
        let noise: Vec<u8> = (0..4_096_u32)
            .map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3])
            .collect();
        let marked = [&MARK[..], b"x"].concat();
        for plain in [
            Vec::new(),
            b"[1,2]".to_vec(),
            vec![b'a'; WORTH_IT],
            vec![b'a'; 100_000],
            noise,
            marked.clone(),
            [marked, vec![b'a'; 1_000]].concat(),
        ] {
            let plain = Payload::from_bytes(plain);
            let stored = codec.encode(&plain);
            assert_eq!(codec.decode(&stored).unwrap(), plain);
            let (before, after) = (plain.as_bytes().len(), stored.as_bytes().len());
            assert!(after <= before.max(HEADER), "{after} of {before}");
        }
    }

    #[test]
    fn what_was_changed_is_refused() {
        let plain = Payload::encode(&"again ".repeat(100)).unwrap();
        let stored = ZlibCodec.encode(&plain);
        assert_eq!(stored.as_bytes()[..3], [0xd1, 0x02, ZLIB]);
        for place in 2..stored.as_bytes().len() {
            let mut bytes = stored.as_bytes().to_vec();
            bytes[place] ^= 0x11;
            let read = ZlibCodec.decode(&Payload::from_bytes(bytes));
            assert!(read.is_err(), "byte {place}");
            // Whatever is read of a torn value, nothing panics.
            let torn = stored.as_bytes()[..place].to_vec();
            assert!(
                ZlibCodec.decode(&Payload::from_bytes(torn)).is_err(),
                "cut at {place}"
            );
        }
    }
}
