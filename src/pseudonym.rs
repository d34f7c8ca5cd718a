//! Keyed pseudonyms: they tell two people apart without telling who they are.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::erasure::Identifier;

/// Makes pseudonyms with the secret `PSEUDONYM_KEY`. A bare hash would not do: addresses and phone
/// numbers are few enough to be guessed.
pub struct Pseudonyms(Hmac<Sha256>);

impl Pseudonyms {
    /// The least a key may have, in bytes.
    pub const MIN_KEY_BYTES: usize = 16;

    /// `None` where the key is shorter than [`Self::MIN_KEY_BYTES`].
    pub fn new(key: &SecretString) -> Option<Self> {
        let key = key.expose_secret().trim();
        let state = Hmac::new_from_slice(key.as_bytes()).ok()?;
        (key.len() >= Self::MIN_KEY_BYTES).then_some(Self(state))
    }

    /// `k1:` and 48 bits of HMAC-SHA256 over the kind and the value, as hex.
    pub fn of(&self, identifier: &Identifier) -> String {
        self.name(&identifier.kind().to_string(), identifier.expose())
    }

    /// The same for a request's id that may be personal.
    pub fn of_request(&self, id: &str) -> String {
        self.name("request_id", id)
    }

    fn name(&self, kind: &str, value: &str) -> String {
        let mut mac = self.0.clone();
        mac.update(kind.as_bytes());
        mac.update(b"\0"); // no kind holds a zero byte, so no two values read alike
        mac.update(value.as_bytes());
        let mut name = String::from("k1:");
        for byte in mac.finalize().into_bytes().iter().take(6) {
            let _ = write!(name, "{byte:02x}"); // a String takes every write
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::erasure::{Kind, Subject};

    fn pseudonym(key: &str, kind: Kind, value: &str) -> String {
        let mut subject = Subject::default();
        subject.add(kind, value);
        Pseudonyms::new(&key.into()).unwrap().of(subject.identifiers().next().unwrap())
    }

    #[test]
    fn depends_on_key_kind_and_value() {
        const KEY: &str = "a key of 16 bytes or more";
        let one = pseudonym(KEY, Kind::UserId, "42");
        assert_eq!(one.len(), "k1:9f2c41d07b6e".len());
        assert_eq!(one, pseudonym(KEY, Kind::UserId, "42"));
        assert_ne!(one, pseudonym(KEY, Kind::Uuid, "42"));
        assert_ne!(one, pseudonym(KEY, Kind::UserId, "43"));
        assert_ne!(one, pseudonym("another key of some length", Kind::UserId, "42"));
    }

    #[test]
    fn a_short_key_is_refused() {
        assert!(Pseudonyms::new(&"too short".into()).is_none());
    }
}
