//! What a person does now and then: corrects, replays, discards. And what nobody does on purpose: a
//! row's sealed identifiers are spoilt.

use erasure_relay::delivery::database::Value;

use super::run::{Event, Run};

impl Run {
    pub fn operate(&mut self) {
        if self.is_calm() {
            return;
        }
        let pause = self.dice.between(1, 240) * self.scenario.minute;
        self.after(pause, Event::Operator);
        let (now, life) = (self.now, self.crashes);
        let flushed = self.attempt(|dispatcher| dispatcher.lane(now).map(drop));
        self.note_recorded(life, flushed.is_some());
        match self.dice.between(0, 12) {
            0..=3 => {
                self.attempt(|dispatcher| dispatcher.lane(now)?.resume(now));
                self.model.quiet_until = 0;
            }
            4 => self.discard(),
            5 => self.spoil(),
            _ => self.replay(),
        }
        self.send_what_may_go();
    }

    fn replay(&mut self) {
        let now = self.now;
        let replayed = "SELECT DISTINCT request_id FROM delivery WHERE call IS NOT NULL
            AND outcome NOT IN ('accepted', 'already_absent', 'scheduled')
            ORDER BY received_at DESC LIMIT 20";
        for row in self.store.look(replayed, &[]) {
            let id = row.text(0).unwrap();
            self.attempt(|dispatcher| dispatcher.lane(now)?.replay("consent", id, now));
            let again = "SELECT slot FROM delivery WHERE request_id = ? AND call IS NOT NULL
                AND due_at = ? AND updated_at = ? AND failures = 0";
            for row in self.store.look(again, &[Value::from(id), now.0.into(), now.0.into()]) {
                self.model.replayed(self.slots[row.text(0).unwrap()], now.0);
            }
        }
    }

    /// Ends an erasure that waits or needs a person, whatever is under way of it.
    fn discard(&mut self) {
        let now = self.now;
        let which = "SELECT request_id FROM delivery WHERE call IS NOT NULL AND person IS NOT NULL
            ORDER BY updated_at LIMIT 1 OFFSET ?";
        let offset = self.dice.between(0, 20);
        let rows = self.store.look(which, &[offset.into()]);
        let Some(row) = rows.first() else { return };
        let id = row.text(0).unwrap();
        let ended = "SELECT slot FROM delivery WHERE request_id = ? AND person IS NOT NULL";
        for row in self.store.look(ended, &[id.into()]) {
            self.model.discarded(self.slots[row.text(0).unwrap()]);
        }
        self.discards += 1;
        let ended =
            self.attempt(|dispatcher| dispatcher.discard("consent", id, "done by hand", now));
        self.model.look_at_all(&self.store, &self.slots, now.0);
        if let Some(ended) = ended {
            assert!(ended.iter().all(|record| self.slots.contains_key(&record.slot)));
        }
    }

    /// Overwrites what is sealed of a row that waits.
    fn spoil(&mut self) {
        let which = "SELECT source, request_id, slot FROM delivery WHERE due_at IS NOT NULL
            ORDER BY due_at LIMIT 1 OFFSET ?";
        let offset = self.dice.between(0, 20);
        let rows = self.store.look(which, &[offset.into()]);
        let Some(row) = rows.first() else { return };
        let [current, _] = self.keys.seal().prefixes();
        let prefix = if self.dice.one_in(2) { current } else { String::new() };
        let spoil = "UPDATE delivery SET person = ?
            WHERE source = ? AND request_id = ? AND slot = ?";
        let mut bindings = vec![Value::from(format!("{prefix}c3BvaWx0"))];
        bindings.extend([0, 1, 2].map(|at| Value::from(row.text(at).unwrap())));
        self.store.look(spoil, &bindings);
        self.store.commit();
        self.model.spoilt(self.slots[row.text(2).unwrap()]);
        self.spoilt += 1;
    }
}
