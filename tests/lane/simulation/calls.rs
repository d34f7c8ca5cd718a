//! The calls that the object makes: as [`Dispatcher`] says, one event after the other.
//!
//! [`Dispatcher`]: erasure_relay::delivery::dispatcher::Dispatcher

use erasure_relay::delivery::database::Row;
use erasure_relay::delivery::dispatcher::{CONNECTIONS, Next};
use erasure_relay::delivery::lane::{Claim, Settlement};
use erasure_relay::vendor::Verdict;

use super::model::Key;
use super::run::{Event, Run, email};
use crate::world::{PROFILE, profile, subject};

/// A call under way.
pub struct Call {
    claim: Claim,
    row: Key,
    /// The number of its lease.
    lease: i64,
    /// The answer takes about as long as the lease.
    is_late: bool,
    answer: Option<(Verdict, bool)>,
}

/// The outcome of a call that is not recorded yet.
pub struct Unrecorded {
    pub row: Key,
    lease: i64,
    attempts: u32,
    verdict: Verdict,
}

/// How long after the first of them outcomes are recorded, in milliseconds.
const FLUSH: i64 = 10;

impl Run {
    /// Makes whatever calls may be made now, and comes back when there may be more.
    pub fn send_what_may_go(&mut self) {
        let now = self.now;
        loop {
            match self.attempt(|dispatcher| dispatcher.next(now)) {
                Some(Next::Send(claim)) => self.start(claim),
                Some(Next::Unreadable(record)) => panic!("{record:?}"),
                Some(Next::Nothing) | None => break,
            }
        }
        if let Some(pause) = self.dispatcher.pause(now)
            && self.pause.is_none()
        {
            let millis = i64::try_from(pause.as_millis()).unwrap();
            self.after(millis.max(1), Event::Resume(self.number + 1));
            self.pause = Some(self.number);
        }
    }

    fn start(&mut self, claim: Claim) {
        let address = claim.call.identifier.expose();
        let person = address[1..].split('@').next().unwrap().parse().unwrap();
        let record = &claim.record;
        let row = Key { request_id: record.request_id.clone(), slot: record.slot.clone(), person };
        assert_eq!(self.slots[&row.slot], person, "somebody else is sent");
        let stored = &self.stored(&row)[0];
        assert!(stored.optional_integer(3).unwrap().is_some(), "not leased");
        let lease = stored.integer(0).unwrap();
        self.model.claimed(person, claim.claimed_at.0, self.now.0);
        let is_late = !self.calm && self.dice.one_in(self.scenario.faults);
        // A token is there, or is minted first.
        let token = if self.dice.one_in(50) { self.dice.between(50, 3000) } else { 0 };
        let call = Call { claim, row, lease, is_late, answer: None };
        self.number += 1;
        self.calls.insert(self.number, call);
        assert!(self.calls.len() <= CONNECTIONS, "too many connections");
        self.after(token, Event::Send(self.number));
    }

    pub fn send(&mut self, number: u64) {
        let now = self.now;
        let Some(call) = self.calls.get_mut(&number) else { return };
        if self.dispatcher.is_late(&call.claim, now) {
            let call = self.calls.remove(&number).unwrap();
            self.model.given_back(call.row.person);
            self.given_back += 1;
            self.attempt(|dispatcher| dispatcher.give_back(&call.claim, now));
            self.look(&call.row);
            return self.send_what_may_go();
        }
        let person = call.row.person;
        self.model.sent(person, call.claim.call.name, now.0);
        let reaction = self.vendor.receive(call.claim.call.name, now.0);
        if reaction.acted {
            self.model.acted(person);
        }
        call.answer = Some((reaction.verdict, reaction.follow));
        let network = self.dice.between(5, 200);
        self.after(network + reaction.after, Event::Answer(number));
    }

