//! What must hold after every step, whatever has happened.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use erasure_relay::delivery::database::{Row, Value};
use erasure_relay::delivery::policy::Policy;
use erasure_relay::receipt::Outcome;
use erasure_relay::vendor::{Pace, Verdict};

use super::breaker::Account;
use super::vendor::Window;
use crate::database::Store;
use crate::world::{IDENTITY, PROFILE};

/// Why a call is made again that the vendor has acted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The object was lost with the call or its unrecorded outcome, or failed to record it.
    Crash,
    /// The vendor acted and gave no answer.
    Silence,
    /// The call took longer than its lease.
    Late,
    /// A person wanted it.
    Replay,
}

/// What is known of one row: the one of a person, or of the first of several names.
#[derive(Default)]
struct RowState {
    /// The number of its erasure.
    erasure: usize,
    acknowledged: bool,
    ended: Option<Outcome>,
    /// The vendor confirmed a call whose lease had ended: that stands, whatever was recorded since.
    confirmed: Option<Outcome>,
    /// An operator has ended it.
    discarded: bool,
    /// Its sealed identifiers were overwritten.
    spoilt: bool,
    /// Since when its deadline runs: its first webhook, or the last replay.
    begun_at: i64,
    /// Calls since then that were recorded.
    calls: i64,
    /// Until when a call of this instance of the object has the lease alone.
    held_until: i64,
    held_in: u64,
    /// Calls that were claimed, and that the lane was not told the end of.
    under_way: u32,
    acted: bool,
    excuse: Option<Cause>,
    /// Attempts whose result was not recorded under their lease.
    unrecorded: i64,
}

pub struct Model {
    rows: HashMap<u64, RowState>,
    policy: Policy,
    sent: [Window; 2],
    /// Counts the instances of the object.
    life: u64,
    /// Acknowledged, and not final.
    pub waiting: usize,
    pub duplicates: [u64; 4],
    pub ended: HashMap<&'static str, u64>,
    /// Until when the vendor wants no call at all.
    pub quiet_until: i64,
    pub account: Account,
    /// Erasures whose profile was erased by one of its names.
    erased: HashSet<usize>,
    /// The names that the vendor was asked to erase a profile by.
    pub asked: HashSet<u64>,
}

pub fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap()
}

impl Model {
    pub fn new(policy: Policy, paces: [Pace; 2]) -> Self {
        Self {
            rows: HashMap::new(),
            policy,
            sent: paces.map(Window::new),
            life: 0,
            waiting: 0,
            duplicates: [0; 4],
            ended: HashMap::new(),
            quiet_until: 0,
            account: Account::default(),
            erased: HashSet::new(),
            asked: HashSet::new(),
        }
    }

    fn known(&mut self, person: u64) -> &mut RowState {
        self.rows.get_mut(&person).unwrap()
    }

    /// A webhook comes that names this person.
    pub fn named(&mut self, person: u64, erasure: usize, now: i64) {
        let new = RowState { erasure, begun_at: now, ..RowState::default() };
        self.rows.entry(person).or_insert(new);
    }

    /// The lane has said that it keeps this row.
    pub fn acknowledge(&mut self, person: u64) {
        let known = self.rows.get_mut(&person).unwrap();
        if !known.acknowledged {
            known.acknowledged = true;
            self.waiting += usize::from(known.ended.is_none());
        }
    }

    /// A claim was handed out: it must be the only one, and allowed.
    pub fn claimed(&mut self, person: u64, lease: i64, claimed_at: i64, now: i64) {
        let lease_length = millis(self.policy.lease);
        assert!(now >= self.quiet_until, "the vendor wants to be left alone");
        self.account.claimed((person, lease), now, lease_length);
        let life = self.life;
        let known = self.known(person);
        assert_eq!(known.ended, None, "claimed after its end");
        assert!(!known.spoilt, "nobody can know whom this is about");
        let is_held = known.held_in == life && now < known.held_until;
        assert!(!is_held, "claimed by two at once");
        (known.held_in, known.held_until) = (life, claimed_at + lease_length);
        known.under_way += 1;
    }

    /// A claim was given back: its call was not made.
    pub fn given_back(&mut self, person: u64, lease: i64) {
        self.account.concluded((person, lease));
        let known = self.known(person);
        known.under_way -= 1;
        known.held_until = 0;
    }

