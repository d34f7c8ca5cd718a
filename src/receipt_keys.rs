//! The public keys that verify receipts, as `/.well-known/erasure-relay.json` publishes them.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::json;
use crate::signature::Encoding;

/// The document at `/.well-known/erasure-relay.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptKeys {
    /// The current key first.
    pub receipt_keys: Vec<ReceiptKey>,
}

/// One public key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptKey {
    /// The key's JWK thumbprint (RFC 7638), in base64url.
    pub id: String,
    /// How it signs.
    pub algorithm: Algorithm,
    /// `whpk_` and base64, as in Standard Webhooks.
    pub public_key: String,
    /// Whether it still signs.
    pub status: Status,
}

/// How a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// RFC 8032; the signature `v1a` of Standard Webhooks.
    Ed25519,
}

/// Whether a key still signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It signs receipts.
    Current,
    /// It has signed receipts, and signs no more.
    Previous,
}

/// What the thumbprint of an Ed25519 key is made of: the required members, in this order (RFC 8037,
/// appendix A.3).
#[derive(Serialize)]
struct Jwk<'a> {
    crv: &'static str,
    kty: &'static str,
    x: &'a str,
}

impl ReceiptKey {
    /// The Ed25519 key of these 32 bytes.
    pub fn ed25519(public_key: &[u8], status: Status) -> Self {
        let x = Encoding::Base64Url.encode(public_key);
        let jwk = json::to_string(&Jwk { crv: "Ed25519", kty: "OKP", x: &x });
        Self {
            id: Encoding::Base64Url.encode(&Sha256::digest(jwk)),
            algorithm: Algorithm::Ed25519,
            public_key: format!("whpk_{}", Encoding::Base64.encode(public_key)),
            status,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037, appendices A.2 and A.3.
    #[test]
    fn the_id_is_the_thumbprint() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let bytes = Encoding::Base64Url.decode(x).unwrap();
        let key = ReceiptKey::ed25519(&bytes, Status::Current);
        assert_eq!(key.id, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(key.public_key, "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
        let written = serde_json::to_value(&key).unwrap();
        assert_eq!(
            (&written["algorithm"], &written["status"]),
            (&"Ed25519".into(), &"current".into())
        );
    }
}