    pub fn answer(&mut self, number: u64) {
        let Some(mut call) = self.calls.remove(&number) else { return };
        if std::mem::take(&mut call.is_late) {
            let pause = self.dice.between(40_000, 50_000);
            self.calls.insert(number, call);
            return self.after(pause, Event::Answer(number));
        }
        let Call { claim, row, lease, answer, .. } = call;
        let (verdict, follow) = answer.unwrap();
        let next = follow.then(|| profile(&email(row.person)));
        let follow_up = next.map(|call| (call.clone(), subject(&call)));
        let is_follow_up = claim.call.name == PROFILE;
        assert!(!(follow && is_follow_up));
        let attempts = claim.record.attempts;
        let unrecorded = Unrecorded { row, lease, attempts, verdict: verdict.clone() };
        let settlement = Settlement { claim, verdict, attempts: 1, follow_up, at: self.now };
        let now = self.now;
        self.unrecorded.push(unrecorded);
        let life = self.crashes;
        let finished = self.attempt(|dispatcher| dispatcher.finish(settlement, now));
        if finished.as_ref().is_some_and(|finished| finished.unrecorded) {
            if self.crashes == life && !self.is_flush_planned {
                self.is_flush_planned = true;
                self.after(FLUSH, Event::Flush(life));
            }
        } else {
            // This one was recorded at once, and all before it.
            self.note_recorded(life, finished.is_some());
        }
        self.send_what_may_go();
    }

    pub fn flush(&mut self, life: u64) {
        if life != self.crashes {
            return;
        }
        self.is_flush_planned = false;
        let now = self.now;
        let flushed = self.attempt(|dispatcher| dispatcher.flush(now));
        self.note_recorded(life, flushed.is_some());
        self.send_what_may_go();
    }

    /// The object was to record every outcome, in its `life`; `all` unless it failed. A crash has
    /// noted by itself what came of them.
    pub fn note_recorded(&mut self, life: u64, all: bool) {
        if life == self.crashes {
            self.look_at_unrecorded(all);
        }
    }

    /// The outcomes were recorded, or are lost.
    fn look_at_unrecorded(&mut self, all: bool) {
        for Unrecorded { row, lease, attempts, verdict } in std::mem::take(&mut self.unrecorded) {
            let now = self.now.0;
            let stored = self.stored(&row);
            // Only who holds the lease can add an attempt, and only by recording it.
            let is_ours = stored.first().is_some_and(|stored| {
                let recorded = stored.integer(1).unwrap() == i64::from(attempts) + 1;
                recorded && stored.integer(0).unwrap() == lease + 1
            });
            if is_ours || all {
                let is_current = stored.first().is_some_and(|row| row.integer(0) == Ok(lease));
                assert!(is_ours || !is_current, "not recorded");
                self.model.settled(row.person, &verdict, is_ours, now);
            } else {
                self.model.lost(row.person);
                if verdict.outcome.is_final() {
                    // The breaker in memory may have closed.
                    self.model.blocked = None;
                }
            }
            self.look(&row);
            let is_final = stored.first().is_some_and(|row| {
                row.optional_integer(2) == Ok(None) && row.optional_integer(3) == Ok(None)
            });
            if is_ours && is_final && verdict.outcome.is_final() {
                assert_eq!(self.model.end_of(row.person), Some(verdict.outcome));
            }
        }
    }

    /// The object is gone, with everything in its memory.
    pub fn lose_calls(&mut self) {
        self.look_at_unrecorded(false);
        (self.is_flush_planned, self.pause) = (false, None);
        let calls = std::mem::take(&mut self.calls);
        for call in calls.values() {
            self.model.lost(call.row.person);
        }
        self.model.void_leases();
    }

    /// What tells whether a row was settled: its lease, attempts, and what it waits for.
    fn stored(&self, row: &Key) -> Vec<Row> {
        let statement = "SELECT lease, attempts, due_at, lease_until FROM delivery
            WHERE source = ? AND request_id = ? AND slot = ?";
        self.store.look(statement, &row.bindings())
    }

    pub fn look(&mut self, row: &Key) {
        self.model.look(&self.store, row, self.now.0);
    }
}
