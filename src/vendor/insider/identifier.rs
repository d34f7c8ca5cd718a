//! How an identifier is sent to Insider, and which cannot be.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::erasure::{Identifier, Kind};
use crate::json;

/// "The entire request must not exceed 5 MB"; the headers fit into what is left.
pub(super) const MAX_BODY_BYTES: usize = 4_900_000;

/// Why an identifier cannot be sent.
pub(super) fn refusal(identifier: &Identifier) -> Option<&'static str> {
    if *identifier.kind() == Kind::PhoneNumber && !is_e164(identifier.expose()) {
        Some("is not in E.164 format")
    } else if body(identifier).len() > MAX_BODY_BYTES {
        Some("is too long for the vendor")
    } else {
        None
    }
}

/// The pattern of the vendor's own check: `^\+[1-9]\d{6,14}$`.
fn is_e164(number: &str) -> bool {
    let Some(digits) = number.strip_prefix('+') else { return false };
    (7..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0')
}

/// The body of every call.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Body<'a> {
    /// `{"insider_id":"…"}`, which only the calls that reach a profile take.
    InsiderId(&'a str),
    /// `{"identifiers":{"email":"…"}}`
    Identifiers(Identifiers<'a>),
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Identifiers<'a> {
    UserId(&'a str),
    Email(&'a str),
    PhoneNumber(&'a str),
    Uuid(&'a str),
    /// `{"custom":{"user_loyalty_id":"…"}}`
    Custom(BTreeMap<&'a str, &'a str>),
}

/// The body of a call for `identifier`.
pub(super) fn body(identifier: &Identifier) -> String {
    let value = identifier.expose();
    let identifiers = match identifier.kind() {
        Kind::InsiderId => return json::to_string(&Body::InsiderId(value)),
        Kind::UserId => Identifiers::UserId(value),
        Kind::Email => Identifiers::Email(value),
        Kind::PhoneNumber => Identifiers::PhoneNumber(value),
        Kind::Uuid => Identifiers::Uuid(value),
        Kind::Custom(name) => Identifiers::Custom(BTreeMap::from([(name.as_str(), value)])),
    };
    json::to_string(&Body::Identifiers(identifiers))
}
