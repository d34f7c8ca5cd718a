//! OpenDSR 2.0, the request that a controller sends to a processor. The specification leaves its
//! authentication open, so the configuration must choose one.
//!
//! The answer has all that the specification asks for except the processor's signature: this relay
//! has no certificate to sign with.

use std::borrow::Cow::Borrowed;
use std::time::Duration;

use serde::Serialize;

use super::answer::{Answer, Outcome, ReplyContext};
use super::mapping::{Condition, Identities, Mapping};
use super::platform::{PlatformSpec, Reader};
use crate::erasure::Kind;
use crate::receipt::Timestamp;
use crate::signature::{DefaultSignature, Encoding};

/// The time within which an erasure must be done: a month (Art. 12(3) GDPR).
const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);

pub(super) const SPEC: PlatformSpec = PlatformSpec {
    signature: DefaultSignature::None,
    reader: Reader::Mapped(Mapping {
        erasure: &[Condition { at: "/subject_request_type", is: &["erasure"] }],
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
    answer: Some(answer),
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

fn answer(context: &ReplyContext<'_>) -> Option<Answer> {
    match context.outcome {
        Outcome::Other => None,
        Outcome::Taken(_, receipt) => Some(Answer::new(
            201,
            &Accepted {
                controller_id: context.source,
                expected_completion_time: receipt.received_at.after(MONTH),
                received_time: receipt.received_at,
                encoded_request: Encoding::Base64.encode(context.body),
                subject_request_id: &receipt.request_id,
            },
        )),
        Outcome::Failed(code, message) => {
            let reason = if code < 500 { "invalid" } else { "unavailable" };
            let errors = [Reason { domain: "erasure-relay", reason, message }];
            Some(Answer::new(code, &Failed { error: Error { code, message, errors } }))
        }
    }
}
