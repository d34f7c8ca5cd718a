//! A lane: the outbox, the ledger, the pace and the breaker of one vendor account.
//!
//! The lane decides, and its caller acts: it stores what is to be sent, hands out claims to whoever
//! may be sent now, and records what came of them. Clock, randomness and storage are arguments; every
//! operation is synchronous, so that the runtime commits what it wrote as a whole.
//!
//! ```text
//! accept   stores a webhook's part; what may be sent at once comes back as claims
//! claim    hands out what is due and may be sent now
//! settle   records what came of a claim: final, to be tried again, or followed by another call
//! wake     when there is something to do next
//! ```
//!
//! A row waits (`due_at`), is leased to a claim (`lease_until`) or is final (neither). Claims live in
//! the memory of the object that opened the lane and nowhere else: when a lane is opened, the leases
//! of the instance before it are void, and their rows are due again. Each call is therefore made at
//! least once.

mod acknowledge;
mod alerts;
mod arrival;
mod breaker;
mod claim;
mod history;
mod ignored;
mod ledger;
mod measure;
mod moving;
mod names;
mod notices;
mod operate;
mod pace;
mod reading;
mod record;
mod registration;
mod replay;
mod schema;
mod settle;
mod timetable;
mod unsendable;
mod unusable;

use super::breaker::Breaker;
use super::database::{Database, StorageError};
use super::pacer::Flow;
use super::policy::Policy;
use crate::receipt::Timestamp;
use crate::seal::{NONCE_BYTES, Seal};
use crate::vendor::{Call, CallKind, RETRY_AFTER_CAP, Verdict};
use pace::PacedCall;

pub use alerts::Raises;
pub use arrival::{Accepted, Arrival, Part};
pub use ignored::IgnoredEvent;
pub use measure::Recent;
pub use notices::Notice;
pub use operate::{BreakerState, Key, PaceStatus, Status};
pub use reading::{Found, Slip};
pub use record::Record;
pub use schema::account;
pub use unsendable::Unsendable;

/// How many rows one cleaning removes at most.
const CLEANING: u32 = 500;

/// Whatever a lane is asked for fails only with its storage.
pub type Result<T> = std::result::Result<T, StorageError>;

/// Fills a buffer with random bytes.
pub type Random = Box<dyn FnMut(&mut [u8])>;

/// The lane of one account.
pub struct Lane<D> {
    database: D,
    account: String,
    policy: Policy,
    calls: Vec<PacedCall>,
    breaker: Breaker,
    seal: Seal,
    random: Random,
    /// The latest time that an operation was given.
    latest: Timestamp,
    /// Which of `calls` the next claim looks at first, modulo their number.
    first_call: usize,
    /// What is due may not be called before this: it is of erasures that the breaker suspects.
    no_candidate_until: Timestamp,
    /// Whether it raises alerts.
    raises_alerts: bool,
}

/// The right, and the duty, to make one call now.
#[derive(Debug, Clone)]
pub struct Claim {
    /// What to send.
    pub call: Call,
    /// The row, as it is known.
    pub record: Record,
    /// When the claim was handed out. The pace was taken then.
    pub claimed_at: Timestamp,
    lease: Lease,
}

/// The lease of one row.
#[derive(Debug, Clone, Copy)]
struct Lease {
    /// Counts the row's leases: a claim of an older number is void.
    number: i64,
    /// When the row is due again, if it is not settled.
    until: Timestamp,
    /// Failures of the row in a row.
    failures: u32,
    /// A failure after this is the last.
    deadline_at: Timestamp,
    /// The row was rejected before, and other erasures were not: a rejection is about it alone.
    is_alone: bool,
}

/// What came of a claim.
#[derive(Debug)]
pub struct Settlement {
    /// The claim.
    pub claim: Claim,
    /// What the vendor's answer means.
    pub verdict: Verdict,
    /// How often the vendor was asked.
    pub attempts: u32,
    /// A call that takes the place of this one, and the pseudonym of its subject.
    pub follow_up: Option<(Call, String)>,
    /// When the last answer came.
    pub at: Timestamp,
}

/// What a settlement led to.
#[derive(Debug)]
pub struct Settled {
    /// The row after it; `None` where the claim was void: the row waits, or was claimed again.
    pub record: Option<Record>,
    /// The call that follows, where it may be made at once.
    pub next: Option<Claim>,
}

/// What a lane hands out.
#[derive(Debug, Default)]
pub struct Claimed {
    /// To be sent.
    pub claims: Vec<Claim>,
    /// A row whose identifiers could not be opened, as it is now: nothing can be sent for it.
    pub unreadable: Option<Record>,
}

impl Claim {
    /// When the row is due again, if the claim is not settled.
    pub fn lease_until(&self) -> Timestamp {
        self.lease.until
    }
}

