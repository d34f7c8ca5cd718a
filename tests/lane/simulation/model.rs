//! What must hold after every step, whatever has happened.

use std::collections::HashMap;
use std::time::Duration;

use erasure_relay::delivery::database::Value;
use erasure_relay::delivery::lane::Lease;
use erasure_relay::delivery::policy::Policy;
use erasure_relay::receipt::Outcome;
use erasure_relay::vendor::{Pace, Verdict};

use super::vendor::Window;
use crate::database::Store;
use crate::world::IDENTITY;

/// Why a call is made again that the vendor has acted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Whoever held the lease, or the record of the answer, was lost.
    Crash,
    /// The vendor acted and gave no answer.
    Silence,
    /// Whoever held the lease was too slow.
    Late,
    /// A person wanted it.
    Replay,
}

/// What is known of one row.
#[derive(Default)]
struct Known {
    person: u64,
    acknowledged: bool,
    ended: Option<Outcome>,
    /// The highest lease seen, and until when its holder is alone.
    lease: i64,
    held_until: i64,
    under_way: u32,
    acted: bool,
    excuse: Option<Cause>,
}

pub struct Model {
    rows: HashMap<i64, Known>,
    policy: Policy,
    granted: [Window; 2],
    /// Acknowledged, and not final.
    pub waiting: usize,
    pub duplicates: [u64; 4],
    pub ended: HashMap<&'static str, u64>,
    /// Until when the vendor wants no call at all.
    pub quiet_until: i64,
    /// The account is refused; a probe is under way until then.
    pub blocked: Option<i64>,
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap()
}

impl Model {
    pub fn new(policy: Policy, paces: [Pace; 2]) -> Self {
        Self {
            rows: HashMap::new(),
            policy,
            granted: paces.map(Window::new),
            waiting: 0,
            duplicates: [0; 4],
            ended: HashMap::new(),
            quiet_until: 0,
            blocked: None,
        }
    }

    /// The lane has said that it keeps this row.
    pub fn acknowledge(&mut self, id: i64, person: u64) {
        let known = self.rows.entry(id).or_default();
        if !known.acknowledged {
            (known.acknowledged, known.person) = (true, person);
            self.waiting += usize::from(known.ended.is_none());
        }
    }

    /// A lease was granted: it must be the only one, allowed, and for a reason.
    pub fn grant(&mut self, lease: Lease, call: &str, person: u64, now: i64) {
        let known = self.rows.entry(lease.id).or_default();
        assert!(known.person == person || !known.acknowledged, "somebody else is sent");
        known.person = person;
        assert_eq!(known.ended, None, "sent after its end");
        assert!(lease.number > known.lease, "a lease granted twice");
        assert!(now >= known.held_until, "leased to two at once");
        assert!(now >= self.quiet_until, "the vendor wants to be left alone");
        if let Some(probe_until) = &mut self.blocked {
            assert!(now >= *probe_until, "more than one probe");
            *probe_until = now + millis(self.policy.lease);
        }
        if known.acted {
            let late = (known.under_way > 0).then_some(Cause::Late);
            let cause = known.excuse.or(late).expect("sent again without a reason");
            self.duplicates[cause as usize] += 1;
        }
        known.lease = lease.number;
        known.held_until = now + millis(self.policy.lease);
        known.under_way += 1;
        self.granted[usize::from(call != IDENTITY)].count(now);
    }

    pub fn acted(&mut self, id: i64) {
        self.rows.get_mut(&id).unwrap().acted = true;
    }

    /// Nobody will tell the lane what came of this call.
    pub fn lost(&mut self, id: i64, cause: Cause) {
        let known = self.rows.get_mut(&id).unwrap();
        known.under_way = known.under_way.saturating_sub(1);
        known.excuse = Some(cause);
    }

