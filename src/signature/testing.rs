//! What the runtime does, played by another library.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt;
use ring::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256, HMAC_SHA512, Key, sign};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    UnparsedPublicKey, VerificationAlgorithm,
};

use super::keyring::{Freshness, KeyPlace, Keyring, Unavailable};
use super::public_key::{Algorithm, PublicKey};
use super::scheme::Hash;

/// Knows no key, or those that are published at one URL.
#[derive(Default)]
pub struct Published {
    /// What is there before, and after, a renewal; `None` where the place is down.
    pub documents: [Option<String>; 2],
    /// How often it was asked.
    pub asked: Cell<usize>,
    /// Keys that are not asked for again for this long, in place of the documents.
    pub held: Option<(Rc<Vec<PublicKey>>, Duration)>,
}

/// The URL.
pub const PLACE: &str = "https://keys.example/jwks.json";

impl Keyring for Published {
    async fn verify(&self, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
        let (algorithm, skip): (&dyn VerificationAlgorithm, usize) = match key.algorithm {
            Algorithm::Ed25519 => (&ED25519, 12),
            Algorithm::Es256 => (&ECDSA_P256_SHA256_FIXED, 26),
            Algorithm::Es384 => (&ECDSA_P384_SHA384_FIXED, 23),
            Algorithm::Rs256 => (&RSA_PKCS1_2048_8192_SHA256, 24),
        };
        UnparsedPublicKey::new(algorithm, &key.spki[skip..]).verify(message, signature).is_ok()
    }

    async fn hmac(&self, hash: Hash, key: &[u8], message: &[u8]) -> Option<Vec<u8>> {
        let algorithm = match hash {
            Hash::Sha1 => HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha256 => HMAC_SHA256,
            Hash::Sha512 => HMAC_SHA512,
        };
        Some(sign(&Key::new(algorithm, key), message).as_ref().to_vec())
    }

    async fn keys(
        &self,
        place: &KeyPlace,
        freshness: Freshness,
    ) -> Result<Rc<Vec<PublicKey>>, Unavailable> {
        assert_eq!(place.url, PLACE);
        self.asked.set(self.asked.get() + 1);
        if let Some((keys, _)) = &self.held {
            return Ok(keys.clone());
        }
        let [before, after] = &self.documents;
        let document = match freshness {
            Freshness::Cached => before,
            Freshness::Renewed => after,
        };
        let document = document.as_ref().ok_or(Unavailable)?;
        Ok(Rc::new(PublicKey::parse_document(document.as_bytes())))
    }

    fn renewal_in(&self, _: &KeyPlace, _: &Rc<Vec<PublicKey>>) -> Option<Duration> {
        self.held.as_ref().map(|(_, pause)| *pause)
    }
}

/// Runs what waits for nothing.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("nothing to wait for")
}
