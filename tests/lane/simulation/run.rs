//! Webhooks, the object's events, an operator: one event after the other.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::rc::Rc;

use erasure_relay::delivery::dispatcher::Dispatcher;
use erasure_relay::delivery::policy::Policy;
use erasure_relay::receipt::Timestamp;
use erasure_relay::vendor::NO_SUCH_USER;

use super::Scenario;
use super::calls::{Call, Unrecorded};
use super::history::History;
use super::keys::Keys;
use super::model::{Model, millis};
use super::vendor::{HOUR, Vendor, VendorState};
use super::webhooks::Erasure;
use crate::database::{Shared, Store};
use crate::world::{self, Dice, PROFILE, START};

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
    /// The key of pseudonyms and seals is rotated, or replaced by mistake.
    Rotate,
    /// The mistake is corrected.
    PutKeyBack,
}

pub struct Run {
    pub scenario: Scenario,
    pub store: Rc<Store>,
    pub dispatcher: Dispatcher<Shared>,
    pub vendor: Vendor,
    pub model: Model,
    pub history: History,
    pub now: Timestamp,
    pub crashes: u64,
    /// How often another object has taken the place of the one before.
    pub restarts: u64,
    pub failures: u64,
    /// The failures and crashes until the last alarm.
    faults_before_alarm: (u64, u64),
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
    pub erasures: Vec<Erasure>,
    /// The person of each row.
    pub slots: HashMap<String, u64>,
    /// The person of each stored pseudonym.
    pub names: HashMap<String, u64>,
    pub keys: Keys,
    /// The key that was replaced by mistake.
    pub mistaken: Option<String>,
    pub rotations: u64,
    pub spoilt: u64,
    pub discards: u64,
    /// How often a row could not be opened.
    pub unreadable: u64,
    pub alarm: Option<u64>,
    /// The alarm is the runtime's, which calls again what failed.
    pub is_repeated: bool,
    pub number: u64,
    looked_at: i64,
    /// Since when everything has arrived, and nothing fails any more.
    calm_since: Option<i64>,
    /// By when all whom the vendor erases have come to their end.
    ends_by: i64,
}

impl Run {
    pub fn new(scenario: Scenario) -> Self {
        let store = Store::grouped();
        let lane = world::open(&store, &scenario.policy(), &world::seal(world::KEY, None), START);
        store.commit();
        let mut run = Self {
            vendor: Vendor::new(scenario.paces(), scenario.minute, scenario.seed ^ 1),
            model: Model::new(scenario.policy(), scenario.paces()),
            history: History::default(),
            dice: Dice(scenario.seed),
            scenario,
            store,
            dispatcher: Dispatcher::new(lane),
            now: START,
            crashes: 0,
            restarts: 0,
            failures: 0,
            faults_before_alarm: (0, 0),
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
            names: HashMap::new(),
            keys: Keys::first(),
            mistaken: None,
            rotations: 0,
            spoilt: 0,
            discards: 0,
            unreadable: 0,
            alarm: None,
            is_repeated: false,
            number: 0,
            looked_at: START.0,
            calm_since: None,
            ends_by: i64::MAX,
        };
        run.after(0, Event::Arrive);
        run.after(10 * run.scenario.minute, Event::Vendor);
        run.after(60 * run.scenario.minute, Event::Operator);
        run.after(600 * run.scenario.minute, Event::Rotate);
        run
    }

    /// Until every delivery has come to its end.
    pub fn play(&mut self) {
        while !self.is_calm() || self.model.waiting > 0 {
            let Some(Reverse((at, _, event))) = self.events.pop() else {
                break; // whatever waits now is asleep
            };
            self.now = Timestamp(at);
            self.steps += 1;
            self.step(event);
            if self.now.0 - self.looked_at > 6 * 3_600_000 {
                self.look_around();
            }
        }
        self.look_around();
        assert_eq!(self.model.waiting, 0);
    }

    pub fn is_calm(&self) -> bool {
        self.calm_since.is_some()
    }

    /// Everything has arrived: from now on nothing fails.
    pub fn calm_down(&mut self) {
        self.put_key_back();
        self.vendor.state = VendorState::Healthy;
        self.calm_since = Some(self.now.0);
        let pace = self.scenario.pace;
        let seconds =
            self.model.waiting as i64 * i64::from(pace.per_seconds) / i64::from(pace.calls);
        self.ends_by = self.now.0 + 2 * seconds * 1000 + 12 * HOUR;
    }

