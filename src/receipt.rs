//! What the platform and the operator see: one receipt for an erasure, one delivery for each call,
//! and no personal data.

mod callback;
pub mod millis;
mod timestamp;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr};

pub use callback::{Callback, CallbackAttempt, CallbackState, Closed, ClosureOutcome};
pub use timestamp::Timestamp;

/// What is known of one delivery. `accepted` is never "deleted": no vendor confirms that.
///
/// Its name is `snake_case` in receipts, lists and storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, EnumString)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Outcome {
    /// The vendor confirmed that it accepted the request.
    Accepted,
    /// The vendor gave its documented answer for an unknown user, exactly.
    AlreadyAbsent,
    /// Waiting for the next attempt.
    Scheduled,
    /// Credentials or configuration were rejected. A person must correct them; then it is retried.
    Blocked,
    /// The vendor does not delete this identifier.
    NotErased,
    /// The vendor rejected the request, and would reject a retry.
    Rejected,
    /// The vendor answered 2xx, but not with a confirmation.
    Uncertain,
    /// Retried until the deadline.
    Exhausted,
    /// The request names no identifier that this vendor takes.
    InsufficientIdentification,
    /// An operator ended it; the vendor has not confirmed anything. The detail is the operator's note.
    Discarded,
    /// The same, where that is as it should be (`without_identifier = "not_applicable"`): another
    /// vendor of the request could be asked.
    NotApplicable,
}

impl Outcome {
    /// The name in receipts, lists and storage.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The outcome of this name.
    pub fn parse(name: &str) -> Option<Self> {
        name.parse().ok()
    }

    /// Final, but the operator may replay it: the vendor has not confirmed, and the reason may be
    /// gone later.
    pub fn can_be_replayed(self) -> bool {
        matches!(self, Outcome::Rejected | Outcome::Uncertain | Outcome::Exhausted)
    }

    /// No further attempt will be made without the operator.
    pub fn is_final(self) -> bool {
        !matches!(self, Outcome::Scheduled | Outcome::Blocked)
    }

    /// The state of a delivery with this outcome.
    pub fn state(self) -> State {
        if self.is_good() || self == Outcome::NotApplicable {
            State::Done
        } else {
            match self {
                Outcome::Discarded => State::Discarded,
                Outcome::Scheduled => State::Pending,
                _ => State::Attention,
            }
        }
    }

    /// Final, and a person must look: that can be acknowledged.
    pub fn can_be_acknowledged(self) -> bool {
        self.is_final() && self.state() == State::Attention
    }

    /// The state of a delivery with this outcome, which a person has acknowledged or not.
    pub fn state_of(self, is_acknowledged: bool) -> State {
        if is_acknowledged && self.can_be_acknowledged() {
            State::Acknowledged
        } else {
            self.state()
        }
    }

    /// Final, and as the person requested.
    pub fn is_good(self) -> bool {
        matches!(self, Outcome::Accepted | Outcome::AlreadyAbsent)
    }
}

/// One call to one vendor for one identifier, and its outcome.
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
    /// The vendor's HTTP status; absent where there was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The number of calls made so far.
    pub attempts: u32,
    /// The reason, a fixed text; absent where the outcome needs none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Cow<'static, str>>,
    /// The vendor's id of its answer (`CF-RAY` or a request id), to name in a support case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// The earliest time of the next attempt; absent once the outcome is final.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
    /// When the outcome was recorded.
    pub updated_at: Timestamp,
    /// That a person has seen an outcome that needs attention; absent once the outcome has changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledged>,
    /// The results that later ones have replaced, oldest first; empty but in the receipt of one erasure.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Attempt>,
}

impl Delivery {
    /// Its part of the erasure's state.
    pub fn state(&self) -> State {
        self.outcome.state_of(self.acknowledged.is_some())
    }
}

/// That a person has seen what needs attention, and why nothing more is done about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// When.
    pub at: Timestamp,
    /// The person's note. It holds no personal data.
    pub note: String,
}

/// A result of a delivery that a later one has replaced: of an attempt, or of an operator's decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it was recorded.
    pub at: Timestamp,
    /// What was known then.
    pub outcome: Outcome,
    /// The vendor's HTTP status; absent where there was no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The reason; absent where the outcome needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The vendor's id of its answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

/// The state of an erasure: that of its deliveries which comes last in this order.
///
/// Its name is `snake_case` in receipts and lists.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    IntoStaticStr,
    EnumString,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum State {
    /// Every delivery is final and good, or not applicable; at least one is good.
    Done,
    /// Every delivery is final, and good but for those that an operator ended. No person must look.
    Discarded,
    /// Every delivery is final, and a person has acknowledged each that would need attention.
    Acknowledged,
    /// Something waits, and needs no person.
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
    /// The state of the deliveries together.
    pub state: State,
    /// When the webhook came in.
    pub received_at: Timestamp,
    /// By when the request must be answered; absent in the answer to a webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_by: Option<Timestamp>,
    /// One entry for each vendor call, in the configuration's and the request's order.
    pub deliveries: Vec<Delivery>,
    /// What the platform was told, one entry for each message and recipient; empty where it is told
    /// nothing, and in the answer to a webhook.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub callbacks: Vec<Callback>,
    /// Until when the platform takes a message, where it sets a limit and still waits for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_expires_at: Option<Timestamp>,
    /// How an operator has closed the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed: Option<Closed>,
}

impl State {
    /// The name in receipts and lists.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The state of this name.
    pub fn parse(name: &str) -> Option<Self> {
        name.parse().ok()
    }

