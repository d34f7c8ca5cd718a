//! Webhooks, the object's events, an operator: one event after the other.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::rc::Rc;

use erasure_relay::delivery::database::Value;
use erasure_relay::delivery::dispatcher::Dispatcher;
use erasure_relay::delivery::lane::Arrival;
use erasure_relay::receipt::Timestamp;

use super::Scenario;
use super::calls::{Call, Unrecorded};
use super::model::{Key, Model};
use super::vendor::{Vendor, VendorState};
use crate::database::{Shared, Store};
use crate::world::{self, Dice, START, identity, nobody, part};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// A webhook of a new erasure, or with further identifiers of a known one.
    Arrive,
    /// The same webhook once more.
    Repeat(usize),
    /// A call has its token.
    Send(u64),
    Answer(u64),
    /// Outcomes are recorded, if the object is still the same.
    Flush(u64),
    /// A short pause is over.
    Resume(u64),
    Alarm(u64),
    Vendor,
    Operator,
}

pub struct Run {
    pub scenario: Scenario,
    pub store: Rc<Store>,
    pub dispatcher: Dispatcher<Shared>,
    pub vendor: Vendor,
    pub model: Model,
    pub now: Timestamp,
    pub crashes: u64,
    pub failures: u64,
    failures_before_alarm: u64,
    pub webhooks: u64,
    pub deliveries: u64,
    pub alarms: u64,
    pub given_back: u64,
    pub steps: u64,
    pub dice: Dice,
    events: BinaryHeap<Reverse<(i64, u64, Event)>>,
    pub calls: HashMap<u64, Call>,
    pub unrecorded: Vec<Unrecorded>,
    pub is_flush_planned: bool,
    /// The event that ends the pause which the object awaits.
    pub pause: Option<u64>,
    /// The persons of each erasure.
    erasures: Vec<Vec<u64>>,
    /// The person of each row.
    pub slots: HashMap<String, u64>,
    pub alarm: Option<u64>,
    /// The alarm is the runtime's, which calls again what failed.
    pub is_repeated: bool,
    pub number: u64,
    looked_at: i64,
    /// Everything has arrived, and nothing fails any more.
    pub calm: bool,
}

impl Run {
    pub fn new(scenario: Scenario) -> Self {
        let store = Store::grouped();
        let lane = world::open(&store, &scenario.policy(), &world::seal(world::KEY, None), START);
        store.commit();
        let mut run = Self {
            vendor: Vendor::new(scenario.paces(), scenario.minute, scenario.seed ^ 1),
            model: Model::new(scenario.policy(), scenario.paces()),
            dice: Dice(scenario.seed),
            scenario,
            store,
            dispatcher: Dispatcher::new(lane),
            now: START,
            crashes: 0,
            failures: 0,
            failures_before_alarm: 0,
            webhooks: 0,
            deliveries: 0,
            alarms: 0,
            given_back: 0,
            steps: 0,
            events: BinaryHeap::new(),
            calls: HashMap::new(),
            unrecorded: Vec::new(),
            is_flush_planned: false,
            pause: None,
            erasures: Vec::new(),
            slots: HashMap::new(),
            alarm: None,
            is_repeated: false,
            number: 0,
            looked_at: START.0,
            calm: false,
        };
        run.after(0, Event::Arrive);
        run.after(10 * run.scenario.minute, Event::Vendor);
        run.after(60 * run.scenario.minute, Event::Operator);
        run
    }