    fn look_around(&mut self) {
        let now = self.now.0;
        self.looked_at = now;
        self.model.look_at_all(&self.store, &self.slots, now);
        let (model, slots) = (&self.model, &self.slots);
        self.history.look(&self.store, |slot| model.unrecorded(slots[slot]));
        self.look_for_unasked();
        if now > self.ends_by {
            self.look_for_held_up();
        }
        let Policy { retry, hold, .. } = self.scenario.policy();
        let longest = millis(retry.deadline) + millis(hold) + 48 * HOUR;
        let is_over = self.calm_since.is_some_and(|since| now > since + longest);
        assert!(!is_over || self.model.waiting == 0, "{} never end", self.model.waiting);
    }

    /// Only what the vendor rejects by itself waits, and what cannot be read.
    fn look_for_held_up(&self) {
        let statement = "SELECT slot, substr(person, 1, 5), request_id FROM delivery
            WHERE due_at IS NOT NULL OR lease_until IS NOT NULL";
        let prefixes = self.keys.seal().prefixes();
        for row in self.store.look(statement, &[]) {
            let person = self.slots[row.text(0).unwrap()];
            let Erasure { persons, reaches_person } = &self.erasures[number(row.text(2).unwrap())];
            let names = if *reaches_person { &persons[..] } else { &[person] };
            let is_rejected = names.iter().any(|name| self.vendor.temper(*name).is_rejected());
            let is_known = prefixes.iter().any(|known| row.text(1) == Ok(known));
            let is_readable = is_known && !self.model.is_spoilt(person);
            assert!(is_rejected || !is_readable, "held up by others");
        }
    }

    /// Nobody is said to be unknown before each name was asked about, or where one was erased.
    fn look_for_unasked(&self) {
        let unknown = "SELECT names FROM delivery
            WHERE call = ? AND outcome = 'rejected' AND detail = ?";
        for row in self.store.look(unknown, &[PROFILE.into(), NO_SUCH_USER.into()]) {
            let mut names = row.text(0).unwrap().split(' ').map(|name| self.names[name]);
            assert!(names.all(|name| self.model.asked.contains(&name)), "not asked about");
        }
        let erased = "SELECT 1 FROM delivery unknown JOIN delivery erased
            USING (source, request_id, call)
            WHERE call = ? AND unknown.outcome = 'rejected' AND unknown.detail = ?
            AND erased.outcome = 'accepted' LIMIT 1";
        let rows = self.store.look(erased, &[PROFILE.into(), NO_SUCH_USER.into()]);
        assert!(rows.is_empty(), "erased, and said to be unknown");
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Arrive => self.arrive(),
            // Under a key that knows nothing of the one before, it would be another request.
            Event::Repeat(erasure) if self.mistaken.is_some() => {
                self.after(4 * 3_600_000, Event::Repeat(erasure));
            }
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
            Event::Vendor if self.is_calm() => self.vendor.state = VendorState::Healthy,
            Event::Vendor => {
                let lasts = self.vendor.change();
                self.after(lasts, Event::Vendor);
            }
            Event::Operator => self.operate(),
            Event::Rotate => self.change_key(),
            Event::PutKeyBack => self.put_key_back(),
        }
    }

    pub fn after(&mut self, millis: i64, event: Event) {
        self.number += 1;
        self.events.push(Reverse((self.now.0 + millis, self.number, event)));
    }

    fn on_alarm(&mut self) {
        self.alarm = None;
        self.alarms += 1;
        let (now, life) = (self.now, self.crashes);
        let is_idle = self.calls.is_empty() && self.pause.is_none() && self.unrecorded.is_empty();
        // After a failure the lane may look for a row that it has leased already; and after a crash the
        // alarm is still the one for a lease that ended with the object.
        let faults = (self.failures, self.crashes);
        let has_failed = std::mem::replace(&mut self.faults_before_alarm, faults) != faults;
        let is_expected = !std::mem::take(&mut self.is_repeated) && !has_failed;
        let before = (self.store.changes(), self.failures, self.crashes);
        let cleaned = self.attempt(|dispatcher| {
            let exhausted = dispatcher.lane(now)?.clean(now)?;
            dispatcher.begin(now);
            Ok(exhausted)
        });
        self.note_recorded(life, cleaned.is_some());
        let Some(exhausted) = cleaned else { return self.repeat_alarm() };
        for record in exhausted {
            self.look(&self.key_of(&record));
        }
        self.send_what_may_go();
        let after = (self.store.changes(), self.failures, self.crashes);
        // Whether only suspects of the breaker are due is found out by a look.
        let is_probing = self.dispatcher.lane(now).is_ok_and(|lane| lane.is_probing());
        let is_needed = after != before || self.pause.is_some() || is_probing;
        assert!(!is_idle || !is_expected || is_needed, "woken for nothing");
    }
}

/// The number of an erasure with this id.
pub fn number(request_id: &str) -> usize {
    request_id[1..].parse().unwrap()
}

pub fn email(person: u64) -> String {
    format!("p{person}@example.com")
}
