//! Published signatures, and self-made ones after published formulas: `vectors/webhooks.json` says
//! which is which. Every vector verifies, or not, as it says; and one that does must not once its
//! body, or any header that its scheme reads, differs.

use std::collections::BTreeMap;
use std::time::Duration;

use erasure_relay::signature::hmac::{Key, Verifier};
use erasure_relay::signature::layout::Unit;
use erasure_relay::signature::scheme::Scheme;
use erasure_relay::signature::{Incoming, Refusal, presets};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vector {
    name: String,
    scheme: String,
    secret: String,
    #[serde(default = "post")]
    method: String,
    #[serde(default)]
    url: String,
    headers: BTreeMap<String, String>,
    body: String,
    valid: bool,
}

fn post() -> String {
    "POST".to_owned()
}

/// The preset that a vector's scheme is: its name may tell a version, as in `hubspot_v3`.
fn preset(scheme: &str) -> Scheme {
    let name = scheme.replace('_', "-");
    let preset = presets::ALL.iter().find(|(known, _)| name.starts_with(known));
    preset.unwrap_or_else(|| panic!("no preset for {scheme}")).1()
}

impl Vector {
    fn verify(&self, headers: &BTreeMap<String, String>, body: &str) -> Result<(), Refusal> {
        let scheme = preset(&self.scheme);
        // Some published secrets are shorter than the configuration allows.
        let key = Key::decode(&self.secret.as_str().into(), scheme.secret);
        let key = key.and_then(|bytes| Key::new(&bytes, scheme.hash));
        let verifier = Verifier::new(scheme, key.into_iter().collect(), Duration::from_secs(300));
        let get = |name: &str| {
            let mut all = headers.iter();
            all.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
        };
        let message =
            Incoming { method: &self.method, url: &self.url, headers: &get, body: body.as_bytes() };
        verifier.verify(&message, self.sent())
    }

    /// When it says that it was sent, in seconds since the Unix epoch; 0 where it does not.
    fn sent(&self) -> i64 {
        let number = |text: &str| text.parse::<i64>().ok();
        let stamped = self.headers.iter().find_map(|(name, value)| {
            let name = name.to_ascii_lowercase();
            if name.ends_with("timestamp") {
                number(value)
            } else {
                value.split(',').find_map(|entry| number(entry.strip_prefix("t=")?))
            }
        });
        match preset(&self.scheme).layout.unit {
            Unit::Seconds => stamped.unwrap_or_default(),
            Unit::Milliseconds => stamped.unwrap_or_default() / 1000,
        }
    }
}

#[test]
fn every_vector_verifies_as_it_says_and_not_once_it_differs() {
    let vectors: Vec<Vector> =
        serde_json::from_str(include_str!("vectors/webhooks.json")).expect("vectors");
    let vectors = vectors.into_iter().filter(|vector| !vector.scheme.ends_with("v1a"));
    let mut schemes = 0;
    for vector in vectors {
        let name = &vector.name;
        let verified = vector.verify(&vector.headers, &vector.body);
        assert_eq!(verified.is_ok(), vector.valid, "{name}: {verified:?}");
        if !vector.valid {
            continue;
        }
        schemes += 1;
        let changed = format!("{} ", vector.body);
        assert_eq!(vector.verify(&vector.headers, &changed), Err(Refusal::Mismatch), "{name}");
        let names = preset(&vector.scheme).layout.names;
        let read = [names.id, names.timestamp, Some(names.signature)];
        for header in read.into_iter().flatten() {
            let mut headers = vector.headers.clone();
            let found = headers.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&header));
            let Some((known, value)) = found else { continue };
            let known = known.clone();
            *value = raised(value);
            assert!(vector.verify(&headers, &vector.body).is_err(), "{name}: {header} changed");
            headers.remove(&known);
            assert!(vector.verify(&headers, &vector.body).is_err(), "{name}: {header} missing");
        }
    }
    assert!(schemes >= 8, "the vectors are not there");
}

/// `text` with another digit or letter before its last one. Of the last one of padded base64 some
/// bits mean nothing.
fn raised(text: &str) -> String {
    let last = text.rfind(|char: char| char.is_ascii_alphanumeric()).expect("something to change");
    let at = last.saturating_sub(1);
    let other = if &text[at..=at] == "1" { "2" } else { "1" };
    format!("{}{other}{}", &text[..at], &text[at + 1..])
}
