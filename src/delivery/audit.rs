//! The audit trail: what operators did, when and by which token. It is stored in the object of the
//! [directory](super::directory). A row is written before the action is done, so that there is no action
//! without one, and completed with its result. It names no person: a request's id is as logs show it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use super::database::{Database, Row, StorageError, Value};
use crate::access::Token;
use crate::receipt::Timestamp;

/// How long a row is kept: records of consumer requests, and of how the business responded to them, must
/// be kept for at least 24 months (California Code of Regulations, title 11, section 7101).
const KEPT: Duration = Duration::from_secs(731 * 86_400);

/// How many rows are kept at most: the newest.
const MOST: i64 = 100_000;

/// How many rows one cleaning looks at.
const CLEANING: u32 = 100;

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Who {
    /// The token.
    pub token: Token,
    /// How the action came.
    pub by: Way,
}

/// How an action came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Way {
    /// By the routes that answer JSON.
    Api,
    /// By the dashboard.
    Dashboard,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ActionName {
    /// An erasure was tried again.
    Replay,
    /// An erasure was ended.
    Discard,
    /// A platform was told the end of an erasure.
    Close,
    /// What needs attention in an erasure was acknowledged.
    Acknowledge,
    /// The breakers of a lane were closed.
    Resume,
    /// What a lane cannot send was moved.
    Move,
    /// What a lane cannot send was ended.
    DiscardUnsendable,
    /// Everything in a lane that can be was tried again.
    ReplayAll,
    /// Everything in a lane that needs attention was acknowledged.
    AcknowledgeAll,
}

/// One action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it began.
    pub at: Timestamp,
    /// What was done.
    pub action: ActionName,
    /// The token that authorized it.
    pub who: Token,
    /// How it came.
    pub by: Way,
    /// The source of the erasure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The erasure's id as logs show it: itself where it is opaque, else its pseudonym.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The account whose lanes it was done to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<String>,
    /// The account that rows were moved to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Only deliveries of this call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// Only deliveries with this outcome; of a closing, what the platform is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The operator's note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The answer's HTTP status, or the type of its problem. Absent while the action is under way, and
    /// where its end was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
}

/// What the audit trail is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// An action begins; the answer is its number.
    Begin(Entry),
    /// The action of this number has ended with this result; the answer is `null`.
    End(i64, String),
    /// At most so many actions before this number, newest first; the answer is a list of numbers and
    /// [`Entry`]s.
    List(Option<i64>, u32),
    /// Remove what is too old; the answer is `null`.
    Clean,
}

/// The audit trail.
pub struct Audit<D>(D);

impl<D: Database> Audit<D> {
    /// Opens the audit trail in `database`, or begins a new one.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn open(database: D) -> Result<Self, StorageError> {
        const TABLE: &str = "CREATE TABLE IF NOT EXISTS audit (
            id INTEGER PRIMARY KEY,
            at INTEGER NOT NULL,
            entry TEXT NOT NULL,
            result TEXT
        )";
        database.query(TABLE, &[])?;
        Ok(Self(database))
    }

    /// Writes down that an action begins. Returns its number; a larger one came later.
    ///
    /// # Errors
    /// [`StorageError`]; then nothing may be done.
    pub fn begin(&self, entry: &Entry) -> Result<i64, StorageError> {
        let text = serde_json::to_string(entry).map_err(|_| StorageError::Failed)?;
        let statement = "INSERT INTO audit (at, entry) VALUES (?, ?) RETURNING id";
        let rows = self.0.query(statement, &[entry.at.0.into(), text.into()])?;
        let id = rows.first().ok_or(StorageError::Corrupt)?.integer(0)?;
        let last = id.saturating_sub(MOST);
        self.0.query("DELETE FROM audit WHERE id <= ?", &[last.into()])?;
        Ok(id)
    }

    /// Adds the result of an action.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn end(&self, id: i64, result: &str) -> Result<(), StorageError> {
        let statement = "UPDATE audit SET result = ? WHERE id = ? AND result IS NULL";
        self.0.query(statement, &[result.into(), id.into()]).map(drop)
    }

    /// At most `most` actions before the one of this number, newest first, each with its number.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn list(&self, before: Option<i64>, most: u32) -> Result<Vec<(i64, Entry)>, StorageError> {
        const STATEMENT: &str = "SELECT id, entry, result FROM audit
            WHERE id < ? ORDER BY id DESC LIMIT ?";
        /// More than any number is.
        const END: i64 = 1 << 52;
        let before = before.unwrap_or(END).clamp(0, END);
        let read = |row: &Row| {
            let text = row.text(1)?.as_bytes();
            let mut entry: Entry =
                serde_json::from_slice(text).map_err(|_| StorageError::Corrupt)?;
            entry.result = row.optional_text(2)?.map(str::to_owned);
            Ok((row.integer(0)?, entry))
        };
        let rows = self.0.query(STATEMENT, &[before.into(), most.into()])?;
        rows.iter().map(read).collect()
    }

    /// Removes rows whose time is over, a bounded number at a time.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn clean(&self, now: Timestamp) -> Result<(), StorageError> {
        const STATEMENT: &str = "DELETE FROM audit WHERE at <= ? AND id IN
            (SELECT id FROM audit ORDER BY id LIMIT ?)";
        let bindings: [Value; 2] = [now.before(KEPT).0.into(), CLEANING.into()];
        self.0.query(STATEMENT, &bindings).map(drop)
    }
}
