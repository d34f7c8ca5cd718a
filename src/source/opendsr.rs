//! OpenDSR 2.0, the request that a controller sends to a processor. The specification leaves its
//! authentication open, so the configuration must choose one.
//!
//! The answer has what the specification asks of it but the processor's signature: this relay has
//! no certificate to sign with.

use std::borrow::Cow::Borrowed;

use super::answer::{Answer, Outcome, Told};
use super::mapping::{Condition, Mapping, Typed};
use super::platform::{Definition, Read};
use crate::erasure::Kind;
use crate::json::quote;
use crate::receipt::Timestamp;
use crate::signature::{Encoding, Usual};

/// Within which an erasure must be done: a month (Art. 12(3) GDPR), in milliseconds.
const MONTH: i64 = 30 * 24 * 3600 * 1000;

pub(super) const DEFINITION: Definition = Definition {
    signature: Usual::Chosen,
    read: Read::Mapped(Mapping {
        erasure: &[Condition { at: "/subject_request_type", is: &["erasure"] }],
        request_id: Some("/subject_request_id"),
        fields: &[],
        typed: Some(Typed {
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

fn answer(told: &Told<'_>) -> Option<Answer> {
    match told.outcome {
        Outcome::Other => None,
        Outcome::Taken(_, receipt) => {
            let received = receipt.received_at;
            let expected = Timestamp(received.0.saturating_add(MONTH));
            let json = format!(
                r#"{{"controller_id":{},"expected_completion_time":"{expected}","received_time":"{received}","encoded_request":"{}","subject_request_id":{}}}"#,
                quote(told.source),
                Encoding::Base64.encode(told.body),
                quote(&receipt.request_id),
            );
            Some(Answer { status: 201, json })
        }
        Outcome::Failed(status, title) => {
            let title = quote(title);
            let json = format!(
                r#"{{"error":{{"code":{status},"message":{title},"errors":[{{"domain":"erasure-relay","reason":"{}","message":{title}}}]}}}}"#,
                if status < 500 { "invalid" } else { "unavailable" },
            );
            Some(Answer { status, json })
        }
    }
}
