//! Standard Webhooks 1.0, symmetric signatures (`v1`), also under Svix's header names.
//!
//! The steps of the specification (<https://www.standardwebhooks.com>):
//!
//! 1. read `webhook-id`, `webhook-timestamp` and `webhook-signature`, or the three `svix-*`;
//! 2. refuse a timestamp further from now than the tolerance, on either side;
//! 3. sign `{id}.{timestamp}.{body}` with HMAC-SHA256 over the raw bytes;
//! 4. compare, in constant time, with every `v1,<base64>` of the space-separated list; entries of
//!    other versions are skipped, so that a sender may add new ones.

use std::time::Duration;

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};
use thiserror::Error;

use super::{Headers, Refusal};

/// The tolerance that every reference library uses.
pub const DEFAULT_TOLERANCE: Duration = Duration::from_secs(300);

/// Secrets are accepted with and without padding, as the reference libraries do.
const SECRET_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const WEBHOOK: [&str; 3] = ["webhook-id", "webhook-timestamp", "webhook-signature"];
const SVIX: [&str; 3] = ["svix-id", "svix-timestamp", "svix-signature"];

/// An HMAC-SHA256 output, in bytes.
const TAG_BYTES: usize = 32;

/// A signing secret, decoded and made into a keyed HMAC state.
pub struct Key(Hmac<Sha256>);

/// Why a secret cannot be used. It never repeats the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BadSecret {
    /// Fewer than [`Key::MIN_BYTES`] once decoded.
    #[error("must hold at least 16 random bytes")]
    TooShort,
    /// What follows `whsec_` is not base64.
    #[error("must be whsec_ followed by base64")]
    Encoding,
}

impl Key {
    /// The least that a secret may hold, in bytes. The standard asks senders for 24 to 64.
    pub const MIN_BYTES: usize = 16;

    /// Decodes `whsec_<base64>`; the prefix may be missing, white space around is ignored.
    ///
    /// # Errors
    /// [`BadSecret`]
    pub fn parse(secret: &SecretString) -> Result<Self, BadSecret> {
        let text = secret.expose_secret().trim();
        let encoded = text.strip_prefix("whsec_").unwrap_or(text);
        let bytes = SECRET_BASE64.decode(encoded).map_err(|_| BadSecret::Encoding)?;
        if bytes.len() < Self::MIN_BYTES {
            return Err(BadSecret::TooShort);
        }
        let state = Hmac::new_from_slice(&bytes).map_err(|_| BadSecret::Encoding)?;
        Ok(Self(state))
    }

    fn tag(&self, id: &str, timestamp: &str, body: &[u8]) -> [u8; TAG_BYTES] {
        let mut mac = self.0.clone();
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// The `webhook-signature` that a sender puts on a message: `v1,<base64>`.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        format!("v1,{}", STANDARD.encode(self.tag(id, &timestamp.to_string(), body)))
    }
}

/// Verifies the messages of one source.
pub struct Verifier {
    keys: Vec<Key>,
    tolerance_seconds: i64,
}

impl Verifier {
    /// Accepts a signature made with any of `keys`, which is what rotation without a gap needs.
    /// Without a key it refuses every message.
    pub fn new(keys: Vec<Key>, tolerance: Duration) -> Self {
        let tolerance_seconds = i64::try_from(tolerance.as_secs()).unwrap_or(i64::MAX);
        Self { keys, tolerance_seconds }
    }

    /// Proves that a holder of a secret sent `body` about now.
    ///
    /// `now` is in seconds since the Unix epoch.
    ///
    /// # Errors
    /// [`Refusal`]: the first check that failed.
    pub fn verify(&self, headers: &impl Headers, body: &[u8], now: i64) -> Result<(), Refusal> {
        let message = Signed::read(headers)?;
        message.check_time(now, self.tolerance_seconds)?;
        let presented = parse_signatures(&message.signatures)?;
        let mut matched = Choice::from(0);
        for key in &self.keys {
            let tag = key.tag(&message.id, &message.timestamp, body);
            for signature in &presented {
                matched |= tag.ct_eq(signature);
            }
        }
        if bool::from(matched) { Ok(()) } else { Err(Refusal::Mismatch) }
    }
}

/// The three headers, all of one set.
struct Signed {
    id: String,
    timestamp: String,
    signatures: String,
}

