//! The pace of each call, in memory, with a reservation in the storage.
//!
//! Storing the pace for every call would be a row for every delivery. Instead a second of calls is
//! stored ahead: no call leaves before a stored reservation covers it, so that after a crash the lane
//! starts from the reservation and can only be slower than the pace.

use crate::delivery::pacer::{Flow, Pacer};
use crate::receipt::Timestamp;
use crate::vendor::{CallKind, Pace};

/// How much of the pace is reserved at a time, in microseconds.
const RESERVE: i64 = 1_000_000;

/// A call that the account can make, how fast, and when a row of it is due.
pub(super) struct PacedCall {
    /// The vendor's name for the call.
    pub(super) name: &'static str,
    /// What the vendor allows this lane.
    pub(super) pace: Pace,
    /// Whether one such call reaches all that the vendor has of a person.
    pub(super) reaches_person: bool,
    /// The earliest `due_at` of the rows that wait to make this call: never later than that, and
    /// earlier only until the next claim.
    pub(super) due_at: Option<Timestamp>,
    /// Whether the next claim takes what came due last instead of what has waited longest.
    pub(super) newest_next: bool,
    pacer: Pacer,
    flow: Flow,
    reserved: Flow,
}

impl PacedCall {
    /// `kind` with the pace of this lane. `reserved` is what was stored, zero where nothing was.
    pub(super) fn new(kind: CallKind, reserved: Flow) -> Self {
        let CallKind { name, pace, reaches_person } = kind;
        let pacer = Pacer::new(pace);
        let (due_at, newest_next, flow) = (None, false, reserved);
        Self { name, pace, reaches_person, due_at, newest_next, pacer, flow, reserved }
    }

    /// Whether a row is due.
    pub(super) fn has_due(&self, now: Timestamp) -> bool {
        self.due_at.is_some_and(|due| due <= now)
    }

    /// A row is due at `due`.
    pub(super) fn add_due(&mut self, due: Timestamp) {
        self.due_at = Some(self.due_at.map_or(due, |known| known.min(due)));
    }

    /// When the pace allows the next call.
    pub(super) fn ready_at(&self) -> Timestamp {
        self.pacer.ready_at(self.flow)
    }

    /// When the pace has allowed so many further calls, if none is made in between.
    pub(super) fn ready_after(&self, calls: i64) -> Timestamp {
        self.pacer.ready_at(self.pacer.later(self.flow, calls.saturating_sub(1)))
    }

    /// Whether the pace allows a call now.
    pub(super) fn is_ready(&self, now: Timestamp) -> bool {
        self.pacer.take(self.flow, now).is_some()
    }

    /// Counts a call, whether the pace allows it or not. Returns what must be stored before the
    /// call is made, and then [confirmed](Self::reserve), where no reservation covers it.
    pub(super) fn count(&mut self, now: Timestamp) -> Option<Flow> {
        self.flow = self.pacer.charge(self.flow, now);
        (self.flow.0 > self.reserved.0).then(|| self.pacer.ahead(self.flow, RESERVE))
    }

    /// `reserved` is stored.
    pub(super) fn reserve(&mut self, reserved: Flow) {
        self.reserved = reserved;
    }

    /// The clock went backwards: what was counted must not stop the calls for that long.
    pub(super) fn correct_clock(&mut self, now: Timestamp) {
        self.flow = self.pacer.at_most_full(self.flow, now);
    }
}
