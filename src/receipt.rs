//! What the platform and the operator see: one receipt for an erasure, one delivery for each call,
//! and no personal data.

pub mod millis;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize, Serializer};
use strum::{EnumString, IntoStaticStr};

/// A point in time: milliseconds since the Unix epoch, as the runtime's clock gives it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// How long after `earlier` this is; zero where it is not later.
    pub fn since(self, earlier: Self) -> Duration {
        let millis = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or_default())
    }

    /// The time `duration` later.
    pub fn after(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339, in UTC and whole seconds. What RFC 3339 cannot hold is shown as the nearest time
    /// that it can.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// The years 0 to 9999.
        const RANGE: std::ops::RangeInclusive<i64> = -62_167_219_200_000..=253_402_300_799_999;
        let millis = self.0.clamp(*RANGE.start(), *RANGE.end());
        let time: DateTime<Utc> = DateTime::from_timestamp_millis(millis).unwrap_or_default();
        formatter.write_str(&time.to_rfc3339_opts(SecondsFormat::Secs, true))
    }
}

impl Serialize for Timestamp {
    /// RFC 3339. [`millis`] has the other form.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

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
        if self.is_good() {
            State::Done
        } else if self == Outcome::Scheduled {
            State::Pending
        } else {
            State::Attention
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
    /// Every delivery is final and good.
    Done,
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
    /// One entry for each vendor call, in the configuration's and the request's order.
    pub deliveries: Vec<Delivery>,
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
    fn a_time_is_written_as_rfc_3339_in_whole_seconds() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (1_795_325_400_999, "2026-11-22T05:30:00Z"),
            (1_709_164_800_000, "2024-02-29T00:00:00Z"),
            (i64::MIN, "0000-01-01T00:00:00Z"),
            (-62_167_219_200_000, "0000-01-01T00:00:00Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59Z"),
            (i64::MAX, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(Timestamp(millis).to_string(), text, "{millis}");
            let json = serde_json::to_string(&Timestamp(millis)).unwrap();
            assert_eq!(json, format!("{text:?}"));
        }
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
        ];
        for (outcome, name) in outcomes {
            assert_eq!((outcome.name(), Outcome::parse(name)), (name, Some(outcome)));
            let json = serde_json::to_string(&outcome).unwrap();
            assert_eq!(json, format!("{name:?}"));
            assert_eq!(serde_json::from_str::<Outcome>(&json).unwrap(), outcome);
        }
        for (state, name) in
            [(State::Done, "done"), (State::Pending, "pending"), (State::Attention, "attention")]
        {
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
