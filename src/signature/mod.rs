//! How a message proves who sent it: one file per mechanism.
//!
//! Everything here works on the raw bytes, before anything is parsed, and fails closed. The
//! sender learns only that the message is not authentic; the operator's log learns which check
//! refused it.

pub mod standard_webhooks;

use thiserror::Error;

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

/// Which check refused a message. For the operator's log only; it holds nothing the sender sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// A header that the mechanism needs is missing; this is its name.
    #[error("the header {0} is missing")]
    MissingHeader(&'static str),
    /// `webhook-*` and `svix-*` headers name different messages.
    #[error("webhook-* and svix-* headers contradict each other")]
    ConflictingHeaders,
    /// The timestamp is not a count of seconds.
    #[error("the timestamp is not a number of seconds")]
    MalformedTimestamp,
    /// The timestamp is older than the tolerance allows.
    #[error("the timestamp is too old")]
    TooOld,
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
}
