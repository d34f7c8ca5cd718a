//! WebCrypto, which costs no Wasm: it verifies with public keys, signs receipts and what the operator has
//! private keys for, and computes the HMACs that few senders use.

use std::cell::OnceCell;

use js_sys::{Array, Object, Reflect, Uint8Array, global};
use secrecy::{ExposeSecret, SecretSlice};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Crypto, CryptoKey, SubtleCrypto, WorkerGlobalScope};

use crate::edge::net::promise::settled;
use crate::signature::Encoding;
use crate::signature::private_key::PrivateKey;
use crate::signature::public_key::{Algorithm, PublicKey};
use crate::signature::scheme::Hash;

/// Whether `signature` is `key`'s, over `message`.
pub async fn verify(key: &PublicKey, message: &[u8], signature: &[u8]) -> Result<bool, JsValue> {
    let algorithm = parameters(key.algorithm)?;
    let key = import("spki", &key.spki, &algorithm, "verify", false).await?;
    let (signature, message) = (Uint8Array::from(signature), Uint8Array::from(message));
    let verified = subtle()?.verify_with_object_and_js_u8_array_and_js_u8_array(
        &algorithm, &key, &signature, &message,
    )?;
    Ok(settled::<JsValue>(&verified).await?.is_truthy())
}

/// What importing a key needs, and what signing and verifying with it needs, in one object.
fn parameters(algorithm: Algorithm) -> Result<Object, JsValue> {
    object(match algorithm {
        Algorithm::Ed25519 => &[("name", "Ed25519")],
        Algorithm::Es256 => &[("name", "ECDSA"), ("namedCurve", "P-256"), ("hash", "SHA-256")],
        Algorithm::Es384 => &[("name", "ECDSA"), ("namedCurve", "P-384"), ("hash", "SHA-384")],
        Algorithm::Rs256 => &[("name", "RSASSA-PKCS1-v1_5"), ("hash", "SHA-256")],
    })
}

/// Signs with a private key of the operator.
pub struct Signer {
    key: PrivateKey,
    imported: OnceCell<(CryptoKey, Object)>,
}

impl Signer {
    /// Signs with `key` once it is [imported](Self::import).
    pub fn new(key: PrivateKey) -> Self {
        Self { key, imported: OnceCell::new() }
    }

    /// The only algorithm that the key is good for.
    pub fn algorithm(&self) -> Algorithm {
        self.key.algorithm
    }

    /// Has the runtime take the key.
    ///
    /// # Errors
    /// Where it rejects the key.
    pub async fn import(&self) -> Result<(), JsValue> {
        let parameters = parameters(self.key.algorithm)?;
        let pkcs8 = self.key.pkcs8().expose_secret();
        let key = import("pkcs8", pkcs8, &parameters, "sign", false).await?;
        self.imported.get_or_init(|| (key, parameters));
        Ok(())
    }

    /// The signature of `message`; of a P-256 key the two numbers, one after the other.
    ///
    /// # Errors
    /// Where the runtime does not sign.
    pub async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, JsValue> {
        let (key, parameters) = self.imported.get().ok_or(JsValue::UNDEFINED)?;
        let message = Uint8Array::from(message);
        let signed = subtle()?.sign_with_object_and_js_u8_array(parameters, key, &message)?;
        Ok(Uint8Array::new(&settled::<JsValue>(&signed).await?).to_vec())
    }
}

/// A secret as the runtime takes it, for [`hmac()`].
pub async fn hmac_key(hash: Hash, secret: &[u8]) -> Result<CryptoKey, JsValue> {
    let hash = match hash {
        Hash::Sha1 => "SHA-1",
        Hash::Sha256 => "SHA-256",
        Hash::Sha512 => "SHA-512",
    };
    let algorithm = object(&[("name", "HMAC"), ("hash", hash)])?;
    import("raw", secret, &algorithm, "sign", false).await
}

/// The HMAC of `message`.
pub async fn hmac(key: &CryptoKey, message: &[u8]) -> Result<Vec<u8>, JsValue> {
    sign("HMAC", key, message).await
}

async fn sign(algorithm: &str, key: &CryptoKey, message: &[u8]) -> Result<Vec<u8>, JsValue> {
    let message = Uint8Array::from(message);
    let signed = subtle()?.sign_with_str_and_js_u8_array(algorithm, key, &message)?;
    Ok(Uint8Array::new(&settled::<JsValue>(&signed).await?).to_vec())
}

/// An Ed25519 key in PKCS #8, and its public key, which the runtime derives.
pub async fn ed25519_key(pkcs8: &SecretSlice<u8>) -> Result<(CryptoKey, Vec<u8>), JsValue> {
    let algorithm = object(&[("name", "Ed25519")])?;
    let key = import("pkcs8", pkcs8.expose_secret(), &algorithm, "sign", true).await?;
    let jwk = settled::<JsValue>(&subtle()?.export_key("jwk", &key)?).await?;
    let public = Reflect::get(&jwk, &"x".into())?.as_string();
    let public = public.and_then(|text| Encoding::Base64Url.decode(&text));
    Ok((key, public.ok_or(JsValue::UNDEFINED)?))
}

/// The Ed25519 signature of `message`.
pub async fn ed25519(key: &CryptoKey, message: &[u8]) -> Result<Vec<u8>, JsValue> {
    sign("Ed25519", key, message).await
}

/// Fills a buffer with the runtime's randomness, which does not fail.
pub fn random(buffer: &mut [u8]) {
    let _ = crypto().and_then(|crypto| crypto.get_random_values_with_u8_array(buffer));
}

async fn import(
    format: &str,
    key: &[u8],
    algorithm: &Object,
    usage: &str,
    is_extractable: bool,
) -> Result<CryptoKey, JsValue> {
    let (key, usages) = (Uint8Array::from(key), Array::of1(&usage.into()));
    let imported =
        subtle()?.import_key_with_object(format, &key, algorithm, is_extractable, &usages)?;
    settled(&imported).await
}

fn crypto() -> Result<Crypto, JsValue> {
    global().unchecked_into::<WorkerGlobalScope>().crypto()
}

fn subtle() -> Result<SubtleCrypto, JsValue> {
    crypto().map(|crypto| crypto.subtle())
}

fn object(members: &[(&str, &str)]) -> Result<Object, JsValue> {
    let object = Object::new();
    for (name, value) in members {
        Reflect::set(&object, &(*name).into(), &(*value).into())?;
    }
    Ok(object)
}
