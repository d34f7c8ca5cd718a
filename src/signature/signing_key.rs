//! The relay's own Ed25519 key, written `whsk_…` as in Standard Webhooks. It signs receipts.

use secrecy::{ExposeSecret, SecretSlice, SecretString};
use thiserror::Error;

use super::encoding::decode_base64;
use super::hmac::trimmed;

/// The length of a private key, in bytes (RFC 8032).
const KEY_BYTES: usize = 32;

/// What stands before the private key in PKCS #8 (RFC 8410, section 7).
const PKCS8: &[u8] = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";

/// The secret cannot be used as a signing key. The message never repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be whsk_ followed by 32 random bytes in base64")]
pub struct BadSigningKey;

/// A private key.
pub struct SigningKey(SecretSlice<u8>);

impl SigningKey {
    /// Reads `whsk_` and base64 of the private key, or of the private key and the public key behind
    /// it, as some libraries write a key pair. The specification does not say which of the two.
    ///
    /// # Errors
    /// [`BadSigningKey`]
    pub fn parse(secret: &SecretString) -> Result<Self, BadSigningKey> {
        let text = trimmed(secret).map_err(|_| BadSigningKey)?;
        let encoded = text.strip_prefix("whsk_").ok_or(BadSigningKey)?;
        let bytes = SecretSlice::from(decode_base64(encoded).ok_or(BadSigningKey)?);
        let (key, public) =
            bytes.expose_secret().split_at_checked(KEY_BYTES).ok_or(BadSigningKey)?;
        if public.is_empty() || public.len() == KEY_BYTES {
            Ok(Self(key.to_vec().into()))
        } else {
            Err(BadSigningKey)
        }
    }

    /// The key in PKCS #8, as the runtime imports it.
    pub fn pkcs8(&self) -> SecretSlice<u8> {
        [PKCS8, self.0.expose_secret()].concat().into()
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{Ed25519KeyPair, KeyPair};

    use super::*;
    use crate::signature::Encoding;

    /// The published key of a test of the Standard Webhooks libraries.
    const SEED: &str = "VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=";
    const PUBLIC: &str = "ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g=";

    fn parse(text: &str) -> Result<SigningKey, BadSigningKey> {
        SigningKey::parse(&text.into())
    }

    #[test]
    fn is_a_private_key_with_or_without_the_public_one() {
        let [seed, public] = [SEED, PUBLIC].map(|text| Encoding::Base64.decode(text).unwrap());
        let pair = Encoding::Base64.encode(&[seed, public.clone()].concat());
        for text in [format!("whsk_{SEED}"), format!(" whsk_{SEED}\n"), format!("whsk_{pair}")] {
            let pkcs8 = parse(&text).ok().unwrap().pkcs8();
            let read = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8.expose_secret()).unwrap();
            assert_eq!(read.public_key().as_ref(), public);
        }
    }

    #[test]
    fn what_is_no_key_is_rejected_and_never_shown() {
        for text in [
            "",
            SEED,
            "whsk_",
            "whsk_?",
            "whsk_AAAA",
            &format!("whsec_{SEED}"),
            &format!("whpk_{PUBLIC}"),
            &format!("whsk_{}", Encoding::Base64.encode(&[1; 48])),
        ] {
            let error = parse(text).err().unwrap_or_else(|| panic!("{text}"));
            assert_eq!(error.to_string(), "must be whsk_ followed by 32 random bytes in base64");
        }
    }
}
