//! The account as its breaker sees it: calls go one at a time while it is open, and deadlines do not
//! run while it is blocked.

use crate::database::Store;

/// A block that was shorter does not move deadlines.
const SHORT: i64 = 60_000;

/// The stored state of the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct State {
    opened_at: Option<i64>,
    is_blocked: bool,
}

/// A claim: the row's person, and the number of its lease.
type ClaimKey = (u64, i64);

#[derive(Default)]
pub struct Account {
    state: State,
    /// A statement has failed: the object may know more than its storage.
    is_unsure: bool,
    /// The call that is under way while the breaker is open, and the end of its lease.
    probe: Option<(ClaimKey, i64)>,
    /// When the account was blocked, from and to.
    blocks: Vec<(i64, i64)>,
}

impl Account {
    /// Looks at the stored breaker after an operation.
    pub fn look(&mut self, store: &Store, has_failed: bool, now: i64) {
        let rows = store.look("SELECT opened_at, blocked IS NOT NULL FROM breaker", &[]);
        let state = rows.first().map_or_else(State::default, |row| State {
            opened_at: row.optional_integer(0).unwrap(),
            is_blocked: row.integer(1).unwrap() == 1,
        });
        let before = std::mem::replace(&mut self.state, state);
        let is_new = before.opened_at != state.opened_at;
        if is_new || state.opened_at.is_none() {
            self.probe = None;
        }
        self.is_unsure = has_failed || (self.is_unsure && state == before);
        if let Some(opened_at) = before.opened_at.filter(|_| before.is_blocked)
            && (is_new || !state.is_blocked)
            && now - opened_at >= SHORT
        {
            self.blocks.push((opened_at, now));
        }
    }

    /// A call was claimed: while the breaker is open it must be the only one.
    pub fn claimed(&mut self, claim: ClaimKey, now: i64, lease: i64) {
        if self.state.opened_at.is_some() && !self.is_unsure {
            let is_alone = self.probe.is_none_or(|(_, until)| now >= until);
            assert!(is_alone, "more than one probe");
            self.probe = Some((claim, now + lease));
        }
    }

    /// The lane knows what came of a call, or will never know.
    pub fn concluded(&mut self, claim: ClaimKey) {
        self.probe = self.probe.filter(|(probe, _)| *probe != claim);
    }

    /// The object was opened again, and knows what is stored.
    pub fn reopened(&mut self) {
        (self.probe, self.is_unsure) = (None, false);
    }

    /// For how long the account has been blocked since `from`.
    pub fn blocked_since(&self, from: i64, now: i64) -> i64 {
        let is_blocked = self.state.is_blocked;
        let current = self.state.opened_at.filter(|_| is_blocked).map(|opened_at| (opened_at, now));
        let overlap = |(start, end): (i64, i64)| (end - start.max(from)).max(0);
        // The last blocks are the ones that matter, and each is later than the one before.
        let past = self.blocks.iter().rev().take_while(|(_, end)| *end > from);
        past.copied().chain(current).map(overlap).sum()
    }
}
