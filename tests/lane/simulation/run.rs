//! Webhooks, a Worker, an alarm, crashes: one event after the other.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::rc::Rc;

use erasure_relay::delivery::database::{Row, Value};
use erasure_relay::delivery::lane::{Arrival, Claim, Lane, Lease, Settled, Settlement};
use erasure_relay::receipt::Timestamp;
use erasure_relay::vendor::Verdict;

use super::Scenario;
use super::model::{Cause, Model};
use super::vendor::{Mood, Vendor};
use crate::database::{Shared, Store};
use crate::world::{
    self, Dice, IDENTITY, INLINE, PROFILE, START, identity, nobody, part, profile, subject,
};

/// How many calls the lane itself may have under way.
pub const CONNECTIONS: usize = 6;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    Arrive,
    Repeat(usize),
    Send(u64),
    Answer(u64),
    Alarm(u64),
    Mood,
    Operate,
}

/// A call that somebody makes under a lease.
pub struct Flight {
    lease: Lease,
    call: &'static str,
    person: u64,
    pub by_alarm: bool,
    /// Its maker is gone.
    pub lost: bool,
    late: bool,
    answer: Option<(Verdict, bool)>,
}

pub struct Run {
    pub scenario: Scenario,
    pub store: Rc<Store>,
    pub lane: Lane<Shared>,
    pub vendor: Vendor,
    pub model: Model,
    pub now: Timestamp,
    pub crashes: u64,
    pub failures: u64,
    pub webhooks: u64,
    pub deliveries: u64,
    pub steps: u64,
    pub dice: Dice,
    events: BinaryHeap<Reverse<(i64, u64, Event)>>,
    pub flights: HashMap<u64, Flight>,
    /// The persons of each erasure.
    erasures: Vec<Vec<u64>>,
    pub alarm: Option<u64>,
    pub alarm_flights: usize,
    /// The alarm is the runtime's, which calls again what failed.
    pub called_again: bool,
    pub number: u64,
    looked_at: i64,
    pub calm: bool,
}

impl Run {
    pub fn new(scenario: Scenario) -> Self {
        let store = Store::grouped();
        let lane = world::open(&store, &scenario.policy(), world::KEY, START);
        store.commit();
        let mut run = Self {
            vendor: Vendor::new(scenario.paces(), scenario.minute, scenario.seed ^ 1),
            model: Model::new(scenario.policy(), scenario.paces()),
            dice: Dice(scenario.seed),
            scenario,
            store,
            lane,
            now: START,
            crashes: 0,
            failures: 0,
            webhooks: 0,
            deliveries: 0,
            steps: 0,
            events: BinaryHeap::new(),
            flights: HashMap::new(),
            erasures: Vec::new(),
            alarm: None,
            alarm_flights: 0,
            called_again: false,
            number: 0,
            looked_at: START.0,
            calm: false,
        };
        run.after(0, Event::Arrive);
        run.after(10 * run.scenario.minute, Event::Mood);
        run.after(60 * run.scenario.minute, Event::Operate);
        run
    }