impl<D: Database> Lane<D> {
    /// Opens the lane of `account` in `database`, or begins a new one. `calls` is what the account
    /// can make, as [`crate::vendor::Vendor::calls`] lists it.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn open(
        database: D,
        account: &str,
        policy: Policy,
        calls: &[CallKind],
        seal: Seal,
        random: Random,
        now: Timestamp,
    ) -> Result<Self> {
        schema::prepare(&database, account)?;
        let breaker = breaker::read(&database)?;
        let flows = database.query("SELECT call, steady_at FROM flow", &[])?;
        let mut paced = Vec::new();
        for (index, kind) in calls.iter().enumerate() {
            let pace = policy.pace.filter(|_| index == 0).unwrap_or(kind.pace);
            let pace = pace.share_of(policy.shards);
            let mut reserved = Flow::default();
            for row in &flows {
                if row.text(0)? == kind.name {
                    reserved = Flow(row.integer(1)?);
                }
            }
            paced.push(PacedCall::new(CallKind { pace, ..*kind }, reserved));
        }
        let mut lane = Self {
            database,
            account: account.to_owned(),
            policy,
            calls: paced,
            breaker,
            seal,
            random,
            latest: Timestamp(i64::MAX),
            first_call: 0,
            no_candidate_until: Timestamp::default(),
            raises_alerts: false,
        };
        lane.correct_clock(now);
        lane.end_all_leases(now)?;
        lane.find_due()?;
        Ok(lane)
    }

    /// Whether calls may be made without regard to what failed before.
    fn is_free(&self, now: Timestamp) -> bool {
        self.breaker.leave(now) == super::breaker::Leave::Free
    }

    /// Whether calls go one at a time, to see how the vendor answers.
    pub fn is_probing(&self) -> bool {
        self.breaker.is_open()
    }

    /// Whether a claim is so old that its call would come later than the pace leaves room for, or
    /// that its lease has run out.
    pub fn is_late(&self, claim: &Claim, now: Timestamp) -> bool {
        let mut calls = self.calls.iter();
        let slack =
            calls.find(|paced| paced.name == claim.call.name).map(|paced| paced.pace.slack());
        now >= claim.lease.until || slack.is_none_or(|slack| now.since(claim.claimed_at) > slack)
    }

    /// Whether the call of a claim that has waited may be made: it is not late, and the breaker is
    /// closed.
    pub fn may_send(&self, claim: &Claim, now: Timestamp) -> bool {
        self.is_free(now) && !self.is_late(claim, now)
    }

    /// Where the clock went backwards, what was remembered must not stop the lane for that long.
    fn correct_clock(&mut self, now: Timestamp) {
        if now < self.latest {
            for call in &mut self.calls {
                call.correct_clock(now);
            }
            let longest = self.policy.breaker.probe.max(self.policy.retry.longest);
            self.breaker.at_most(longest.max(self.policy.lease).max(RETRY_AFTER_CAP), now);
        }
        self.latest = now;
    }

    fn paced(&mut self, call: &str) -> Option<&mut PacedCall> {
        self.calls.iter_mut().find(|paced| paced.name == call)
    }

    /// Whether one such call reaches all that the vendor has of a person.
    fn reaches_person(&self, call: &str) -> bool {
        self.calls.iter().any(|paced| paced.name == call && paced.reaches_person)
    }

    /// A row that makes `call` is due at `due`.
    fn add_due(&mut self, call: &str, due: Timestamp) {
        self.no_candidate_until = Timestamp::default();
        if let Some(paced) = self.paced(call) {
            paced.add_due(due);
        }
    }

    fn random_number(&mut self) -> u32 {
        let mut bytes = [0; 4];
        (self.random)(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    /// Seals whom `call` is about, for the row at `place`.
    fn seal(&mut self, call: &Call, place: &str) -> Result<String> {
        let mut nonce = [0; NONCE_BYTES];
        (self.random)(&mut nonce);
        self.seal.close(call, place, nonce).map_err(|_| StorageError::Failed)
    }

    /// Counts a call, and stores what must be stored before it is made.
    fn count_call(&mut self, call: &str, now: Timestamp) -> Result<()> {
        const STATEMENT: &str = "INSERT INTO flow VALUES (?, ?)
            ON CONFLICT DO UPDATE SET steady_at = excluded.steady_at";
        let Some(reserved) = self.paced(call).and_then(|paced| paced.count(now)) else {
            return Ok(());
        };
        self.database.query(STATEMENT, &[call.into(), reserved.0.into()])?;
        if let Some(paced) = self.paced(call) {
            paced.reserve(reserved);
        }
        Ok(())
    }
}

/// What a sealed text is bound to.
fn place(source: &str, request_id: &str, slot: &str) -> String {
    format!("{source}\0{request_id}\0{slot}")
}
