//! Public keys: written as PEM, JWK or `whpk_`, kept as SubjectPublicKeyInfo (RFC 5280), which
//! every library takes. **The key decides the algorithm**; a message can only agree with it.

use super::encoding::{Encoding, decode_base64};
use crate::json::Json;

/// How a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519 (RFC 8032); `EdDSA` in a JWT.
    Ed25519,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// RSA PKCS#1 v1.5 with SHA-256, of 2048 bits or more.
    Rs256,
}

/// A public key and the one algorithm that it is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// Its `kid`, where it has one.
    pub id: Option<String>,
    /// The only algorithm.
    pub algorithm: Algorithm,
    /// SubjectPublicKeyInfo in DER.
    pub spki: Vec<u8>,
}

/// How many keys of a set are kept.
const MAX_KEYS: usize = 20;

/// The DER that stands before the key itself.
const ED25519: &[u8] = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";
const P256: &[u8] = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\
    \x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04";
const P384: &[u8] = b"\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\
    \x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00\x04";
/// The algorithm's identifier of an RSA key.
const RSA: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";

/// The bytes of a 2048-bit modulus, and of the largest that is taken.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

impl Algorithm {
    /// Its name in a JWT.
    pub fn jwt_name(self) -> &'static str {
        match self {
            Algorithm::Ed25519 => "EdDSA",
            Algorithm::Es256 => "ES256",
            Algorithm::Es384 => "ES384",
            Algorithm::Rs256 => "RS256",
        }
    }

    /// Whether a JWT may name it at all.
    pub fn is_known(jwt_name: &str) -> bool {
        let all = [Self::Ed25519, Self::Es256, Self::Es384, Self::Rs256];
        all.iter().any(|algorithm| algorithm.jwt_name() == jwt_name)
    }
}

impl PublicKey {
    /// Reads `whpk_` and base64, an Ed25519 key of Standard Webhooks.
    pub fn parse_whpk(text: &str) -> Option<Self> {
        let bytes = decode_base64(text.strip_prefix("whpk_")?)?;
        Self::fixed(Algorithm::Ed25519, &[&bytes])
    }

    /// Reads `-----BEGIN PUBLIC KEY-----`, the only kind of PEM that is a public key.
    pub fn parse_pem(text: &str) -> Option<Self> {
        let text = text.trim().strip_prefix("-----BEGIN PUBLIC KEY-----")?;
        let base64: String = text
            .strip_suffix("-----END PUBLIC KEY-----")?
            .chars()
            .filter(|char| !char.is_ascii_whitespace())
            .collect();
        let der = Encoding::Base64.decode(&base64)?;
        for (algorithm, prefix, bytes) in [
            (Algorithm::Ed25519, ED25519, 32),
            (Algorithm::Es256, P256, 64),
            (Algorithm::Es384, P384, 96),
        ] {
            if der.strip_prefix(prefix).is_some_and(|key| key.len() == bytes) {
                return Some(Self { id: None, algorithm, spki: der });
            }
        }
        // A sequence of more than 255 bytes, and in it the algorithm's identifier.
        let long = der.first() == Some(&0x30) && der.get(1) == Some(&0x82);
        let rsa = long && der.get(4..).is_some_and(|rest| rest.starts_with(RSA));
        let enough = der.len() > *RSA_BYTES.start();
        (rsa && enough).then_some(Self { id: None, algorithm: Algorithm::Rs256, spki: der })
    }

    /// Reads what a key server answers: PEM, one JWK, a set of them (RFC 7517), or the
    /// `publicKey` list of IAB's `dsrdelete.json`. Keys that cannot sign, or are of a kind that is
    /// not known, are left out; so are symmetric ones.
    pub fn parse_document(bytes: &[u8]) -> Vec<Self> {
        if bytes.trim_ascii_start().starts_with(b"-----") {
            let pem = std::str::from_utf8(bytes).ok().and_then(Self::parse_pem);
            return pem.into_iter().collect();
        }
        let Ok(json) = Json::parse_leniently(bytes) else { return Vec::new() };
        match json.get("keys").or_else(|| json.get("publicKey")) {
            Some(Json::Array(keys)) => {
                keys.iter().take(MAX_KEYS).filter_map(Self::from_jwk).collect()
            }
            Some(_) => Vec::new(),
            None => Self::from_jwk(&json).into_iter().collect(),
        }
    }

