//! Signs receipts with the relay's private key, and tells the public keys that verify them.

use wasm_bindgen::JsValue;
use web_sys::CryptoKey;

use super::webcrypto;
use crate::keys::Keys;
use crate::receipt_keys::{ReceiptKey, ReceiptKeys, Status};

/// The keys of receipts, as the runtime takes them.
pub struct ReceiptSigner {
    current: Option<CryptoKey>,
    /// What is published.
    pub public: ReceiptKeys,
}

impl ReceiptSigner {
    /// Imports the keys that are set; `None` where there is none.
    ///
    /// # Errors
    /// Where the runtime rejects one.
    pub async fn import(keys: &Keys) -> Result<Option<Self>, JsValue> {
        let (mut current, mut receipt_keys) = (None, Vec::new());
        for (key, status) in [
            (&keys.receipt_signing_key, Status::Current),
            (&keys.previous_receipt_signing_key, Status::Previous),
        ] {
            let Some(key) = key else { continue };
            let (imported, public) = webcrypto::ed25519_key(&key.pkcs8()).await?;
            receipt_keys.push(ReceiptKey::ed25519(&public, status));
            if status == Status::Current {
                current = Some(imported);
            }
        }
        let public = ReceiptKeys { receipt_keys };
        Ok((!public.receipt_keys.is_empty()).then_some(Self { current, public }))
    }

    /// The current key's signature; `None` where there is only a previous key.
    ///
    /// # Errors
    /// Where the runtime does not sign.
    pub async fn sign(&self, message: &[u8]) -> Result<Option<Vec<u8>>, JsValue> {
        match &self.current {
            Some(key) => webcrypto::ed25519(key, message).await.map(Some),
            None => Ok(None),
        }
    }
}
