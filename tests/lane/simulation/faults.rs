//! What goes wrong around one operation of the object, and the alarm that follows it.

use erasure_relay::delivery::dispatcher::Dispatcher;
use erasure_relay::delivery::lane::Result;

use super::run::{Event, Run};
use crate::database::Shared;
use crate::world::{self, IDENTITY, PROFILE};

/// What becomes of one operation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Success,
    /// A statement fails; what was stored before it stays.
    Failure(u32),
    /// The object is gone in the middle: nothing is stored.
    CrashBefore(u32),
    /// The object is gone once everything is stored.
    CrashAfter,
}

impl Run {
    /// One operation of the object; `None` where nobody learns what came of it.
    pub fn attempt<T>(
        &mut self,
        act: impl FnOnce(&mut Dispatcher<Shared>) -> Result<T>,
    ) -> Option<T> {
        let fate = self.fate();
        if let Fate::Failure(statement) | Fate::CrashBefore(statement) = fate {
            self.store.fail_after(statement);
        }
        let result = act(&mut self.dispatcher);
        self.store.stop_failing();
        if let Fate::CrashBefore(_) = fate {
            self.store.rollback();
            self.crash();
            return None;
        }
        if result.is_err() {
            assert!(matches!(fate, Fate::Failure(_)));
            self.failures += 1;
        }
        self.set_alarm();
        self.store.commit();
        self.model.account.look(&self.store, result.is_err(), self.now.0);
        if fate == Fate::CrashAfter {
            self.crash();
            return None;
        }
        result.ok()
    }

    fn fate(&mut self) -> Fate {
        if self.is_calm() || !self.dice.one_in(self.scenario.faults) {
            return Fate::Success;
        }
        let statement = u32::try_from(self.dice.between(0, 9)).unwrap();
        match self.dice.between(0, 3) {
            0 => Fate::Failure(statement),
            1 => Fate::CrashBefore(statement),
            _ => Fate::CrashAfter,
        }
    }

    /// The object is gone, with its calls, its queue and the outcomes that were not recorded. The next
    /// event makes another.
    fn crash(&mut self) {
        self.crashes += 1;
        self.restart();
        if self.alarm.is_none() {
            self.repeat_alarm();
        }
    }

    /// Another object takes the place of this one, with the configuration of now.
    pub fn restart(&mut self) {
        self.lose_calls();
        let policy = self.scenario.policy();
        let lane = world::open(&self.store, &policy, &self.keys.seal(), self.now);
        self.dispatcher = Dispatcher::new(lane);
        self.store.commit();
        self.restarts += 1;
    }

    /// Sets the alarm to when the object must be woken.
    pub fn set_alarm(&mut self) {
        let now = self.now;
        let wake = self.dispatcher.wake(now).unwrap();
        let waits = "SELECT EXISTS (SELECT 1 FROM delivery
            WHERE due_at IS NOT NULL OR lease_until IS NOT NULL)";
        assert!(wake.is_some() || self.store.number(waits) == 0, "asleep");
        let mut due = i64::MAX;
        for call in [IDENTITY, PROFILE] {
            let statement =
                "SELECT MIN(due_at) FROM delivery WHERE call = ? AND due_at IS NOT NULL";
            let row = &self.store.look(statement, &[call.into()])[0];
            due = due.min(row.optional_integer(0).unwrap().unwrap_or(i64::MAX));
        }
        let late = wake.filter(|_| due < i64::MAX).map(|wake| wake.0 - due.max(now.0));
        assert!(late.is_none_or(|late| late <= 3_601_000), "the wake is {late:?} ms late");
        match wake {
            Some(wake) => {
                let late = if self.dice.one_in(200) { self.dice.between(0, 60_000) } else { 0 };
                self.wake_at(wake.0.max(now.0) + late);
            }
            None => self.alarm = None,
        }
    }

    /// The runtime calls an alarm again that failed.
    pub fn repeat_alarm(&mut self) {
        self.wake_at(self.now.0 + 2000);
        self.is_repeated = true;
    }

    fn wake_at(&mut self, at: i64) {
        self.after(at - self.now.0, Event::Alarm(self.number + 1));
        (self.alarm, self.is_repeated) = (Some(self.number), false);
    }
}
