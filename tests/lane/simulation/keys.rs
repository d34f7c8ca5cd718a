//! The key of pseudonyms and seals: rotated, or replaced by mistake and put back.

use erasure_relay::delivery::lane::Part;
use erasure_relay::seal::Seal;
use erasure_relay::vendor::Call;

use super::run::{Event, Run, email};
use super::vendor::HOUR;
use crate::world::{self, IDENTITY, PROFILE, identity};

/// The keys that an operator has configured.
pub struct Keys {
    current: String,
    previous: Option<String>,
    made: u32,
}

impl Keys {
    pub fn first() -> Self {
        Self { current: world::KEY.to_owned(), previous: None, made: 0 }
    }

    pub fn seal(&self) -> Seal {
        world::seal(&self.current, self.previous.as_deref())
    }

    fn another(&mut self) -> String {
        self.made += 1;
        format!("key number {} of a simulated lane", self.made)
    }
}

impl Run {
    /// The next key takes the place of the current one, unless something still needs the previous; or
    /// the operator forgets to keep the current one, for a while.
    pub fn change_key(&mut self) {
        if self.is_calm() {
            return;
        }
        // A webhook is repeated for less than half of it, under the next key at most.
        let pause = self.dice.between(24 * HOUR, 72 * HOUR);
        self.after(pause, Event::Rotate);
        let [current, _] = self.keys.seal().prefixes();
        let older = "SELECT COUNT(*) FROM delivery WHERE person IS NOT NULL
            AND (due_at IS NOT NULL OR lease_until IS NOT NULL) AND substr(person, 1, 5) <> ?";
        if self.store.look(older, &[current.into()])[0].integer(0).unwrap() > 0 {
            return;
        }
        let key = self.keys.another();
        if self.dice.one_in(3) {
            self.mistaken = Some(std::mem::replace(&mut self.keys.current, key));
            self.keys.previous = None;
            self.restart();
            self.look_for_unreadable();
            let pause = self.dice.between(60_000, 4 * HOUR);
            return self.after(pause, Event::PutKeyBack);
        }
        self.rotations += 1;
        self.keys.previous = Some(std::mem::replace(&mut self.keys.current, key));
        self.restart();
        assert_eq!(self.unreadable(), 0, "what the previous key has sealed can be read");
    }

    /// The mistake is corrected: both keys are known.
    pub fn put_key_back(&mut self) {
        let Some(key) = self.mistaken.take() else { return };
        self.keys.previous = Some(std::mem::replace(&mut self.keys.current, key));
        self.restart();
    }

    /// What waits is sealed with a key that is gone, and an operator can see that.
    fn look_for_unreadable(&mut self) {
        let waiting = self.store.number("SELECT COUNT(*) FROM delivery WHERE due_at IS NOT NULL");
        assert_eq!(self.unreadable() > 0, waiting > 0, "nobody is told of the key");
    }

    fn unreadable(&mut self) -> i64 {
        let now = self.now;
        self.dispatcher.lane(now).unwrap().status(now).unwrap().unreadable
    }

    /// A part of a webhook, with its pseudonyms under the configured keys.
    pub fn part(&self, call: Call) -> Part {
        world::part_with_keys(call, &self.keys.current, self.keys.previous.as_deref())
    }

    /// Notes how rows of this person are named under the current key.
    pub fn note_slots(&mut self, person: u64) {
        let stored = world::stored_with_key(&identity(&email(person)), &self.keys.current);
        for call in [IDENTITY, PROFILE] {
            self.slots.insert(format!("{call}:{stored}"), person);
        }
        self.names.insert(stored, person);
    }
}
