//! The relay's own secrets. Unlike those of platforms and vendors, they have fixed names.

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::pseudonym::Pseudonyms;
use crate::seal::Seal;
use crate::settings::Misconfiguration;
use crate::signature::Incoming;
use crate::signature::hmac::Key;
use crate::signature::presets;
use crate::signature::scheme::SecretEncoding;
use crate::signature::token::credentials;

/// Authorizes the operator's routes, and the details of `GET /healthz`. Without it those routes do not
/// exist.
pub const ADMIN_TOKEN: &str = "ADMIN_TOKEN";

/// The key of pseudonyms and of sealed identifiers. Durable delivery needs it; without it, receipts of
/// direct delivery have no subject.
pub const PSEUDONYM_KEY: &str = "PSEUDONYM_KEY";

/// The key before the last change of [`PSEUDONYM_KEY`]: opens what was sealed with it, and recognizes
/// what was stored under its pseudonyms.
pub const PSEUDONYM_KEY_PREVIOUS: &str = "PSEUDONYM_KEY_PREVIOUS";

/// Signs receipts, `whsec_` and base64. Without it they are not signed.
pub const RECEIPT_SECRET: &str = "RECEIPT_SECRET";

/// The minimum length of the operator's token, in bytes.
const MIN_TOKEN_BYTES: usize = 16;

/// The relay's own secrets that are set.
pub struct Keys {
    admin_token: Option<SecretString>,
    /// Makes the pseudonyms in receipts and logs.
    pub pseudonyms: Option<Pseudonyms>,
    /// Encrypts identifiers while their delivery waits.
    pub seal: Option<Seal>,
    receipts: Option<Key>,
}

impl Keys {
    /// The names of those that are used. Direct delivery stores nothing: it has no use for an earlier
    /// key, and no receipts to sign.
    pub fn names(durable: bool) -> &'static [&'static str] {
        if durable {
            &[ADMIN_TOKEN, RECEIPT_SECRET, PSEUDONYM_KEY, PSEUDONYM_KEY_PREVIOUS]
        } else {
            &[ADMIN_TOKEN, PSEUDONYM_KEY]
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
        let admin_token = get(ADMIN_TOKEN).map(|token| token.expose_secret().trim());
        if admin_token.is_some_and(|token| token.len() < MIN_TOKEN_BYTES) {
            report(ADMIN_TOKEN, "must have at least 16 bytes");
        }
        let receipts = get(RECEIPT_SECRET).and_then(|secret| {
            let key = Key::parse(secret, SecretEncoding::Whsec);
            key.map_err(|bad| report(RECEIPT_SECRET, &bad.to_string())).ok()
        });
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            admin_token: admin_token.map(Into::into),
            pseudonyms: key.and_then(|key| Pseudonyms::new(key, previous)),
            seal: key.and_then(|key| Seal::new(key, previous)),
            receipts,
        })
    }

    /// The headers of a receipt that is signed by Standard Webhooks 1.0; none without
    /// `RECEIPT_SECRET`. `id` is the receipt's id, `now` is in seconds since the Unix epoch.
    pub fn prove(&self, id: String, now: i64, receipt: &str) -> Vec<(&'static str, String)> {
        let Some(key) = &self.receipts else { return Vec::new() };
        let timestamp = now.to_string();
        let none = |_: &str| None;
        let body = receipt.as_bytes();
        let message = Incoming { method: "", url: "", headers: &none, body };
        let signature = key.sign(&presets::standard_webhooks().layout, &id, &timestamp, &message);
        vec![("webhook-id", id), ("webhook-timestamp", timestamp), ("webhook-signature", signature)]
    }

    /// Whether the operator's routes exist.
    pub fn has_operator(&self) -> bool {
        self.admin_token.is_some()
    }

    /// Whether an `Authorization` header is the operator's, in constant time.
    pub fn is_operator(&self, authorization: &str) -> bool {
        self.admin_token.as_ref().is_some_and(|token| is_admin(token, authorization))
    }
}

/// Whether an `Authorization` header holds this `ADMIN_TOKEN`, in constant time. A token that is too
/// short is nobody's.
pub fn is_admin(token: &SecretString, authorization: &str) -> bool {
    let token = token.expose_secret().trim();
    let presented = credentials(authorization, "Bearer").unwrap_or_default();
    let is_equal = token.as_bytes().ct_eq(presented.trim().as_bytes());
    token.len() >= MIN_TOKEN_BYTES && is_equal.into()
}

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
        let short = [(PSEUDONYM_KEY, "short"), (ADMIN_TOKEN, "short"), (RECEIPT_SECRET, "whsec_")];
        assert_eq!(
            keys(&short, true).err().unwrap(),
            [
                "PSEUDONYM_KEY: must have at least 16 bytes",
                "ADMIN_TOKEN: must have at least 16 bytes",
                "RECEIPT_SECRET: must hold at least 16 random bytes",
            ]
        );
    }

    #[test]
    fn the_operator_is_whoever_holds_the_token() {
        let keys = keys(&[(ADMIN_TOKEN, "an-admin-token-of-tests\n")], false).ok().unwrap();
        assert!(keys.has_operator());
        for scheme in ["Bearer ", "bearer ", "BEARER ", "Bearer   "] {
            assert!(keys.is_operator(&format!("{scheme}an-admin-token-of-tests")), "{scheme}");
        }
        for wrong in [
            "",
            "Bearer ",
            "Bearer",
            "an-admin-token-of-tests",
            "Beareran-admin-token-of-tests",
            "Basic an-admin-token-of-tests",
            "Bearer an-admin-token-of-test",
            "Bearer AN-ADMIN-TOKEN-OF-TESTS",
        ] {
            assert!(!keys.is_operator(wrong), "{wrong}");
        }
        assert!(is_admin(&"an-admin-token-of-tests\n".into(), "Bearer an-admin-token-of-tests"));
        for short in ["", "short"] {
            assert!(!is_admin(&short.into(), &format!("Bearer {short}")), "{short}");
        }
        let none = self::keys(&[], false).ok().unwrap();
        assert!(!none.has_operator() && !none.is_operator("Bearer "));
    }
}
