//! The calls of a lane that are under way, those that wait for one to end, and the outcomes that are
//! not recorded yet. All of it is in memory: what is lost with it is due again when the lane is opened.
//!
//! ```text
//! deliver ──► queue ─┐
//!                    ├─► next ──► a call, made by the caller ──► finish ──► flush
//! waiting rows ──────┘                                             └──► a call that follows
//! ```
//!
//! First attempts and rows that waited are made by the same few connections. First attempts are queued
//! only while nothing else is due, and the rows that are due are claimed from both ends, so neither
//! starves the other.

use std::collections::VecDeque;
use std::time::Duration;

use super::database::Database;
use super::lane::{Accepted, Arrival, Claim, Lane, Record, Result, Settlement};
use crate::receipt::Timestamp;

/// Calls that are under way at most. The platform opens six connections at once
/// (<https://developers.cloudflare.com/workers/platform/limits/#simultaneous-open-connections>).
pub const CONNECTIONS: usize = 6;

/// First attempts that wait in memory for a connection, at most; more wait in the storage.
const QUEUE: usize = 32;

/// How long one event of the object goes on to claim rows that wait. Then the alarm begins another,
/// with a CPU limit of its own.
const CLAIMING: Duration = Duration::from_secs(20);

/// A pause up to this is awaited in memory; the alarm is for longer ones.
const SHORT_PAUSE: Duration = Duration::from_secs(2);

/// A lane and what is under way in it.
pub struct Dispatcher<D> {
    lane: Lane<D>,
    queue: VecDeque<Claim>,
    /// The row of each call that is under way.
    in_flight: Vec<RowKey>,
    unrecorded: Vec<Settlement>,
    claims_until: Timestamp,
}

/// The source and id of an erasure, and the slot of one of its deliveries.
type RowKey = (String, String, String);

/// What to do next.
#[derive(Debug)]
pub enum Next {
    /// Make this call, then [`finish`](Dispatcher::finish) it, or give it back.
    Send(Claim),
    /// A row turned out to be unreadable, and is as shown; ask again.
    Unreadable(Record),
    /// Nothing may be sent now.
    Nothing,
}

/// What became of a call.
#[derive(Debug)]
pub struct Finished {
    /// The row; `None` where the claim turned out to be void. Of an outcome that is not recorded yet,
    /// that is not known.
    pub record: Option<Record>,
    /// Whether there are outcomes to [`flush`](Dispatcher::flush).
    pub unrecorded: bool,
}

impl<D: Database> Dispatcher<D> {
    /// Nothing is under way in `lane` yet.
    pub fn new(lane: Lane<D>) -> Self {
        Self {
            lane,
            queue: VecDeque::new(),
            in_flight: Vec::new(),
            unrecorded: Vec::new(),
            claims_until: Timestamp::default(),
        }
    }

    /// The lane, with every outcome recorded.
    ///
    /// # Errors
    /// [`StorageError`](super::database::StorageError)
    pub fn lane(&mut self, now: Timestamp) -> Result<&mut Lane<D>> {
        self.flush(now)?;
        Ok(&mut self.lane)
    }

    /// The lane as it is stored: without the outcomes that are not recorded yet.
    pub fn stored(&self) -> &Lane<D> {
        &self.lane
    }

    /// Stores an arrival and queues what may be sent at once.
    ///
    /// # Errors
    /// [`StorageError`](super::database::StorageError); then nothing may be acknowledged.
    pub fn deliver(&mut self, arrival: Arrival<'_>, now: Timestamp) -> Result<Accepted> {
        let Arrival { source, request_id, .. } = arrival;
        if self.unrecorded.iter().any(|one| one.claim.record.is_of(source, request_id)) {
            self.flush(now)?;
        }
        let taken = self.in_flight.len().saturating_add(self.queue.len());
        let room = CONNECTIONS.saturating_add(QUEUE).saturating_sub(taken);
        let mut accepted = self.lane.accept(arrival, room, now)?;
        self.queue.extend(accepted.claims.drain(..));
        self.begin(now);
        Ok(accepted)
    }

    /// Ends an erasure as [`Lane::discard`] does; calls of it that are queued are not made.
    ///
    /// # Errors
    /// [`StorageError`](super::database::StorageError)
    pub fn discard(
        &mut self,
        source: &str,
        request_id: &str,
        note: &str,
        now: Timestamp,
    ) -> Result<Vec<Record>> {
        self.discard_from(source, request_id, 0, note, now)
    }

    /// The same for the rows of an erasure from this position on.
    ///
    /// # Errors
    /// [`StorageError`](super::database::StorageError)
    pub fn discard_from(
        &mut self,
        source: &str,
        request_id: &str,
        position: i64,
        note: &str,
        now: Timestamp,
    ) -> Result<Vec<Record>> {
        let ended = self.lane(now)?.discard_from(source, request_id, position, note, now)?;
        self.unqueue(&ended);
        Ok(ended)
    }

    /// Drops queued calls of these rows, whose claims are void.
    fn unqueue(&mut self, ended: &[Record]) {
        self.queue.retain(|claim| !ended.iter().any(|record| claim.record.is_same_row(record)));
    }

    /// An event of the object has begun: from now on, waiting rows are claimed for a while.
    pub fn begin(&mut self, now: Timestamp) {
        self.claims_until = now.after(CLAIMING);
    }

