//! The relay's own secrets. Unlike those of platforms and vendors, they have fixed names.

use secrecy::SecretString;

use crate::access::{ADMIN_TOKEN, ADMIN_TOKEN_PREVIOUS, READ_TOKEN, READ_TOKEN_PREVIOUS, Tokens};
use crate::pseudonym::Pseudonyms;
use crate::seal::Seal;
use crate::settings::Misconfiguration;
use crate::signature::Incoming;
use crate::signature::ed25519;
use crate::signature::hmac::Key;
use crate::signature::presets;
use crate::signature::scheme::SecretEncoding;
use crate::signature::signing_key::SigningKey;

/// The key of pseudonyms and of sealed identifiers. Durable delivery needs it; without it, receipts of
/// direct delivery have no subject.
pub const PSEUDONYM_KEY: &str = "PSEUDONYM_KEY";

/// The key before the last change of [`PSEUDONYM_KEY`]: opens what was sealed with it, and recognizes
/// what was stored under its pseudonyms.
pub const PSEUDONYM_KEY_PREVIOUS: &str = "PSEUDONYM_KEY_PREVIOUS";

/// Signs receipts, `whsec_` and base64. Without it they are not signed.
pub const RECEIPT_SECRET: &str = "RECEIPT_SECRET";

/// Signs receipts so that anybody can verify them, `whsk_` and base64. Its public key is published.
pub const RECEIPT_SIGNING_KEY: &str = "RECEIPT_SIGNING_KEY";

/// The key before the last change of [`RECEIPT_SIGNING_KEY`]. It signs nothing; its public key is still
/// published.
pub const RECEIPT_SIGNING_KEY_PREVIOUS: &str = "RECEIPT_SIGNING_KEY_PREVIOUS";

/// The relay's own secrets that are set.
pub struct Keys {
    /// Who may see and do what an operator does.
    pub tokens: Tokens,
    /// Makes the pseudonyms in receipts and logs.
    pub pseudonyms: Option<Pseudonyms>,
    /// Encrypts identifiers while their delivery waits.
    pub seal: Option<Seal>,
    receipts: Option<Key>,
    /// Signs receipts, by the runtime.
    pub receipt_signing_key: Option<SigningKey>,
    /// Has signed receipts.
    pub previous_receipt_signing_key: Option<SigningKey>,
}

impl Keys {
    /// The names of those that are used. Direct delivery stores nothing: it has no use for an earlier
    /// key, and no receipts to sign.
    pub fn names(durable: bool) -> &'static [&'static str] {
        if durable {
            &[
                ADMIN_TOKEN,
                ADMIN_TOKEN_PREVIOUS,
                READ_TOKEN,
                READ_TOKEN_PREVIOUS,
                RECEIPT_SECRET,
                RECEIPT_SIGNING_KEY,
                RECEIPT_SIGNING_KEY_PREVIOUS,
                PSEUDONYM_KEY,
                PSEUDONYM_KEY_PREVIOUS,
            ]
        } else {
            &[ADMIN_TOKEN, ADMIN_TOKEN_PREVIOUS, READ_TOKEN, READ_TOKEN_PREVIOUS, PSEUDONYM_KEY]
        }
    }

    /// Reads the secrets by `get`.
    ///
    /// # Errors
    /// Every secret that cannot be used, or is needed and not set.
    pub fn new<'a>(
        get: impl Fn(&str) -> Option<&'a SecretString>,
        durable: bool,
    ) -> Result<Self, Vec<Misconfiguration>> {
        let mut problems = Vec::new();
        let mut report = |name, message: &str| problems.push(Misconfiguration::new(name, message));
        let key = get(PSEUDONYM_KEY);
        let previous = get(PSEUDONYM_KEY_PREVIOUS);
        if key.is_none() && durable {
            let message = "the secret must be set for durable delivery: identifiers are stored \
                sealed with it";
            report(PSEUDONYM_KEY, message);
        }
        for (name, key) in [(PSEUDONYM_KEY, key), (PSEUDONYM_KEY_PREVIOUS, previous)] {
            if key.is_some_and(|key| Pseudonyms::new(key, None).is_none()) {
                report(name, "must have at least 16 bytes");
            }
        }
        let tokens = Tokens::read(&get, &mut problems);
        let mut report = |name, message: &str| problems.push(Misconfiguration::new(name, message));
        let receipts = get(RECEIPT_SECRET).and_then(|secret| {
            let key = Key::parse(secret, SecretEncoding::Whsec);
            key.map_err(|bad| report(RECEIPT_SECRET, &bad.to_string())).ok()
        });
        let mut signing_key = |name| {
            let key = get(name).map(SigningKey::parse)?;
            key.map_err(|bad| problems.push(Misconfiguration::new(name, bad))).ok()
        };
        let receipt_signing_key = signing_key(RECEIPT_SIGNING_KEY);
        let previous_receipt_signing_key = signing_key(RECEIPT_SIGNING_KEY_PREVIOUS);
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            tokens,
            pseudonyms: key.and_then(|key| Pseudonyms::new(key, previous)),
            seal: key.and_then(|key| Seal::new(key, previous)),
            receipts,
            receipt_signing_key,
            previous_receipt_signing_key,
        })
    }

    /// The signature of a receipt by `RECEIPT_SECRET`, as Standard Webhooks 1.0 writes it; `None`
    /// without that secret.
    pub fn sign_receipt(&self, receipt: &StampedReceipt<'_>) -> Option<String> {
        let key = self.receipts.as_ref()?;
        let layout = presets::standard_webhooks().layout;
        Some(key.sign(&layout, &receipt.id, &receipt.timestamp, &receipt.message()))
    }
}