    /// A call leaves: within the pace, and for a reason.
    pub fn sent(&mut self, person: u64, call: &str, name: u64, now: i64) {
        self.sent[usize::from(call != IDENTITY)].count(now);
        if call == PROFILE {
            self.asked.insert(name);
        }
        let known = self.known(person);
        if known.acted {
            let late = (known.under_way > 1).then_some(Cause::Late);
            let cause = known.excuse.or(late).expect("sent again without a reason");
            self.duplicates[cause as usize] += 1;
        }
    }

    pub fn acted(&mut self, person: u64) {
        self.known(person).acted = true;
    }

    /// The lane does not know what came of this call, and never will.
    pub fn lost(&mut self, person: u64, lease: i64) {
        self.account.concluded((person, lease));
        let known = self.known(person);
        known.under_way -= 1;
        known.unrecorded += 1;
        known.excuse = Some(Cause::Crash);
    }

    /// Every lease is void: the object is gone.
    pub fn void_leases(&mut self) {
        self.life += 1;
        self.account.reopened();
    }

    /// The lane has recorded a verdict on a call named `call`, in time or too late.
    pub fn settled(
        &mut self,
        person: u64,
        lease: i64,
        call: &str,
        verdict: &Verdict,
        in_time: bool,
        now: i64,
    ) {
        self.account.concluded((person, lease));
        let known = self.known(person);
        known.under_way -= 1;
        known.calls += 1;
        let since = now - known.begun_at;
        assert!(known.calls <= 20 + since / 250_000, "asked without end: {} calls", known.calls);
        if !verdict.outcome.is_final() {
            known.excuse = Some(Cause::Silence);
        }
        if in_time {
            known.held_until = 0;
        } else {
            known.excuse = Some(Cause::Late);
            known.unrecorded += 1;
        }
        if verdict.outcome.is_good() && (!in_time || known.discarded) {
            known.confirmed = Some(verdict.outcome);
        }
        if verdict.outcome == Outcome::Accepted && call == PROFILE {
            let erasure = known.erasure;
            self.erased.insert(erasure);
        }
        if let (Outcome::Scheduled, Some(pause)) = (verdict.outcome, verdict.retry_after) {
            self.quiet_until = self.quiet_until.max(now + millis(pause));
        }
    }

    /// Of how many attempts of this row the result may be missing.
    pub fn unrecorded(&self, person: u64) -> i64 {
        self.rows.get(&person).map_or(0, |known| known.unrecorded)
    }

    /// What this row came to.
    pub fn end_of(&self, person: u64) -> Option<Outcome> {
        self.rows.get(&person).and_then(|known| known.ended)
    }

    /// Whether an end may be another one than the last verdict on this row.
    pub fn may_end_otherwise(&self, person: u64, verdict: &Verdict) -> bool {
        let Some(known) = self.rows.get(&person) else { return true };
        let is_resolved = verdict.is_no_such_user() && self.erased.contains(&known.erasure);
        known.discarded || known.confirmed.is_some() || is_resolved
    }

    /// A person wants this tried again.
    pub fn replayed(&mut self, person: u64, now: i64) {
        let Some(known) = self.rows.get_mut(&person) else { return };
        (known.begun_at, known.calls) = (now, 0);
        if known.ended.take().is_some() {
            self.waiting += usize::from(known.acknowledged);
            known.excuse = Some(Cause::Replay);
            known.held_until = 0;
            known.confirmed = None;
        }
    }

    /// An operator ends this row.
    pub fn discarded(&mut self, person: u64) {
        self.known(person).discarded = true;
    }

    /// What was sealed of this row is overwritten.
    pub fn spoilt(&mut self, person: u64) {
        self.known(person).spoilt = true;
    }

    pub fn is_spoilt(&self, person: u64) -> bool {
        self.rows.get(&person).is_some_and(|known| known.spoilt)
    }

