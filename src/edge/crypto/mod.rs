//! WebCrypto, and the keys of those who sign.

mod key_cache;
pub mod keyring;
pub mod receipt_signer;
pub mod webcrypto;
