//! One erasure, as its platform's lane keeps it until the platform knows the end.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::delivery::lane::Record;
use crate::receipt::{Closed, ClosureOutcome, Timestamp, millis};

/// What is known of an erasure.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The vendor accounts that the erasure goes to; empty until the webhook has been stored.
    pub accounts: Vec<String>,
    /// What each account's lane has told last, and when.
    pub parts: BTreeMap<String, Part>,
    /// The last word that was put up to be sent.
    pub told: Option<String>,
    /// Which recipients, by their index, have not heard it yet: a later webhook brought them.
    #[serde(default)]
    pub unheard: Vec<usize>,
    /// How many words were put up.
    pub words: u32,
    /// How many messages bore them.
    #[serde(default)]
    pub messages: i64,
    /// How many of those are for webhooks that were told the last word: a later word voids none of them.
    #[serde(default)]
    pub messages_before: i64,
    /// Whether nothing more is to be told.
    pub is_over: bool,
    /// Whether a webhook came after the last word, so that there is more to tell.
    #[serde(default)]
    pub is_reopened: bool,
    /// Until when the platform takes messages, where it sets a limit.
    #[serde(default, with = "millis::option")]
    pub reply_expires_at: Option<Timestamp>,
    /// How an operator has closed it.
    pub closed: Option<Closure>,
}

impl Ticket {
    /// A webhook has come after the last word. Only what it brought is told what holds from now on.
    pub(super) fn reopen(&mut self) {
        self.is_over = false;
        self.is_reopened = true;
        self.told = None;
        self.messages_before = self.messages;
    }

    /// What an account's lane has told, unless something newer is known.
    pub(super) fn take(&mut self, account: String, at: Timestamp, records: Vec<Record>) {
        let is_new = |part: &Part| {
            part.told_at <= at && (part.arrived_at <= at || contains(&records, &part.records))
        };
        let known = self.parts.get(&account);
        if known.is_none_or(is_new) {
            let arrived_at = known.map(|part| part.arrived_at).unwrap_or_default();
            self.parts.insert(account, Part { told_at: at, arrived_at, records });
        }
    }

    /// What was stored for a webhook that arrived `now`. The lanes may have told more since, but for
    /// rows that are new.
    pub(super) fn take_arrival(&mut self, account: String, now: Timestamp, records: Vec<Record>) {
        let known = self.parts.get(&account);
        if known.is_none_or(|part| !contains(&part.records, &records)) {
            let told_at = known.map(|part| part.told_at).unwrap_or_default();
            self.parts.insert(account, Part { told_at, arrived_at: now, records });
        }
    }

    /// Whether every account has told, by one of its lanes. Of an account whose rows were moved to
    /// another one, as after its name was changed, the other one tells.
    pub(super) fn is_complete(&self) -> bool {
        let is_asked = |account: &str| self.accounts.iter().any(|name| name == account);
        let mut others = self.parts.iter().filter(|(lane, _)| !is_asked(account_of(lane)));
        let are_moved = others.any(|(_, part)| !part.records.is_empty());
        let has_told = |account: &String| {
            let of_account = self.parts.iter().filter(|(lane, _)| account_of(lane) == account);
            let mut told = of_account.map(|(_, part)| are_moved || !part.records.is_empty());
            told.any(|has_told| has_told)
        };
        !self.accounts.is_empty() && self.accounts.iter().all(has_told)
    }

    /// The operator's decision, where it still holds: of a ticket that a webhook has opened again,
    /// nothing may have changed since.
    pub(super) fn closure(&self) -> Option<&Closure> {
        let mut records = self.parts.values().flat_map(|part| &part.records);
        let holds = |closure: &&Closure| {
            !self.is_reopened || records.all(|record| record.updated_at <= closure.at)
        };
        self.closed.as_ref().filter(holds)
    }
}

/// The account of a lane; each lane of an account tells for itself, by a name with its shard.
pub(super) fn account_of(lane: &str) -> &str {
    lane.split_once('.').map_or(lane, |(account, _)| account)
}

/// Whether all `rows` are among `records`. That nobody is named is no row to be missed.
fn contains(records: &[Record], rows: &[Record]) -> bool {
    let mut rows = rows.iter().filter(|row| !row.slot.is_empty());
    rows.all(|row| records.iter().any(|record| record.is_same_row(row)))
}

/// The records of one account's lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// When they were read: what was read earlier does not replace them.
    #[serde(with = "millis")]
    pub told_at: Timestamp,
    /// When a webhook brought rows that the lane had not told of: what was read earlier and does not
    /// have them is not taken.
    #[serde(default, with = "millis")]
    pub arrived_at: Timestamp,
    /// The records.
    pub records: Vec<Record>,
}

