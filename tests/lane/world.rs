//! A lane with a clock that stands still until it is told otherwise.

use std::rc::Rc;
use std::time::Duration;

use erasure_relay::delivery::breaker::Limits;
use erasure_relay::delivery::lane::{
    Accepted, Arrival, Claim, Lane, Part, Random, Record, Settled, Settlement,
};
use erasure_relay::delivery::policy::Policy;
use erasure_relay::delivery::retry::Retry;
use erasure_relay::erasure::{Identifier, Kind};
use erasure_relay::pseudonym::{Pseudonym, Pseudonyms};
use erasure_relay::receipt::{Outcome, Timestamp};
use erasure_relay::seal::Seal;
use erasure_relay::vendor::{Answer, Call, CallKind, Failure, NO_SUCH_USER, Pace, Scope, Verdict};

use crate::database::{Shared, Store};

pub const START: Timestamp = Timestamp(1_795_325_400_000);
pub const KEY: &str = "a key of sixteen bytes or more";
pub const IDENTITY: &str = "identity";
pub const PROFILE: &str = "profile";
pub const CALLS: &[CallKind] = &[
    CallKind { name: IDENTITY, pace: Pace { calls: 1000, per_seconds: 60 }, reaches_person: false },
    CallKind { name: PROFILE, pace: Pace { calls: 10_000, per_seconds: 60 }, reaches_person: true },
];
pub const DAY: u64 = 86_400;
/// How many calls of an arrival may be claimed at once.
pub const ROOM: usize = 6;

/// The configuration's defaults.
pub fn policy() -> Policy {
    Policy {
        pace: None,
        shards: 1,
        jurisdiction: None,
        retry: Retry {
            first: Duration::from_secs(30),
            longest: Duration::from_secs(3600),
            deadline: Duration::from_secs(72 * 3600),
        },
        breaker: Limits { failures: 5, probe: Duration::from_secs(300) },
        lease: Duration::from_secs(45),
        receipts: Duration::from_secs(731 * DAY),
        hold: Duration::from_secs(30 * DAY),
        replay: Duration::from_secs(30 * DAY),
    }
}

/// Random numbers that are the same in every run (splitmix64).
#[derive(Clone)]
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From `low` up to, and without, `high`.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + (self.roll() % (high - low).max(1).unsigned_abs()).cast_signed()
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.roll().is_multiple_of(times)
    }

    pub fn random(seed: u64) -> Random {
        let mut dice = Self(seed);
        Box::new(move |buffer| {
            for chunk in buffer.chunks_mut(8) {
                let bytes = dice.roll().to_le_bytes();
                chunk.copy_from_slice(&bytes[..chunk.len()]);
            }
        })
    }
}

pub fn identity(email: &str) -> Call {
    let identifier = Identifier::restore(Kind::Email, email.to_owned());
    Call { name: IDENTITY, identifier, alternatives: Vec::new() }
}

pub fn profile(email: &str) -> Call {
    Call { name: PROFILE, ..identity(email) }
}

pub fn subject(call: &Call) -> String {
    pseudonym(&call.identifier, KEY, None).shown
}

/// The pseudonym of a call's identifier as a lane stores it.
pub fn stored(call: &Call) -> String {
    stored_with_key(call, KEY)
}

/// The same under this key.
pub fn stored_with_key(call: &Call, key: &str) -> String {
    pseudonym(&call.identifier, key, None).stored
}

fn pseudonym(identifier: &Identifier, key: &str, previous: Option<&str>) -> Pseudonym {
    let previous = previous.map(Into::into);
    Pseudonyms::new(&key.into(), previous.as_ref()).unwrap().of(identifier)
}

pub fn part(call: Call) -> Part {
    part_with_keys(call, KEY, None)
}

/// A part whose pseudonyms are made with these keys.
pub fn part_with_keys(call: Call, key: &str, previous: Option<&str>) -> Part {
    let pseudonym = |one| pseudonym(one, key, previous);
    let alternatives = call.alternatives.iter().map(pseudonym).collect();
    Part::Call { subject: pseudonym(&call.identifier), alternatives, call }
}

pub fn nobody() -> Part {
    without(Outcome::InsufficientIdentification)
}

/// A phone number of this pseudonym, which cannot be sent.
pub fn unusable(subject: &str) -> Part {
    let pseudonym = Pseudonym {
        shown: format!("shown {subject}"),
        stored: subject.to_owned(),
        stored_before: Some(format!("{subject} before")),
    };
    let identifier = Some(("phone_number".to_owned(), pseudonym));
    let outcome = Outcome::InsufficientIdentification;
    Part::Unusable { identifier, detail: "not E.164", outcome }
}

/// A request that names nobody whom the vendor takes, which is this.
pub fn without(outcome: Outcome) -> Part {
    Part::Unusable { identifier: None, detail: "no identifier", outcome }
}

pub fn verdict(outcome: Outcome, status: u16, retry_after: Option<u64>) -> Verdict {
    let answer = Answer {
        status,
        body: Vec::new(),
        truncated: false,
        retry_after: retry_after.map(Duration::from_secs),
        trace: Some("trace-1".to_owned()),
    };
    answer.means(outcome, "said so")
}

pub fn accepted() -> Verdict {
    verdict(Outcome::Accepted, 200, None)
}

pub fn failed() -> Verdict {
    verdict(Outcome::Scheduled, 500, None)
}

pub fn refused() -> Verdict {
    verdict(Outcome::Blocked, 401, None)
}

/// Rejected, and that is about this call alone.
pub fn not_enabled() -> Verdict {
    verdict(Outcome::Blocked, 400, None).about(Scope::Call)
}

/// Rejected, and it is unclear whether that is about the call or the account.
pub fn forbidden() -> Verdict {
    verdict(Outcome::Blocked, 403, None).about(Scope::Unclear)
}