    /// Until every delivery has come to its end.
    pub fn play(&mut self) {
        let mut patience = 0;
        while !self.calm || self.model.waiting > 0 {
            let Some(Reverse((at, _, event))) = self.events.pop() else {
                panic!("asleep with {} deliveries that wait", self.model.waiting)
            };
            self.now = Timestamp(at);
            self.steps += 1;
            self.step(event);
            if self.now.0 - self.looked_at > 6 * 3_600_000 {
                self.looked_at = self.now.0;
                self.model.look_at_all(&self.store, self.now.0);
                patience += i64::from(self.calm);
                assert!(patience < 60, "{} deliveries never end", self.model.waiting);
            }
        }
        self.model.look_at_all(&self.store, self.now.0);
        assert_eq!(self.model.waiting, 0);
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Arrive => self.arrive(),
            Event::Repeat(erasure) => self.webhook(erasure),
            Event::Send(flight) => self.send(flight),
            Event::Answer(flight) => self.answer(flight),
            Event::Alarm(number) if self.alarm == Some(number) => self.ring(),
            Event::Alarm(_) => {}
            Event::Mood if self.calm => self.vendor.mood = Mood::Healthy,
            Event::Mood => {
                let lasts = self.vendor.change();
                self.after(lasts, Event::Mood);
            }
            Event::Operate => self.operate(),
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
        let persons = if self.dice.one_in(50) { 0 } else { self.dice.between(1, 4) };
        for _ in 0..persons {
            self.deliveries += 1;
            self.erasures[erasure].push(self.deliveries);
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
            self.vendor.mood = Mood::Healthy;
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
        let now = self.now;
        let arrival =
            Arrival { source: "consent", request_id: &id, received_at: now, inline: INLINE, parts };
        let Some(accepted) = self.attempt(|lane| lane.accept(&arrival, now)) else {
            let pause = self.dice.between(1000, 60_000);
            return self.after(pause, Event::Repeat(erasure));
        };
        assert_eq!(accepted.records.len(), persons.len().max(1));
        for (record, person) in accepted.records.iter().zip(&persons) {
            self.model.acknowledge(record.id, *person);
            self.look(record.id);
        }
        for (index, lease) in accepted.leases {
            let lost = !self.calm && self.dice.one_in(500);
            self.fly(lease, IDENTITY, persons[index], false, lost);
        }
    }

    fn fly(&mut self, lease: Lease, call: &'static str, person: u64, by_alarm: bool, lost: bool) {
        self.model.grant(lease, call, person, self.now.0);
        let late = !by_alarm && !self.calm && self.dice.one_in(self.scenario.faults);
        self.number += 1;
        let flight = Flight { lease, call, person, by_alarm, lost, late, answer: None };
        self.flights.insert(self.number, flight);
        let number = self.number;
        let way = self.dice.between(5, 200);
        self.after(way, Event::Send(number));
    }

    fn send(&mut self, number: u64) {
        let flight = self.flights.get_mut(&number).unwrap();
        if flight.lost && self.dice.one_in(2) {
            let id = flight.lease.id;
            self.flights.remove(&number);
            return self.model.lost(id, Cause::Crash);
        }
        let reaction = self.vendor.receive(flight.call, self.now.0);
        if reaction.acted {
            self.model.acted(flight.lease.id);
        }
        flight.answer = Some((reaction.verdict, reaction.follow));
        self.after(reaction.after, Event::Answer(number));
    }

    fn answer(&mut self, number: u64) {
        let mut flight = self.flights.remove(&number).unwrap();
        let lease = flight.lease;
        if flight.lost {
            return self.model.lost(lease.id, Cause::Crash);
        }
        if std::mem::take(&mut flight.late) {
            let pause = self.dice.between(40_000, 50_000); // about as long as a lease
            self.flights.insert(number, flight);
            return self.after(pause, Event::Answer(number));
        }
        self.alarm_flights -= usize::from(flight.by_alarm);
        let (verdict, follow) = flight.answer.unwrap();
        let next = follow.then(|| profile(&email(flight.person)));
        let follow_up = next.map(|call| (call.clone(), subject(&call)));
        let attempts = 1;
        let settlement = Settlement { lease, verdict, attempts, follow_up };
        let is_current = !self.is_over(lease) && self.model.end_of(lease.id).is_none();
        let before = self.stored(lease);
        let now = self.now;
        let settled = self.attempt(|lane| lane.settle(&settlement, now));
        let recorded = settled.is_some();
        self.model.settled(lease, &settlement.verdict, (is_current, recorded), now.0);
        if !recorded && self.is_over(lease) {
            self.model.release(lease);
        }
        self.look(lease.id);
        let outcome = settlement.verdict.outcome;
        assert!(is_current || self.stored(lease) == before, "a late word was believed");
        if recorded && is_current && !follow && outcome.is_final() {
            assert_eq!(self.model.end_of(lease.id), Some(outcome));
        }
        if let Some(Settled { lease: Some(lease), .. }) = settled {
            self.alarm_flights += usize::from(flight.by_alarm);
            self.fly(lease, PROFILE, flight.person, flight.by_alarm, false);
        }
        self.arm();
    }

    fn ring(&mut self) {
        self.alarm = None;
        let now = self.now;
        let expected = !std::mem::take(&mut self.called_again);
        let before = self.store.changes();
        let most = CONNECTIONS - self.alarm_flights;
        let swept = self.attempt(|lane| lane.sweep(now));
        let claims = swept.and_then(|()| self.attempt(|lane| lane.claim(most, now)));
        let Some(claims) = claims else {
            return self.call_again();
        };
        assert!(!expected || self.store.changes() != before, "woken for nothing");
        for Claim { lease, call, .. } in claims {
            let person = call.identifier.expose()[1..].split('@').next().unwrap().parse().unwrap();
            self.alarm_flights += 1;
            self.fly(lease, call.name, person, true, false);
        }
        self.arm();
    }

    /// Now and then a person looks.
    fn operate(&mut self) {
        if self.calm {
            return;
        }
        let pause = self.dice.between(1, 240) * self.scenario.minute;
        self.after(pause, Event::Operate);
        let now = self.now;
        if self.dice.one_in(3) {
            self.attempt(|lane| lane.resume(now));
            (self.model.quiet_until, self.model.blocked) = (0, None);
            return;
        }
        let replayed = "SELECT request_id FROM deliveries WHERE call IS NOT NULL
            AND outcome NOT IN ('accepted', 'already_absent', 'scheduled')
            ORDER BY received_at DESC LIMIT 20";
        for row in self.store.look(replayed, &[]) {
            let id = row.text(0).unwrap();
            self.attempt(|lane| lane.replay("consent", id, now));
            let again = "SELECT id FROM deliveries WHERE request_id = ? AND call IS NOT NULL
                AND due_at IS NOT NULL";
            for row in self.store.look(again, &[Value::from(id)]) {
                self.model.replayed(row.integer(0).unwrap());
            }
        }
    }

    /// Whether the lane has noted that this lease is over, even if it did not say so.
    fn is_over(&self, lease: Lease) -> bool {
        let stored = self.stored(lease);
        stored.first().is_none_or(|row| row.integer(0).unwrap() != lease.number)
    }

    /// What tells whether a row was settled.
    fn stored(&self, lease: Lease) -> Vec<Row> {
        let statement = "SELECT lease, attempts, call FROM deliveries WHERE id = ?";
        self.store.look(statement, &[lease.id.into()])
    }

    fn look(&mut self, id: i64) {
        self.model.look(&self.store, id, self.now.0);
    }
}

fn email(person: u64) -> String {
    format!("p{person}@example.com")
}
