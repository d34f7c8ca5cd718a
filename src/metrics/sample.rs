//! What a lane tells of itself.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::delivery::lane::{IgnoredEvent, Recent, Status};
use crate::receipt::{Outcome, Timestamp, millis};

/// The state of a lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneSample {
    /// Deliveries that are not final.
    pub waiting: i64,
    /// Erasures of which something waits although they should have been answered by now.
    pub overdue: i64,
    /// When the oldest of what waits came in.
    #[serde(with = "millis::option")]
    pub oldest_received_at: Option<Timestamp>,
    /// When the lane does something next.
    #[serde(with = "millis::option")]
    pub next_attempt_at: Option<Timestamp>,
    /// As in [`Status`].
    pub breaker: Cow<'static, str>,
    /// Failures in a row.
    pub failures: u32,
    /// Since when calls have gone one at a time.
    #[serde(with = "millis::option")]
    pub opened_at: Option<Timestamp>,
    /// Of a sample of what waits, what no configured key opens.
    pub unreadable: i64,
    /// What waits for a call that the account cannot make.
    pub unsendable: i64,
    /// Whether the configuration does not name the lane.
    pub is_orphaned: bool,
    /// Rows written since the object was started.
    pub rows_written: Option<u64>,
    /// How fast each call may be made.
    pub pace: Vec<PaceSample>,
    /// Deliveries that a person must look at.
    pub attention: i64,
    /// The deliveries that came in the last 24 hours.
    pub recent: Recent,
    /// The events that this lane has counted.
    pub ignored: Vec<IgnoredEvent>,
}

/// The pace of one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaceSample {
    /// The call.
    pub call: Cow<'static, str>,
    /// At most so many calls …
    pub calls: u32,
    /// … within any window of this length.
    pub per_seconds: u32,
}

impl LaneSample {
    /// The sample of a lane with this status. `recent` is as it is stored: what waits behind a vendor
    /// that rejects the account is counted as blocked, as receipts show it.
    pub fn new(
        status: Status,
        attention: i64,
        mut recent: Recent,
        ignored: Vec<IgnoredEvent>,
    ) -> Self {
        if status.breaker == "blocked" || status.orphaned.is_some() {
            recent.rename(Outcome::Scheduled, Outcome::Blocked);
        }
        let unsendable = status.unsendable.iter().map(|one| one.waiting).sum();
        let pace = status.pace.into_iter().map(|pace| PaceSample {
            call: pace.call.into(),
            calls: pace.calls,
            per_seconds: pace.per_seconds,
        });
        Self {
            waiting: status.waiting,
            overdue: status.overdue,
            oldest_received_at: status.oldest_received_at,
            next_attempt_at: status.next_attempt_at,
            breaker: status.breaker.into(),
            failures: status.failures,
            opened_at: status.opened_at,
            unreadable: status.unreadable,
            unsendable,
            is_orphaned: status.orphaned.is_some(),
            rows_written: status.rows_written,
            pace: pace.collect(),
            attention,
            recent,
            ignored,
        }
    }
}
