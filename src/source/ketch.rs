//! Ketch: `DeleteRequest` of `dsr/v1` (<https://github.com/ketch-com/orchestration-schemas>). Ketch
//! does not sign. The answer is a `DeleteResponse` or an `Error`, as Ketch's schema has them.
//!
//! `completed` says that every vendor took the request, and `reason` says no more than that. The
//! relay sends no status events to Ketch's callbacks: what is still `in_progress` must be settled
//! there by a person.

use super::answer::{Answer, Outcome, Told, echo};
use super::mapping::{Condition, Mapping, Typed};
use super::platform::{Definition, Read};
use super::{Refused, Unreadable};
use crate::erasure::Kind;
use crate::json::{Json, WrongType, quote};
use crate::receipt::{self, Receipt, State};
use crate::signature::{Proven, Usual};
use std::borrow::Cow::Borrowed;

pub(super) const DEFINITION: Definition = Definition {
    signature: Usual::Chosen,
    read: Read::Mapped(Mapping {
        erasure: &[Condition { at: "/kind", is: &["DeleteRequest"] }],
        request_id: Some("/metadata/uid"),
        fields: &[(Kind::Email, "/request/subject/email")],
        typed: Some(Typed {
            at: Borrowed("/request/identities"),
            kind: Borrowed("identitySpace"),
            value: Borrowed("identityValue"),
            format: Some(Borrowed("identityFormat")),
        }),
        types: &[("email", Kind::Email), ("phone", Kind::PhoneNumber)],
    }),
    check: Some(check),
    answer: Some(answer),
    answer_setting: None,
};

/// Another version may say the same in other words: it must not pass for something else.
fn check(json: &Json<'_>, _: &Proven) -> Result<(), Refused> {
    match json.get("apiVersion").and_then(Json::as_text) {
        Some("dsr/v1") => Ok(()),
        _ => Err(Unreadable::from(WrongType::new("/apiVersion", "dsr/v1")).into()),
    }
}

fn answer(told: &Told<'_>) -> Option<Answer> {
    let metadata = || echo(told.body, "/metadata", &["uid", "tenant"]);
    match told.outcome {
        Outcome::Other => None,
        Outcome::Taken(_, receipt) => {
            let (status, reason) = progress(receipt);
            let json = format!(
                r#"{{"apiVersion":"dsr/v1","kind":"DeleteResponse","metadata":{},"response":{{"status":"{status}","reason":"{reason}","requestID":{}}}}}"#,
                metadata(),
                quote(&receipt.request_id),
            );
            Some(Answer { status: 200, json })
        }
        Outcome::Failed(code, title) => {
            let status = if code < 500 { "invalid" } else { "unavailable" };
            let json = format!(
                r#"{{"apiVersion":"dsr/v1","kind":"Error","metadata":{},"error":{{"code":{code},"status":"{status}","message":{}}}}}"#,
                metadata(),
                quote(title),
            );
            Some(Answer { status: code, json })
        }
    }
}

/// Ketch's words for a receipt: a status, and a reason.
fn progress(receipt: &Receipt) -> (&'static str, &'static str) {
    let absent = |one: &receipt::Delivery| one.outcome == receipt::Outcome::AlreadyAbsent;
    match receipt.state {
        State::Done if receipt.deliveries.iter().all(absent) => ("completed", "no_match"),
        State::Done => ("completed", "requested"),
        State::Pending => ("in_progress", "pending"),
        State::Attention => ("in_progress", "unknown"),
    }
}