    fn from_jwk(jwk: &Json<'_>) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Json::as_text);
        let bytes = |name: &str| text(name).and_then(|text| Encoding::Base64Url.decode(text));
        let mut key = match (text("kty")?, text("crv")) {
            ("OKP", Some("Ed25519")) => Self::fixed(Algorithm::Ed25519, &[&bytes("x")?]),
            ("EC", Some("P-256")) => Self::fixed(Algorithm::Es256, &[&bytes("x")?, &bytes("y")?]),
            ("EC", Some("P-384")) => Self::fixed(Algorithm::Es384, &[&bytes("x")?, &bytes("y")?]),
            ("RSA", _) => Self::rsa(&bytes("n")?, &bytes("e")?),
            _ => None,
        }?;
        key.id = text("kid").map(str::to_owned);
        // What is there and cannot be read does not agree.
        let is = |name: &str, expected| jwk.get(name).is_none_or(|_| text(name) == Some(expected));
        let agrees = is("alg", key.algorithm.jwt_name());
        let signs = is("use", "sig");
        (agrees && signs).then_some(key)
    }

    /// A key whose parts are of a fixed length.
    fn fixed(algorithm: Algorithm, parts: &[&[u8]]) -> Option<Self> {
        let (prefix, length) = match algorithm {
            Algorithm::Ed25519 => (ED25519, 32),
            Algorithm::Es256 => (P256, 32),
            Algorithm::Es384 => (P384, 48),
            Algorithm::Rs256 => return None,
        };
        let fits = parts.iter().all(|part| part.len() == length);
        fits.then(|| Self { id: None, algorithm, spki: [prefix, &parts.concat()].concat() })
    }

    fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let fits = RSA_BYTES.contains(&modulus.len()) && (1..=8).contains(&exponent.len());
        let numbers = [integer(modulus), integer(exponent)].concat();
        let bits = [&b"\x00"[..], &der(0x30, &numbers)].concat();
        let spki = der(0x30, &[RSA, &der(0x03, &bits)].concat());
        fits.then_some(Self { id: None, algorithm: Algorithm::Rs256, spki })
    }

    /// Whether a signature that names `id` may be of this key.
    pub(super) fn may_be(&self, id: Option<&str>) -> bool {
        match (self.id.as_deref(), id) {
            (Some(own), Some(named)) => own == named,
            // A PEM has no name; a token that names no key may be of any.
            (None, _) | (_, None) => true,
        }
    }
}

/// A non-negative number in DER.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let digits = bytes.get(start..).unwrap_or_default();
    let sign: &[u8] = if digits.first().is_none_or(|byte| *byte > 127) { b"\x00" } else { b"" };
    der(0x02, &[sign, digits].concat())
}

/// A value in DER, of at most 65535 bytes.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes();
    let head = match (high, low) {
        (0, 0..128) => vec![tag, low],
        (0, _) => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [&head, content].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: &str = "11qYAyLgFxnvOEaOJ5cJN5Mjc1rLJ5jMJ0zLz3yYzZo";

    fn keys(document: &[u8]) -> Vec<Option<String>> {
        PublicKey::parse_document(document).into_iter().map(|key| key.id).collect()
    }

    #[test]
    fn an_odd_member_loses_no_key() {
        let jwk = |id: &str, more: &str| {
            format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}","kid":"{id}"{more}}}"#)
        };
        let deep = format!(r#","x5c":{}{}"#, "[".repeat(200), "]".repeat(200));
        for odd in [r#","note":"\ud800""#, r#","n":1e999"#, r#","y":1,"y":2"#, &deep] {
            let set = format!(r#"{{"keys":[{},{}],"z":1{odd}}}"#, jwk("a", odd), jwk("b", ""));
            let both = [Some("a".to_owned()), Some("b".to_owned())];
            assert_eq!(keys(set.as_bytes()), both, "{odd}");
            assert_eq!(keys(format!("\u{feff}{set}").as_bytes()), both);
        }
        let bytes = [br#"{"keys":["#, jwk("a", "").as_bytes(), b"],\"z\":\"\xff\"}"].concat();
        assert_eq!(keys(&bytes), [Some("a".to_owned())]);
        // What restricts a key and cannot be read leaves it out.
        for odd in [
            r#","use":"\ud800""#,
            r#","use":7"#,
            r#","use":"enc","use":"sig""#,
            r#","alg":"\ud800""#,
            r#","alg":"EdDSA","alg":"EdDSA""#,
            r#","x":"AAAA""#,
        ] {
            assert!(keys(jwk("a", odd).as_bytes()).is_empty(), "{odd}");
        }
    }
}
