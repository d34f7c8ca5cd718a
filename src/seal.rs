//! Seals identifiers while they wait: what is stored is of no use without a key that is not stored
//! beside it, not even in a backup or in a page of the file that was given free.

use std::fmt;

use base64ct::{Base64Unpadded, Encoding};
use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use thiserror::Error;

use crate::erasure::{Identifier, Kind};
use crate::json::{Json, quote};
use crate::vendor::Call;

/// What each message is sealed with once, in bytes.
pub const NONCE_BYTES: usize = 24;

/// XChaCha20-Poly1305 (RFC 8439 with the extended nonce), under a key derived from
/// `PSEUDONYM_KEY`.
#[derive(Clone)]
pub struct Seal(XChaCha20Poly1305);

impl fmt::Debug for Seal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Seal")
    }
}

/// The seal is broken: the key is another, or the text was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("what is stored cannot be opened with this PSEUDONYM_KEY")]
pub struct Broken;

impl Seal {
    /// `None` where the key cannot be used, which is told where it is read.
    pub fn new(key: &SecretString) -> Option<Self> {
        let key = key.expose_secret().trim();
        let mut derived = Hmac::<Sha256>::new_from_slice(key.as_bytes()).ok()?;
        derived.update(b"erasure-relay: identifiers at rest, v1");
        XChaCha20Poly1305::new_from_slice(&derived.finalize().into_bytes()).ok().map(Self)
    }

    /// Seals whom `call` is about, with the further names. `place` names the row: a sealed text
    /// opens nowhere else.
    ///
    /// # Errors
    /// Where the text is longer than the cipher takes.
    pub fn close(
        &self,
        call: &Call,
        place: &str,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<String, Broken> {
        let mut people = String::from("[");
        for identifier in std::iter::once(&call.identifier).chain(&call.alternatives) {
            if people.len() > 1 {
                people.push(',');
            }
            people.push_str(&quote(&identifier.kind().to_string()));
            people.push(',');
            people.push_str(&quote(identifier.expose()));
        }
        people.push(']');
        let mut text = people.into_bytes();
        let cipher = &self.0;
        cipher
            .encrypt_in_place(&XNonce::from(nonce), place.as_bytes(), &mut text)
            .map_err(|_| Broken)?;
        let mut sealed = nonce.to_vec();
        sealed.append(&mut text);
        Ok(Base64Unpadded::encode_string(&sealed))
    }

    /// The identifier, and the further names.
    ///
    /// # Errors
    /// [`Broken`]
    pub fn open(&self, sealed: &str, place: &str) -> Result<(Identifier, Vec<Identifier>), Broken> {
        let sealed = Base64Unpadded::decode_vec(sealed).map_err(|_| Broken)?;
        let (nonce, text) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(Broken)?;
        let mut text = text.to_vec();
        self.0
            .decrypt_in_place(&XNonce::from(*nonce), place.as_bytes(), &mut text)
            .map_err(|_| Broken)?;
        let Ok(Json::Array(items)) = Json::parse(&text) else { return Err(Broken) };
        let mut people = Vec::new();
        for pair in items.chunks_exact(2) {
            let [kind, value] = pair else { return Err(Broken) };
            let kind = kind.as_text().and_then(Kind::parse).ok_or(Broken)?;
            let value = value.as_text().ok_or(Broken)?;
            people.push(Identifier::restore(kind, value.to_owned()));
        }
        let first = (!people.is_empty()).then(|| people.remove(0));
        Ok((first.ok_or(Broken)?, people))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::erasure::{CustomName, Subject};

    fn seal(key: &str) -> Seal {
        Seal::new(&key.into()).unwrap()
    }

    fn call() -> Call {
        let mut subject = Subject::default();
        subject.add(Kind::Email, "jane \"j\" doe\u{e9}@example.com");
        subject.add(Kind::Custom(CustomName::parse("loyalty").unwrap()), "xyz");
        let mut identifiers = subject.identifiers().cloned();
        let identifier = identifiers.next().unwrap();
        Call { name: "identity", identifier, alternatives: identifiers.collect() }
    }

    #[test]
    fn what_is_sealed_can_be_opened_and_not_read() {
        let sealed = seal("a key of 16 bytes or more").close(&call(), "row", [7; 24]).unwrap();
        assert!(!sealed.contains("jane"));
        let (first, others) = seal("a key of 16 bytes or more").open(&sealed, "row").unwrap();
        assert_eq!(first.expose(), call().identifier.expose());
        assert_eq!((others.len(), others[0].kind().to_string()), (1, "custom.loyalty".to_owned()));
    }

    #[test]
    fn it_opens_with_its_key_and_in_its_place_alone() {
        let sealed = seal("a key of 16 bytes or more").close(&call(), "row", [7; 24]).unwrap();
        assert_eq!(seal("another key of 16 bytes").open(&sealed, "row").err(), Some(Broken));
        let elsewhere = seal("a key of 16 bytes or more").open(&sealed, "other row");
        assert_eq!(elsewhere.err(), Some(Broken));
        for wrong in ["", "AAAA", "not base64!"] {
            assert_eq!(seal("a key of 16 bytes or more").open(wrong, "row").err(), Some(Broken));
        }
    }
}