impl Signed {
    fn read(headers: &impl Headers) -> Result<Self, Refusal> {
        let present = |name| headers.get(name).filter(|value| !value.is_empty());
        let (id, [_, timestamp, signatures]) = match (present(WEBHOOK[0]), present(SVIX[0])) {
            (Some(webhook), Some(svix)) if webhook != svix => {
                return Err(Refusal::ConflictingHeaders);
            }
            (Some(id), _) => (id, WEBHOOK),
            (None, Some(id)) => (id, SVIX),
            (None, None) => return Err(Refusal::MissingHeader(WEBHOOK[0])),
        };
        let required = |name| present(name).ok_or(Refusal::MissingHeader(name));
        Ok(Self { id, timestamp: required(timestamp)?, signatures: required(signatures)? })
    }

    fn check_time(&self, now: i64, tolerance: i64) -> Result<(), Refusal> {
        let digits = self.timestamp.bytes().all(|byte| byte.is_ascii_digit());
        let sent = self.timestamp.parse::<i64>().ok().filter(|_| digits);
        let age = now.saturating_sub(sent.ok_or(Refusal::MalformedTimestamp)?);
        if age > tolerance {
            Err(Refusal::TooOld)
        } else if age < tolerance.saturating_neg() {
            Err(Refusal::InTheFuture)
        } else {
            Ok(())
        }
    }
}

