//! Whether a lane may call its vendor at all.
//!
//! | the vendor | the lane |
//! |---|---|
//! | answers about one call, or rejects it | calls |
//! | throttles (429, or names a pause) | rests until then, then goes on |
//! | fails for several erasures in a row | rests, then tries one call; the pause doubles |
//! | rejects the credentials or the configuration | is blocked: another erasure's call is tried at once, then one call at intervals |
//! | rejects a call, and it is unclear whether the account is meant | tries other erasures, one call at a time; the third that is rejected blocks the lane |
//!
//! What a vendor's table says of an answer is a first guess; evidence overrules it. Each probe takes an
//! erasure that has not failed (a *suspect*), and where its call succeeds, the account works: the
//! rejection was about the one call. Nothing is dropped: what waits goes on waiting.

use std::borrow::Cow;
use std::time::Duration;

use super::retry::Retry;
use crate::receipt::{Outcome, Timestamp};
use crate::settings::Settings;
use crate::vendor::{Scope, Verdict};

/// Erasures whose rejection in a row, each unclear, blocks the lane.
const UNCLEAR_REJECTIONS: u32 = 3;

/// How many suspects are remembered.
const SUSPECTS: usize = 8;

/// When a lane stops calling, and how often it looks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Failures in a row that stop the lane.
    pub failures: u32,
    /// Between two probes of a blocked account; the longest between two of one that fails.
    pub probe: Duration,
}

impl Limits {
    /// Reads the table `breaker`: `{ failures = 5, probe_seconds = 300 }`.
    pub fn configure(settings: &mut Settings<'_>) -> Self {
        let (mut failures, mut probe) = (5, 300);
        if let Some(mut table) = settings.table("breaker") {
            failures = table.number("failures", failures, 1..=1000);
            probe = table.number("probe_seconds", probe, 1..=86_400);
            table.finish();
        }
        Self { failures, probe: Duration::from_secs(probe.into()) }
    }
}

/// Names an erasure: its source and its id.
pub type Erasure = (String, String);

/// The state of one account's breaker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Breaker {
    /// Failures in a row, those of one erasure counted once until the breaker opens.
    pub failures: u32,
    /// The erasures that they were of, the last ones. A probe takes another where one is due.
    pub suspects: Vec<Erasure>,
    /// While calls go one at a time, suspects are not called before this.
    pub suspects_rest_until: Timestamp,
    /// What a person must correct.
    pub blocked: Option<Cow<'static, str>>,
    /// While calls go one at a time, none is made before this.
    pub probe_at: Timestamp,
    /// The vendor has asked not to be called before this.
    pub quiet_until: Timestamp,
    /// Since when calls go one at a time, as probes; `None` while the breaker is closed.
    pub opened_at: Option<Timestamp>,
    /// When the last probe was claimed. An answer to an earlier one does not let the next one go. It
    /// is not stored: leases end with the object.
    pub last_probe_at: Timestamp,
}

/// What came of one call, as far as the breaker looks.
#[derive(Debug, Clone, Copy)]
pub struct Result<'a> {
    /// Whose call it was.
    pub erasure: (&'a str, &'a str),
    /// What the answer means.
    pub verdict: &'a Verdict,
    /// When the call was claimed: only what was claimed after the breaker opened says how the account
    /// is now.
    pub claimed_at: Timestamp,
    /// The call was rejected before, and other erasures were not: a rejection is about it alone.
    pub is_alone: bool,
}

/// How many calls may go now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// As many as the pace allows.
    Free,
    /// One, to see how the vendor answers.
    Probe,
    /// None before this.
    RestUntil(Timestamp),
}

impl Breaker {
    /// What may be done at `now`.
    pub fn leave(&self, now: Timestamp) -> Leave {
        if now < self.rests_until() {
            Leave::RestUntil(self.rests_until())
        } else if self.is_open() {
            Leave::Probe
        } else {
            Leave::Free
        }
    }

    /// No call is made before this; long past where there is nothing to wait for.
    pub fn rests_until(&self) -> Timestamp {
        self.probe_at.max(self.quiet_until)
    }

    /// Whether calls go one at a time.
    pub fn is_open(&self) -> bool {
        self.opened_at.is_some()
    }

    /// A probe goes out; the next one waits until its lease has run out.
    pub fn probe_sent(&mut self, lease_until: Timestamp, now: Timestamp) {
        self.last_probe_at = now;
        self.probe_at = lease_until;
    }

