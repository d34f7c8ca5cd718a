//! Signatures made with a shared secret: HMAC (RFC 2104), one verifier for every [`Scheme`].
//!
//! 1. read the headers of the scheme, each once;
//! 2. refuse a timestamp further from now than the tolerance, on either side;
//! 3. sign what the scheme signs, over the raw bytes, with every key;
//! 4. compare, in constant time, with every signature of the header, to the last.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::{Choice, ConstantTimeEq};
use thiserror::Error;

use super::encoding::decode_base64;
use super::scheme::{Hash, Scheme, SecretEncoding};
use super::{Incoming, MIN_SECRET_BYTES, Refusal};

/// A signing secret, decoded and made into a keyed HMAC state.
pub struct Key(State);

#[derive(Clone)]
enum State {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
    Sha512(Hmac<Sha512>),
}

/// Why a secret cannot be used. It never repeats the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BadSecret {
    /// Fewer than [`MIN_SECRET_BYTES`] once decoded.
    #[error("must hold at least 16 random bytes")]
    TooShort,
    /// What follows `whsec_` is not base64.
    #[error("must be whsec_ followed by base64")]
    NotWhsec,
    /// It goes into a header, and cannot.
    #[error("must be visible characters")]
    NotVisible,
    /// It is not base64.
    #[error("must be base64")]
    NotBase64,
}

impl Key {
    /// Decodes a secret. White space around it is ignored: `echo … | wrangler
    /// secret put` leaves a line's end behind.
    ///
    /// # Errors
    /// [`BadSecret`]
    pub fn parse(
        secret: &SecretString,
        encoding: SecretEncoding,
        hash: Hash,
    ) -> Result<Self, BadSecret> {
        let bytes = Self::decode(secret, encoding)?;
        if bytes.len() < MIN_SECRET_BYTES {
            return Err(BadSecret::TooShort);
        }
        Self::new(&bytes, hash)
    }

    /// The bytes of a secret, however few.
    ///
    /// # Errors
    /// Where it is not written as it must be.
    pub fn decode(secret: &SecretString, encoding: SecretEncoding) -> Result<Vec<u8>, BadSecret> {
        let text = secret.expose_secret().trim();
        match encoding {
            SecretEncoding::Utf8 => Ok(text.as_bytes().to_vec()),
            SecretEncoding::Base64 => decode_base64(text).ok_or(BadSecret::NotBase64),
            SecretEncoding::Whsec => {
                let encoded = text.strip_prefix("whsec_").unwrap_or(text);
                decode_base64(encoded).ok_or(BadSecret::NotWhsec)
            }
        }
    }

    /// A key of these bytes.
    ///
    /// # Errors
    /// None that can happen: HMAC takes keys of every length.
    pub fn new(bytes: &[u8], hash: Hash) -> Result<Self, BadSecret> {
        let state = match hash {
            Hash::Sha1 => Hmac::new_from_slice(bytes).map(State::Sha1),
            Hash::Sha256 => Hmac::new_from_slice(bytes).map(State::Sha256),
            Hash::Sha512 => Hmac::new_from_slice(bytes).map(State::Sha512),
        };
        state.map(Self).map_err(|_| BadSecret::TooShort)
    }

    /// The HMAC of all that `feed` hands out.
    pub(super) fn tag(&self, feed: impl FnOnce(&mut dyn FnMut(&[u8]))) -> Tag {
        let mut state = self.0.clone();
        feed(&mut |bytes| match &mut state {
            State::Sha1(mac) => mac.update(bytes),
            State::Sha256(mac) => mac.update(bytes),
            State::Sha512(mac) => mac.update(bytes),
        });
        match state {
            State::Sha1(mac) => Tag::new(&mac.finalize().into_bytes()),
            State::Sha256(mac) => Tag::new(&mac.finalize().into_bytes()),
            State::Sha512(mac) => Tag::new(&mac.finalize().into_bytes()),
        }
    }

    /// What a sender puts on a message with this id and timestamp: the value of the signature
    /// header. Id and timestamp do not matter where the scheme has none.
    pub fn sign(
        &self,
        scheme: &Scheme,
        id: &str,
        timestamp: &str,
        message: &Incoming<'_>,
    ) -> String {
        let layout = &scheme.layout;
        let tag = self.tag(|take| layout.signed(id, timestamp, message, take));
        let signature = format!("{}{}", layout.prefix, layout.encoding.encode(tag.bytes()));
        match (&layout.timestamp_entry, layout.separator) {
            (Some(entry), Some(separator)) => format!("{entry}{timestamp}{separator}{signature}"),
            _ => signature,
        }
    }
}

/// The output of an HMAC.
pub(super) struct Tag {
    bytes: [u8; 64],
    length: usize,
}

impl Tag {
    fn new(output: &[u8]) -> Self {
        let mut bytes = [0; 64];
        for (to, from) in bytes.iter_mut().zip(output) {
            *to = *from;
        }
        Self { bytes, length: output.len() }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// Verifies the messages of one source.
pub struct Verifier {
    scheme: Scheme,
    keys: Vec<Key>,
    tolerance_seconds: i64,
}

impl Verifier {
    /// Accepts a signature made with any of `keys`, which is what rotation without a gap needs.
    /// Without a key it refuses every message.
    pub fn new(scheme: Scheme, keys: Vec<Key>, tolerance: Duration) -> Self {
        let tolerance_seconds = i64::try_from(tolerance.as_secs()).unwrap_or(i64::MAX);
        Self { scheme, keys, tolerance_seconds }
    }

    /// Proves that a holder of a secret sent `message`, about now where the scheme has a time.
    ///
    /// `now` is in seconds since the Unix epoch.
    ///
    /// # Errors
    /// [`Refusal`]: the first check that failed.
    pub fn verify(&self, message: &Incoming<'_>, now: i64) -> Result<(), Refusal> {
        let layout = &self.scheme.layout;
        let envelope = layout.read(message.headers)?;
        layout.check_time(&envelope, now, self.tolerance_seconds)?;
        let presented = layout.signatures(&envelope)?;
        let (id, timestamp) = (envelope.id(), envelope.timestamp());
        matches(&self.keys, &presented, |take| layout.signed(id, timestamp, message, take))
    }
}

/// Compares every signature with that of every key, without an early end.
///
/// # Errors
/// Where none matches.
pub(super) fn matches(
    keys: &[Key],
    presented: &[Vec<u8>],
    feed: impl Fn(&mut dyn FnMut(&[u8])),
) -> Result<(), Refusal> {
    let mut matched = Choice::from(0);
    for key in keys {
        let tag = key.tag(&feed);
        for signature in presented {
            matched |= tag.bytes().ct_eq(signature);
        }
    }
    if bool::from(matched) { Ok(()) } else { Err(Refusal::Mismatch) }
}
