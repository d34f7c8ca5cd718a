//! What a platform's lane is asked about its tickets, as JSON over a channel of the runtime that nobody
//! else can reach. For the messages themselves it is a lane like any other.

use serde::{Deserialize, Serialize};

use super::{Closure, Reply};
use crate::delivery::lane::Record;
use crate::receipt::{Timestamp, millis};

/// What is asked about one erasure.
#[derive(Serialize, Deserialize)]
pub struct Request {
    /// The source of the erasure.
    pub source: String,
    /// The platform's id.
    pub request_id: String,
    /// What is asked.
    pub ask: Ask,
}

/// What is asked.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// A webhook has come; the answer is `true`.
    Begin(Begin),
    /// An account's lane has read these records at this time; the answer is `true`.
    Tell(Told),
    /// An operator closes the request; the answer is whether it could still be closed.
    Close(Closure),
    /// What is known; the answer is a [`Known`].
    Find,
    /// Which of these erasures of the source an operator has closed, each by its id, and how.
    Closed(Vec<String>),
}

impl Request {
    /// Asks about an erasure.
    pub fn new(source: &str, request_id: &str, ask: Ask) -> Self {
        Self { source: source.to_owned(), request_id: request_id.to_owned(), ask }
    }
}

/// What a webhook brings.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Begin {
    /// When it came in.
    #[serde(with = "millis")]
    pub received_at: Timestamp,
    /// The accounts that are asked to erase.
    pub accounts: Vec<String>,
    /// Where the platform is told.
    pub reply: Reply,
    /// What the lanes of the accounts have stored, each by its name; empty where the lanes tell.
    #[serde(default)]
    pub parts: Vec<(String, Vec<Record>)>,
}

/// What an account's lane knows.
#[derive(Serialize, Deserialize)]
pub struct Told {
    /// The account.
    pub account: String,
    /// When the records were read.
    #[serde(with = "millis")]
    pub at: Timestamp,
    /// The records.
    pub records: Vec<Record>,
}

/// What a platform was told.
#[derive(Default, Serialize, Deserialize)]
pub struct Known {
    /// The messages, in the order of their words.
    pub records: Vec<Record>,
    /// Until when the platform takes messages, as long as it waits for one.
    #[serde(default, with = "millis::option")]
    pub reply_expires_at: Option<Timestamp>,
    /// How an operator has closed the request.
    pub closed: Option<Closure>,
}
