//! What a receipt says of the platform: what it was told, and how an operator has closed the request.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr};

use super::{Acknowledged, Attempt, Outcome, Timestamp};

/// One message to the platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Callback {
    /// The kind of message, such as `delete_status_event`.
    pub message: Cow<'static, str>,
    /// The platform's own words in it.
    pub word: String,
    /// What became of it.
    pub state: CallbackState,
    /// The platform's HTTP status; absent where there was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How often it was sent.
    pub attempts: u32,
    /// The reason, a fixed text; absent where the state needs none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Cow<'static, str>>,
    /// The earliest time of the next attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
    /// When this was recorded.
    pub updated_at: Timestamp,
    /// That a person has seen that it failed; absent once that has changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledged>,
    /// The results that later ones have replaced, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<CallbackAttempt>,
}

/// A result of a message that a later one has replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallbackAttempt {
    /// When it was recorded.
    pub at: Timestamp,
    /// What had become of the message then.
    pub state: CallbackState,
    /// The platform's HTTP status; absent where there was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The reason; absent where the state needs none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The platform's id of its answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

impl From<Attempt> for CallbackAttempt {
    fn from(Attempt { at, outcome, status, detail, trace }: Attempt) -> Self {
        Self { at, state: outcome.into(), status, detail, trace }
    }
}

/// What became of a message to the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum CallbackState {
    /// The platform confirmed it.
    Delivered,
    /// The platform has closed the request already, and takes no message.
    ClosedThere,
    /// It waits for the next attempt.
    Scheduled,
    /// The platform rejects the credentials: a person must correct them.
    Blocked,
    /// A later message took its place, or an operator ended it.
    Superseded,
    /// The platform rejected it, or could not be reached until the deadline: a person must look.
    Failed,
}

impl CallbackState {
    /// The name in receipts.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

impl From<Outcome> for CallbackState {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Accepted => Self::Delivered,
            Outcome::AlreadyAbsent => Self::ClosedThere,
            Outcome::Scheduled => Self::Scheduled,
            Outcome::Blocked => Self::Blocked,
            Outcome::Discarded => Self::Superseded,
            Outcome::NotErased
            | Outcome::Rejected
            | Outcome::Uncertain
            | Outcome::Exhausted
            | Outcome::InsufficientIdentification
            | Outcome::NotApplicable => Self::Failed,
        }
    }
}

/// How an operator has closed a request that the vendors did not bring to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Closed {
    /// What the platform is told.
    pub outcome: ClosureOutcome,
    /// Why. It holds no personal data.
    pub note: String,
    /// When.
    pub at: Timestamp,
}

/// What an operator can have a platform told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, EnumString)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ClosureOutcome {
    /// The person's data was erased, by other means.
    Completed,
    /// There is no data of the person.
    NotFound,
    /// It was not erased, and will not be.
    Failed,
}

impl ClosureOutcome {
    /// The name in the API.
    pub fn name(self) -> &'static str {
        self.into()
    }
}