    /// Records what a call came to.
    pub fn note(
        &mut self,
        result: &Result<'_>,
        limits: &Limits,
        retry: &Retry,
        now: Timestamp,
        random: u32,
    ) {
        let Result { erasure, verdict, claimed_at, is_alone } = *result;
        if let Some(pause) = verdict.retry_after.filter(|_| !verdict.outcome.is_final()) {
            self.quiet_until = self.quiet_until.max(now.after(pause));
        }
        let is_evidence = self.opened_at.is_none_or(|opened_at| claimed_at >= opened_at);
        let is_probe = is_evidence && (!self.is_open() || claimed_at >= self.last_probe_at);
        match (verdict.outcome, verdict.scope) {
            (Outcome::Blocked, Scope::Account | Scope::Unclear) if is_alone => {}
            (Outcome::Blocked, scope @ (Scope::Account | Scope::Unclear)) => {
                let is_first = !self.is_open();
                let is_known = self.suspect(erasure);
                if !is_evidence {
                    return;
                }
                self.failures = self.failures.saturating_add(u32::from(!is_known));
                let is_blocked = scope == Scope::Account || self.blocked.is_some();
                if is_blocked || self.failures >= UNCLEAR_REJECTIONS {
                    self.blocked = Some(verdict.detail.clone().unwrap_or("rejected".into()));
                }
                let later = now.after(limits.probe);
                self.suspects_rest_until = later;
                // Another erasure is tried at once; where that one is rejected too, the lane rests.
                let rests = self.blocked.is_some() && !is_first && !is_known;
                if is_probe {
                    self.open(if rests { later } else { now }, now);
                }
            }
            // It confirms nothing, not even that the vendor has read the request.
            (Outcome::Uncertain, _) => {}
            (Outcome::Scheduled, Scope::Account) => {
                // Throttled: the account must not be called for a while. Whether its credentials
                // are valid is not known from that.
                let pause = verdict.retry_after.unwrap_or(retry.first);
                if is_probe && self.blocked.is_none() {
                    self.close();
                }
                self.quiet_until = self.quiet_until.max(now.after(pause));
                if is_probe {
                    self.probe_at = self.probe_at.min(self.quiet_until);
                }
            }
            (Outcome::Scheduled, Scope::Call | Scope::Unclear) => {
                let is_known = self.suspect(erasure);
                if !is_probe || (is_known && !self.is_open()) {
                    return;
                }
                self.failures = self.failures.saturating_add(1);
                if self.failures < limits.failures && !self.is_open() {
                    return;
                }
                let beyond = self.failures.saturating_sub(limits.failures).saturating_add(1);
                let within = Retry { longest: limits.probe, ..*retry };
                let pause = within.pause(beyond, random);
                self.open(Timestamp(now.0.saturating_add(pause)), now);
            }
            // The vendor has decided about a call, and so the account works.
            _ if is_evidence => self.close(),
            _ => {}
        }
    }

    /// A clock that went backwards must not stop the lane for that long.
    pub fn at_most(&mut self, longest: Duration, now: Timestamp) {
        self.probe_at = self.probe_at.min(now.after(longest));
        self.quiet_until = self.quiet_until.min(now.after(longest));
        self.suspects_rest_until = self.suspects_rest_until.min(now.after(longest));
    }

    fn open(&mut self, probe_at: Timestamp, now: Timestamp) {
        self.probe_at = probe_at;
        self.opened_at.get_or_insert(now);
    }

    /// Calls flow again. What the vendor asked for holds: answers to calls that were under way then do
    /// not shorten it.
    fn close(&mut self) {
        *self = Self { quiet_until: self.quiet_until, ..Self::default() };
    }

    /// Remembers an erasure whose call failed, and tells whether it was known.
    fn suspect(&mut self, (source, request_id): (&str, &str)) -> bool {
        let known = self.suspects.len();
        self.suspects.retain(|(known, id)| (known.as_str(), id.as_str()) != (source, request_id));
        let is_known = self.suspects.len() < known;
        if self.suspects.len() >= SUSPECTS {
            self.suspects.remove(0);
        }
        self.suspects.push((source.to_owned(), request_id.to_owned()));
        is_known
    }
}

#[cfg(test)]
#[path = "breaker_tests.rs"]
mod tests;
