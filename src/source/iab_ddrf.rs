//! IAB Tech Lab's Data Deletion Request Framework, version 1.0: every request is an erasure, and
//! `sub` of the outer token says whose. Its id is the outer token's `jti`.
//!
//! The framework requires a signed answer (acJWT). This relay has no key to sign with: it answers
//! with the framework's statuses and result codes, unsigned.

use std::borrow::Cow::Borrowed;

use serde::Serialize;

use super::answer::{Answer, Outcome, ReplyContext};
use super::mapping::{Identities, Mapping};
use super::platform::{Check, PlatformSpec, Reader};
use super::rule::Condition;
use super::{Refused, Unreadable};
use crate::erasure::Kind;
use crate::json::{Json, WrongType};
use crate::signature::{DefaultSignature, Proven};

const VERSION: &str = "1.0";

pub(super) const SPEC: PlatformSpec = PlatformSpec {
    signature: DefaultSignature::NestedJwt,
    erasure: &[Condition { at: "/sub", is: &[] }],
    always: &[],
    reader: Reader::Mapped(Mapping {
        request_id: Some("/jti"),
        distinguished_by: None,
        fields: &[],
        identities: Some(Identities {
            at: Borrowed("/sub"),
            kind: Borrowed("identifierType"),
            value: Borrowed("identifierValue"),
            format: Some(Borrowed("identifierFormat")),
        }),
        types: &[("email", Kind::Email), ("phone", Kind::PhoneNumber)],
    }),
    check: Some(Check { looks_into: &["/version", "/sub"], run: check }),
    told_of_unusable: true,
    answer: Some(answer),
    request_status: None,
    answer_setting: None,
};

/// Other versions have their identifier elsewhere.
fn check(json: &Json<'_>, _: &Proven) -> Result<(), Refused> {
    for (name, fits, expected) in [
        ("version", json.get("version").and_then(Json::as_text) == Some(VERSION), VERSION),
        ("sub", matches!(json.get("sub"), Some(Json::Object(_))), "an object"),
    ] {
        if !fits {
            return Err(Unreadable::from(WrongType::new(format!("/{name}"), expected)).into());
        }
    }
    Ok(())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Acknowledgement {
    version: &'static str,
    ra_result_code: u8,
}

fn answer(context: &ReplyContext<'_>) -> Option<Answer> {
    let (status, ra_result_code) = match context.outcome {
        Outcome::Taken(..) | Outcome::Other(_) => (202, 0),
        Outcome::Failed(422, _) => (400, 4),
        Outcome::Failed(400, _) => (400, 1),
        Outcome::Failed(..) => return None,
    };
    Some(Answer::new(status, &Acknowledgement { version: VERSION, ra_result_code }))
}
