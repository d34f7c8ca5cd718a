//! The calls that the object makes: as [`Dispatcher`] says, one event after the other.
//!
//! [`Dispatcher`]: erasure_relay::delivery::dispatcher::Dispatcher

use erasure_relay::delivery::database::Row;
use erasure_relay::delivery::dispatcher::{CONNECTIONS, Next};
use erasure_relay::delivery::lane::{Claim, Record, Settlement};
use erasure_relay::erasure::Identifier;
use erasure_relay::receipt::Outcome;
use erasure_relay::vendor::{Call as VendorCall, Verdict};

use super::model::Key;
use super::run::{Event, Run, number};
use super::webhooks::Erasure;
use crate::world::{IDENTITY, PROFILE, subject};

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

impl Call {
    /// The identifier that the vendor is asked about.
    fn name(&self) -> u64 {
        person(&self.claim.call.identifier)
    }

    /// As Insider does: a sole identity is followed by its profile, and a name that is not known by the
    /// next one.
    fn follow_up(&self, verdict: &Verdict, is_sole: bool) -> Option<VendorCall> {
        let call = &self.claim.call;
        if call.name == IDENTITY {
            return is_sole.then(|| VendorCall { name: PROFILE, ..call.clone() });
        }
        let (next, others) = call.alternatives.split_first()?;
        let (identifier, alternatives) = (next.clone(), others.to_vec());
        let is_unknown = verdict.is_no_such_user();
        is_unknown.then_some(VendorCall { name: PROFILE, identifier, alternatives })
    }
}

/// Whose address it is.
fn person(identifier: &Identifier) -> u64 {
    identifier.expose()[1..].split('@').next().unwrap().parse().unwrap()
}

/// The outcome of a call that is not recorded yet.
pub struct Unrecorded {
    pub row: Key,
    lease: i64,
    attempts: u32,
    call: &'static str,
    verdict: Verdict,
    is_followed: bool,
    at: i64,
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
                Some(Next::Unreadable(record)) => self.look_at_unreadable(record),
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
        let row = self.key_of(&claim.record);
        let Erasure { persons, reaches_person } = &self.erasures[number(&row.request_id)];
        for identifier in std::iter::once(&claim.call.identifier).chain(&claim.call.alternatives) {
            let name = person(identifier);
            let is_right = name == row.person || (*reaches_person && persons.contains(&name));
            assert!(is_right, "somebody else is sent");
        }
        let stored = &self.stored(&row)[0];
        assert!(stored.optional_integer(3).unwrap().is_some(), "not leased");
        let lease = stored.integer(0).unwrap();
        self.model.claimed(row.person, lease, claim.claimed_at.0, self.now.0);
        let is_late = !self.is_calm() && self.dice.one_in(self.scenario.faults);
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
            self.model.given_back(call.row.person, call.lease);
            self.given_back += 1;
            self.attempt(|dispatcher| dispatcher.give_back(&call.claim, now));
            self.look(&call.row);
            return self.send_what_may_go();
        }
        let (person, name) = (call.row.person, call.name());
        self.model.sent(person, call.claim.call.name, name, now.0);
        let reaction = self.vendor.receive(call.claim.call.name, name, now.0);
        if reaction.acted {
            self.model.acted(person);
        }
        call.answer = Some((reaction.verdict, reaction.is_last));
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
        let (verdict, is_sole) = call.answer.take().unwrap();
        let next = call.follow_up(&verdict, is_sole);
        let follow_up = next.map(|call| (call.clone(), subject(&call)));
        let Call { claim, row, lease, .. } = call;
        let attempts = claim.record.attempts;
        let unrecorded = Unrecorded {
            row,
            lease,
            attempts,
            call: claim.call.name,
            verdict: verdict.clone(),
            is_followed: follow_up.is_some(),
            at: self.now.0,
        };
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
        for one in std::mem::take(&mut self.unrecorded) {
            let Unrecorded { row, lease, attempts, call, verdict, is_followed, at } = one;
            let now = self.now.0;
            let stored = self.stored(&row);
            // Only what is recorded under the lease ends it with the time of the answer.
            let is_ours = stored.first().is_some_and(|stored| {
                let is_counted = stored.integer(1).unwrap() > i64::from(attempts);
                let is_recorded = stored.integer(5).unwrap() == at && is_counted;
                is_recorded && stored.integer(0).unwrap() == lease + 1
            });
            if is_ours || all {
                let is_current = stored.first().is_some_and(|row| row.integer(0) == Ok(lease));
                assert!(is_ours || !is_current, "not recorded");
                self.model.settled(row.person, lease, call, &verdict, is_ours, now);
            } else {
                self.model.lost(row.person, lease);
            }
            self.look(&row);
            let is_final = stored.first().is_some_and(|row| {
                row.optional_integer(2) == Ok(None) && row.optional_integer(3) == Ok(None)
            });
            let end = self.model.end_of(row.person);
            if is_ours && is_final && verdict.outcome.is_final() && !is_followed {
                let is_same = end == Some(verdict.outcome);
                assert!(is_same || self.model.may_end_otherwise(row.person, &verdict), "{end:?}");
            }
            // What the vendor has confirmed stands, if the row is still about that call.
            if all
                && verdict.outcome.is_good()
                && stored.first().is_some_and(|row| row.text(4) == Ok(call))
            {
                assert!(end.is_some_and(Outcome::is_good), "confirmed, and {end:?}");
            }
        }
    }

    /// A row cannot be opened: it is spoilt, or its key is not configured. Nothing is sent for it.
    fn look_at_unreadable(&mut self, record: Record) {
        let row = self.key_of(&record);
        self.unreadable += 1;
        self.look(&row);
        let sealed = "SELECT substr(person, 1, 5) FROM delivery
            WHERE source = ? AND request_id = ? AND slot = ?";
        let sealed = self.store.look(sealed, &row.bindings());
        let prefixes = self.keys.seal().prefixes();
        let is_known = |row: &Row| prefixes.iter().any(|known| row.text(0) == Ok(known));
        let is_readable = !self.model.is_spoilt(row.person) && sealed.first().is_some_and(is_known);
        assert!(!is_readable, "a row that can be opened is not sent");
    }

    pub fn key_of(&self, record: &Record) -> Key {
        let person = self.slots[&record.slot];
        Key { request_id: record.request_id.clone(), slot: record.slot.clone(), person }
    }

    /// The object is gone, with everything in its memory.
    pub fn lose_calls(&mut self) {
        self.look_at_unrecorded(false);
        (self.is_flush_planned, self.pause) = (false, None);
        let calls = std::mem::take(&mut self.calls);
        for call in calls.values() {
            self.model.lost(call.row.person, call.lease);
        }
        self.model.void_leases();
    }

    /// What tells whether a row was settled: its lease, attempts, and what it waits for.
    fn stored(&self, row: &Key) -> Vec<Row> {
        let statement =
            "SELECT lease, attempts, due_at, lease_until, call, updated_at FROM delivery
            WHERE source = ? AND request_id = ? AND slot = ?";
        self.store.look(statement, &row.bindings())
    }

    pub fn look(&mut self, row: &Key) {
        self.model.look(&self.store, row, self.now.0);
    }
}
