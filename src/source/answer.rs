//! Answers in a platform's own form.

use serde::Serialize;

use crate::json;
use crate::receipt::Receipt;

/// What became of an authentic message.
#[derive(Clone, Copy)]
pub enum Outcome<'a> {
    /// An erasure that was accepted. The relay's own answer has this status.
    Taken(u16, &'a Receipt),
    /// Something else than an erasure.
    Other,
    /// It could not be processed, or must be sent again: the status and the title of the problem.
    Failed(u16, &'static str),
}

/// What a platform's answer is made from.
pub struct ReplyContext<'a> {
    /// The source's name.
    pub source: &'a str,
    /// The message's body.
    pub body: &'a [u8],
    /// What became of it.
    pub outcome: Outcome<'a>,
    /// The platform's own setting, empty where it has none.
    pub setting: &'a str,
}

/// An answer in a platform's form.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// JSON.
    pub json: String,
}

impl Answer {
    /// `body` as JSON.
    pub(super) fn new(status: u16, body: &impl Serialize) -> Self {
        Self { status, json: json::to_string(body) }
    }
}
