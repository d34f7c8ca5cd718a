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
    used: Used,
}

/// Calls that were made, counted by window: the present one, and the one before.
#[derive(Debug, Clone, Copy, Default)]
struct Used {
    /// Which window is the present one, counted since the Unix epoch.
    window: i64,
    present: u32,
    before: u32,
}

impl Used {
    /// The counts in the window that `now` is in, and how far into it that is, in milliseconds.
    fn at(self, now: Timestamp, length: i64) -> (Self, i64) {
        let window = now.0.div_euclid(length);
        let (present, before) = match window.saturating_sub(self.window) {
            0 => (self.present, self.before),
            1 => (0, self.present),
            _ => (0, 0),
        };
        (Self { window, present, before }, now.0.rem_euclid(length))
    }
}

impl PacedCall {
    /// `kind` with the pace of this lane. `reserved` is what was stored, zero where nothing was.
    pub(super) fn new(kind: CallKind, reserved: Flow) -> Self {
        let CallKind { name, pace, reaches_person } = kind;
        let pacer = Pacer::new(pace);
        let (due_at, newest_next, flow) = (None, false, reserved);
        let used = Used::default();
        Self { name, pace, reaches_person, due_at, newest_next, pacer, flow, reserved, used }
    }

    /// The length of the pace's window, in milliseconds.
    fn window(&self) -> i64 {
        i64::from(self.pace.per_seconds.max(1)).saturating_mul(1000)
    }

    /// About how many calls were made in the window that ends now: those of the present window, and of the
    /// one before the part that the window still covers, as if they had been evenly spread.
    pub(super) fn used(&self, now: Timestamp) -> u32 {
        let length = self.window();
        let (used, into) = self.used.at(now, length);
        let covered = i64::from(used.before).saturating_mul(length.saturating_sub(into));
        let rounded_up = covered.saturating_add(length).saturating_sub(1).div_euclid(length);
        let covered = u32::try_from(rounded_up).unwrap_or(u32::MAX);
        used.present.saturating_add(covered)
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
        (self.used, _) = self.used.at(now, self.window());
        self.used.present = self.used.present.saturating_add(1);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_fades_within_a_window() {
        let pace = Pace { calls: 1000, per_seconds: 60 };
        let kind = CallKind { name: "identity", pace, reaches_person: false };
        let mut paced = PacedCall::new(kind, Flow::default());
        let at = |seconds: i64| Timestamp(1_795_325_400_000 + seconds * 1000);
        assert_eq!(paced.used(at(0)), 0);
        for _ in 0..60 {
            paced.count(at(0));
        }
        for (seconds, used) in [(0, 60), (59, 60), (60, 60), (90, 30), (119, 1), (120, 0)] {
            assert_eq!(paced.used(at(seconds)), used, "{seconds}");
        }
        paced.count(at(90));
        assert_eq!(paced.used(at(90)), 31);
    }
}