    /// Until every delivery has come to its end.
    pub fn play(&mut self) {
        let mut checks = 0;
        while !self.calm || self.model.waiting > 0 {
            let Some(Reverse((at, _, event))) = self.events.pop() else {
                panic!("asleep with {} deliveries that wait", self.model.waiting)
            };
            self.now = Timestamp(at);
            self.steps += 1;
            self.step(event);
            if self.now.0 - self.looked_at > 6 * 3_600_000 {
                self.looked_at = self.now.0;
                self.model.look_at_all(&self.store, &self.slots, self.now.0);
                checks += i64::from(self.calm);
                assert!(checks < 60, "{} deliveries never end", self.model.waiting);
            }
        }
        self.model.look_at_all(&self.store, &self.slots, self.now.0);
        assert_eq!(self.model.waiting, 0);
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Arrive => self.arrive(),
            Event::Repeat(erasure) => self.webhook(erasure),
            Event::Send(call) => self.send(call),
            Event::Answer(call) => self.answer(call),
            Event::Flush(life) => self.flush(life),
            Event::Resume(number) if self.pause == Some(number) => {
                self.pause = None;
                self.send_what_may_go();
            }
            Event::Alarm(number) if self.alarm == Some(number) => self.on_alarm(),
            Event::Resume(_) | Event::Alarm(_) => {}
            Event::Vendor if self.calm => self.vendor.state = VendorState::Healthy,
            Event::Vendor => {
                let lasts = self.vendor.change();
                self.after(lasts, Event::Vendor);
            }
            Event::Operator => self.operate(),
        }
    }

    pub fn after(&mut self, millis: i64, event: Event) {
        self.number += 1;
        self.events.push(Reverse((self.now.0 + millis, self.number, event)));
    }

    fn arrive(&mut self) {
        let recent = self.erasures.len().saturating_sub(1 + self.dice.between(0, 200) as usize);
        let erasure = if self.dice.one_in(12) && !self.erasures.is_empty() {
            recent // a further identifier of an erasure that is known
        } else {
            self.erasures.push(Vec::new());
            self.erasures.len() - 1
        };
        let persons = match self.dice.between(0, 50) {
            0 => 0,
            1 => self.dice.between(8, 30), // more than there are connections
            _ => self.dice.between(1, 4),
        };
        for _ in 0..persons {
            self.deliveries += 1;
            self.erasures[erasure].push(self.deliveries);
            self.slots.insert(slot(self.deliveries), self.deliveries);
        }
        if self.dice.one_in(8) {
            let later = self.dice.between(1, 6 * 3_600_000);
            self.after(later, Event::Repeat(erasure));
        }
        self.webhook(erasure);
        if self.deliveries < self.scenario.deliveries {
            let gap = self.dice.between(0, 2 * self.scenario.gap);
            self.after(gap, Event::Arrive);
        } else {
            self.calm = true;
            self.vendor.state = VendorState::Healthy;
        }
    }

    fn webhook(&mut self, erasure: usize) {
        self.webhooks += 1;
        let id = format!("r{erasure}");
        let persons = self.erasures[erasure].clone();
        let mut parts: Vec<_> = persons.iter().map(|one| part(identity(&email(*one)))).collect();
        if parts.is_empty() {
            parts.push(nobody());
        }
        let (now, life) = (self.now, self.crashes);
        let flushes = self.unrecorded.iter().any(|one| one.row.request_id == id);
        let arrival = Arrival {
            source: "consent",
            request_id: &id,
            received_at: now,
            repeat_after: None,
            parts,
        };
        let accepted = self.attempt(|dispatcher| dispatcher.deliver(arrival, now));
        if flushes {
            self.note_recorded(life, accepted.is_some());
        }
        let Some(accepted) = accepted else {
            let pause = self.dice.between(1000, 60_000);
            return self.after(pause, Event::Repeat(erasure));
        };
        assert_eq!(accepted.records.len(), persons.len().max(1));
        assert!(accepted.claims.is_empty(), "queued");
        for (record, person) in accepted.records.iter().zip(&persons) {
            self.model.acknowledge(*person);
            let row = Key { request_id: id.clone(), slot: slot(*person), person: *person };
            assert_eq!(record.slot, row.slot, "not in the order of arrival");
            self.look(&row);
            let is_known = self.model.end_of(*person).is_none_or(|end| record.outcome == end);
            assert!(is_known, "a receipt that does not know the end");
        }
        self.send_what_may_go();
    }

    fn on_alarm(&mut self) {
        self.alarm = None;
        self.alarms += 1;
        let (now, life) = (self.now, self.crashes);
        let is_idle = self.calls.is_empty() && self.pause.is_none() && self.unrecorded.is_empty();
        // After a failure the lane may look for a row that it has leased already.
        let has_failed =
            std::mem::replace(&mut self.failures_before_alarm, self.failures) != self.failures;
        let is_expected = !std::mem::take(&mut self.is_repeated) && !has_failed;
        let before = (self.store.changes(), self.failures, self.crashes);
        let cleaned = self.attempt(|dispatcher| {
            dispatcher.lane(now)?.clean(now)?;
            dispatcher.begin(now);
            Ok(())
        });
        self.note_recorded(life, cleaned.is_some());
        if cleaned.is_none() {
            return self.repeat_alarm();
        }
        self.send_what_may_go();
        let after = (self.store.changes(), self.failures, self.crashes);
        // Whether only suspects of the breaker are due is found out by a look.
        let is_probing = self.dispatcher.lane(now).is_ok_and(|lane| lane.is_probing());
        let is_needed = after != before || self.pause.is_some() || is_probing;
        assert!(!is_idle || !is_expected || is_needed, "woken for nothing");
    }

    /// Now and then a person looks.
    fn operate(&mut self) {
        if self.calm {
            return;
        }
        let pause = self.dice.between(1, 240) * self.scenario.minute;
        self.after(pause, Event::Operator);
        let (now, life) = (self.now, self.crashes);
        let flushed = self.attempt(|dispatcher| dispatcher.lane(now).map(drop));
        self.note_recorded(life, flushed.is_some());
        if self.dice.one_in(3) {
            self.attempt(|dispatcher| dispatcher.lane(now)?.resume(now));
            (self.model.quiet_until, self.model.blocked) = (0, None);
            return self.send_what_may_go();
        }
        let replayed = "SELECT DISTINCT request_id FROM delivery WHERE call IS NOT NULL
            AND outcome NOT IN ('accepted', 'already_absent', 'scheduled')
            ORDER BY received_at DESC LIMIT 20";
        for row in self.store.look(replayed, &[]) {
            let id = row.text(0).unwrap();
            self.attempt(|dispatcher| dispatcher.lane(now)?.replay("consent", id, now));
            let again = "SELECT slot FROM delivery WHERE request_id = ? AND call IS NOT NULL
                AND due_at IS NOT NULL";
            for row in self.store.look(again, &[Value::from(id)]) {
                self.model.replayed(self.slots[row.text(0).unwrap()]);
            }
        }
        self.send_what_may_go();
    }
}

pub fn email(person: u64) -> String {
    format!("p{person}@example.com")
}

fn slot(person: u64) -> String {
    world::slot(&identity(&email(person)))
}
