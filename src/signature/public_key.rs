//! Public keys: written as PEM, JWK or `whpk_`, kept as SubjectPublicKeyInfo (RFC 5280), which
//! every library takes. **The key decides the algorithm**; a message can only agree with it.

use std::ops::RangeInclusive;

use super::encoding::{Encoding, decode_base64};
use crate::json::Json;

/// How a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519 (RFC 8032); `EdDSA` or `Ed25519` in a JWT.
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

/// How many leading zero bytes a coordinate may lack. Already 8 of them are as likely as one in 2^64.
const MAX_ZEROS: usize = 8;

/// The DER that stands before the key itself.
const ED25519: &[u8] = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";
const P256: &[u8] = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\
    \x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04";
const P384: &[u8] = b"\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\
    \x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00\x04";
/// The algorithm's identifier of an RSA key.
pub(super) const RSA_ALGORITHM: &[u8] =
    b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";

/// The same of a key on P-256.
pub(super) const P256_ALGORITHM: &[u8] =
    b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";

/// The bits of the shortest modulus that is accepted (RFC 7518, section 3.3), and of the longest.
const RSA_BITS: RangeInclusive<usize> = 2048..=8192;

impl Algorithm {
    /// The algorithm that a JWT or a JWK names; `None` where no key is good for it.
    pub fn parse(jwt_name: &str) -> Option<Self> {
        match jwt_name {
            // The second is the name since RFC 9864, and what WebCrypto exports.
            "EdDSA" | "Ed25519" => Some(Algorithm::Ed25519),
            "ES256" => Some(Algorithm::Es256),
            "ES384" => Some(Algorithm::Es384),
            "RS256" => Some(Algorithm::Rs256),
            _ => None,
        }
    }
}

impl Algorithm {
    /// The name in a JWT.
    pub fn jwt_name(self) -> &'static str {
        match self {
            Algorithm::Ed25519 => "EdDSA",
            Algorithm::Es256 => "ES256",
            Algorithm::Es384 => "ES384",
            Algorithm::Rs256 => "RS256",
        }
    }
}

impl PublicKey {
    /// Reads `whpk_` and base64, an Ed25519 key of Standard Webhooks.
    pub fn parse_whpk(text: &str) -> Option<Self> {
        let bytes = decode_base64(text.strip_prefix("whpk_")?)?;
        Self::fixed(Algorithm::Ed25519, &[&bytes])
    }

    /// Reads keys as an operator writes them: PEM texts of one or several keys, a JWK, or a set of
    /// them. `None` where there is none, or one of them cannot be used.
    pub fn parse_all(text: &str) -> Option<Vec<Self>> {
        let keys: Option<Vec<_>> = entries(text.as_bytes()).into_iter().collect();
        keys.filter(|keys| !keys.is_empty())
    }

    /// Reads what a key server answers: PEM texts of one or several keys, one JWK, a set of them
    /// (RFC 7517), or the `publicKey` list of IAB's `dsrdelete.json`. Keys that cannot sign, are of
    /// a kind that is not known, or are too short, are left out; so are symmetric ones.
    pub fn parse_document(bytes: &[u8]) -> Vec<Self> {
        entries(bytes).into_iter().flatten().collect()
    }

    /// Reads what is between the lines of a PEM text.
    fn from_pem(base64: &str) -> Option<Self> {
        let base64: String = base64.split_ascii_whitespace().collect();
        Self::from_spki(&Encoding::Base64.decode(&base64)?)
    }

    fn from_spki(spki: &[u8]) -> Option<Self> {
        for (algorithm, prefix, bytes) in [
            (Algorithm::Ed25519, ED25519, 32),
            (Algorithm::Es256, P256, 64),
            (Algorithm::Es384, P384, 96),
        ] {
            if spki.strip_prefix(prefix).is_some_and(|key| key.len() == bytes) {
                return Some(Self { id: None, algorithm, spki: spki.to_vec() });
            }
        }
        let (key, _) = open(0x30, spki)?;
        let (bits, _) = open(0x03, key.strip_prefix(RSA_ALGORITHM)?)?;
        let (numbers, _) = open(0x30, bits.strip_prefix(b"\x00")?)?;
        let (modulus, numbers) = open(0x02, numbers)?;
        let (exponent, _) = open(0x02, numbers)?;
        Self::rsa(modulus, exponent)
    }

