//! Rows, as they can be shown.

use std::borrow::Cow;

use super::{Result, Settlement};
use crate::delivery::breaker::Breaker;
use crate::delivery::database::{Database, Row, StorageError};
use crate::receipt::{Delivery, Outcome, Timestamp};

/// What a lane knows of one delivery; never whose data it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The row.
    pub id: i64,
    /// The source of the erasure.
    pub source: String,
    /// The platform's id of the erasure.
    pub request_id: String,
    /// When its webhook came in.
    pub received_at: Timestamp,
    /// The vendor's call; `None` where none was possible.
    pub call: Option<String>,
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
    pub detail: Option<String>,
    /// The vendor's id of its answer.
    pub trace: Option<String>,
    /// When this was found out.
    pub updated_at: Timestamp,
    /// When it is tried next; `None` once it is final.
    pub due_at: Option<Timestamp>,
}

impl Record {
    /// As a receipt shows it.
    pub fn into_delivery(self, vendor: &str) -> Delivery {
        Delivery {
            vendor: vendor.to_owned(),
            call: self.call.map(Into::into),
            identifier: self.identifier,
            subject: self.subject,
            outcome: self.outcome,
            status: self.status,
            attempts: self.attempts,
            detail: self.detail.map(Into::into),
            trace: self.trace,
            next_attempt_at: self.due_at,
            updated_at: self.updated_at,
        }
    }

    /// What a final settlement makes of it.
    pub fn conclude(&mut self, settlement: &Settlement, at: Timestamp) {
        let verdict = &settlement.verdict;
        self.outcome = verdict.outcome;
        self.status = verdict.status;
        self.attempts = self.attempts.saturating_add(settlement.attempts);
        self.detail = verdict.detail.as_deref().map(str::to_owned);
        self.trace = verdict.trace.clone();
        self.updated_at = at;
        self.due_at = None;
    }
}

/// The columns of a [`Record`], in its order.
pub(super) const COLUMNS: &str = "id, source, request_id, received_at, call, identifier, subject, \
     outcome, status, attempts, detail, trace, updated_at, due_at";

/// Reads a row of [`COLUMNS`]. What waits behind a blocked account is blocked with it.
pub(super) fn read(row: &Row, breaker: &Breaker) -> Result<Record> {
    let owned = |at| Ok(row.optional_text(at)?.map(str::to_owned));
    let narrow = |_| StorageError::Corrupt;
    let status = row.optional_integer(8)?.map(u16::try_from).transpose().map_err(narrow)?;
    let due_at = row.optional_integer(13)?.map(|due| Timestamp(due).max(breaker.rests_until));
    let mut record = Record {
        id: row.integer(0)?,
        source: row.text(1)?.to_owned(),
        request_id: row.text(2)?.to_owned(),
        received_at: Timestamp(row.integer(3)?),
        call: owned(4)?,
        identifier: owned(5)?,
        subject: owned(6)?,
        outcome: Outcome::parse(row.text(7)?).ok_or(StorageError::Corrupt)?,
        status,
        attempts: u32::try_from(row.integer(9)?).map_err(narrow)?,
        detail: owned(10)?,
        trace: owned(11)?,
        updated_at: Timestamp(row.integer(12)?),
        due_at,
    };
    if let (Outcome::Scheduled, Some(reason)) = (record.outcome, &breaker.blocked) {
        record.outcome = Outcome::Blocked;
        record.detail = Some(reason.clone().into_owned());
    }
    Ok(record)
}

pub(super) fn read_breaker(database: &impl Database) -> Result<Breaker> {
    let rows = database.query("SELECT failures, blocked, rests_until, open FROM lane", &[])?;
    let row = rows.first().ok_or(StorageError::Corrupt)?;
    Ok(Breaker {
        failures: u32::try_from(row.integer(0)?).map_err(|_| StorageError::Corrupt)?,
        blocked: row.optional_text(1)?.map(|reason| Cow::Owned(reason.to_owned())),
        rests_until: Timestamp(row.integer(2)?),
        open: row.integer(3)? != 0,
    })
}