/// The `v1` signatures of the list that have an HMAC's length.
///
/// Every entry must hold exactly one comma, which base64 has no use for. So a header that came
/// twice, joined with a comma by the runtime, is refused and not read as one list.
fn parse_signatures(list: &str) -> Result<Vec<[u8; TAG_BYTES]>, Refusal> {
    let mut tags = Vec::new();
    let mut known = false;
    for entry in list.split(' ').filter(|entry| !entry.is_empty()) {
        let (version, encoded) = entry.split_once(',').ok_or(Refusal::MalformedSignature)?;
        if version.is_empty() || encoded.contains(',') {
            return Err(Refusal::MalformedSignature);
        }
        if version == "v1" {
            known = true;
            let tag = STANDARD.decode(encoded).ok();
            tags.extend(tag.and_then(|tag| <[u8; TAG_BYTES]>::try_from(tag).ok()));
        }
    }
    if known { Ok(tags) } else { Err(Refusal::UnknownVersion) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const OTHER: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    const NOW: i64 = 1_795_325_400;

    type Map = BTreeMap<String, String>;

    fn key(secret: &str) -> Key {
        Key::parse(&SecretString::from(secret)).unwrap()
    }

    fn verifier(secrets: &[&str]) -> Verifier {
        Verifier::new(secrets.iter().map(|secret| key(secret)).collect(), DEFAULT_TOLERANCE)
    }

    fn signed(prefix: &str, body: &[u8]) -> Map {
        let signature = key(SECRET).sign("msg_1", NOW, body);
        [("id", "msg_1"), ("timestamp", &NOW.to_string()), ("signature", &signature)]
            .map(|(name, value)| (format!("{prefix}-{name}"), value.to_owned()))
            .into()
    }

    fn verify(headers: &Map, body: &[u8], now: i64) -> Result<(), Refusal> {
        verifier(&[OTHER, SECRET]).verify(&|name: &str| headers.get(name).cloned(), body, now)
    }

    fn with(name: &str, value: &str) -> Map {
        let mut headers = signed("webhook", b"{}");
        headers.insert(name.to_owned(), value.to_owned());
        headers
    }

    #[test]
    fn accepts_both_header_sets_and_any_of_the_secrets() {
        assert_eq!(verify(&signed("webhook", b"{}"), b"{}", NOW), Ok(()));
        assert_eq!(verify(&signed("svix", b"{}"), b"{}", NOW), Ok(()));
        let mut both = signed("webhook", b"{}");
        both.extend(signed("svix", b"{}"));
        assert_eq!(verify(&both, b"{}", NOW), Ok(()));
    }

    #[test]
    fn names_the_header_that_is_missing() {
        assert_eq!(verify(&Map::new(), b"{}", NOW), Err(Refusal::MissingHeader("webhook-id")));
        for name in WEBHOOK {
            let mut headers = signed("webhook", b"{}");
            headers.remove(name);
            assert_eq!(verify(&headers, b"{}", NOW), Err(Refusal::MissingHeader(name)));
            assert_eq!(verify(&with(name, ""), b"{}", NOW), Err(Refusal::MissingHeader(name)));
        }
    }

    #[test]
    fn never_mixes_the_two_sets() {
        let mut headers = signed("webhook", b"{}");
        headers.remove("webhook-signature");
        headers.extend(signed("svix", b"{}"));
        let missing = Err(Refusal::MissingHeader("webhook-signature"));
        assert_eq!(verify(&headers, b"{}", NOW), missing);
        assert_eq!(verify(&with("svix-id", "msg_2"), b"{}", NOW), Err(Refusal::ConflictingHeaders));
    }

    #[test]
    fn the_tolerance_holds_on_both_sides_to_the_second() {
        let headers = signed("webhook", b"{}");
        assert_eq!(verify(&headers, b"{}", NOW + 300), Ok(()));
        assert_eq!(verify(&headers, b"{}", NOW - 300), Ok(()));
        assert_eq!(verify(&headers, b"{}", NOW + 301), Err(Refusal::TooOld));
        assert_eq!(verify(&headers, b"{}", NOW - 301), Err(Refusal::InTheFuture));
    }

    #[test]
    fn refuses_timestamps_that_are_not_plain_seconds() {
        for timestamp in
            ["abc", "+1795325400", "-1", "1795325400.0", "1e9", "1, 1", " ", &"9".repeat(40)]
        {
            let refused = verify(&with("webhook-timestamp", timestamp), b"{}", NOW);
            assert_eq!(refused, Err(Refusal::MalformedTimestamp), "{timestamp}");
        }
    }

    #[test]
    fn refuses_signatures_that_are_not_whole() {
        let good = signed("webhook", b"{}")["webhook-signature"].clone();
        let refused = |list: &str| verify(&with("webhook-signature", list), b"{}", NOW);
        assert_eq!(refused("v1,"), Err(Refusal::Mismatch));
        assert_eq!(refused(&good[..good.len() - 4]), Err(Refusal::Mismatch));
        assert_eq!(refused(&format!("{good}AAAA")), Err(Refusal::Mismatch));
        assert_eq!(refused(&good.replace("v1,", "v2,")), Err(Refusal::UnknownVersion));
        assert_eq!(refused(&good.replace("v1,", "v1a,")), Err(Refusal::UnknownVersion));
        assert_eq!(refused(&good.replace("v1,", ",")), Err(Refusal::MalformedSignature));
        assert_eq!(refused(&good.replace("v1,", "v1")), Err(Refusal::MalformedSignature));
        assert_eq!(refused(&format!("{good}, {good}")), Err(Refusal::MalformedSignature));
        assert_eq!(refused(&format!("{good},{good}")), Err(Refusal::MalformedSignature));
        assert_eq!(refused(&format!("v1,AAAA v2,x {good} v1a,y")), Ok(()));
    }

    #[test]
    fn refuses_every_message_without_a_key() {
        let headers = signed("webhook", b"{}");
        let get = |name: &str| headers.get(name).cloned();
        assert_eq!(verifier(&[]).verify(&get, b"{}", NOW), Err(Refusal::Mismatch));
        assert_eq!(verifier(&[OTHER]).verify(&get, b"{}", NOW), Err(Refusal::Mismatch));
    }

    #[test]
    fn secrets_may_lack_prefix_and_padding_but_not_bytes() {
        let parse = |secret: &str| Key::parse(&SecretString::from(secret)).map(|_| ()).err();
        assert_eq!(parse("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"), None);
        assert_eq!(parse("whsec_AAAAAAAAAAAAAAAAAAAAAA=="), None);
        assert_eq!(parse("whsec_AAAAAAAAAAAAAAAAAAAAAA"), None);
        assert_eq!(parse("whsec_AAAAAAAAAAAAAAAAAAAA"), Some(BadSecret::TooShort));
        assert_eq!(parse(""), Some(BadSecret::TooShort));
        assert_eq!(parse("whsec_"), Some(BadSecret::TooShort));
        assert_eq!(parse("whsec_not base64"), Some(BadSecret::Encoding));
    }

    proptest! {
        #[test]
        fn any_changed_byte_is_refused(body: Vec<u8>, at: prop::sample::Index, flip in 1u8..) {
            let headers = signed("webhook", &body);
            prop_assert_eq!(verify(&headers, &body, NOW), Ok(()));
            let mut changed = body.clone();
            if changed.is_empty() { changed.push(flip) } else {
                let index = at.index(changed.len());
                changed[index] ^= flip;
            }
            prop_assert_eq!(verify(&headers, &changed, NOW), Err(Refusal::Mismatch));
        }

        #[test]
        fn only_what_was_signed_verifies(
            name in prop::sample::select(&WEBHOOK[..]), value: String, body: Vec<u8>,
        ) {
            let mut headers = signed("webhook", &body);
            prop_assume!(headers[name].trim() != value.trim());
            headers.insert(name.to_owned(), value);
            prop_assert!(verify(&headers, &body, NOW).is_err());
        }
    }
}
