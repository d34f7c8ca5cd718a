//! How a message proves who sent it: one file per mechanism.
//!
//! ```text
//! scheme            what a symmetric signature is made of, as data
//!  ├ presets        the schemes of known senders
//!  ├ layout         where a message carries its signatures, and which bytes they cover
//!  └ hmac           one verifier for all of them
//! sign              the sender's part, for tests and `cargo xtask send`
//! token             a static token in a header: no signature, and never called one
//! signed_request    Meta's: the message and its signature are one text in the body
//! public_key        keys that are no secret; each is good for one algorithm
//!  ├ ed25519        Standard Webhooks' asymmetric signatures
//!  ├ jwt            a signed token in a header
//!  ├ nested_jwt     IAB's two tokens, one in the other
//!  └ keyring        what is asked of the runtime: to verify, and to fetch keys
//! signing_key       the relay's own private key, for receipts
//! private_key       private keys of the operator, for messages and answers to platforms
//! ```
//!
//! Everything here works on the raw bytes, before anything is parsed, and fails closed. The
//! sender learns only that the message is not authentic; the operator's log learns which check
//! refused it.

pub mod ed25519;
mod encoding;
pub mod hmac;
pub mod jwt;
#[cfg(test)]
mod jwt_tests;
mod key_settings;
pub mod keyring;
pub mod layout;
mod mechanism;
pub mod nested_jwt;
pub mod presets;
pub mod private_key;
mod proof;
pub mod public_key;
pub mod scheme;
pub mod sign;
pub mod signed_request;
pub mod signing_key;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod token;

use std::borrow::Cow;
use std::time::Duration;

use secrecy::SecretString;
use thiserror::Error;

use hmac::{Key, SchemeKey};
use keyring::Keyring;
use scheme::SecretEncoding::Utf8;

pub use encoding::Encoding;
pub(crate) use encoding::to_hex;
pub use key_settings::ConfiguredKeys;
pub use mechanism::{DefaultSignature, Mechanism};
pub use proof::Proof;

/// The tolerance that every reference library of Standard Webhooks uses.
pub const DEFAULT_TOLERANCE: Duration = Duration::from_secs(300);

/// The least that a secret may hold, in bytes. Standard Webhooks asks senders for 24 to 64.
pub const MIN_SECRET_BYTES: usize = 16;

/// The name of a header, lower case: fixed in a preset, or of the operator's choice.
pub type Name = Cow<'static, str>;

/// Reads a request's headers: all that a signature check needs of them.
pub trait Headers {
    /// The value of the header `name` (lower case). Several headers of one name come joined with
    /// a comma, as the Fetch standard has it, and every check must refuse such a value.
    fn get(&self, name: &str) -> Option<String>;
}

impl<F: Fn(&str) -> Option<String>> Headers for F {
    fn get(&self, name: &str) -> Option<String> {
        self(name)
    }
}

/// One HTTP request as it came, of which nothing is proven yet.
#[derive(Clone, Copy)]
pub struct Incoming<'a> {
    /// The method, upper case.
    pub method: &'a str,
    /// The absolute URL, with its query.
    pub url: &'a str,
    /// The headers.
    pub headers: &'a dyn Headers,
    /// The raw bytes of the body.
    pub body: &'a [u8],
}

/// What a proof says beside "the holder of a secret sent this": the JSON texts that it covers
/// where they are not the body itself. Empty for a signature of the body.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Proven {
    /// The outermost first.
    pub claims: Vec<Vec<u8>>,
}

