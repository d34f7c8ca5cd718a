//! The audit trail: what operators did, when and by which token. It is stored in the object of the
//! [directory](super::directory). A row is written before the action is done, so that there is no action
//! without one, and completed with its result. It names no person: a request's id is as logs show it.

use std::borrow::Cow;
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Way {
    /// By the routes that answer JSON.
    Api,
    /// By the dashboard.
    Dashboard,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// When it began.
    pub at: Timestamp,
    /// What was done: an [`ActionName`], or one of a later version.
    pub action: Cow<'static, str>,
    /// The token that authorized it: the name of a [`Token`].
    pub who: Cow<'static, str>,
    /// How it came: a [`Way`].
    pub by: Cow<'static, str>,
    /// The source of the erasure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The erasure's id as logs show it: itself where it is opaque, else its pseudonym.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The account whose lanes it was done to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lane: Option<String>,
    /// The account that rows were moved to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Only deliveries of this call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// Only deliveries with this outcome; of a closing, what the platform is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The operator's note.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The answer's HTTP status, or the type of its problem. Absent while the action is under way, and
    /// where its end was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
}

/// An [`Entry`] without its time and result, as it is stored and sent: its members in their order, which
/// takes a fraction of the code that named members need.
pub type Stored = Vec<Option<String>>;

/// One row: its number, when the action began, what is stored of it, and its result.
pub type AuditRow = (i64, i64, Stored, Option<String>);

impl Entry {
    /// An action that begins now.
    pub fn new(at: Timestamp, action: ActionName, who: Who) -> Self {
        Self {
            at,
            action: Cow::Borrowed(action.into()),
            who: Cow::Borrowed(who.token.name()),
            by: Cow::Borrowed(who.by.into()),
            source: None,
            request_id: None,
            lane: None,
            to: None,
            call: None,
            outcome: None,
            note: None,
            result: None,
        }
    }

    /// As it is stored.
    pub fn stored(&self) -> Stored {
        let Self { action, who, by, source, request_id, lane, to, call, outcome, note, .. } = self;
        let names = [action, who, by].map(|name| Some(name.clone().into_owned()));
        let others = [source, request_id, lane, to, call, outcome, note].map(Option::clone);
        names.into_iter().chain(others).collect()
    }

    /// What was stored, with its number.
    pub fn restore((number, at, stored, result): AuditRow) -> (i64, Self) {
        let mut members = stored.into_iter();
        let mut next = || members.next().flatten();
        let [action, who, by] = [(); 3].map(|()| Cow::Owned(next().unwrap_or_default()));
        let entry = Self {
            at: Timestamp(at),
            action,
            who,
            by,
            source: next(),
            request_id: next(),
            lane: next(),
            to: next(),
            call: next(),
            outcome: next(),
            note: next(),
            result,
        };
        (number, entry)
    }
}

/// What the audit trail is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// An action begins at this time; the answer is its number.
    Begin(i64, Stored),
    /// The action of this number has ended with this result; the answer is `null`.
    End(i64, String),
    /// At most so many actions before this number, newest first; the answer is a list of [`AuditRow`]s.
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
    pub fn begin(&self, at: i64, entry: &[Option<String>]) -> Result<i64, StorageError> {
        let text = serde_json::to_string(entry).map_err(|_| StorageError::Failed)?;
        let statement = "INSERT INTO audit (at, entry) VALUES (?, ?) RETURNING id";
        let rows = self.0.query(statement, &[at.into(), text.into()])?;
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

    /// At most `most` actions before the one of this number, newest first.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn list(&self, before: Option<i64>, most: u32) -> Result<Vec<AuditRow>, StorageError> {
        const STATEMENT: &str = "SELECT id, at, entry, result FROM audit
            WHERE id < ? ORDER BY id DESC LIMIT ?";
        /// More than any number is.
        const END: i64 = 1 << 52;
        let before = before.unwrap_or(END).clamp(0, END);
        let read = |row: &Row| {
            let stored = serde_json::from_slice(row.text(2)?.as_bytes());
            let stored = stored.map_err(|_| StorageError::Corrupt)?;
            let result = row.optional_text(3)?.map(str::to_owned);
            Ok((row.integer(0)?, row.integer(1)?, stored, result))
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
