//! The sender's part of a [`Scheme`], for those who play a sender: `cargo xtask send` and tests.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::SecretString;
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use super::hmac::{BadSecret, decode};
use super::layout::Unit;
use super::scheme::{Hash, Scheme};
use super::{Headers, Incoming};

/// A message to be signed.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// The message's id, for schemes that sign one.
    pub id: &'a str,
    /// When it is sent, in seconds since the Unix epoch.
    pub timestamp: i64,
    /// The method, upper case.
    pub method: &'a str,
    /// The absolute URL.
    pub url: &'a str,
    /// The raw bytes.
    pub body: &'a [u8],
}

impl Scheme {
    /// The headers that a sender with `secret` puts on `message`. The least length of a secret
    /// does not hold here: who plays a sender may try a bad one.
    ///
    /// # Errors
    /// Where the secret is not written as the scheme has it.
    pub fn sign(
        &self,
        secret: &SecretString,
        message: &Outgoing<'_>,
    ) -> Result<Vec<(String, String)>, BadSecret> {
        struct NoHeaders;
        impl Headers for NoHeaders {
            fn get(&self, _: &str) -> Option<String> {
                None
            }
        }
        let key = decode(secret, self.secret)?;
        let timestamp = match self.layout.unit {
            Unit::Seconds => message.timestamp,
            Unit::Milliseconds => message.timestamp.saturating_mul(1000),
        };
        let timestamp = timestamp.to_string();
        let Outgoing { id, method, url, body, .. } = *message;
        let incoming = Incoming { method, url, headers: &NoHeaders, body };
        let mut signed = Vec::new();
        self.layout.signed(id, &timestamp, &incoming, |part| signed.extend_from_slice(part));
        let tag = match self.hash {
            Hash::Sha1 => tag::<Hmac<Sha1>>(&key, &signed)?,
            Hash::Sha256 => tag::<Hmac<Sha256>>(&key, &signed)?,
            Hash::Sha512 => tag::<Hmac<Sha512>>(&key, &signed)?,
        };
        let signature = self.layout.signature(&tag, &timestamp);
        let names = &self.layout.names;
        let mut headers = Vec::new();
        headers.extend(names.id.as_ref().map(|name| (name.to_string(), id.to_owned())));
        headers.extend(names.timestamp.as_ref().map(|name| (name.to_string(), timestamp.clone())));
        headers.push((names.signature.to_string(), signature));
        Ok(headers)
    }
}

fn tag<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Result<Vec<u8>, BadSecret> {
    // HMAC takes keys of every length.
    let mac = <M as KeyInit>::new_from_slice(key).map_err(|_| BadSecret::TooShort)?;
    Ok(mac.chain_update(message).finalize().into_bytes().to_vec())
}
