//! Keys and WebCrypto.

pub mod keyring;
pub mod webcrypto;
