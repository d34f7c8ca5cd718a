//! Ketch: `DeleteRequest` of `dsr/v1` (<https://github.com/ketch-com/ketch-forwarder>). Ketch does
//! not sign. The answer is a `DeleteResponse` or an `Error`, as Ketch's schema has them.
//!
//! `completed` says that every vendor accepted the request and none keeps the person's profile, unless the
//! source accepts that (`partial_erasure`); `reason` says no more than that: only
//! `unknown` goes with `in_progress`. The relay sends no status events to Ketch's callbacks: a person
//! must settle there what is still `in_progress`.
//!
//! The other requests of `dsr/v1` need a 200 and a response too. The relay does nothing with them:
//! their status is `unknown`, so that Ketch reports them as failed unless a person settles them. A
//! `ConsentRequest` of `consent/v1` is answered with 204.

use std::borrow::Cow::Borrowed;
use std::time::Duration;

use serde::Serialize;

use super::answer::{Answer, Outcome, ReplyContext};
use super::mapping::{Identities, Mapping};
use super::platform::{Check, PlatformSpec, Reader};
use super::rule::Condition;
use super::{Refused, Unreadable};
use crate::erasure::Kind;
use crate::json::{Json, Pointers, WrongType};
use crate::receipt::{self, Receipt, State, Timestamp};
use crate::signature::{DefaultSignature, Proven};

const VERSION: &str = "dsr/v1";

/// The time within which a request must be settled: a month (Art. 12(3) GDPR).
const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);

pub(super) const SPEC: PlatformSpec = PlatformSpec {
    signature: DefaultSignature::None,
    erasure: &[Condition { at: "/kind", is: &["DeleteRequest"] }],
    always: &[Condition { at: "/apiVersion", is: &[VERSION] }],
    reader: Reader::Mapped(Mapping {
        request_id: Some("/metadata/uid"),
        distinguished_by: None,
        fields: &[(Kind::Email, "/request/subject/email")],
        identities: Some(Identities {
            at: Borrowed("/request/identities"),
            kind: Borrowed("identitySpace"),
            value: Borrowed("identityValue"),
            format: Some(Borrowed("identityFormat")),
        }),
        types: &[("email", Kind::Email), ("phone", Kind::PhoneNumber)],
    }),
    check: Some(Check { looks_into: &["/apiVersion", "/kind"], run: check }),
    told_of_unusable: false,
    answer: Some(answer),
    request_status: None,
    answer_setting: None,
};

/// Another version may name its kinds differently: it is rejected, not taken for another event.
fn check(json: &Json<'_>, _: &Proven) -> Result<(), Refused> {
    let text = |key| json.get(key).and_then(Json::as_text);
    match (text("apiVersion"), text("kind")) {
        (Some(VERSION), _) | (Some("consent/v1"), Some("ConsentRequest")) => Ok(()),
        _ => Err(Unreadable::from(WrongType::new("/apiVersion", VERSION)).into()),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reply<'a> {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<Response<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

/// What is repeated of the message, where it is there.
#[derive(Default, Serialize)]
struct Metadata<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    status: &'static str,
    reason: &'static str,
    /// In seconds since the Unix epoch. Optional in the specification, required and not zero in
    /// Ketch's own types.
    expected_completion_timestamp: i64,
    #[serde(rename = "requestID", skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

#[derive(Serialize)]
struct Failure {
    code: u16,
    status: &'static str,
    message: &'static str,
}

fn answer(context: &ReplyContext<'_>) -> Option<Answer> {
    let pointers: Pointers = ["/kind", "/metadata/uid", "/metadata/tenant"].into_iter().collect();
    let message = pointers.parse(context.body).unwrap_or(Json::Null);
    let (code, kind, response, error) = match context.outcome {
        Outcome::Other(at) => {
            let kind = response_kind(message.get("kind")?.as_text()?)?;
            let response = Response {
                status: "unknown",
                reason: "unknown",
                expected_completion_timestamp: seconds(at.after(MONTH)),
                request_id: None,
            };
            (200, kind, Some(response), None)
        }
        Outcome::Taken(_, receipt) => {
            (200, "DeleteResponse", Some(progress(receipt, context.is_partial)), None)
        }
        Outcome::Failed(code, message) => {
            let status = if code < 500 { "invalid" } else { "unavailable" };
            (code, "Error", None, Some(Failure { code, status, message }))
        }
    };
    let text = |name| message.get("metadata")?.get(name)?.as_text();
    let metadata = Metadata { uid: text("uid"), tenant: text("tenant") };
    Some(Answer::new(code, &Reply { api_version: VERSION, kind, metadata, response, error }))
}

/// What the response to a request of this kind is called; `None` for what is no request of `dsr/v1`.
fn response_kind(request: &str) -> Option<&'static str> {
    Some(match request {
        "AccessRequest" => "AccessResponse",
        "CorrectionRequest" => "CorrectionResponse",
        "DeleteRequest" => "DeleteResponse",
        "RestrictProcessingRequest" => "RestrictProcessingResponse",
        _ => return None,
    })
}

fn seconds(time: Timestamp) -> i64 {
    time.0.div_euclid(1000)
}

/// A receipt in Ketch's terms.
fn progress(receipt: &Receipt, is_partial: bool) -> Response<'_> {
    let absent = |one: &receipt::Delivery| {
        matches!(one.outcome, receipt::Outcome::AlreadyAbsent | receipt::Outcome::NotApplicable)
    };
    let done = receipt.state == State::Done && !is_partial;
    let (status, reason) = match receipt.state {
        // A person must settle at Ketch whether what is left may stay.
        State::Done if is_partial => ("in_progress", "unknown"),
        State::Done if receipt.deliveries.iter().all(absent) => ("completed", "no_match"),
        State::Done => ("completed", "requested"),
        // What needs a person, or was ended by one, a person must settle at Ketch.
        State::Pending | State::Discarded | State::Acknowledged | State::Attention => {
            ("in_progress", "unknown")
        }
    };
    let last = receipt.deliveries.iter().map(|one| one.updated_at).max();
    let expected = last.filter(|_| done).unwrap_or_else(|| receipt.received_at.after(MONTH));
    Response {
        status,
        reason,
        expected_completion_timestamp: seconds(expected),
        request_id: Some(&receipt.request_id),
    }
}
