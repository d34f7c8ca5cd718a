//! A lane: the outbox, the ledger, the pacer and the breaker of one vendor account.
//!
//! It decides, and others act: it stores what is to be sent, grants a lease to whoever may send it
//! now, and takes in what came of it. A lease that runs out (a crash, an eviction) is granted again,
//! so each call is made at least once. Clock, randomness and storage come in as arguments; every
//! operation is synchronous, and leaves the storage as a whole step.
//!
//! ```text
//! accept   a webhook's part is stored; what may go at once is leased to the Worker
//! claim    what is due, and may go, is leased to the lane's own alarm
//! settle   what came of a lease: final, to be tried again, or followed by another call
//! wake     when there is something to do next
//! ```

mod ledger;
mod operate;
mod outbox;
mod row;
mod schema;
mod timetable;

use super::breaker::Breaker;
use super::database::{Database, StorageError, Value};
use super::pacer::{Flow, Pacer};
use super::policy::Policy;
use crate::receipt::{Outcome, Timestamp};
use crate::seal::{NONCE_BYTES, Seal};
use crate::vendor::{Call, Pace, RETRY_AFTER_CAP, Verdict};

pub use operate::{Key, Status};
pub use row::Record;
pub use schema::account;

/// How many rows one cleaning removes at most.
const SWEEP: u32 = 500;

/// Whatever a lane may be asked for fails only with its storage.
pub type Result<T> = std::result::Result<T, StorageError>;

/// Fills a buffer with random bytes.
pub type Random = Box<dyn FnMut(&mut [u8])>;

/// The lane of one account.
pub struct Lane<D> {
    database: D,
    account: String,
    policy: Policy,
    calls: Vec<Paced>,
    breaker: Breaker,
    seal: Seal,
    random: Random,
    /// The latest time that was heard of.
    latest: Timestamp,
}

/// A call that the account can make, and how fast.
struct Paced {
    name: &'static str,
    pace: Pace,
    pacer: Pacer,
    flow: Flow,
}

/// A webhook's part for one account.
pub struct Arrival<'a> {
    /// The source that sent it.
    pub source: &'a str,
    /// The platform's id of the request.
    pub request_id: &'a str,
    /// When the webhook came in: the same for all of its lanes, since lists are in this order.
    pub received_at: Timestamp,
    /// How many calls the Worker can make itself at once.
    pub inline: usize,
    /// One for each step of the vendor's plan.
    pub parts: Vec<Part>,
}

/// One step of a plan.
pub enum Part {
    /// To be sent.
    Call {
        /// What to send.
        call: Call,
        /// The pseudonym of whom it is about.
        subject: String,
        /// The pseudonyms of all of the person's names that the call can use.
        names: String,
    },
    /// Cannot be sent; the receipt shows it.
    Unusable {
        /// The kind of the identifier; `None` where the request has none that the vendor takes.
        identifier: Option<String>,
        /// Why, in fixed words.
        detail: String,
    },
}

/// What became of an arrival.
pub struct Accepted {
    /// The whole erasure at this account, what was known before included.
    pub records: Vec<Record>,
    /// What the Worker is to send now: the index of the part, and its lease.
    pub leases: Vec<(usize, Lease)>,
}

/// The right, and the duty, to send one row now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The row.
    pub id: i64,
    /// Counts the row's leases: whoever holds an older one has come too late.
    pub number: i64,
}

/// A lease of the lane's own, with what to send.
#[derive(Debug)]
pub struct Claim {
    /// The lease.
    pub lease: Lease,
    /// What to send.
    pub call: Call,
    /// The source of the erasure.
    pub source: String,
    /// The platform's id of the erasure.
    pub request_id: String,
}

/// What came of a lease.
pub struct Settlement {
    /// The lease.
    pub lease: Lease,
    /// What the vendor's answer means.
    pub verdict: Verdict,
    /// How often the vendor was asked.
    pub attempts: u32,
    /// A call that takes the place of this one, and the pseudonym of whom it is about.
    pub follow_up: Option<(Call, String)>,
}

