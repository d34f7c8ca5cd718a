//! Transcend's server webhook (<https://docs.transcend.io>). Its signed token (`x-sombra-token`)
//! says whom the request is about and does not cover the body, so the two must agree on that.
//! One webhook comes for each identifier of a person.
//!
//! The token does not prove the rest of the body, such as an address in `extras`: require a secret
//! header as well (`also`).

use std::borrow::Cow::Borrowed;

use super::Refused;
use super::answer::{Answer, Form, Outcome, ReplyContext};
use super::mapping::{Identities, Mapping};
use super::platform::{Check, PlatformSpec, Reader};
use super::rule::Condition;
use crate::erasure::Kind;
use crate::json::Json;
use crate::receipt;
use crate::signature::{DefaultSignature, Proven, Refusal};

pub(super) const SPEC: PlatformSpec = PlatformSpec {
    signature: DefaultSignature::Jwt("x-sombra-token"),
    erasure: &[Condition { at: "/type", is: &["ERASURE"] }],
    always: &[],
    reader: Reader::Mapped(Mapping {
        request_id: Some("/extras/request/id"),
        distinguished_by: None,
        fields: &[],
        identities: Some(Identities {
            at: Borrowed("/extras/profile"),
            kind: Borrowed("type"),
            value: Borrowed("identifier"),
            format: None,
        }),
        types: &[("email", Kind::Email), ("phone", Kind::PhoneNumber)],
    }),
    check: Some(Check { looks_into: &["/coreIdentifier/value"], run: check }),
    told_of_unusable: false,
    answer: Some(answer),
    request_status: None,
    answer_setting: None,
};

/// The token's `value` is the body's core identifier. A token for something else says so in its
/// `scope`; an old one has none.
fn check(json: &Json<'_>, proven: &Proven) -> Result<(), Refused> {
    let claims = proven.claims.first().ok_or(Refusal::IdentityMismatch)?;
    let claims = Json::parse(claims).map_err(|_| Refusal::MalformedToken)?;
    if claims.get("scope").is_some_and(|scope| scope.as_text() != Some("coreIdentifier")) {
        return Err(Refusal::WrongScope.into());
    }
    let value = claims.get("value").and_then(Json::as_text);
    let core = json.get("coreIdentifier").and_then(|core| core.get("value"));
    match core.and_then(Json::as_text) {
        Some(core) if value == Some(core) => Ok(()),
        _ => Err(Refusal::IdentityMismatch.into()),
    }
}

/// 204 says that there is no such user, and ends Transcend's job for this identifier; 200 that the job
/// waits to be resolved.
fn answer(context: &ReplyContext<'_>) -> Option<Answer> {
    let Outcome::Taken(_, receipt) = context.outcome else { return None };
    let mut outcomes = receipt.deliveries.iter().map(|delivery| delivery.outcome);
    let is_absent = |outcome| outcome == receipt::Outcome::AlreadyAbsent;
    let mut asked = outcomes.clone().filter(|one| *one != receipt::Outcome::NotApplicable);
    if outcomes.any(is_absent) && asked.all(is_absent) {
        return Some(Answer { status: 204, text: String::new(), form: Form::Json });
    }
    Some(Answer::new(200, receipt))
}