    /// The next call to make, if a connection is free. The queue comes first: it was filled while
    /// nothing else was due. A queued call that has become too late, or that the breaker holds up,
    /// is given back.
    ///
    /// # Errors
    /// [`StorageError`](super::database::StorageError)
    pub fn next(&mut self, now: Timestamp) -> Result<Next> {
        if self.in_flight.len() >= CONNECTIONS {
            return Ok(Next::Nothing);
        }
        while let Some(claim) = self.queue.pop_front() {
            if self.lane.may_send(&claim, now) {
                return Ok(self.start(claim));
            }
            self.lane.give_back(&claim, now)?;
        }
        if now >= self.claims_until {
            return Ok(Next::Nothing);
        }
        let mut claimed = self.lane.claim(1, now)?;
        match (claimed.claims.pop(), claimed.unreadable.take()) {
            (Some(claim), _) => Ok(self.start(claim)),
            (None, Some(record)) => Ok(Next::Unreadable(record)),
            (None, None) => Ok(Next::Nothing),
        }
    }

    /// Whether a call that was started has waited too long, for a token, to be made now.
    pub fn is_late(&self, claim: &Claim, now: Timestamp) -> bool {
        self.lane.is_late(claim, now)
    }

    /// A call that was started was not made: it waits for its next turn.
    ///
    /// # Errors
    /// [`StorageError`](super::database::StorageError); then its lease runs out.
    pub fn give_back(&mut self, claim: &Claim, now: Timestamp) -> Result<()> {
        self.end(&claim.record);
        self.lane.give_back(claim, now)
    }

    /// A call has come to its end. A final outcome is recorded by the next [`flush`](Self::flush),
    /// together with others; anything else, and that of a probe, at once. What follows is queued before all others.
    ///
    /// # Errors
    /// [`StorageError`](super::database::StorageError); then the lease runs out, and the call is made
    /// again.
    pub fn finish(&mut self, settlement: Settlement, now: Timestamp) -> Result<Finished> {
        self.end(&settlement.claim.record);
        // What a probe came to is needed at once: others wait for it.
        let concluded = settlement.concluded().filter(|_| !self.lane.is_probing());
        if concluded.is_some() {
            self.unrecorded.push(settlement);
            return Ok(Finished { record: concluded, unrecorded: true });
        }
        self.flush(now)?;
        let settled = self.lane.settle(&settlement, now)?;
        if let Some(next) = settled.next {
            self.queue.push_front(next);
        }
        Ok(Finished { record: settled.record, unrecorded: false })
    }

    /// Records the outcomes of calls that have ended, in one transaction.
    ///
    /// # Errors
    /// [`StorageError`](super::database::StorageError); then the leases of those that are not
    /// recorded run out, and their calls are made again.
    pub fn flush(&mut self, now: Timestamp) -> Result<()> {
        std::mem::take(&mut self.unrecorded)
            .iter()
            .try_for_each(|settlement| self.lane.settle(settlement, now).map(drop))
    }

    /// Whether more will be known of a row by `deadline`, as far as can be told: its call is under
    /// way, queued, or due and soon to be claimed.
    ///
    /// # Errors
    /// [`StorageError`](super::database::StorageError)
    pub fn is_expected(
        &self,
        record: &Record,
        deadline: Timestamp,
        now: Timestamp,
    ) -> Result<bool> {
        if record.outcome.is_final() {
            return Ok(false);
        }
        let is_sent = self.in_flight.iter().any(|key| is_row(key, record))
            || self.queue.iter().any(|claim| claim.record.is_same_row(record));
        Ok(is_sent || self.lane.will_claim(record, QUEUE, deadline, now)?)
    }

    /// How long until [`next`](Self::next) may have something, where that is soon enough to wait.
    pub fn pause(&self, now: Timestamp) -> Option<Duration> {
        if self.in_flight.len() >= CONNECTIONS || now >= self.claims_until {
            return None;
        }
        Some(self.lane.next_call()?.since(now)).filter(|pause| *pause <= SHORT_PAUSE)
    }

    /// By when the object must be woken for the rows that wait. As long as this instance claims
    /// them by itself that is for the case that it is lost; `None` where nothing waits.
    pub fn wake_by(&self, now: Timestamp) -> Option<Timestamp> {
        let next = self.lane.next_call()?;
        let is_busy = self.in_flight.len() >= CONNECTIONS;
        if now < self.claims_until && (is_busy || self.pause(now).is_some()) {
            return Some(next.max(self.claims_until));
        }
        Some(next)
    }

    /// The same with everything else that a lane is woken for.
    ///
    /// # Errors
    /// [`StorageError`](super::database::StorageError)
    pub fn wake(&self, now: Timestamp) -> Result<Option<Timestamp>> {
        Ok(self.wake_by(now).into_iter().chain(self.lane.upkeep()?).min())
    }

    fn start(&mut self, claim: Claim) -> Next {
        let Record { source, request_id, slot, .. } = &claim.record;
        self.in_flight.push((source.clone(), request_id.clone(), slot.clone()));
        Next::Send(claim)
    }

    fn end(&mut self, record: &Record) {
        if let Some(at) = self.in_flight.iter().position(|key| is_row(key, record)) {
            self.in_flight.swap_remove(at);
        }
    }
}

fn is_row((source, request_id, slot): &RowKey, record: &Record) -> bool {
    record.is_of(source, request_id) && record.slot == *slot
}
