//! Meta's data deletion callback: every call is an erasure of one `user_id`, which is Meta's and
//! scoped to the app. The configuration says which identifier that is at the vendors.
//!
//! The answer is the address of a page on which the person can look up the state, and a code. The code is
//! the request's id: 128 bits of an HMAC, which nobody can guess.

use serde::Serialize;

use super::answer::{Answer, Outcome, ReplyContext};
use super::mapping::Mapping;
use super::platform::{Check, PlatformSpec, Reader};
use super::rule::Condition;
use super::{Refused, Unreadable};
use crate::json::{Json, WrongType};
use crate::signature::{DefaultSignature, Proven};

pub(super) const SPEC: PlatformSpec = PlatformSpec {
    signature: DefaultSignature::SignedRequest,
    erasure: &[Condition { at: "/user_id", is: &[] }],
    always: &[],
    reader: Reader::Mapped(Mapping {
        request_id: None,
        distinguished_by: None,
        fields: &[],
        identities: None,
        types: &[],
    }),
    check: Some(Check { looks_into: &["/user_id"], run: check }),
    told_of_unusable: false,
    answer: Some(answer),
    request_status: None,
    answer_setting: Some("status_url"),
};

fn check(json: &Json<'_>, _: &Proven) -> Result<(), Refused> {
    match json.get("user_id") {
        // Older apps have ids that are numbers.
        Some(Json::Text(_) | Json::Integer(_)) => Ok(()),
        _ => {
            let expected = "a string or an integer";
            Err(Unreadable::from(WrongType::new("/user_id", expected)).into())
        }
    }
}

#[derive(Serialize)]
struct Confirmation<'a> {
    url: String,
    confirmation_code: &'a str,
}

/// `{code}` in the setting is replaced by the code, which is the request's id. Without the setting the
/// page is the relay's own.
fn answer(context: &ReplyContext<'_>) -> Option<Answer> {
    let Outcome::Taken(_, receipt) = context.outcome else { return None };
    let code = receipt.request_id.as_str();
    let url = match context.setting {
        "" => format!("{}/status/{code}", context.origin),
        setting => setting.replace("{code}", code),
    };
    Some(Answer::new(200, &Confirmation { url, confirmation_code: code }))
}