    /// Looks at a row: final, due or leased, whole, and its identifiers gone once nobody needs them.
    pub fn look(&mut self, store: &Store, row: &Key, now: i64) {
        let statement = format!(
            "SELECT {COLUMNS} FROM delivery WHERE source = ? AND request_id = ? AND slot = ?"
        );
        let rows = store.look(&statement, &row.bindings());
        let Some(found) = rows.first() else {
            let lost = self.rows.get(&row.person);
            let lost = lost.is_some_and(|known| known.acknowledged && known.ended.is_none());
            assert!(!lost, "lost");
            return;
        };
        self.compare(row.person, found, now);
    }

    /// Compares a row of [`COLUMNS`].
    fn compare(&mut self, person: u64, row: &Row, now: i64) {
        let Some(known) = self.rows.get_mut(&person) else { return };
        let outcome = Outcome::parse(row.text(0).unwrap()).unwrap();
        let is_stored = row.integer(1).unwrap() == 1;
        let due_at = row.optional_integer(2).unwrap();
        let lease_until = row.optional_integer(3).unwrap();
        assert!(row.integer(4).unwrap() <= now);
        assert!(due_at.is_none() || lease_until.is_none(), "waiting, and leased");
        assert!(due_at.is_none_or(|due| due <= now + 3 * 3_600_000), "asleep");
        assert!(lease_until.is_none_or(|until| until <= now + millis(self.policy.lease)));
        let waited = now - known.begun_at - self.account.blocked_since(known.begun_at, now);
        let deadline = millis(self.policy.retry.deadline);
        if due_at.or(lease_until).is_some() {
            assert!(!outcome.is_final(), "final, and due");
            assert!(is_stored, "due, and nobody knows whom it is about");
            assert_eq!(known.ended, None, "begun again");
            let hold = millis(self.policy.hold);
            assert!(waited <= deadline + hold + 12 * 3_600_000, "it waits without end");
            return;
        }
        assert!(outcome.is_final(), "never due again: {outcome:?}");
        assert!(!is_stored || outcome.can_be_replayed(), "identifiers kept: {outcome:?}");
        if known.ended == Some(outcome) {
            return;
        }
        if let Some(ended) = known.ended {
            let is_resolved = (ended, outcome) == (Outcome::Rejected, Outcome::AlreadyAbsent)
                && self.erased.contains(&known.erasure);
            let is_confirmed = known.confirmed == Some(outcome) && !ended.is_good();
            let is_discarded = known.discarded && outcome == Outcome::Discarded;
            let may_change = is_resolved || is_confirmed || is_discarded;
            assert!(may_change, "{ended:?} became {outcome:?}");
            *self.ended.get_mut(ended.name()).unwrap() -= 1;
        } else {
            self.waiting -= usize::from(known.acknowledged);
        }
        if outcome == Outcome::Exhausted {
            // The next attempt would have been too late, and it is an hour off at most.
            let is_held_up = now - row.integer(4).unwrap() >= millis(self.policy.hold);
            let early = deadline - waited - millis(self.policy.retry.longest);
            assert!(is_held_up || early <= 0, "exhausted {early} ms too early");
        }
        assert!(outcome != Outcome::Discarded || known.discarded, "nobody has discarded it");
        known.ended = Some(outcome);
        *self.ended.entry(outcome.name()).or_default() += 1;
    }

    /// Looks at everything, and forgets what retention has removed.
    pub fn look_at_all(&mut self, store: &Store, slots: &HashMap<String, u64>, now: i64) {
        let statement = format!("SELECT {COLUMNS}, slot FROM delivery WHERE call IS NOT NULL");
        let mut there = HashSet::new();
        for row in store.look(&statement, &[]) {
            let person = slots[row.text(5).unwrap()];
            self.compare(person, &row, now);
            there.insert(person);
        }
        self.rows.retain(|person, known| {
            let lost = known.acknowledged && known.ended.is_none() && !there.contains(person);
            assert!(!lost, "lost");
            there.contains(person) || known.under_way > 0
        });
    }
}

/// What is compared of a row.
const COLUMNS: &str = "outcome, person IS NOT NULL, due_at, lease_until, received_at";

/// Names a row.
#[derive(Debug, Clone)]
pub struct Key {
    pub request_id: String,
    pub slot: String,
    pub person: u64,
}

impl Key {
    pub fn bindings(&self) -> [Value; 3] {
        ["consent".into(), self.request_id.as_str().into(), self.slot.as_str().into()]
    }
}