/// What a settlement led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// What is known now; `None` where the lease had run out and another took its place.
    pub outcome: Option<Outcome>,
    /// Where the call that follows may be sent at once.
    pub lease: Option<Lease>,
}

impl<D: Database> Lane<D> {
    /// Opens the lane of `account` stored in `database`, or begins a new one. `calls` is what the account can
    /// make, as [`crate::vendor::Vendor::calls`] lists it.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn open(
        database: D,
        account: &str,
        policy: Policy,
        calls: &[(&'static str, Pace)],
        seal: Seal,
        random: Random,
        now: Timestamp,
    ) -> Result<Self> {
        schema::prepare(&database, account)?;
        let breaker = row::read_breaker(&database)?;
        let flows = database.query("SELECT call, steady_at FROM flow", &[])?;
        let mut paced = Vec::new();
        for (index, (name, documented)) in calls.iter().enumerate() {
            let pace = policy.pace.filter(|_| index == 0).unwrap_or(*documented);
            let pace = pace.share_of(policy.shards);
            let mut flow = Flow::default();
            for row in &flows {
                if row.text(0)? == *name {
                    flow = Flow(row.integer(1)?);
                }
            }
            paced.push(Paced { name, pace, pacer: Pacer::new(pace), flow });
        }
        let account = account.to_owned();
        let latest = Timestamp(i64::MAX);
        let mut lane =
            Self { database, account, policy, calls: paced, breaker, seal, random, latest };
        lane.heed(now);
        Ok(lane)
    }

    /// Where the clock went backwards, what was remembered must not stop the lane for that long.
    fn heed(&mut self, now: Timestamp) {
        if now < self.latest {
            for call in &mut self.calls {
                call.flow = call.pacer.at_most_full(call.flow, now);
            }
            let longest = self.policy.breaker.probe.max(self.policy.retry.longest);
            self.breaker.at_most(longest.max(self.policy.lease).max(RETRY_AFTER_CAP), now);
        }
        self.latest = now;
    }

    /// The call of this name.
    pub fn call_named(&self, name: &str) -> Option<&'static str> {
        self.calls.iter().find(|call| call.name == name).map(|call| call.name)
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

    /// Takes the pace's leave for one call of this name, if it may be made now.
    fn take_pace(&mut self, call: &str, now: Timestamp) -> Result<bool> {
        let Some(paced) = self.calls.iter_mut().find(|paced| paced.name == call) else {
            return Ok(false);
        };
        let Some(flow) = paced.pacer.take(paced.flow, now) else { return Ok(false) };
        paced.flow = flow;
        let (call, flow) = (paced.name, paced.flow);
        self.store_flow(call, flow)?;
        Ok(true)
    }

    /// Counts a call that was made without asking.
    fn charge_pace(&mut self, call: &str, now: Timestamp) -> Result<()> {
        let Some(paced) = self.calls.iter_mut().find(|paced| paced.name == call) else {
            return Ok(());
        };
        paced.flow = paced.pacer.charge(paced.flow, now);
        let (call, flow) = (paced.name, paced.flow);
        self.store_flow(call, flow)
    }

    fn store_flow(&self, call: &str, flow: Flow) -> Result<()> {
        let statement = "INSERT INTO flow VALUES (?, ?)
            ON CONFLICT DO UPDATE SET steady_at = excluded.steady_at";
        self.database.query(statement, &[call.into(), flow.0.into()]).map(drop)
    }

    fn store_breaker(&self) -> Result<()> {
        let Breaker { failures, blocked, rests_until, open } = &self.breaker;
        let bindings = [
            Value::from(*failures),
            blocked.as_deref().into(),
            rests_until.0.into(),
            i64::from(*open).into(),
        ];
        let statement = "UPDATE lane SET failures = ?, blocked = ?, rests_until = ?, open = ?";
        self.database.query(statement, &bindings).map(drop)
    }
}

/// What a sealed text is bound to.
fn place(source: &str, request_id: &str, slot: &str) -> String {
    format!("{source}\0{request_id}\0{slot}")
}
