//! A dispatcher with a clock that stands still until it is told otherwise, and what an object does with
//! it.

use std::rc::Rc;
use std::time::Duration;

use erasure_relay::delivery::dispatcher::{Dispatcher, Finished, Next};
use erasure_relay::delivery::lane::{Accepted, Arrival, Claim, Part, Result, Settlement};
use erasure_relay::delivery::policy::Policy;
use erasure_relay::receipt::{Outcome, Timestamp};
use erasure_relay::vendor::{Call, Pace, Verdict};

use crate::database::{Shared, Store};
use crate::world::*;

pub struct Object {
    pub store: Rc<Store>,
    pub dispatcher: Dispatcher<Shared>,
    pub now: Timestamp,
    policy: Policy,
}

/// A pace that holds up no test.
pub fn fast() -> Policy {
    Policy { pace: Some(Pace { calls: 10_000, per_seconds: 60 }), ..policy() }
}

impl Object {
    pub fn fast() -> Self {
        Self::on(Store::in_memory(), fast())
    }

    pub fn on(store: Rc<Store>, policy: Policy) -> Self {
        let dispatcher = Dispatcher::new(open(&store, &policy, &seal(KEY, None), START));
        Self { store, dispatcher, now: START, policy }
    }

    /// The object is gone, and begins anew.
    pub fn crash(&mut self) {
        self.dispatcher =
            Dispatcher::new(open(&self.store, &self.policy, &seal(KEY, None), self.now));
    }

    pub fn pass_millis(&mut self, millis: u64) {
        self.now = self.now.after(Duration::from_millis(millis));
    }

    pub fn try_deliver(&mut self, request_id: &str, emails: &[&str]) -> Result<Accepted> {
        let parts: Vec<Part> = emails.iter().map(|email| part(identity(email))).collect();
        let arrival = Arrival {
            source: "consent",
            request_id,
            received_at: self.now,
            repeat_after: None,
            parts,
        };
        self.dispatcher.deliver(arrival, self.now)
    }

    pub fn deliver(&mut self, request_id: &str, emails: &[&str]) -> Accepted {
        self.try_deliver(request_id, emails).unwrap()
    }

    /// An erasure of so many addresses.
    pub fn deliver_many(&mut self, request_id: &str, count: usize) {
        let emails: Vec<_> = (0..count).map(|number| format!("{number}@example.com")).collect();
        let emails: Vec<_> = emails.iter().map(String::as_str).collect();
        self.deliver(request_id, &emails);
    }

    /// Every call that may be made now.
    pub fn send(&mut self) -> Vec<Claim> {
        let mut claims = Vec::new();
        loop {
            match self.dispatcher.next(self.now).unwrap() {
                Next::Send(claim) => claims.push(claim),
                Next::Unreadable(record) => panic!("{record:?}"),
                Next::Nothing => return claims,
            }
        }
    }

    pub fn finish(&mut self, claim: Claim, verdict: Verdict) -> Finished {
        self.dispatcher.finish(settlement(&claim, verdict, self.now), self.now).unwrap()
    }

    pub fn finish_all(&mut self, claims: impl IntoIterator<Item = Claim>, verdict: Verdict) {
        for claim in claims {
            self.finish(claim, verdict.clone());
        }
    }

    /// The answer to a call is that another call must follow.
    pub fn follow(&mut self, claim: Claim, call: Call) -> Finished {
        let follow_up = Some((call.clone(), subject(&call)));
        let verdict = verdict(Outcome::NotErased, 400, None);
        let settlement = Settlement { follow_up, ..settlement(&claim, verdict, self.now) };
        self.dispatcher.finish(settlement, self.now).unwrap()
    }

    pub fn flush(&mut self) {
        self.dispatcher.flush(self.now).unwrap();
    }

    /// What the alarm does first.
    pub fn clean(&mut self) {
        self.dispatcher.lane(self.now).unwrap().clean(self.now).unwrap();
    }

    /// What the alarm does then.
    pub fn begin(&mut self) {
        self.dispatcher.begin(self.now);
    }

    pub fn wake(&self) -> Option<Timestamp> {
        self.dispatcher.wake(self.now).unwrap()
    }

    pub fn leased(&self) -> i64 {
        self.count("lease_until IS NOT NULL")
    }

    pub fn waiting(&self) -> i64 {
        self.count("due_at IS NOT NULL")
    }

    pub fn count(&self, condition: &str) -> i64 {
        self.store.number(&format!("SELECT COUNT(*) FROM delivery WHERE {condition}"))
    }
}
