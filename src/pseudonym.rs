//! Keyed pseudonyms: they tell two people apart without telling who they are.

use std::fmt::{self, Write};

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::erasure::Identifier;

/// Names one `PSEUDONYM_KEY`: 16 bits derived from it, as hex. Pseudonyms and sealed identifiers say
/// by which key they were made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyId(String);

impl KeyId {
    /// `None` where the key cannot be used.
    pub fn of(key: &SecretString) -> Option<Self> {
        let secret = key.expose_secret().trim();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
        mac.update(b"erasure-relay: key id, v1");
        Some(Self(hex(mac, 2)))
    }

    /// Four hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Makes pseudonyms with the secret `PSEUDONYM_KEY`. A bare hash would not do: addresses and phone
/// numbers are few enough to be guessed.
pub struct Pseudonyms {
    id: KeyId,
    current: Hmac<Sha256>,
    previous: Option<Hmac<Sha256>>,
}

/// The pseudonym of one identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pseudonym {
    /// As receipts and logs show it: `k`, the id of the key, a colon, and 48 bits of HMAC-SHA256 over
    /// the kind and the value, as hex.
    pub shown: String,
    /// As lanes store it, without the id: `k1:` and the same digits.
    pub stored: String,
    /// As lanes stored it under the previous key.
    pub stored_before: Option<String>,
}

impl Pseudonym {
    /// Whether a lane has stored it, under either key.
    pub fn is(&self, stored: &str) -> bool {
        self.stored == stored || self.stored_before.as_deref() == Some(stored)
    }
}

impl Pseudonyms {
    /// The least a key may have, in bytes.
    pub const MIN_KEY_BYTES: usize = 16;

    /// `None` where a key is shorter than [`Self::MIN_KEY_BYTES`].
    pub fn new(key: &SecretString, previous: Option<&SecretString>) -> Option<Self> {
        let previous = if let Some(key) = previous { Some(Self::keyed(key)?) } else { None };
        Some(Self { id: KeyId::of(key)?, current: Self::keyed(key)?, previous })
    }

    fn keyed(key: &SecretString) -> Option<Hmac<Sha256>> {
        let key = key.expose_secret().trim();
        let mac = Hmac::new_from_slice(key.as_bytes()).ok()?;
        (key.len() >= Self::MIN_KEY_BYTES).then_some(mac)
    }

    /// The pseudonym of an identifier.
    pub fn of(&self, identifier: &Identifier) -> Pseudonym {
        let kind = identifier.kind().to_string();
        let digits = |mac: &Hmac<Sha256>| name(mac, &kind, identifier.expose());
        let current = digits(&self.current);
        Pseudonym {
            shown: format!("k{}:{current}", self.id),
            stored: format!("k1:{current}"),
            stored_before: self.previous.as_ref().map(|mac| format!("k1:{}", digits(mac))),
        }
    }

    /// The same for a request's id that may be personal, as logs show it.
    pub fn of_request(&self, id: &str) -> String {
        format!("k{}:{}", self.id, name(&self.current, "request_id", id))
    }

    /// Whether a text has the form of what [`of_request`](Self::of_request) makes, under any key.
    pub fn is_form(text: &str) -> bool {
        let parts = text.strip_prefix('k').and_then(|rest| rest.split_once(':'));
        let is_hex = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
        parts.is_some_and(|(id, digits)| digits.len() == 12 && is_hex(id) && is_hex(digits))
    }

    /// Whether `shown` is the pseudonym of a request's id, under the current key or the previous one.
    pub fn is_of_request(&self, shown: &str, id: &str) -> bool {
        let shown = shown.split_once(':').map(|(_, digits)| digits);
        let mut keys = [Some(&self.current), self.previous.as_ref()].into_iter().flatten();
        keys.any(|key| shown.is_some_and(|digits| digits == name(key, "request_id", id)))
    }
}

fn name(mac: &Hmac<Sha256>, kind: &str, value: &str) -> String {
    let mut mac = mac.clone();
    mac.update(kind.as_bytes());
    mac.update(b"\0"); // no kind holds a zero byte, so no two values read alike
    mac.update(value.as_bytes());
    hex(mac, 6)
}

fn hex(mac: Hmac<Sha256>, bytes: usize) -> String {
    let mut text = String::new();
    for byte in mac.finalize().into_bytes().iter().take(bytes) {
        let _ = write!(text, "{byte:02x}"); // a String takes every write
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::erasure::{Kind, Subject};

    const KEY: &str = "a key of 16 bytes or more";
    const OTHER: &str = "another key of some length";

    fn of(pseudonyms: &Pseudonyms, kind: Kind, value: &str) -> Pseudonym {
        let mut subject = Subject::default();
        subject.add(kind, value);
        pseudonyms.of(subject.identifiers().next().unwrap())
    }

    fn pseudonym(key: &str, kind: Kind, value: &str) -> Pseudonym {
        of(&Pseudonyms::new(&key.into(), None).unwrap(), kind, value)
    }

    #[test]
    fn depends_on_key_kind_and_value() {
        let one = pseudonym(KEY, Kind::UserId, "42");
        assert_eq!(one.shown.len(), "k4f2a:9f2c41d07b6e".len());
        assert_eq!(one, pseudonym(KEY, Kind::UserId, "42"));
        assert_ne!(one.shown, pseudonym(KEY, Kind::Uuid, "42").shown);
        assert_ne!(one.stored, pseudonym(KEY, Kind::Uuid, "42").stored);
        assert_ne!(one.shown, pseudonym(KEY, Kind::UserId, "43").shown);
        let other = pseudonym(OTHER, Kind::UserId, "42");
        assert_ne!(one.shown[..5], other.shown[..5], "each says by which key it was made");
        assert_ne!(one.stored, other.stored);
    }

    #[test]
    fn after_a_rotation_what_was_stored_is_recognized() {
        let before = pseudonym(OTHER, Kind::UserId, "42");
        let rotated = Pseudonyms::new(&KEY.into(), Some(&OTHER.into())).unwrap();
        let after = of(&rotated, Kind::UserId, "42");
        assert_eq!(after.shown, pseudonym(KEY, Kind::UserId, "42").shown);
        assert!(after.is(&before.stored) && after.is(&after.stored));
        assert!(!after.is(&pseudonym(OTHER, Kind::UserId, "43").stored));
    }

    #[test]
    fn a_pseudonym_of_a_request_is_recognized_under_either_key() {
        let former = Pseudonyms::new(&OTHER.into(), None).unwrap().of_request("request-1");
        let rotated = Pseudonyms::new(&KEY.into(), Some(&OTHER.into())).unwrap();
        let current = rotated.of_request("request-1");
        assert_ne!(former, current);
        for shown in [&former, &current] {
            assert!(Pseudonyms::is_form(shown) && rotated.is_of_request(shown, "request-1"));
            assert!(!rotated.is_of_request(shown, "request-2"));
        }
        for other in
            ["", "k4f2a", "k4f2a:9f2c", "k4f2a:9f2c41d07b6g", "request-1", "x:0123456789ab"]
        {
            assert!(!Pseudonyms::is_form(other) && !rotated.is_of_request(other, "request-1"));
        }
    }

    #[test]
    fn a_short_key_is_rejected() {
        assert!(Pseudonyms::new(&"too short".into(), None).is_none());
        assert!(Pseudonyms::new(&KEY.into(), Some(&"too short".into())).is_none());
    }
}