/// Which check refused a message. For the operator's log only; it holds nothing the sender sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// A header that the mechanism needs is missing; this is its name.
    #[error("the header {0} is missing")]
    MissingHeader(Name),
    /// `webhook-*` and `svix-*` headers name different messages.
    #[error("webhook-* and svix-* headers contradict each other")]
    ConflictingHeaders,
    /// The timestamp is not a number of its unit, or there is none.
    #[error("the timestamp is not a number")]
    MalformedTimestamp,
    /// The timestamp is older than the tolerance allows.
    #[error("the timestamp is too old")]
    TooOld,
    /// Every signature matches, and the timestamp is too old or in the future.
    #[error("the signatures match, and the timestamp is too old or in the future")]
    Stale,
    /// The timestamp is further ahead than the tolerance allows.
    #[error("the timestamp is in the future")]
    InTheFuture,
    /// The signature header is not a list of signatures, or came twice.
    #[error("the signature header is malformed or repeated")]
    MalformedSignature,
    /// No signature of a version that this verifier knows.
    #[error("no signature of a known version")]
    UnknownVersion,
    /// No signature fits the message and any of the secrets.
    #[error("no signature matches any of the secrets")]
    Mismatch,
    /// The header of this name holds none of the tokens.
    #[error("the token in the header {0} is none of the secrets")]
    WrongToken(Name),
    /// The token does not have the claim of this name, which it needs.
    #[error("the token has no {0}")]
    MissingClaim(&'static str),
    /// What should be a token is none.
    #[error("the token is malformed")]
    MalformedToken,
    /// The token names an algorithm that its key is not for.
    #[error("the algorithm is not the key's")]
    WrongAlgorithm,
    /// The token names a key that is not among those of its sender.
    #[error("the key is not known")]
    UnknownKey,
    /// The token is for somebody else.
    #[error("the token is for another audience")]
    WrongAudience,
    /// The token is for something else.
    #[error("the token has another scope")]
    WrongScope,
    /// Nobody configured this issuer.
    #[error("the issuer is not known")]
    UnknownIssuer,
    /// What the token says of the person is not what the body says.
    #[error("the token is about somebody else")]
    IdentityMismatch,
    /// The message cannot be verified now: the sender's keys cannot be fetched.
    #[error("the sender's keys cannot be fetched")]
    KeysUnavailable,
    /// The message cannot be verified now: it names a key that is not among those of its sender, which
    /// are not asked for again for this many seconds.
    #[error("the key is not known, and the sender's keys were fetched less than a minute ago")]
    RenewalIn(u64),
    /// The body is not a signed request in a form.
    #[error("the body is not a form with one signed request")]
    MalformedSignedRequest,
}

impl Refusal {
    /// The key is not known, and may be once `pause` is over; in whole seconds.
    fn renewal_in(pause: Duration) -> Self {
        Refusal::RenewalIn(pause.saturating_add(Duration::from_millis(999)).as_secs())
    }
}

/// Verifies one proof of the messages of one source.
pub enum Verifier {
    /// An HMAC.
    Hmac(hmac::Verifier),
    /// A static token.
    Token(token::Verifier),
    /// Meta's signed request.
    SignedRequest(signed_request::Verifier),
    /// Standard Webhooks' asymmetric signatures.
    Ed25519(ed25519::Verifier),
    /// A signed token in a header.
    Jwt(jwt::Verifier),
    /// IAB's two tokens.
    NestedJwt(nested_jwt::Verifier),
}

impl Verifier {
    /// Accepts what `mechanism` proves with any of `secrets`, each of which it can use; without
    /// one it refuses every message.
    pub fn new(mechanism: &Mechanism, secrets: &[SecretString], tolerance: Duration) -> Self {
        match mechanism {
            Mechanism::Hmac(scheme) => {
                let keys =
                    secrets.iter().filter_map(|secret| SchemeKey::parse(secret, scheme).ok());
                Verifier::Hmac(hmac::Verifier::new(scheme.clone(), keys.collect(), tolerance))
            }
            Mechanism::Token(place) => {
                Verifier::Token(token::Verifier::new(place.clone(), secrets))
            }
            Mechanism::SignedRequest => {
                let keys = secrets.iter().filter_map(|secret| Key::parse(secret, Utf8).ok());
                Verifier::SignedRequest(signed_request::Verifier::new(keys.collect(), tolerance))
            }
            Mechanism::Ed25519(keys) => {
                Verifier::Ed25519(ed25519::Verifier::new(keys.clone(), tolerance))
            }
            Mechanism::Jwt(expected, keys) => {
                let keys = keys.with(secrets.first());
                Verifier::Jwt(jwt::Verifier::new(expected.clone(), keys, tolerance))
            }
            Mechanism::NestedJwt(issuers) => {
                Verifier::NestedJwt(nested_jwt::Verifier::new(issuers, tolerance))
            }
        }
    }

    /// Proves that whom the source trusts sent `message` about now, as far as the mechanism can.
    /// Only public keys, and the runtime's cryptography, are ever awaited.
    ///
    /// `now` is in seconds since the Unix epoch.
    ///
    /// # Errors
    /// [`Refusal`]: the first check that failed.
    pub async fn verify(
        &self,
        message: &Incoming<'_>,
        now: i64,
        keyring: &impl Keyring,
    ) -> Result<Proven, Refusal> {
        match self {
            Verifier::Hmac(hmac) => hmac.verify(message, now, keyring).await?,
            Verifier::Token(token) => token.verify(message.headers)?,
            Verifier::SignedRequest(request) => return request.verify(message.body, now),
            Verifier::Ed25519(ed25519) => ed25519.verify(message, now, keyring).await?,
            Verifier::Jwt(jwt) => return jwt.verify(message, now, keyring).await,
            Verifier::NestedJwt(jwt) => return jwt.verify(message, now, keyring).await,
        }
        Ok(Proven::default())
    }
}
