//! Rows, as they can be shown.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Result, Settlement};
use crate::delivery::breaker::Breaker;
use crate::delivery::database::{Row, StorageError};
use crate::receipt::{
    Acknowledged, Attempt, Callback, Delivery, Outcome, State, Timestamp, millis,
};
use crate::vendor::{NO_SUCH_USER, Verdict};

/// What a lane knows of one delivery; never whose data it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The source of the erasure.
    pub source: String,
    /// The platform's id of the erasure.
    pub request_id: String,
    /// Names the delivery within its erasure.
    pub slot: String,
    /// Its place among the deliveries of its erasure: a larger number came later.
    pub position: i64,
    /// When the erasure's first webhook came in.
    #[serde(with = "millis")]
    pub received_at: Timestamp,
    /// The vendor's call; `None` where none was possible.
    pub call: Option<Cow<'static, str>>,
    /// The kind of identifier.
    pub identifier: Option<String>,
    /// Its pseudonym.
    pub subject: Option<String>,
    /// What is known.
    pub outcome: Outcome,
    /// The vendor's HTTP status.
    pub status: Option<u16>,
    /// Calls made so far.
    pub attempts: u32,
    /// The reason, in fixed words.
    pub detail: Option<Cow<'static, str>>,
    /// The vendor's id of its answer.
    pub trace: Option<String>,
    /// When this was found out.
    #[serde(with = "millis")]
    pub updated_at: Timestamp,
    /// When it is tried next, or given up as lost while it is being tried; `None` once it is final.
    #[serde(with = "millis::option")]
    pub due_at: Option<Timestamp>,
    /// That a person has seen its outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledged>,
    /// The results before this one, oldest first; empty but where they were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Attempt>,
}

impl Record {
    /// Whether both are of the same erasure.
    pub fn is_of(&self, source: &str, request_id: &str) -> bool {
        self.request_id == request_id && self.source == source
    }

    /// Whether both are of the same delivery.
    pub fn is_same_row(&self, other: &Self) -> bool {
        self.is_of(&other.source, &other.request_id) && self.slot == other.slot
    }

    /// Whether another row of its erasure may yet say that its person is absent.
    pub fn may_be_resolved(&self) -> bool {
        self.outcome == Outcome::Rejected && self.detail.as_deref() == Some(NO_SUCH_USER)
    }

    /// Its part of the erasure's state.
    pub fn state(&self) -> State {
        self.outcome.state_of(self.acknowledged.is_some())
    }

    /// As a receipt shows it.
    pub fn into_delivery(self, vendor: &str) -> Delivery {
        Delivery {
            vendor: vendor.to_owned(),
            call: self.call,
            identifier: self.identifier,
            subject: self.subject,
            outcome: self.outcome,
            status: self.status,
            attempts: self.attempts,
            detail: self.detail,
            trace: self.trace,
            next_attempt_at: self.due_at,
            updated_at: self.updated_at,
            acknowledged: self.acknowledged,
            history: self.history,
        }
    }

    /// A message to a platform, as a receipt shows it.
    pub fn into_callback(self) -> Callback {
        Callback {
            message: self.call.unwrap_or_default(),
            word: self.subject.unwrap_or_default(),
            state: self.outcome.into(),
            status: self.status,
            attempts: self.attempts,
            detail: self.detail,
            next_attempt_at: self.due_at,
            updated_at: self.updated_at,
            acknowledged: self.acknowledged,
            history: self.history.into_iter().map(Into::into).collect(),
        }
    }

    /// The row after `attempts` calls came to a final `verdict`.
    pub(super) fn judged(&self, verdict: &Verdict, attempts: u32, at: Timestamp) -> Self {
        Self {
            outcome: verdict.outcome,
            status: verdict.status,
            attempts: self.attempts.saturating_add(attempts),
            detail: verdict.detail.clone(),
            trace: verdict.trace.clone(),
            updated_at: at,
            due_at: None,
            acknowledged: None,
            ..self.clone()
        }
    }

    /// What waits behind a blocked account is shown as blocked with it, and no earlier than the
    /// breaker lets it go.
    pub(super) fn behind(mut self, breaker: &Breaker) -> Self {
        self.due_at = self.due_at.map(|due| due.max(breaker.rests_until()));
        if let (Outcome::Scheduled, Some(reason)) = (self.outcome, &breaker.blocked) {
            self.outcome = Outcome::Blocked;
            self.detail = Some(reason.clone());
        }
        self
    }
}

impl Settlement {
    /// The row after this settlement, where that can be told before it is recorded: the outcome is
    /// final, nothing follows, and it does not depend on the person's other rows.
    pub fn concluded(&self) -> Option<Record> {
        let Self { claim, verdict, attempts, follow_up, at } = self;
        let is_final = verdict.outcome.is_final() && follow_up.is_none();
        let is_known = is_final && !verdict.is_no_such_user();
        is_known.then(|| claim.record.judged(verdict, *attempts, *at))
    }
}

/// The columns of a [`Record`], in its order.
pub(super) const COLUMNS: &str = "source, request_id, slot, position, received_at, call, \
     identifier, subject, outcome, status, attempts, detail, trace, updated_at, \
     COALESCE(due_at, lease_until), acknowledged_at, acknowledged_note";

/// How many columns [`COLUMNS`] has.
pub(super) const COLUMN_COUNT: usize = 17;

/// Reads a row that begins with [`COLUMNS`].
pub(super) fn read(row: &Row) -> Result<Record> {
    let owned = |at| Ok(row.optional_text(at)?.map(str::to_owned));
    let narrow = |_| StorageError::Corrupt;
    let seen_at = row.optional_integer(15)?.map(Timestamp);
    let acknowledged = match (seen_at, row.optional_text(16)?) {
        (Some(at), note) => Some(Acknowledged { at, note: note.unwrap_or_default().to_owned() }),
        (None, _) => None,
    };
    Ok(Record {
        source: row.text(0)?.to_owned(),
        request_id: row.text(1)?.to_owned(),
        slot: row.text(2)?.to_owned(),
        position: row.integer(3)?,
        received_at: Timestamp(row.integer(4)?),
        call: owned(5)?.map(Cow::Owned),
        identifier: owned(6)?,
        subject: owned(7)?,
        outcome: Outcome::parse(row.text(8)?).ok_or(StorageError::Corrupt)?,
        status: row.optional_integer(9)?.map(u16::try_from).transpose().map_err(narrow)?,
        attempts: u32::try_from(row.integer(10)?).map_err(narrow)?,
        detail: owned(11)?.map(Cow::Owned),
        trace: owned(12)?,
        updated_at: Timestamp(row.integer(13)?),
        due_at: row.optional_integer(14)?.map(Timestamp),
        acknowledged,
        history: Vec::new(),
    })
}