    fn from_jwk(jwk: &Json<'_>) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Json::as_text);
        let bytes = |name: &str| text(name).and_then(|text| Encoding::Base64Url.decode(text));
        let point = |algorithm, length| {
            let [x, y] = [bytes("x")?, bytes("y")?].map(|number| padded(&number, length));
            Self::fixed(algorithm, &[&x, &y])
        };
        let mut key = match (text("kty")?, text("crv")) {
            ("OKP", Some("Ed25519")) => Self::fixed(Algorithm::Ed25519, &[&bytes("x")?]),
            ("EC", Some("P-256")) => point(Algorithm::Es256, 32),
            ("EC", Some("P-384")) => point(Algorithm::Es384, 48),
            ("RSA", _) => Self::rsa(&bytes("n")?, &bytes("e")?),
            _ => None,
        }?;
        key.id = text("kid").map(str::to_owned);
        // What is there and cannot be read does not agree.
        let is = |name: &str, fits: &dyn Fn(&str) -> bool| {
            jwk.get(name).is_none_or(|_| text(name).is_some_and(fits))
        };
        let agrees = is("alg", &|alg| Algorithm::parse(alg) == Some(key.algorithm));
        let signs = is("use", &|usage| usage == "sig");
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

    /// The RSA key of these numbers, which are unsigned and of the most significant byte first.
    pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let (modulus, exponent) = (digits(modulus), digits(exponent));
        let unused = modulus.first()?.leading_zeros();
        let bits = modulus.len().checked_mul(8)?.checked_sub(usize::try_from(unused).ok()?)?;
        // With the exponent 1 anybody can sign; an even one is no key's.
        let odd = exponent.last().is_some_and(|last| last % 2 == 1) && exponent != [1];
        let fits = RSA_BITS.contains(&bits) && odd && exponent.len() <= 8;
        let numbers = [integer(modulus), integer(exponent)].concat();
        let bits = [&b"\x00"[..], &der(0x30, &numbers)].concat();
        let spki = der(0x30, &[RSA_ALGORITHM, &der(0x03, &bits)].concat());
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

/// Every key of a text, `None` for each that cannot be used.
fn entries(bytes: &[u8]) -> Vec<Option<PublicKey>> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes).trim_ascii();
    if !matches!(bytes.first(), Some(b'{' | b'[')) {
        let blocks = str::from_utf8(bytes).unwrap_or_default().split("-----BEGIN ").skip(1);
        let block = |block| PublicKey::from_pem(pem_body(block)?);
        return blocks.map(block).collect();
    }
    let Ok(json) = Json::parse_leniently(bytes) else { return Vec::new() };
    match json.get("keys").or_else(|| json.get("publicKey")) {
        Some(Json::Array(keys)) => keys.iter().map(PublicKey::from_jwk).collect(),
        Some(_) => Vec::new(),
        None => vec![PublicKey::from_jwk(&json)],
    }
}

/// What follows `-----BEGIN ` up to the end of its block, where that is a public key.
fn pem_body(block: &str) -> Option<&str> {
    let (body, _) =
        block.strip_prefix("PUBLIC KEY-----")?.split_once("-----END PUBLIC KEY-----")?;
    Some(body)
}

/// A number without leading zeros.
fn digits(number: &[u8]) -> &[u8] {
    let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    number.get(start..).unwrap_or_default()
}

/// A coordinate in `length` bytes: senders leave leading zeros out, or write one too many. One of
/// another curve does not get this length: no real one has more than [`MAX_ZEROS`] zero bytes.
fn padded(number: &[u8], length: usize) -> Vec<u8> {
    let digits = digits(number);
    let zeros = length.saturating_sub(digits.len());
    let zeros = if zeros > MAX_ZEROS { 0 } else { zeros };
    [&vec![0; zeros], digits].concat()
}

/// A non-negative number in DER.
fn integer(digits: &[u8]) -> Vec<u8> {
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

/// The content of the value in DER that `bytes` begin with, which must have this tag, and what
/// follows it.
pub(super) fn open(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = match bytes {
        [first, length @ 0..=0x7f, rest @ ..] if *first == tag => (usize::from(*length), rest),
        [first, 0x81, length, rest @ ..] if *first == tag => (usize::from(*length), rest),
        [first, 0x82, high, low, rest @ ..] if *first == tag => {
            (usize::from(u16::from_be_bytes([*high, *low])), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
#[path = "public_key_tests.rs"]
mod tests;
