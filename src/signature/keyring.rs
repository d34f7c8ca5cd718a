//! What verifying needs of the outside: the runtime's cryptography, and keys that are published at
//! a URL.

use std::rc::Rc;
use std::time::Duration;

use secrecy::SecretString;

use super::Refusal;
use super::public_key::{Algorithm, PublicKey};
use super::scheme::Hash;

/// Where keys are published: always an address from the configuration, never one from a message.
#[derive(Debug, Clone)]
pub struct KeyPlace {
    /// `https`, or `http` on loopback.
    pub url: String,
    /// Sent as `Authorization: Bearer …`, where the place asks for it.
    pub bearer: Option<SecretString>,
}

/// How new keys must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Within their lifetime.
    Cached,
    /// A message names a key that is not among them, or fits none: they may have been replaced.
    /// They are asked for again, at most once a minute.
    Renewed,
}

/// The keys cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unavailable;

/// Verifies with public keys, fetches them, and has the hashes that few senders use.
pub trait Keyring {
    /// Whether `signature` (of an ECDSA key: the two numbers, one after the other) is `key`'s for
    /// `message`. Whatever goes wrong, it is not.
    fn verify(
        &self,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> impl Future<Output = bool>;

    /// The HMAC of `message`; `None` where it cannot be made.
    fn hmac(&self, hash: Hash, key: &[u8], message: &[u8])
    -> impl Future<Output = Option<Vec<u8>>>;

    /// The keys that are published at `place`.
    ///
    /// # Errors
    /// Where they cannot be had: the place is down, slow, too large, or has no key of a known kind.
    fn keys(
        &self,
        place: &KeyPlace,
        freshness: Freshness,
    ) -> impl Future<Output = Result<Rc<Vec<PublicKey>>, Unavailable>>;

    /// How long `keys`, which are published at `place`, are not asked for again, where they may be
    /// older than the message.
    fn renewal_in(&self, place: &KeyPlace, keys: &Rc<Vec<PublicKey>>) -> Option<Duration> {
        let _ = (place, keys);
        None
    }
}

/// How many keys are tried on one message. A set may be long, and a message that names no key may be
/// of any; each try costs about 0.1 ms.
const MAX_TRIES: usize = 100;

/// The keys that a source trusts.
pub enum Keys {
    /// Those of the configuration.
    Fixed(Rc<Vec<PublicKey>>),
    /// Those at a URL of the configuration.
    Published(KeyPlace),
}

impl Keys {
    /// Proves that a holder of one of these keys signed `message`. `id` and `algorithm` are what
    /// the message says of its key: a claim that must agree with the key, and never more.
    ///
    /// # Errors
    /// [`Refusal`]
    pub(super) async fn prove(
        &self,
        signed: &Signed<'_>,
        keyring: &impl Keyring,
    ) -> Result<(), Refusal> {
        let mut refusal = Refusal::UnknownKey;
        let mut tried = None;
        for freshness in [Freshness::Cached, Freshness::Renewed] {
            let keys = match self {
                Keys::Fixed(keys) if freshness == Freshness::Cached => keys.clone(),
                Keys::Fixed(_) => break,
                Keys::Published(place) => {
                    let keys = keyring.keys(place, freshness).await;
                    keys.map_err(|_| Refusal::KeysUnavailable)?
                }
            };
            if tried.as_ref().is_some_and(|tried| Rc::ptr_eq(tried, &keys)) {
                // Nothing new came: the key may be one that is not asked for yet.
                let Keys::Published(place) = self else { break };
                let unknown = refusal == Refusal::UnknownKey;
                let pause = keyring.renewal_in(place, &keys).filter(|_| unknown);
                return Err(pause.map_or(refusal, Refusal::renewal_in));
            }
            refusal = Refusal::UnknownKey;
            let mut tries = 0..MAX_TRIES;
            for key in keys.iter().filter(|key| key.may_be(signed.key_id)) {
                if signed.algorithm != key.algorithm {
                    refusal = Refusal::WrongAlgorithm;
                } else if tries.next().is_none() {
                    break;
                } else if keyring.verify(key, signed.message, signed.signature).await {
                    return Ok(());
                } else {
                    refusal = Refusal::Mismatch;
                }
            }
            tried = Some(keys);
        }
        Err(refusal)
    }
}

/// A message and the signature that it carries.
pub(super) struct Signed<'a> {
    pub key_id: Option<&'a str>,
    pub algorithm: Algorithm,
    pub message: &'a [u8],
    pub signature: &'a [u8],
}
