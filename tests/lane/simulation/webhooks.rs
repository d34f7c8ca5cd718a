//! Webhooks: of new erasures, with further names of known ones, and the same once more.

use erasure_relay::delivery::lane::{Arrival, Part};
use erasure_relay::vendor::Call;

use super::model::Key;
use super::run::{Event, Run, email};
use crate::world::{identity, nobody, profile};

/// An erasure, as its webhooks name it.
pub struct Erasure {
    /// Each number is one identifier.
    pub persons: Vec<u64>,
    /// One call erases the person by whichever of the identifiers the vendor knows.
    pub reaches_person: bool,
}

impl Erasure {
    /// What the vendor is asked.
    fn calls(&self) -> Vec<Call> {
        if !self.reaches_person {
            return self.persons.iter().map(|person| identity(&email(*person))).collect();
        }
        let mut names = self.persons.iter().map(|person| profile(&email(*person)));
        let Some(mut call) = names.next() else { return Vec::new() };
        call.alternatives = names.map(|name| name.identifier).collect();
        vec![call]
    }
}

impl Run {
    pub fn arrive(&mut self) {
        let recent = self.erasures.len().saturating_sub(1 + self.dice.between(0, 200) as usize);
        let knows_key = self.mistaken.is_none();
        let erasure = if self.dice.one_in(8) && !self.erasures.is_empty() && knows_key {
            recent // a further identifier of an erasure that is known
        } else {
            let reaches_person = self.dice.one_in(4);
            self.erasures.push(Erasure { persons: Vec::new(), reaches_person });
            self.erasures.len() - 1
        };
        let persons = match self.dice.between(0, 50) {
            0 => 0,
            1 => self.dice.between(8, 30), // more than there are connections
            _ => self.dice.between(1, 4),
        };
        for _ in 0..persons {
            self.deliveries += 1;
            self.erasures[erasure].persons.push(self.deliveries);
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
            self.calm_down();
        }
    }

    pub fn webhook(&mut self, erasure: usize) {
        self.webhooks += 1;
        let id = format!("r{erasure}");
        let Erasure { persons, .. } = &self.erasures[erasure];
        let persons = persons.clone();
        let calls = self.erasures[erasure].calls();
        let mut parts: Vec<Part> = Vec::new();
        for call in calls {
            parts.push(self.part(call));
        }
        if parts.is_empty() {
            parts.push(nobody());
        }
        let (now, life) = (self.now, self.crashes);
        for person in &persons {
            self.note_slots(*person);
            self.model.named(*person, erasure, now.0);
        }
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
        assert!(accepted.claims.is_empty(), "queued");
        let mut kept = Vec::new();
        for record in accepted.records.iter().filter(|record| record.call.is_some()) {
            let person = self.slots[&record.slot];
            kept.push(person);
            self.model.acknowledge(person);
            let row = Key { request_id: id.clone(), slot: record.slot.clone(), person };
            self.look(&row);
            let is_known = self.model.end_of(person).is_none_or(|end| record.outcome == end);
            assert!(is_known, "a receipt that does not know the end");
        }
        if self.erasures[erasure].reaches_person {
            self.look_for_names(&id, &persons);
        } else {
            assert_eq!(kept, persons, "not all, or not in the order of arrival");
        }
        self.send_what_may_go();
    }

    /// Each name is in some row.
    fn look_for_names(&self, id: &str, persons: &[u64]) {
        let statement = "SELECT names FROM delivery WHERE request_id = ? AND call IS NOT NULL";
        let rows = self.store.look(statement, &[id.into()]);
        let mut names: Vec<u64> = Vec::new();
        for row in &rows {
            names.extend(row.text(0).unwrap().split(' ').map(|name| self.names[name]));
        }
        names.sort_unstable();
        assert_eq!(names, persons, "each name in one row");
    }
}
