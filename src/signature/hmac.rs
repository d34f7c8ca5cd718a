//! Signatures made with a shared secret: HMAC (RFC 2104), one verifier for every [`Scheme`].
//!
//! 1. read the headers of the scheme, each once;
//! 2. refuse a timestamp further from now than the tolerance, on either side;
//! 3. sign what the scheme signs, over the raw bytes, with every key;
//! 4. compare, in constant time, with every signature of the header, to the last.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};
use thiserror::Error;

use super::encoding::decode_base64;
use super::keyring::Keyring;
use super::layout::Layout;
use super::scheme::{Hash, Scheme, SecretEncoding};
use super::{Incoming, MIN_SECRET_BYTES, Refusal};

/// A signing secret, decoded and made into a keyed state of HMAC-SHA256.
pub struct Key(Hmac<Sha256>);

/// A signing secret for the hash of a scheme.
pub struct SchemeKey {
    hash: Hash,
    bytes: SecretSlice<u8>,
    /// For the usual hash. The runtime has the others, which costs no Wasm.
    own: Option<Key>,
}

/// A body of more bytes than this is hashed by the runtime, which has instructions for it. To ask
/// it takes longer than to hash a shorter one.
const LONG: usize = 8 * 1024;

/// Why a secret cannot be used. It never repeats the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BadSecret {
    /// Fewer than [`MIN_SECRET_BYTES`] once decoded.
    #[error("must hold at least 16 random bytes")]
    TooShort,
    /// What follows `whsec_` is not base64.
    #[error("must be whsec_ followed by base64")]
    NotWhsec,
    /// It holds an invisible character, which got into it by accident.
    #[error(
        "has an invisible character, such as a byte order mark, a zero-width space or a line's end \
         within it: set it again without"
    )]
    Invisible,
    /// It goes into a header, and cannot.
    #[error("must be visible characters")]
    NotVisible,
    /// It is not base64.
    #[error("must be base64")]
    NotBase64,
}

impl Key {
    /// Decodes a secret, without the white space around it (see [`trimmed`]).
    ///
    /// # Errors
    /// [`BadSecret`]
    pub fn parse(secret: &SecretString, encoding: SecretEncoding) -> Result<Self, BadSecret> {
        Self::new(&long_enough(secret, encoding)?)
    }

    /// A key of these bytes.
    ///
    /// # Errors
    /// None that can happen: HMAC takes keys of every length.
    pub fn new(bytes: &[u8]) -> Result<Self, BadSecret> {
        Hmac::new_from_slice(bytes).map(Self).map_err(|_| BadSecret::TooShort)
    }

    /// The HMAC of all that `feed` hands out.
    pub(super) fn tag(&self, feed: &Feed<'_>) -> Vec<u8> {
        let mut state = self.0.clone();
        feed(&mut |bytes| state.update(bytes));
        state.finalize().into_bytes().to_vec()
    }

    /// What a sender puts on a message with this id and timestamp: the value of the signature
    /// header. Id and timestamp do not matter where the layout has none.
    pub fn sign(
        &self,
        layout: &Layout,
        id: &str,
        timestamp: &str,
        message: &Incoming<'_>,
    ) -> String {
        let tag = self.tag(&|take| layout.signed(id, timestamp, message, take));
        layout.signature(&tag, timestamp)
    }
}

/// Hands out what is signed, piece by piece.
type Feed<'a> = dyn Fn(&mut dyn FnMut(&[u8])) + 'a;

impl SchemeKey {
    /// Decodes a secret, as [`Key::parse`] does.
    ///
    /// # Errors
    /// [`BadSecret`]
    pub fn parse(secret: &SecretString, scheme: &Scheme) -> Result<Self, BadSecret> {
        Self::new(long_enough(secret, scheme.secret)?, scheme.hash)
    }

    /// A key of these bytes.
    ///
    /// # Errors
    /// As [`Key::new`].
    pub fn new(bytes: Vec<u8>, hash: Hash) -> Result<Self, BadSecret> {
        let own = match hash {
            Hash::Sha256 => Some(Key::new(&bytes)?),
            Hash::Sha1 | Hash::Sha512 => None,
        };
        Ok(Self { hash, bytes: bytes.into(), own })
    }

