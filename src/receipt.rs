//! What the platform and the operator are told: one receipt for an erasure, one delivery for each
//! call, and never whose data it was.

mod calendar;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// A point in time: milliseconds since the Unix epoch, as the runtime's clock gives it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// How long after `earlier` this is; nothing where it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        let millis = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or_default())
    }

    /// That much later.
    pub fn after(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339, in UTC and whole seconds.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(str::from_utf8(&calendar::rfc3339(self.0)).unwrap_or_default())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(str::from_utf8(&calendar::rfc3339(self.0)).unwrap_or_default())
    }
}

/// What is known of one delivery. `accepted` is never "deleted": no vendor confirms that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The vendor confirmed that it took the request.
    Accepted,
    /// The vendor gave its documented answer for an unknown user, exactly.
    AlreadyAbsent,
    /// Waiting: to be tried again.
    Scheduled,
    /// Credentials or configuration were refused; a person must mend them, then it is tried again.
    Blocked,
    /// The vendor refused to delete this identifier.
    NotErased,
    /// The vendor refused the request for good: no retry can mend it.
    Rejected,
    /// The vendor answered 2xx, but not with a confirmation.
    Uncertain,
    /// Retried until the deadline.
    Exhausted,
    /// The request names no identifier that this vendor takes.
    InsufficientIdentification,
}

impl Outcome {
    const NAMES: &[(Outcome, &str)] = &[
        (Outcome::Accepted, "accepted"),
        (Outcome::AlreadyAbsent, "already_absent"),
        (Outcome::Scheduled, "scheduled"),
        (Outcome::Blocked, "blocked"),
        (Outcome::NotErased, "not_erased"),
        (Outcome::Rejected, "rejected"),
        (Outcome::Uncertain, "uncertain"),
        (Outcome::Exhausted, "exhausted"),
        (Outcome::InsufficientIdentification, "insufficient_identification"),
    ];

    /// The name in receipts, lists and storage.
    pub fn name(self) -> &'static str {
        let named = Self::NAMES.iter().find(|(outcome, _)| *outcome == self);
        named.map_or("scheduled", |(_, name)| name)
    }

    /// The outcome of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(outcome, _)| *outcome)
    }

    /// Final, but a person may have it tried again: nobody has confirmed, and nobody has refused
    /// for a reason that lies in the identifier alone.
    pub fn can_be_replayed(self) -> bool {
        matches!(self, Outcome::Rejected | Outcome::Uncertain | Outcome::Exhausted)
    }

    /// Nothing more will be tried by itself.
    pub fn is_final(self) -> bool {
        !matches!(self, Outcome::Scheduled | Outcome::Blocked)
    }

    /// A delivery of this outcome, in one word.
    pub fn state(self) -> State {
        if self.is_good() {
            State::Done
        } else if self == Outcome::Scheduled {
            State::Pending
        } else {
            State::Attention
        }
    }

    /// Final, and as the person wished.
    pub fn is_good(self) -> bool {
        matches!(self, Outcome::Accepted | Outcome::AlreadyAbsent)
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// One call to one vendor for one identifier, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// The vendor account, as the configuration names it.
    pub vendor: String,
    /// The vendor's call, such as `privacy_request`; absent where none was possible.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<Cow<'static, str>>,
    /// The kind of identifier, never its value; absent where the request has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identifier: Option<String>,
    /// A keyed pseudonym of the identifier; absent where no `PSEUDONYM_KEY` is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What is known.
    pub outcome: Outcome,
    /// The vendor's HTTP status; absent where it gave no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Calls made so far.
    pub attempts: u32,
    /// The reason, in fixed words; absent where the outcome says it all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Cow<'static, str>>,
    /// The vendor's id of its answer (`CF-RAY` or a request id), to name in a support case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// When it is tried next, at the earliest; absent once the outcome is final.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
    /// When this was found out.
    pub updated_at: Timestamp,
}

/// An erasure in one word; of several, the last of these stands for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Every delivery is final and good.
    Done,
    /// Something still waits, and no person is needed.
    Pending,
    /// A person must look.
    Attention,
}

/// What is known of one erasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// The platform's id of the request.
    pub request_id: String,
    /// The source that sent it, as the configuration names it.
    pub source: String,
    /// The deliveries in one word.
    pub state: State,
    /// When the webhook came in.
    pub received_at: Timestamp,
    /// One entry for each vendor call, in the configuration's and the request's order.
    pub deliveries: Vec<Delivery>,
}

impl State {
    /// The name in receipts and lists.
    pub fn name(self) -> &'static str {
        match self {
            State::Done => "done",
            State::Pending => "pending",
            State::Attention => "attention",
        }
    }

    /// The state of this name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "done" => Some(State::Done),
            "pending" => Some(State::Pending),
            "attention" => Some(State::Attention),
            _ => None,
        }
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl Receipt {
    /// Sums up `deliveries`. Attention outweighs waiting: a person is not told later what they
    /// can act on now.
    pub fn new(
        request_id: &str,
        source: &str,
        received_at: Timestamp,
        deliveries: Vec<Delivery>,
    ) -> Self {
        let states = deliveries.iter().map(|delivery| delivery.outcome.state());
        let state = states.max().unwrap_or(State::Done);
        Self {
            request_id: request_id.to_owned(),
            source: source.to_owned(),
            state,
            received_at,
            deliveries,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(outcome: Outcome) -> Delivery {
        Delivery {
            vendor: "instacart".into(),
            call: Some("privacy_request".into()),
            identifier: Some("user_id".into()),
            subject: None,
            outcome,
            status: Some(200),
            attempts: 1,
            detail: None,
            trace: None,
            next_attempt_at: None,
            updated_at: Timestamp(1_795_325_401_999),
        }
    }

    fn state(outcomes: &[Outcome]) -> State {
        let deliveries = outcomes.iter().copied().map(delivery).collect();
        Receipt::new("id", "consent", Timestamp(0), deliveries).state
    }

    #[test]
    fn the_state_sums_up_the_deliveries() {
        use Outcome::*;
        assert_eq!(state(&[Accepted, AlreadyAbsent]), State::Done);
        assert_eq!(state(&[Accepted, Scheduled]), State::Pending);
        for outcome in
            [Blocked, NotErased, Rejected, Uncertain, Exhausted, InsufficientIdentification]
        {
            assert_eq!(state(&[Accepted, Scheduled, outcome]), State::Attention);
        }
    }

    #[test]
    fn a_receipt_is_the_contracts_json() {
        let receipt = Receipt::new(
            "a7551968",
            "consent",
            Timestamp(1_795_325_400_000),
            vec![delivery(Outcome::Accepted)],
        );
        assert_eq!(
            serde_json::to_string(&receipt).unwrap(),
            concat!(
                r#"{"request_id":"a7551968","source":"consent","state":"done","#,
                r#""received_at":"2026-11-22T05:30:00Z","deliveries":[{"vendor":"instacart","#,
                r#""call":"privacy_request","identifier":"user_id","outcome":"accepted","#,
                r#""status":200,"attempts":1,"updated_at":"2026-11-22T05:30:01Z"}]}"#
            )
        );
    }
}
