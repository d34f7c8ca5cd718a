//! OpenDSR 2.0, the request that a controller sends to a processor
//! (<https://github.com/opengdpr/OpenDSR/blob/master/specification.md>). The specification leaves its
//! authentication open, so the configuration must choose one.
//!
//! Sections 8 and 9 have a controller ask for the status of a request, and cancel it as long as it is
//! `pending`. None is ever that here: the vendors are asked at once, and what they were asked cannot
//! be taken back. So a cancellation is an error, and errors are 400 (section 7.5).
//!
//! The answer has all that the specification asks for. Where the source has a
//! [callback](crate::callback) with the processor's key, answers bear its signature, too.

use std::borrow::Cow::Borrowed;

use serde::Serialize;

use super::answer::{Answer, Outcome, ReplyContext, StatusQuery};
use super::mapping::{Identities, Mapping};
use super::platform::{PlatformSpec, Reader};
use super::rule::Condition;
use crate::erasure::Kind;
use crate::receipt::{self, ClosureOutcome, State, Timestamp};
use crate::signature::{DefaultSignature, Encoding};

pub(super) const SPEC: PlatformSpec = PlatformSpec {
    signature: DefaultSignature::None,
    erasure: &[Condition { at: "/subject_request_type", is: &["erasure"] }],
    always: &[],
    reader: Reader::Mapped(Mapping {
        request_id: Some("/subject_request_id"),
        distinguished_by: None,
        fields: &[],
        identities: Some(Identities {
            at: Borrowed("/subject_identities"),
            kind: Borrowed("identity_type"),
            value: Borrowed("identity_value"),
            format: Some(Borrowed("identity_format")),
        }),
        types: &[
            ("controller_customer_id", Kind::UserId),
            ("email", Kind::Email),
            ("phone_number", Kind::PhoneNumber),
        ],
    }),
    check: None,
    told_of_unusable: false,
    answer: Some(answer),
    request_status: Some(request_status),
    answer_setting: None,
};

#[derive(Serialize)]
struct Accepted<'a> {
    controller_id: &'a str,
    expected_completion_time: Timestamp,
    received_time: Timestamp,
    encoded_request: String,
    subject_request_id: &'a str,
}

#[derive(Serialize)]
struct Failed {
    error: Error,
}

#[derive(Serialize)]
struct Error {
    code: u16,
    message: &'static str,
    errors: [Reason; 1],
}

#[derive(Serialize)]
struct Reason {
    domain: &'static str,
    reason: &'static str,
    message: &'static str,
}

#[derive(Serialize)]
struct Status<'a> {
    controller_id: &'a str,
    expected_completion_time: Timestamp,
    subject_request_id: &'a str,
    request_status: &'static str,
    api_version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    results_count: Option<u32>,
}

fn answer(context: &ReplyContext<'_>) -> Option<Answer> {
    match context.outcome {
        Outcome::Other(_) => None,
        Outcome::Taken(_, receipt) => Some(Answer::new(
            201,
            &Accepted {
                controller_id: context.source,
                expected_completion_time: receipt.received_at.after(context.answer_within),
                received_time: receipt.received_at,
                encoded_request: Encoding::Base64.encode(context.body),
                subject_request_id: &receipt.request_id,
            },
        )),
        Outcome::Failed(code, message) if code < 500 => Some(failed(400, "invalid", message)),
        Outcome::Failed(code, message) => Some(failed(code, "unavailable", message)),
    }
}

fn failed(code: u16, reason: &'static str, message: &'static str) -> Answer {
    let errors = [Reason { domain: "erasure-relay", reason, message }];
    Answer::new(code, &Failed { error: Error { code, message, errors } })
}

/// `completed` says that every vendor accepted the request and none keeps the person's profile, unless
/// the source accepts that, and no more; or that an operator has closed it as done. It is what the
/// status callbacks say.
fn request_status(query: &StatusQuery<'_>) -> Answer {
    let Some(receipt) = query.receipt else {
        return failed(400, "not_found", "No such request is stored");
    };
    if query.cancels {
        let message = "The request cannot be cancelled: what the vendors were asked cannot be \
                       taken back";
        return failed(400, "not_pending", message);
    }
    let is_found = receipt.deliveries.iter().any(|one| one.outcome == receipt::Outcome::Accepted);
    let (is_done, is_found) = match &receipt.closed {
        Some(closed) => {
            (closed.outcome != ClosureOutcome::Failed, closed.outcome != ClosureOutcome::NotFound)
        }
        None => (receipt.state == State::Done && !query.is_partial, is_found),
    };
    let ended = receipt.deliveries.iter().map(|one| one.updated_at).max();
    let ended = receipt.closed.as_ref().map(|closed| closed.at).or(ended);
    let expected = if is_done { ended } else { receipt.due_by };
    Answer::new(
        200,
        &Status {
            controller_id: query.source,
            expected_completion_time: expected.unwrap_or(receipt.received_at),
            subject_request_id: &receipt.request_id,
            request_status: if is_done { "completed" } else { "in_progress" },
            api_version: "2.0",
            results_count: (is_done && !is_found).then_some(0),
        },
    )
}