    /// The HMAC of all that `feed` hands out, about `length` bytes; `None` where the runtime does
    /// not make it.
    async fn tag(&self, feed: &Feed<'_>, length: usize, keyring: &impl Keyring) -> Option<Vec<u8>> {
        if let Some(own) = self.own.as_ref().filter(|_| length <= LONG) {
            return Some(own.tag(feed));
        }
        let mut message = Vec::with_capacity(length);
        feed(&mut |bytes| message.extend_from_slice(bytes));
        keyring.hmac(self.hash, self.bytes.expose_secret(), &message).await
    }
}

/// The text of a secret. ASCII white space around it is ignored, since pipes and files end in a
/// line's end: no sender has it in a secret.
///
/// # Errors
/// [`BadSecret::Invisible`] where any other invisible character is in it: copied by accident, it
/// would be part of the key, and no message would match.
pub fn trimmed(secret: &SecretString) -> Result<&str, BadSecret> {
    let text = secret.expose_secret().trim_ascii();
    let invisible = |char: char| {
        char.is_control()
            || (char.is_whitespace() && char != ' ')
            // Formatting characters (Unicode category Cf) that copying and editors leave behind.
            || matches!(char, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    if text.contains(invisible) { Err(BadSecret::Invisible) } else { Ok(text) }
}

/// The bytes of a secret, however few.
///
/// # Errors
/// Where there are none, or it is not written as it must be.
pub fn decode(secret: &SecretString, encoding: SecretEncoding) -> Result<Vec<u8>, BadSecret> {
    let text = trimmed(secret)?;
    let bytes = match encoding {
        SecretEncoding::Utf8 => text.as_bytes().to_vec(),
        SecretEncoding::Base64 => decode_base64(text).ok_or(BadSecret::NotBase64)?,
        SecretEncoding::Whsec => {
            let encoded = text.strip_prefix("whsec_").unwrap_or(text);
            decode_base64(encoded).ok_or(BadSecret::NotWhsec)?
        }
    };
    if bytes.is_empty() { Err(BadSecret::TooShort) } else { Ok(bytes) }
}

fn long_enough(secret: &SecretString, encoding: SecretEncoding) -> Result<Vec<u8>, BadSecret> {
    let bytes = decode(secret, encoding)?;
    if bytes.len() < MIN_SECRET_BYTES { Err(BadSecret::TooShort) } else { Ok(bytes) }
}

/// Verifies the messages of one source.
pub struct Verifier {
    scheme: Scheme,
    keys: Vec<SchemeKey>,
    tolerance_seconds: i64,
}

impl Verifier {
    /// Accepts a signature made with any of `keys`, which is what rotation without a gap needs.
    /// Without a key it refuses every message.
    pub fn new(scheme: Scheme, keys: Vec<SchemeKey>, tolerance: Duration) -> Self {
        let tolerance_seconds = i64::try_from(tolerance.as_secs()).unwrap_or(i64::MAX);
        Self { scheme, keys, tolerance_seconds }
    }

    /// Proves that a holder of a secret sent `message`, about now where the scheme has a time.
    ///
    /// `now` is in seconds since the Unix epoch.
    ///
    /// # Errors
    /// [`Refusal`]: the first check that failed.
    pub async fn verify(
        &self,
        message: &Incoming<'_>,
        now: i64,
        keyring: &impl Keyring,
    ) -> Result<(), Refusal> {
        let layout = &self.scheme.layout;
        let envelope = layout.read(message.headers)?;
        layout.check_time(&envelope, now, self.tolerance_seconds)?;
        let presented = layout.signatures(&envelope)?;
        let (id, timestamp) = (envelope.id(), envelope.timestamp());
        // With some room for what stands before the body.
        let length = message.body.len().saturating_add(256);
        let mut tags = Vec::new();
        for key in &self.keys {
            let feed = |take: &mut dyn FnMut(&[u8])| layout.signed(id, timestamp, message, take);
            tags.extend(key.tag(&feed, length, keyring).await);
        }
        matches(&tags, &presented)
    }
}

/// Compares every signature with the one that every key makes, without an early end.
///
/// # Errors
/// Where none matches.
pub(super) fn matches(tags: &[Vec<u8>], presented: &[Vec<u8>]) -> Result<(), Refusal> {
    let mut matched = Choice::from(0);
    for tag in tags {
        for signature in presented {
            matched |= tag.ct_eq(signature);
        }
    }
    if bool::from(matched) { Ok(()) } else { Err(Refusal::Mismatch) }
}
