//! A vendor that is down, throttles or refuses for a while, and counts every call.

use std::collections::VecDeque;
use std::time::Duration;

use erasure_relay::receipt::Outcome;
use erasure_relay::vendor::{Failure, Pace, Verdict};

use crate::world::{Dice, IDENTITY, forbidden, no_such_user, not_enabled, refused, verdict};

/// How the vendor answers for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VendorState {
    Healthy,
    Down,
    Throttling { retry_after: Option<u64> },
    Refusing,
}

/// What the vendor has of a person by one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Temper {
    /// It erases whoever it is asked to.
    Willing,
    /// It never erases this person, in the words that it has for a wrong account.
    LikeTheAccount,
    /// It never erases this person, in words that may be about the account.
    Unclear,
    /// It never erases this person, and says so.
    Never,
    /// It knows no profile by this name.
    Unknown,
}

impl Temper {
    /// No call for this person ever succeeds.
    pub fn is_rejected(self) -> bool {
        matches!(self, Self::LikeTheAccount | Self::Unclear | Self::Never)
    }
}

/// The calls of the last window, both of its ends counted in.
pub struct Window {
    times: VecDeque<i64>,
    length: i64,
    pub allowed: usize,
    pub highest: usize,
}

impl Window {
    pub fn new(pace: Pace) -> Self {
        let length = i64::from(pace.per_seconds) * 1000;
        Self { times: VecDeque::new(), length, allowed: pace.calls as usize, highest: 0 }
    }

    /// One more call; panics where it is one too many.
    pub fn count(&mut self, now: i64) {
        while self.times.front().is_some_and(|time| *time < now - self.length) {
            self.times.pop_front();
        }
        self.times.push_back(now);
        self.highest = self.highest.max(self.times.len());
        assert!(self.times.len() <= self.allowed, "{} calls in a window", self.times.len());
    }
}

/// What the vendor does with one call.
pub struct Reaction {
    pub verdict: Verdict,
    /// The vendor has begun to erase, whatever it answers.
    pub acted: bool,
    /// The identity is the last of its profile, and the profile must be erased.
    pub is_last: bool,
    /// Until the caller knows, in milliseconds.
    pub after: i64,
}

pub struct Vendor {
    pub state: VendorState,
    pub windows: [Window; 2],
    /// How many calls it has seen.
    pub calls: u64,
    /// How often it was down, throttled and refused.
    pub changes: [u64; 3],
    /// The unit of its states: milliseconds, fewer where more is to happen.
    minute: i64,
    seed: u64,
    dice: Dice,
}

/// In milliseconds.
pub const HOUR: i64 = 3_600_000;

/// How long a caller waits for an answer.
const TIMEOUT: i64 = 10_000;

impl Vendor {
    pub fn new(paces: [Pace; 2], minute: i64, seed: u64) -> Self {
        let windows = paces.map(Window::new);
        Self {
            state: VendorState::Healthy,
            windows,
            calls: 0,
            changes: [0; 3],
            minute,
            seed,
            dice: Dice(seed),
        }
    }

    /// Changes the state; returns for how long.
    pub fn change(&mut self) -> i64 {
        let minute = self.minute;
        if self.state != VendorState::Healthy {
            self.state = VendorState::Healthy;
            return self.dice.between(20 * minute, 360 * minute);
        }
        match self.dice.between(0, 4) {
            0 | 1 => {
                self.state = VendorState::Down;
                self.changes[0] += 1;
                self.dice.between(minute, 240 * minute)
            }
            2 => {
                let seconds = self.dice.between(1, 300).unsigned_abs();
                let retry_after = (!self.dice.one_in(3)).then_some(seconds);
                self.state = VendorState::Throttling { retry_after };
                self.changes[1] += 1;
                self.dice.between(minute / 2, 40 * minute)
            }
            _ => {
                self.state = VendorState::Refusing;
                self.changes[2] += 1;
                if self.dice.one_in(4) {
                    return self.dice.between(HOUR, 100 * HOUR); // nobody corrects it for days
                }
                self.dice.between(minute, 90 * minute)
            }
        }
    }

    /// The same for each call about this name.
    pub fn temper(&self, name: u64) -> Temper {
        match Dice(self.seed ^ name.wrapping_mul(0x9e37_79b9)).between(0, 200) {
            0 | 1 => Temper::LikeTheAccount,
            2 | 3 => Temper::Unclear,
            4 | 5 => Temper::Never,
            6..=70 => Temper::Unknown,
            _ => Temper::Willing,
        }
    }

    pub fn receive(&mut self, call: &'static str, name: u64, now: i64) -> Reaction {
        self.calls += 1;
        self.windows[usize::from(call != IDENTITY)].count(now);
        let quick = self.dice.between(20, 700);
        let after = if self.dice.one_in(200) { self.dice.between(3000, 9000) } else { quick };
        let said = |verdict: Verdict| {
            let acted = matches!(verdict.outcome, Outcome::Accepted | Outcome::Uncertain);
            Reaction { verdict, acted, is_last: false, after }
        };
        match self.state {
            VendorState::Healthy => match self.temper(name) {
                Temper::LikeTheAccount => said(refused()),
                Temper::Unclear => said(forbidden()),
                Temper::Never => said(not_enabled()),
                Temper::Unknown if call != IDENTITY => said(no_such_user()),
                Temper::Willing | Temper::Unknown => self.answer(call, said),
            },
            VendorState::Down => match self.dice.between(0, 10) {
                0..=4 => said(Failure::Network.into()),
                5..=7 => {
                    let acted = self.dice.one_in(20);
                    Reaction { acted, after: TIMEOUT, ..said(Failure::Timeout.into()) }
                }
                _ => said(verdict(Outcome::Scheduled, 503, None)),
            },
            VendorState::Throttling { retry_after } => {
                said(verdict(Outcome::Scheduled, 429, retry_after))
            }
            // Not even every answer to a wrong account says so.
            VendorState::Refusing if self.dice.one_in(10) => {
                said(verdict(Outcome::Scheduled, 500, None))
            }
            VendorState::Refusing => said(refused()),
        }
    }

    fn answer(&mut self, call: &'static str, said: impl Fn(Verdict) -> Reaction) -> Reaction {
        match self.dice.between(0, 1000) {
            0..=5 => said(verdict(Outcome::Scheduled, 500, None)),
            6..=8 => {
                let acted = self.dice.one_in(2);
                Reaction { acted, after: TIMEOUT, ..said(Failure::Timeout.into()) }
            }
            9..=10 => said(verdict(Outcome::Uncertain, 200, None)),
            11..=12 => said(verdict(Outcome::Rejected, 400, None)),
            13..=60 => said(verdict(Outcome::AlreadyAbsent, 404, None)),
            61..=75 => {
                let is_last = call == IDENTITY && self.dice.one_in(2);
                Reaction { is_last, ..said(verdict(Outcome::NotErased, 400, None)) }
            }
            76..=77 => said(not_enabled()),
            78 => said(Verdict {
                retry_after: Some(Duration::from_secs(5)),
                ..verdict(Outcome::Scheduled, 503, None)
            }),
            _ => said(verdict(Outcome::Accepted, 200, None)),
        }
    }
}