/// The operator's decision about an erasure that the vendors did not bring to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closure {
    /// What the platform is to be told.
    pub outcome: ClosureOutcome,
    /// Why. It holds no personal data.
    pub note: String,
    /// When.
    #[serde(with = "millis")]
    pub at: Timestamp,
}

impl From<Closure> for Closed {
    fn from(Closure { outcome, note, at }: Closure) -> Self {
        Self { outcome, note, at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::Outcome;

    fn record(slot: &str, outcome: Outcome, at: i64) -> Record {
        Record {
            source: "consent".into(),
            request_id: "r".into(),
            slot: slot.into(),
            position: 0,
            received_at: Timestamp(0),
            call: None,
            identifier: None,
            subject: None,
            outcome,
            status: None,
            attempts: 1,
            detail: None,
            trace: None,
            updated_at: Timestamp(at),
            due_at: None,
            acknowledged: None,
            history: Vec::new(),
        }
    }

    fn outcomes(ticket: &Ticket) -> Vec<Outcome> {
        let records = ticket.parts.values().flat_map(|part| &part.records);
        records.map(|record| record.outcome).collect()
    }

    #[test]
    fn rows_of_a_new_webhook_are_known_before_their_lane_tells() {
        use Outcome::{Accepted, Scheduled};
        let mut ticket = Ticket { accounts: vec!["insider".into()], ..Ticket::default() };
        assert!(!ticket.is_complete());
        let lane = || "insider.2".to_owned();
        let first = || record("a", Accepted, 10);
        ticket.take(lane(), Timestamp(10), vec![first()]);
        assert!(ticket.is_complete());
        // What the lane has told is newer, unless a row is missing there.
        ticket.take_arrival(lane(), Timestamp(20), vec![record("a", Scheduled, 5)]);
        assert_eq!(outcomes(&ticket), [Accepted]);
        let arrived = vec![first(), record("b", Scheduled, 20)];
        ticket.take_arrival(lane(), Timestamp(20), arrived);
        assert_eq!(outcomes(&ticket), [Accepted, Scheduled]);
        // Read before the row came, and told after it.
        ticket.take(lane(), Timestamp(19), vec![first()]);
        assert_eq!(outcomes(&ticket), [Accepted, Scheduled]);
        // The clocks of two lanes differ: a row that is there was read after it came.
        ticket.take(lane(), Timestamp(18), vec![first(), record("b", Accepted, 18)]);
        assert_eq!(outcomes(&ticket), [Accepted, Accepted]);
        ticket.take(lane(), Timestamp(17), vec![first(), record("b", Scheduled, 17)]);
        assert_eq!(outcomes(&ticket), [Accepted, Accepted]);
    }

    #[test]
    fn a_lane_without_rows_completes_nothing() {
        let mut ticket = Ticket { accounts: vec!["insider".into()], ..Ticket::default() };
        ticket.take("insider".into(), Timestamp(1), Vec::new());
        assert!(!ticket.is_complete());
        ticket.take("insider.1".into(), Timestamp(1), vec![record("", Outcome::Rejected, 1)]);
        assert!(ticket.is_complete());
    }

    #[test]
    fn what_was_moved_is_told_by_the_other_account() {
        let accounts = vec!["old".into(), "instacart".into()];
        let mut ticket = Ticket { accounts, ..Ticket::default() };
        ticket.take("instacart".into(), Timestamp(1), vec![record("a", Outcome::Accepted, 1)]);
        ticket.take("old".into(), Timestamp(2), Vec::new());
        assert!(!ticket.is_complete(), "the other account has not told yet");
        ticket.take("new".into(), Timestamp(3), vec![record("b", Outcome::Accepted, 3)]);
        assert!(ticket.is_complete());
        ticket.accounts.push("unheard".into());
        assert!(!ticket.is_complete());
    }

    #[test]
    fn an_operators_decision_is_about_what_was_known() {
        let closure =
            Closure { outcome: ClosureOutcome::Completed, note: "n".into(), at: Timestamp(50) };
        let mut ticket = Ticket { closed: Some(closure), is_over: true, ..Ticket::default() };
        ticket.take("insider".into(), Timestamp(40), vec![record("a", Outcome::Rejected, 40)]);
        ticket.reopen();
        assert!(ticket.closure().is_some() && !ticket.is_over && ticket.told.is_none());
        let records = vec![record("a", Outcome::Rejected, 40), record("b", Outcome::Scheduled, 60)];
        ticket.take_arrival("insider".into(), Timestamp(60), records);
        assert!(ticket.closure().is_none());
    }
}
