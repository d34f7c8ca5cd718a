//! Transcend's server webhook (<https://docs.transcend.io>). Its signed token (`x-sombra-token`)
//! says whom the request is about and does not cover the body, so the two must agree on that.
//! One webhook comes for each identifier of a person.
//!
//! What the token leaves open, an address in `extras` among it, rests on the way it came: demand a
//! secret header as well (`also`).

use std::borrow::Cow::Borrowed;

use super::Refused;
use super::mapping::{Condition, Mapping, Typed};
use super::platform::{Definition, Read};
use crate::erasure::Kind;
use crate::json::Json;
use crate::signature::{Proven, Refusal, Usual};

pub(super) const DEFINITION: Definition = Definition {
    signature: Usual::Jwt("x-sombra-token"),
    read: Read::Mapped(Mapping {
        erasure: &[Condition { at: "/type", is: &["ERASURE"] }],
        request_id: Some("/extras/request/id"),
        fields: &[],
        typed: Some(Typed {
            at: Borrowed("/extras/profile"),
            kind: Borrowed("type"),
            value: Borrowed("identifier"),
            format: None,
        }),
        types: &[("email", Kind::Email), ("phone", Kind::PhoneNumber)],
    }),
    check: Some(check),
    answer: None,
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
