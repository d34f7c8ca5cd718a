//! Published signatures, and self-made ones after published formulas: `vectors/webhooks.json` says
//! which is which. Every vector verifies, or not, as it says; and one that does must not once its
//! body, or any header that its scheme reads, differs.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use erasure_relay::signature::hmac::SchemeKey;
use erasure_relay::signature::keyring::{Freshness, KeyPlace, Keyring, Unavailable};
use erasure_relay::signature::layout::{Layout, Unit};
use erasure_relay::signature::public_key::PublicKey;
use erasure_relay::signature::scheme::Hash;
use erasure_relay::signature::{Incoming, Refusal, Verifier, ed25519, hmac, presets};
use futures_util::FutureExt;
use serde::Deserialize;

#[derive(Deserialize)]
struct Vector {
    name: String,
    scheme: String,
    secret: String,
    public_key: Option<String>,
    #[serde(default = "post")]
    method: String,
    #[serde(default)]
    url: String,
    headers: BTreeMap<String, String>,
    body: String,
    valid: bool,
    /// The clock, in seconds since the Unix epoch; without it the message is sent now.
    now: Option<i64>,
}

fn post() -> String {
    "POST".to_owned()
}

const TOLERANCE: Duration = Duration::from_secs(300);

impl Vector {
    /// How its scheme verifies, and how its messages look. The scheme may tell a version, as in
    /// `hubspot_v3`. Some published secrets are shorter than the configuration allows.
    fn verifier(&self) -> (Verifier, Layout) {
        if let Some(key) = &self.public_key {
            let keys = PublicKey::parse_whpk(key).into_iter().collect();
            return (Verifier::Ed25519(ed25519::Verifier::new(keys, TOLERANCE)), ed25519::layout());
        }
        let name = self.scheme.replace('_', "-");
        let preset = presets::ALL.iter().find(|(known, _)| name.starts_with(known));
        let scheme = preset.unwrap_or_else(|| panic!("no preset for {name}")).1();
        let key = hmac::decode(&self.secret.as_str().into(), scheme.secret);
        let key = key.and_then(|bytes| SchemeKey::new(bytes, scheme.hash));
        let layout = scheme.layout.clone();
        let verifier = hmac::Verifier::new(scheme, key.into_iter().collect(), TOLERANCE);
        (Verifier::Hmac(verifier), layout)
    }

    fn verify(&self, headers: &BTreeMap<String, String>, body: &str) -> Result<(), Refusal> {
        let (verifier, layout) = self.verifier();
        let get = |name: &str| {
            let mut all = headers.iter();
            all.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
        };
        let message =
            Incoming { method: &self.method, url: &self.url, headers: &get, body: body.as_bytes() };
        let verified =
            verifier.verify(&message, self.now.unwrap_or_else(|| self.sent(layout.unit)), &Ring);
        verified.now_or_never().expect("nothing to wait for").map(drop)
    }

    /// When it says that it was sent, in seconds since the Unix epoch; 0 where it does not.
    fn sent(&self, unit: Unit) -> i64 {
        let number = |text: &str| text.parse::<i64>().ok();
        let stamped = self.headers.iter().find_map(|(name, value)| {
            let name = name.to_ascii_lowercase();
            if name.ends_with("timestamp") {
                number(value)
            } else {
                value.split(',').find_map(|entry| number(entry.strip_prefix("t=")?))
            }
        });
        match unit {
            Unit::Seconds => stamped.unwrap_or_default(),
            Unit::Milliseconds => stamped.unwrap_or_default() / 1000,
        }
    }
}

#[test]
fn every_vector_verifies_as_it_says_and_not_once_it_differs() {
    let vectors: Vec<Vector> =
        serde_json::from_str(include_str!("vectors/webhooks.json")).expect("vectors");
    let mut verified_ones = 0;
    for vector in vectors {
        let name = &vector.name;
        let verified = vector.verify(&vector.headers, &vector.body);
        assert_eq!(verified.is_ok(), vector.valid, "{name}: {verified:?}");
        if !vector.valid {
            continue;
        }
        verified_ones += 1;
        let longer = format!("{} ", vector.body);
        assert_eq!(vector.verify(&vector.headers, &longer), Err(Refusal::Mismatch), "{name}");
        let layout = vector.verifier().1;
        let other_id = layout.alternative.and_then(|other| other.id);
        if other_id.is_some_and(|id| vector.headers.keys().any(|known| *known == *id)) {
            continue; // the other set stands in for what is taken away
        }
        let names = layout.names;
        let read = [names.id, names.timestamp, Some(names.signature)];
        for header in read.into_iter().flatten() {
            let mut headers = vector.headers.clone();
            let found = headers.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&header));
            let Some((known, value)) = found else { continue };
            let known = known.clone();
            *value = changed(value);
            assert!(vector.verify(&headers, &vector.body).is_err(), "{name}: {header} changed");
            headers.remove(&known);
            assert!(vector.verify(&headers, &vector.body).is_err(), "{name}: {header} missing");
        }
    }
    assert!(verified_ones >= 9, "the vectors are not there");
}

/// `text` with every signature in it changed, or its end where it holds none.
fn changed(text: &str) -> String {
    let long = |piece: &str| piece.len() > 16;
    let pieces = || text.split_inclusive([' ', ',']);
    if !pieces().any(long) {
        return raised(text);
    }
    pieces().map(|piece| if long(piece) { raised(piece) } else { piece.to_owned() }).collect()
}

/// `text` with another digit or letter before its last one. Of the last one of padded base64 some
/// bits mean nothing.
fn raised(text: &str) -> String {
    let last = text.rfind(|char: char| char.is_ascii_alphanumeric()).expect("something to change");
    let at = last.saturating_sub(1);
    let other = if &text[at..=at] == "1" { "2" } else { "1" };
    format!("{}{other}{}", &text[..at], &text[at + 1..])
}

/// Plays the runtime's cryptography.
struct Ring;

impl Keyring for Ring {
    async fn verify(&self, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
        let raw = &key.spki[key.spki.len() - 32..];
        let key = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, raw);
        key.verify(message, signature).is_ok()
    }

    async fn hmac(&self, hash: Hash, key: &[u8], message: &[u8]) -> Option<Vec<u8>> {
        assert_eq!(hash, Hash::Sha1, "SHA-256 is the relay's own");
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
        Some(ring::hmac::sign(&key, message).as_ref().to_vec())
    }

    async fn keys(&self, _: &KeyPlace, _: Freshness) -> Result<Rc<Vec<PublicKey>>, Unavailable> {
        Err(Unavailable)
    }
}
