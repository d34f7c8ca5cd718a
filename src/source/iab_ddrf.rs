//! IAB Tech Lab's Data Deletion Request Framework, version 1.0: every request is an erasure, and
//! `sub` of the outer token says whose. Its id is the outer token's `jti`.
//!
//! The framework requires a signed answer (acJWT). Where the operator has a key for it
//! ([`Acknowledgement`](super::Acknowledgement)), the answer is that token; without one it has the
//! framework's status and result code, unsigned.
//!
//! | the request | status | `raResultCode` |
//! |---|---|---|
//! | is taken, whatever becomes of it | 202 | 0 |
//! | cannot be read | 400 | 1 |
//! | names no type of identifier that a vendor takes | 400 | 4 |
//! | names an identifier that is hashed or malformed | 400 | 5 |
//! | is too old, or of the future, and both signatures match | 400 | 6 |
//!
//! Codes 2 and 3 are for tokens whose signature or form is wrong. Those are nobody's, and are answered
//! as every message that is not authentic is: nothing that a stranger sends is signed.

use std::borrow::Cow::Borrowed;

use serde::Serialize;

use super::acknowledgement::VERSION;
use super::answer::{Answer, Form, Outcome, ReplyContext};
use super::mapping::{Identities, Mapping};
use super::platform::{Check, PlatformSpec, Reader};
use super::rule::Condition;
use super::{Refused, Unreadable};
use crate::erasure::Kind;
use crate::json::{Json, WrongType};
use crate::signature::{DefaultSignature, Proven, nested_jwt};

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
struct Unsigned {
    version: &'static str,
    ra_result_code: u8,
}

/// The result codes say whether the request could be taken in, and nothing of what became of it.
fn answer(context: &ReplyContext<'_>) -> Option<Answer> {
    let (status, code, text) = match context.outcome {
        Outcome::Taken(..) | Outcome::Other(_) => (202, 0, None),
        Outcome::Failed(400, _) => (400, 1, Some("a required field is missing or malformed")),
        Outcome::Failed(422, _) if has_wrong_format(context) => {
            (400, 5, Some("the identifier is hashed or malformed"))
        }
        Outcome::Failed(422, _) => (400, 4, Some("identifiers of this type cannot be used")),
        Outcome::Failed(401, _) => (400, 6, Some("the token is too old, or of the future")),
        Outcome::Failed(..) => return None,
    };
    let Some(stamp) = &context.stamp else {
        return Some(Answer::new(status, &Unsigned { version: VERSION, ra_result_code: code }));
    };
    let text = stamp.unsigned(&nested_jwt::request(context.body)?, code, text);
    Some(Answer { status, text, form: Form::UnsignedToken })
}

/// Whether the identifier that no vendor can use is of a type that is read here: then its form is wrong.
fn has_wrong_format(context: &ReplyContext<'_>) -> bool {
    if context.is_malformed {
        return true;
    }
    let claims = nested_jwt::claims(context.body).unwrap_or_default();
    let Ok(claims) = Json::parse_leniently(&claims) else { return false };
    let Some(subject) = claims.get("sub") else { return false };
    let text = |name: &str| subject.get(name).and_then(Json::as_text);
    let is_raw = text("identifierFormat").is_none_or(|format| format.eq_ignore_ascii_case("raw"));
    let is_empty = text("identifierValue").is_some_and(|value| value.trim().is_empty());
    text("identifierType").is_some_and(context.knows_type) && (!is_raw || is_empty)
}
