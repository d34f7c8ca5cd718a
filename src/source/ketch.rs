//! Ketch: `DeleteRequest` of `dsr/v1` (<https://github.com/ketch-com/orchestration-schemas>). Ketch
//! does not sign. The answer is a `DeleteResponse` or an `Error`, as Ketch's schema has them.
//!
//! `completed` says that every vendor accepted the request, and `reason` says no more than that. The
//! relay sends no status events to Ketch's callbacks: a person must settle there what is still
//! `in_progress`.

use std::borrow::Cow::Borrowed;

use serde::Serialize;

use super::answer::{Answer, Outcome, ReplyContext};
use super::mapping::{Condition, Identities, Mapping};
use super::platform::{Check, PlatformSpec, Reader};
use super::{Refused, Unreadable};
use crate::erasure::Kind;
use crate::json::{Json, Pointers, WrongType};
use crate::receipt::{self, Receipt, State};
use crate::signature::{DefaultSignature, Proven};

const VERSION: &str = "dsr/v1";

pub(super) const SPEC: PlatformSpec = PlatformSpec {
    signature: DefaultSignature::None,
    reader: Reader::Mapped(Mapping {
        erasure: &[Condition { at: "/kind", is: &["DeleteRequest"] }],
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
    check: Some(Check { looks_into: &["/apiVersion"], run: check }),
    answer: Some(answer),
    answer_setting: None,
};

/// Another version may name its kinds differently: it is rejected, not taken for another event.
fn check(json: &Json<'_>, _: &Proven) -> Result<(), Refused> {
    match json.get("apiVersion").and_then(Json::as_text) {
        Some(VERSION) => Ok(()),
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
struct Response<'a> {
    status: &'static str,
    reason: &'static str,
    #[serde(rename = "requestID")]
    request_id: &'a str,
}

#[derive(Serialize)]
struct Failure {
    code: u16,
    status: &'static str,
    message: &'static str,
}

fn answer(context: &ReplyContext<'_>) -> Option<Answer> {
    let (code, kind, response, error) = match context.outcome {
        Outcome::Other => return None,
        Outcome::Taken(_, receipt) => {
            let (status, reason) = progress(receipt);
            let request_id = &receipt.request_id;
            let response = Response { status, reason, request_id };
            (200, "DeleteResponse", Some(response), None)
        }
        Outcome::Failed(code, message) => {
            let status = if code < 500 { "invalid" } else { "unavailable" };
            (code, "Error", None, Some(Failure { code, status, message }))
        }
    };
    let pointers: Pointers = ["/metadata/uid", "/metadata/tenant"].into_iter().collect();
    let message = pointers.parse(context.body).unwrap_or(Json::Null);
    let text = |name| message.get("metadata")?.get(name)?.as_text();
    let metadata = Metadata { uid: text("uid"), tenant: text("tenant") };
    Some(Answer::new(code, &Reply { api_version: VERSION, kind, metadata, response, error }))
}

/// A receipt in Ketch's terms: a status, and a reason.
fn progress(receipt: &Receipt) -> (&'static str, &'static str) {
    let absent = |one: &receipt::Delivery| one.outcome == receipt::Outcome::AlreadyAbsent;
    match receipt.state {
        State::Done if receipt.deliveries.iter().all(absent) => ("completed", "no_match"),
        State::Done => ("completed", "requested"),
        State::Pending => ("in_progress", "pending"),
        // A person must settle it at Ketch.
        State::Discarded | State::Attention => ("in_progress", "unknown"),
    }
}
