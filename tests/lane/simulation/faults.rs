//! What goes wrong around one operation of the lane, and the alarm that follows it.

use erasure_relay::delivery::lane::{Lane, Result};

use super::run::{CONNECTIONS, Event, Run};
use crate::database::Shared;
use crate::world::{self, IDENTITY, PROFILE};

/// What becomes of one operation of the lane.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Well,
    /// A statement fails; what was done before it stays.
    Fails(u32),
    /// The object is gone in the middle: nothing is stored.
    Crashes(u32),
    /// The object is gone once everything is stored.
    Gone,
}

impl Run {
    /// One operation of the lane, as fate will have it; `None` where nobody learns what came of it.
    pub fn attempt<T>(&mut self, act: impl FnOnce(&mut Lane<Shared>) -> Result<T>) -> Option<T> {
        let fate = self.fate();
        if let Fate::Fails(statement) | Fate::Crashes(statement) = fate {
            self.store.fail_after(statement);
        }
        let result = act(&mut self.lane);
        self.store.mend();
        if let Fate::Crashes(_) = fate {
            self.store.rollback();
            self.crash();
            return None;
        }
        if result.is_err() {
            assert!(matches!(fate, Fate::Fails(_)));
            self.failures += 1;
        }
        self.arm();
        self.store.commit();
        if fate == Fate::Gone {
            self.crash();
            return None;
        }
        result.ok()
    }

    fn fate(&mut self) -> Fate {
        if self.calm || !self.dice.one_in(self.scenario.faults) {
            return Fate::Well;
        }
        let statement = u32::try_from(self.dice.between(0, 9)).unwrap();
        match self.dice.between(0, 3) {
            0 => Fate::Fails(statement),
            1 => Fate::Crashes(statement),
            _ => Fate::Gone,
        }
    }

    /// The object is gone, with every call that it made; the next event makes it again.
    fn crash(&mut self) {
        self.crashes += 1;
        for flight in self.flights.values_mut().filter(|flight| flight.by_alarm) {
            (flight.lost, flight.by_alarm) = (true, false);
        }
        if std::mem::take(&mut self.alarm_flights) > 0 || self.alarm.is_none() {
            self.call_again();
        }
        self.lane = world::open(&self.store, &self.scenario.policy(), world::KEY, self.now);
        self.store.commit();
        let is_blocked = self.store.number("SELECT blocked IS NOT NULL FROM lane") == 1;
        self.model.blocked = self.model.blocked.filter(|_| is_blocked);
    }

    /// Sets the alarm to when there is something to do.
    pub fn arm(&mut self) {
        let wake = self.lane.wake().unwrap();
        assert!(wake.is_some() || self.model.waiting == 0, "asleep");
        let mut due = i64::MAX;
        for call in [IDENTITY, PROFILE] {
            let statement =
                "SELECT MIN(due_at) FROM deliveries WHERE call = ? AND due_at IS NOT NULL";
            let row = &self.store.look(statement, &[call.into()])[0];
            due = due.min(row.optional_integer(0).unwrap().unwrap_or(i64::MAX));
        }
        let late = wake.filter(|_| due < i64::MAX).map(|wake| wake.0 - due.max(self.now.0));
        assert!(late.is_none_or(|late| late <= 3_601_000), "the wake is {late:?} ms late");
        match wake {
            Some(wake) if self.alarm_flights < CONNECTIONS => {
                let late = if self.dice.one_in(200) { self.dice.between(0, 60_000) } else { 0 };
                self.wake_at(wake.0.max(self.now.0) + late);
            }
            _ => self.alarm = None,
        }
    }

    /// The runtime calls an alarm again that failed.
    pub fn call_again(&mut self) {
        self.wake_at(self.now.0 + 2000);
        self.called_again = true;
    }

    fn wake_at(&mut self, at: i64) {
        self.after(at - self.now.0, Event::Alarm(self.number + 1));
        (self.alarm, self.called_again) = (Some(self.number), false);
    }
}
