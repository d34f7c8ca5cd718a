//! Ids of requests whose platform sends none.
//!
//! Such an id is made from what the request says, so that a retry has the same one. It is keyed: the
//! body may be as little as `{"email":"…"}`, and whoever guesses the address could find a bare hash
//! of it in receipts, logs and URLs.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::erasure::RequestId;

/// Makes the ids. Its key is derived from a secret that has other uses as well.
pub struct IdKey(Hmac<Sha256>);

impl IdKey {
    /// A key that is derived from `secret`: the same secret gives the same ids.
    pub fn new(secret: &SecretString) -> Self {
        let derived = keyed(secret.expose_secret().trim().as_bytes())
            .chain_update(b"erasure-relay: ids of requests, v1")
            .finalize();
        Self(keyed(&derived.into_bytes()))
    }

    /// The id of a request whose content has this digest: 128 bits of HMAC-SHA-256, as hex.
    pub fn id(&self, digest: &[u8]) -> RequestId {
        let tag = self.0.clone().chain_update(digest).finalize().into_bytes();
        RequestId::derived(tag.get(..16).unwrap_or(&tag))
    }
}

/// HMAC takes a key of any length.
fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Default::default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(secret: &str, digest: &[u8]) -> String {
        IdKey::new(&secret.into()).id(digest).as_str().to_owned()
    }

    #[test]
    fn depends_on_secret_and_content() {
        let one = id("a key of 16 bytes or more", b"digest");
        assert_eq!((one.len(), &one), (32, &id("a key of 16 bytes or more\n", b"digest")));
        assert_ne!(one, id("another key of some length", b"digest"));
        assert_ne!(one, id("a key of 16 bytes or more", b"another digest"));
    }
}