/// A receipt as it is signed, as the body of a message of Standard Webhooks 1.0.
pub struct StampedReceipt<'a> {
    id: String,
    timestamp: String,
    body: &'a str,
}

impl<'a> StampedReceipt<'a> {
    /// The receipt `body` with this id, at `now`, in seconds since the Unix epoch.
    pub fn new(id: String, now: i64, body: &'a str) -> Self {
        Self { id, timestamp: now.to_string(), body }
    }

    fn message(&self) -> Incoming<'a> {
        Incoming { method: "", url: "", headers: &NO_HEADERS, body: self.body.as_bytes() }
    }

    /// The bytes that an Ed25519 signature covers.
    pub fn signed(&self) -> Vec<u8> {
        let mut signed = Vec::new();
        let take = |part: &[u8]| signed.extend_from_slice(part);
        ed25519::layout().signed(&self.id, &self.timestamp, &self.message(), take);
        signed
    }

    /// The receipt's headers with these signatures: that of [`Keys::sign_receipt`], and an Ed25519
    /// signature of [`signed`](Self::signed). None without a signature.
    pub fn headers(
        self,
        hmac: Option<String>,
        ed25519: Option<&[u8]>,
    ) -> Vec<(&'static str, String)> {
        let ed25519 = ed25519.map(|tag| ed25519::layout().signature(tag, &self.timestamp));
        let signatures = match (hmac, ed25519) {
            (None, None) => return Vec::new(),
            (Some(one), None) | (None, Some(one)) => one,
            (Some(hmac), Some(ed25519)) => format!("{hmac} {ed25519}"),
        };
        vec![
            ("webhook-id", self.id),
            ("webhook-timestamp", self.timestamp),
            ("webhook-signature", signatures),
        ]
    }
}

/// What is signed reads no header.
const NO_HEADERS: fn(&str) -> Option<String> = |_| None;

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(set: &[(&str, &str)], durable: bool) -> Result<Keys, Vec<String>> {
        let secrets: Vec<(String, SecretString)> =
            set.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        let get =
            |name: &str| secrets.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        Keys::new(get, durable).map_err(|all| all.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn durable_delivery_needs_the_key_that_seals() {
        assert!(keys(&[], false).is_ok());
        let problems = keys(&[], true).err().unwrap();
        assert!(problems[0].starts_with("PSEUDONYM_KEY: the secret must be set"), "{problems:?}");
        let key = (PSEUDONYM_KEY, "a key of 16 bytes or more");
        assert!(keys(&[key], true).is_ok());
        assert!(keys(&[key, (PSEUDONYM_KEY_PREVIOUS, "another key of 16 bytes")], true).is_ok());
        let short = keys(&[key, (PSEUDONYM_KEY_PREVIOUS, "short")], true).err().unwrap();
        assert_eq!(short, ["PSEUDONYM_KEY_PREVIOUS: must have at least 16 bytes"]);
    }

    #[test]
    fn what_is_too_short_is_refused_and_never_shown() {
        let short = [
            (PSEUDONYM_KEY, "short"),
            (ADMIN_TOKEN, "short"),
            (RECEIPT_SECRET, "whsec_"),
            (RECEIPT_SIGNING_KEY, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            (RECEIPT_SIGNING_KEY_PREVIOUS, "whsk_short"),
        ];
        assert_eq!(
            keys(&short, true).err().unwrap(),
            [
                "PSEUDONYM_KEY: must have at least 16 bytes",
                "ADMIN_TOKEN: must have at least 16 bytes",
                "RECEIPT_SECRET: must hold at least 16 random bytes",
                "RECEIPT_SIGNING_KEY: must be whsk_ followed by 32 random bytes in base64",
                "RECEIPT_SIGNING_KEY_PREVIOUS: must be whsk_ followed by 32 random bytes in base64",
            ]
        );
    }
}