pub fn no_such_user() -> Verdict {
    Verdict { detail: Some(NO_SUCH_USER.into()), ..verdict(Outcome::Rejected, 404, None) }
}

pub fn throttled(retry_after: u64) -> Verdict {
    verdict(Outcome::Scheduled, 429, Some(retry_after))
}

pub fn silence() -> Verdict {
    Failure::Timeout.into()
}

/// A lane, its storage and its time.
pub struct World {
    pub store: Rc<Store>,
    pub lane: Lane<Shared>,
    pub policy: Policy,
    pub now: Timestamp,
    seal: Seal,
}

impl World {
    pub fn new() -> Self {
        Self::with(policy())
    }

    pub fn with(policy: Policy) -> Self {
        Self::on(Store::in_memory(), policy)
    }

    pub fn on(store: Rc<Store>, policy: Policy) -> Self {
        let seal = seal(KEY, None);
        let lane = open(&store, &policy, &seal, START);
        Self { store, lane, policy, now: START, seal }
    }

    /// The object was evicted, and is woken again.
    pub fn reopen(&mut self) {
        self.lane = open(&self.store, &self.policy, &self.seal, self.now);
    }

    pub fn reopen_with_key(&mut self, key: &str, previous: Option<&str>) {
        self.seal = seal(key, previous);
        self.reopen();
    }

    pub fn pass(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
    }

    pub fn arrive(&mut self, request_id: &str, parts: Vec<Part>) -> Accepted {
        self.arrive_with(ROOM, request_id, parts)
    }

    pub fn arrive_with(&mut self, room: usize, request_id: &str, parts: Vec<Part>) -> Accepted {
        let arrival = Arrival {
            source: "consent",
            request_id,
            received_at: self.now,
            repeat_after: None,
            parts,
        };
        self.lane.accept(arrival, room, self.now).unwrap()
    }

    /// A webhook that names these addresses.
    pub fn accept(&mut self, request_id: &str, emails: &[&str]) -> Accepted {
        self.arrive(request_id, emails.iter().map(|email| part(identity(email))).collect())
    }

    /// One delivery, claimed as it arrives.
    pub fn claim_new(&mut self, request_id: &str) -> Claim {
        self.accept(request_id, &[&format!("{request_id}@example.com")]).claims.remove(0)
    }

    /// One delivery that waits for its turn.
    pub fn wait(&mut self, request_id: &str) {
        let parts = vec![part(identity(&format!("{request_id}@example.com")))];
        assert!(self.arrive_with(0, request_id, parts).claims.is_empty());
    }

    /// So many deliveries that are due, one after the other.
    pub fn backlog(&mut self, count: usize) {
        for number in 0..count {
            self.wait(&format!("backlog-{number}"));
            self.now.0 += 100;
        }
        self.pass(3600);
    }

    pub fn claim(&mut self, most: usize) -> Vec<Claim> {
        let claimed = self.lane.claim(most, self.now).unwrap();
        assert_eq!(claimed.unreadable, None);
        claimed.claims
    }

    /// Returns what has waited too long.
    pub fn clean(&mut self) -> Vec<Record> {
        self.lane.clean(self.now).unwrap()
    }

    pub fn settle(&mut self, claim: &Claim, verdict: Verdict) -> Settled {
        self.lane.settle(&settlement(claim, verdict, self.now), self.now).unwrap()
    }

    /// The answer to a call is that another call must follow.
    pub fn settle_and_follow(&mut self, claim: &Claim, call: Call) -> Option<Claim> {
        let follow_up = Some((call.clone(), subject(&call)));
        let verdict = verdict(Outcome::NotErased, 400, None);
        let settlement = Settlement { follow_up, ..settlement(claim, verdict, self.now) };
        self.lane.settle(&settlement, self.now).unwrap().next
    }

    pub fn find(&self, request_id: &str) -> Vec<Record> {
        self.lane.find("consent", request_id).unwrap()
    }

    pub fn outcome(&self, request_id: &str) -> Outcome {
        self.find(request_id)[0].outcome
    }

    pub fn wake(&self) -> Option<Timestamp> {
        self.lane.wake().unwrap()
    }

    /// In how many seconds there is something to do.
    pub fn wakes_in(&self) -> i64 {
        (self.wake().unwrap().0 - self.now.0 + 500).div_euclid(1000)
    }

    pub fn person_is_stored(&self, request_id: &str) -> bool {
        let statement = "SELECT person IS NOT NULL FROM delivery WHERE request_id = ?";
        self.store.look(statement, &[request_id.into()])[0].integer(0).unwrap() == 1
    }

    pub fn rows(&self) -> i64 {
        self.store.number("SELECT COUNT(*) FROM delivery")
    }
}

/// What one call came to at `at`.
pub fn settlement(claim: &Claim, verdict: Verdict, at: Timestamp) -> Settlement {
    Settlement { claim: claim.clone(), verdict, attempts: 1, follow_up: None, at }
}

pub fn seal(key: &str, previous: Option<&str>) -> Seal {
    Seal::new(&key.into(), previous.map(Into::into).as_ref()).unwrap()
}

pub fn open(store: &Rc<Store>, policy: &Policy, seal: &Seal, now: Timestamp) -> Lane<Shared> {
    try_open(store, policy, seal, now).unwrap()
}

pub fn try_open(
    store: &Rc<Store>,
    policy: &Policy,
    seal: &Seal,
    now: Timestamp,
) -> erasure_relay::delivery::lane::Result<Lane<Shared>> {
    let random = Dice::random(now.0.unsigned_abs());
    let (policy, seal) = (policy.clone(), seal.clone());
    Lane::open(Shared(store.clone()), "insider", policy, CALLS, seal, random, now)
}
