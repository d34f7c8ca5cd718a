//! IAB Tech Lab's Data Deletion Request Framework, version 1.0: every request is an erasure, and
//! `sub` of the outer token says whose. Its id is the outer token's `jti`.
//!
//! The framework wants the answer signed (acJWT). This relay has no key to sign with: it answers
//! with the framework's statuses and result codes, unsigned.

use std::borrow::Cow::Borrowed;

use super::answer::{Answer, Outcome, Told};
use super::mapping::{Condition, Mapping, Typed};
use super::platform::{Definition, Read};
use super::{Refused, Unreadable};
use crate::erasure::Kind;
use crate::json::{Json, WrongType};
use crate::signature::{Proven, Usual};

pub(super) const DEFINITION: Definition = Definition {
    signature: Usual::NestedJwt,
    read: Read::Mapped(Mapping {
        erasure: &[Condition { at: "/sub", is: &[] }],
        request_id: Some("/jti"),
        fields: &[],
        typed: Some(Typed {
            at: Borrowed("/sub"),
            kind: Borrowed("identifierType"),
            value: Borrowed("identifierValue"),
            format: Some(Borrowed("identifierFormat")),
        }),
        types: &[("email", Kind::Email), ("phone", Kind::PhoneNumber)],
    }),
    check: Some(check),
    answer: Some(answer),
    answer_setting: None,
};

/// Other versions have their identifier elsewhere.
fn check(json: &Json<'_>, _: &Proven) -> Result<(), Refused> {
    for (name, fits, expected) in [
        ("version", json.get("version").and_then(Json::as_text) == Some("1.0"), "1.0"),
        ("sub", matches!(json.get("sub"), Some(Json::Object(_))), "an object"),
    ] {
        if !fits {
            return Err(Unreadable::from(WrongType::new(format!("/{name}"), expected)).into());
        }
    }
    Ok(())
}

fn answer(told: &Told<'_>) -> Option<Answer> {
    let (status, code) = match told.outcome {
        Outcome::Taken(..) | Outcome::Other => (202, 0),
        Outcome::Failed(422, _) => (400, 4),
        Outcome::Failed(400, _) => (400, 1),
        Outcome::Failed(..) => return None,
    };
    Some(Answer { status, json: format!(r#"{{"version":"1.0","raResultCode":{code}}}"#) })
}
