//! Encrypts identifiers while their delivery waits. The key is not stored with them, so that the
//! database, its backups and its free pages show no identifier.
//!
//! The plaintext is one flat JSON array, `["kind","value","kind","value",…]`: what was sealed by one
//! version must open in the next.

use std::borrow::Cow;
use std::fmt;

use base64ct::{Base64Unpadded, Encoding};
use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use thiserror::Error;

use crate::erasure::{Identifier, Kind};
use crate::pseudonym::KeyId;
use crate::vendor::Call;

/// The length of a nonce in bytes. Each is used once.
pub const NONCE_BYTES: usize = 24;

/// Seals with the current key, and opens with the previous one too. XChaCha20-Poly1305 (RFC 8439 with
/// the extended nonce); each key is derived from a `PSEUDONYM_KEY`.
#[derive(Clone)]
pub struct Seal {
    current: SealKey,
    previous: Option<SealKey>,
}

#[derive(Clone)]
struct SealKey {
    id: KeyId,
    cipher: XChaCha20Poly1305,
}

impl fmt::Debug for Seal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Seal")
    }
}

/// The text cannot be decrypted: it was sealed with another key or for another row, or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("what is stored cannot be opened with this PSEUDONYM_KEY")]
pub struct Broken;

impl SealKey {
    fn new(key: &SecretString) -> Option<Self> {
        let secret = key.expose_secret().trim();
        let mut derived = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
        derived.update(b"erasure-relay: identifiers at rest, v1");
        let cipher = XChaCha20Poly1305::new_from_slice(&derived.finalize().into_bytes()).ok()?;
        Some(Self { id: KeyId::of(key)?, cipher })
    }
}

impl Seal {
    /// `None` where a key cannot be used, which is reported where the key is read.
    pub fn new(key: &SecretString, previous: Option<&SecretString>) -> Option<Self> {
        let previous = previous.map(SealKey::new);
        let previous = if let Some(key) = previous { Some(key?) } else { None };
        Some(Self { current: SealKey::new(key)?, previous })
    }

    /// What begins each text that can be opened, but for those of a version that did not name the
    /// key: `4f2a.`
    pub fn prefixes(&self) -> [String; 2] {
        let previous = self.previous.as_ref().unwrap_or(&self.current);
        [&self.current, previous].map(|key| format!("{}.", key.id))
    }

    /// Seals the identifier of `call` and its alternatives. `place` identifies the row, and is
    /// authenticated: the text opens for no other row. The text begins with the key's id.
    ///
    /// # Errors
    /// Where the text is longer than the cipher takes.
    pub fn close(
        &self,
        call: &Call,
        place: &str,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<String, Broken> {
        let mut items: Vec<Cow<'_, str>> = Vec::new();
        for identifier in std::iter::once(&call.identifier).chain(&call.alternatives) {
            items.extend([identifier.kind().to_string().into(), identifier.expose().into()]);
        }
        let mut text = serde_json::to_vec(&items).map_err(|_| Broken)?;
        let SealKey { id, cipher } = &self.current;
        cipher
            .encrypt_in_place(&XNonce::from(nonce), place.as_bytes(), &mut text)
            .map_err(|_| Broken)?;
        let mut sealed = nonce.to_vec();
        sealed.append(&mut text);
        Ok(format!("{id}.{}", Base64Unpadded::encode_string(&sealed)))
    }

    /// The identifier of a call, and its alternatives.
    ///
    /// # Errors
    /// [`Broken`]
    pub fn open(&self, sealed: &str, place: &str) -> Result<(Identifier, Vec<Identifier>), Broken> {
        // Earlier versions did not name the key.
        let (id, sealed) = sealed.split_once('.').map_or((None, sealed), |(id, it)| (Some(id), it));
        let keys = std::iter::once(&self.current).chain(&self.previous);
        let mut keys = keys.filter(|key| id.is_none_or(|id| key.id.as_str() == id));
        let sealed = Base64Unpadded::decode_vec(sealed).map_err(|_| Broken)?;
        let (nonce, text) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(Broken)?;
        let text = keys.find_map(|key| {
            let mut text = text.to_vec();
            let nonce = XNonce::from(*nonce);
            key.cipher.decrypt_in_place(&nonce, place.as_bytes(), &mut text).ok()?;
            Some(text)
        });
        let items: Vec<String> =
            serde_json::from_slice(&text.ok_or(Broken)?).map_err(|_| Broken)?;
        let mut people = Vec::new();
        for [kind, value] in items.as_chunks().0 {
            let kind = Kind::parse(kind).ok_or(Broken)?;
            people.push(Identifier::restore(kind, value.clone()));
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
        Seal::new(&key.into(), None).unwrap()
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

    /// Made by a version that wrote its JSON by hand.
    #[test]
    fn what_an_earlier_version_sealed_can_be_opened() {
        let sealed = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHGEEeXg8CGndgJTJkZc3VNrRZj8lXX7OYh7fEF6QSIWXl\
            YHf5IiYI4YxCHvigQpgm0ABwHvnP8Cic9hxIbU4XCLSSku2ZtQlQ6ggR5/O5trfU486PMSUmhMSDdS8";
        let value = "jane \"j\" \\ doe\u{e9}\u{7f}\u{1}\t/@example.com";
        let (first, others) = seal("a key of 16 bytes or more").open(sealed, "row").unwrap();
        assert_eq!((first.kind(), first.expose()), (&Kind::Email, value));
        let [loyalty] = &others[..] else { panic!("one alternative") };
        assert_eq!(loyalty.kind().to_string(), "custom.loyalty");
        assert_eq!(loyalty.expose(), "xyz");
        // The text is written as before, to the byte, after the id of the key.
        let call = Call { name: "identity", identifier: first, alternatives: others };
        let again = seal("a key of 16 bytes or more").close(&call, "row", [7; 24]).unwrap();
        assert_eq!(again.split_once('.').unwrap().1, sealed);
    }

    #[test]
    fn the_previous_key_opens_and_the_current_one_seals() {
        let (old, new) = ("a key of 16 bytes or more", "another key of 16 bytes");
        let rotated = Seal::new(&new.into(), Some(&old.into())).unwrap();
        let before = seal(old).close(&call(), "row", [7; 24]).unwrap();
        assert!(rotated.open(&before, "row").is_ok());
        let unnamed = before.split_once('.').unwrap().1;
        assert!(rotated.open(unnamed, "row").is_ok());
        let after = rotated.close(&call(), "row", [7; 24]).unwrap();
        assert!(seal(new).open(&after, "row").is_ok());
        assert_eq!(seal(old).open(&after, "row").err(), Some(Broken));
        assert_ne!(before.split_once('.').unwrap().0, after.split_once('.').unwrap().0);
    }

    #[test]
    fn it_opens_with_its_key_and_in_its_place_alone() {
        let sealed = seal("a key of 16 bytes or more").close(&call(), "row", [7; 24]).unwrap();
        assert_eq!(seal("another key of 16 bytes").open(&sealed, "row").err(), Some(Broken));
        let elsewhere = seal("a key of 16 bytes or more").open(&sealed, "other row");
        assert_eq!(elsewhere.err(), Some(Broken));
        for wrong in ["", ".", "AAAA", "not base64!", "0000.AAAA"] {
            assert_eq!(seal("a key of 16 bytes or more").open(wrong, "row").err(), Some(Broken));
        }
    }
}
