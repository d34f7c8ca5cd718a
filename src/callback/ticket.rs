//! One erasure, as its platform's lane keeps it until the platform knows the end.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::delivery::lane::Record;
use crate::receipt::{Closed, ClosureOutcome, Timestamp, millis};

/// What is known of an erasure.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The vendor accounts that the erasure goes to; empty until the webhook has been stored.
    pub accounts: Vec<String>,
    /// What each account's lane has told last, and when.
    pub parts: BTreeMap<String, Part>,
    /// The last word that was put up to be sent.
    pub told: Option<String>,
    /// How many words were put up.
    pub words: u32,
    /// Whether nothing more is to be told.
    pub is_over: bool,
    /// How an operator has closed it.
    pub closed: Option<Closure>,
}

/// The records of one account's lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// When they were read: what was read earlier does not replace them.
    #[serde(with = "millis")]
    pub told_at: Timestamp,
    /// The records.
    pub records: Vec<Record>,
}

/// The operator's decision about an erasure that the vendors did not bring to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closure {
    /// What the platform is to be told.
    pub outcome: ClosureOutcome,
    /// Why. It holds no personal data.
    pub note: String,
    /// When.
    #[serde(with = "millis")]
    pub at: Timestamp,
}

impl From<Closure> for Closed {
    fn from(Closure { outcome, note, at }: Closure) -> Self {
        Self { outcome, note, at }
    }
}
