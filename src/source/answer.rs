//! Answers in a platform's own form.

use std::time::Duration;

use serde::Serialize;

use super::acknowledgement::Stamp;
use crate::json;
use crate::receipt::{Receipt, Timestamp};

/// What became of an authentic message.
#[derive(Clone, Copy)]
pub enum Outcome<'a> {
    /// An erasure that was accepted. The relay's own answer has this status.
    Taken(u16, &'a Receipt),
    /// Something else than an erasure, which came in at this time.
    Other(Timestamp),
    /// It could not be processed, or must be sent again: the status and the title of the problem.
    Failed(u16, &'static str),
}

/// What a platform's answer is made from.
#[derive(Clone, Copy)]
pub struct ReplyContext<'a> {
    /// The source's name.
    pub source: &'a str,
    /// The message's body.
    pub body: &'a [u8],
    /// What became of it.
    pub outcome: Outcome<'a>,
    /// Whether what the vendors accepted leaves a profile of the person, and the source does not count
    /// that as fulfilled: then the platform is not told that the request is completed.
    pub is_partial: bool,
    /// Whether a message to the platform follows.
    pub is_told_later: bool,
    /// The platform's own setting, empty where it has none.
    pub setting: &'a str,
    /// Within what time the source's requests must be answered.
    pub answer_within: Duration,
    /// Whether an identifier is of a kind that a vendor takes, in a form that cannot be used.
    pub is_malformed: bool,
    /// Whether identifiers of a type, as the platform names it, are read.
    pub knows_type: &'a dyn Fn(&str) -> bool,
    /// What a signed acknowledgement says, where the operator has a key for it.
    pub stamp: Option<Stamp<'a>>,
    /// The origin of the relay, such as `https://relay.example`, as the sender called it.
    pub origin: &'a str,
}

/// A question about an erasure that came earlier.
pub struct StatusQuery<'a> {
    /// The source's name.
    pub source: &'a str,
    /// Whether it is to be cancelled.
    pub cancels: bool,
    /// As in [`ReplyContext`].
    pub is_partial: bool,
    /// What is known of it; `None` where nothing is.
    pub receipt: Option<&'a Receipt>,
}

/// An answer in a platform's form.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// JSON, or a token; empty where the status allows no body.
    pub text: String,
    /// What the text is.
    pub form: Form,
}

/// What the text of an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// JSON.
    Json,
    /// A token in its compact form without its signature, which must be added.
    UnsignedToken,
}

impl Answer {
    /// `body` as JSON.
    pub(super) fn new(status: u16, body: &impl Serialize) -> Self {
        Self { status, text: json::to_string(body), form: Form::Json }
    }
}