    /// The lane was told, in time or too late; `recorded` unless it failed to note it.
    pub fn settled(
        &mut self,
        lease: Lease,
        verdict: &Verdict,
        (in_time, recorded): (bool, bool),
        now: i64,
    ) {
        let known = self.rows.get_mut(&lease.id).unwrap();
        known.under_way = known.under_way.saturating_sub(1);
        if !recorded {
            known.excuse = Some(Cause::Crash);
            return;
        }
        if !verdict.outcome.is_final() {
            known.excuse = Some(Cause::Silence);
        }
        // Too late also for a lease that nobody has heard of, since its claim was lost.
        if in_time && lease.number == known.lease {
            known.held_until = 0;
        } else {
            known.excuse = Some(Cause::Late);
        }
        match (verdict.outcome, verdict.status, verdict.retry_after) {
            (Outcome::Scheduled, _, Some(pause)) => {
                self.quiet_until = self.quiet_until.max(now + millis(pause));
                self.blocked = None;
            }
            (Outcome::Scheduled, Some(429), None) => self.blocked = None,
            (Outcome::Blocked, Some(401), _) => {
                self.blocked = Some(now + millis(self.policy.breaker.probe));
            }
            (outcome, ..) if outcome.is_final() => self.blocked = None,
            // A silence or a failure ends a probe as well.
            _ => self.blocked = self.blocked.map(|_| now),
        }
    }

    /// This lease is over.
    pub fn release(&mut self, lease: Lease) {
        let known = self.rows.get_mut(&lease.id).unwrap();
        if known.lease == lease.number {
            known.held_until = 0;
        }
    }

    /// What this row came to.
    pub fn end_of(&self, id: i64) -> Option<Outcome> {
        self.rows[&id].ended
    }

    /// A person wants this tried again.
    pub fn replayed(&mut self, id: i64) {
        let known = self.rows.get_mut(&id).unwrap();
        if known.ended.take().is_some() {
            self.waiting += usize::from(known.acknowledged);
            known.excuse = Some(Cause::Replay);
            known.held_until = 0;
        }
    }

    /// Looks at a row: final or due, whole, and its identifiers gone once nobody needs them.
    pub fn look(&mut self, store: &Store, id: i64, now: i64) {
        let statement = "SELECT outcome, person IS NOT NULL, due_at, received_at
            FROM deliveries WHERE id = ?";
        let rows = store.look(statement, &[Value::Integer(id)]);
        let Some(row) = rows.first() else {
            let known = &self.rows[&id];
            assert!(!known.acknowledged || known.ended.is_some(), "lost");
            return;
        };
        let outcome = Outcome::parse(row.text(0).unwrap()).unwrap();
        let is_stored = row.integer(1).unwrap() == 1;
        let received_at = row.integer(3).unwrap();
        self.compare(id, outcome, is_stored, row.optional_integer(2).unwrap(), received_at, now);
    }

    fn compare(
        &mut self,
        id: i64,
        outcome: Outcome,
        is_stored: bool,
        due_at: Option<i64>,
        received_at: i64,
        now: i64,
    ) {
        let Some(known) = self.rows.get_mut(&id) else { return };
        assert!(received_at <= now);
        match due_at {
            Some(_) => {
                assert!(!outcome.is_final(), "final, and due");
                assert!(is_stored, "due, and nobody knows whom it is about");
                assert_eq!(known.ended, None, "begun again");
            }
            None => {
                assert!(outcome.is_final(), "never due again: {outcome:?}");
                assert!(!is_stored || outcome.can_be_replayed(), "identifiers kept: {outcome:?}");
                if let Some(ended) = known.ended {
                    assert_eq!(ended, outcome, "another end");
                    return;
                }
                known.ended = Some(outcome);
                *self.ended.entry(outcome.name()).or_default() += 1;
                self.waiting -= usize::from(known.acknowledged);
            }
        }
    }

    /// Looks at everything, and forgets what retention has removed.
    pub fn look_at_all(&mut self, store: &Store, now: i64) {
        let statement = "SELECT id, outcome, person IS NOT NULL, due_at, received_at
            FROM deliveries WHERE call IS NOT NULL";
        let mut there = std::collections::HashSet::new();
        for row in store.look(statement, &[]) {
            let id = row.integer(0).unwrap();
            let outcome = Outcome::parse(row.text(1).unwrap()).unwrap();
            let is_stored = row.integer(2).unwrap() == 1;
            let (due_at, received_at) = (row.optional_integer(3).unwrap(), row.integer(4).unwrap());
            assert!(due_at.is_none_or(|due| due <= now + 3 * 3_600_000), "asleep");
            self.compare(id, outcome, is_stored, due_at, received_at, now);
            there.insert(id);
        }
        self.rows.retain(|id, known| {
            let lost = known.acknowledged && known.ended.is_none() && !there.contains(id);
            assert!(!lost, "lost");
            there.contains(id) || known.under_way > 0
        });
    }
}