    /// Whether nothing is left to do.
    pub fn is_over(self) -> bool {
        matches!(self, State::Done | State::Discarded | State::Acknowledged)
    }
}

impl Receipt {
    /// Sums up `deliveries`. Attention outweighs waiting, so that a person learns at once of what
    /// they can act on.
    pub fn new(
        request_id: &str,
        source: &str,
        received_at: Timestamp,
        deliveries: Vec<Delivery>,
    ) -> Self {
        let states = deliveries.iter().map(Delivery::state);
        let mut state = states.max().unwrap_or(State::Done);
        let is_good = |delivery: &Delivery| delivery.outcome.is_good();
        if state == State::Done && !deliveries.is_empty() && !deliveries.iter().any(is_good) {
            state = State::Attention;
        }
        Self {
            request_id: request_id.to_owned(),
            source: source.to_owned(),
            state,
            received_at,
            due_by: None,
            deliveries,
            callbacks: Vec::new(),
            reply_expires_at: None,
            closed: None,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn delivery(outcome: Outcome) -> Delivery {
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
            acknowledged: None,
            history: Vec::new(),
        }
    }

    fn state(outcomes: &[Outcome]) -> State {
        let deliveries = outcomes.iter().copied().map(delivery).collect();
        Receipt::new("id", "consent", Timestamp(0), deliveries).state
    }

    #[test]
    fn names_are_the_same_in_json_and_in_storage() {
        use Outcome::*;
        let outcomes = [
            (Accepted, "accepted"),
            (AlreadyAbsent, "already_absent"),
            (Scheduled, "scheduled"),
            (Blocked, "blocked"),
            (NotErased, "not_erased"),
            (Rejected, "rejected"),
            (Uncertain, "uncertain"),
            (Exhausted, "exhausted"),
            (InsufficientIdentification, "insufficient_identification"),
            (Discarded, "discarded"),
            (NotApplicable, "not_applicable"),
        ];
        for (outcome, name) in outcomes {
            assert_eq!((outcome.name(), Outcome::parse(name)), (name, Some(outcome)));
            let json = serde_json::to_string(&outcome).unwrap();
            assert_eq!(json, format!("{name:?}"));
            assert_eq!(serde_json::from_str::<Outcome>(&json).unwrap(), outcome);
        }
        for (state, name) in [
            (State::Done, "done"),
            (State::Discarded, "discarded"),
            (State::Acknowledged, "acknowledged"),
            (State::Pending, "pending"),
            (State::Attention, "attention"),
        ] {
            assert_eq!((state.name(), State::parse(name)), (name, Some(state)));
            let json = serde_json::to_string(&state).unwrap();
            assert_eq!(json, format!("{name:?}"));
            assert_eq!(serde_json::from_str::<State>(&json).unwrap(), state);
        }
        assert_eq!((Outcome::parse("Accepted"), State::parse("")), (None, None));
    }

    #[test]
    fn the_state_sums_up_the_deliveries() {
        use Outcome::*;
        assert_eq!(state(&[Accepted, AlreadyAbsent]), State::Done);
        assert_eq!(state(&[Accepted, Discarded]), State::Discarded);
        assert_eq!(state(&[Accepted, Scheduled]), State::Pending);
        assert_eq!(state(&[Discarded, Scheduled]), State::Pending);
        assert!(Discarded.is_final() && !Discarded.is_good() && !Discarded.can_be_replayed());
        assert_eq!(state(&[NotApplicable, AlreadyAbsent]), State::Done);
        assert_eq!(state(&[NotApplicable, Scheduled]), State::Pending);
        assert_eq!(state(&[NotApplicable, NotErased]), State::Attention);
        assert_eq!(state(&[NotApplicable, NotApplicable]), State::Attention);
        for outcome in
            [Blocked, NotErased, Rejected, Uncertain, Exhausted, InsufficientIdentification]
        {
            assert_eq!(state(&[Accepted, Discarded, Scheduled, outcome]), State::Attention);
        }
    }

    #[test]
    fn what_is_acknowledged_needs_no_attention() {
        use Outcome::*;
        let seen = Acknowledged { at: Timestamp(0), note: "seen".into() };
        let state = |outcomes: &[(Outcome, bool)]| {
            let delivery = |(outcome, is_seen): &(Outcome, bool)| Delivery {
                acknowledged: is_seen.then(|| seen.clone()),
                ..delivery(*outcome)
            };
            let deliveries = outcomes.iter().map(delivery).collect();
            Receipt::new("id", "consent", Timestamp(0), deliveries).state
        };
        for outcome in [NotErased, Rejected, Uncertain, Exhausted, InsufficientIdentification] {
            assert!(outcome.can_be_acknowledged());
            assert_eq!(state(&[(outcome, true)]), State::Acknowledged, "{outcome:?}");
            assert_eq!(state(&[(outcome, false), (outcome, true)]), State::Attention);
            assert_eq!(state(&[(Scheduled, false), (outcome, true)]), State::Pending);
            assert_eq!(state(&[(Discarded, false), (outcome, true)]), State::Acknowledged);
            assert_eq!(state(&[(NotApplicable, false), (outcome, true)]), State::Acknowledged);
        }
        for outcome in [Accepted, AlreadyAbsent, Scheduled, Blocked, Discarded, NotApplicable] {
            assert!(!outcome.can_be_acknowledged());
            assert_eq!(state(&[(outcome, true)]), state(&[(outcome, false)]), "{outcome:?}");
        }
        assert!(State::Acknowledged.is_over());
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
