//! Meta's data deletion callback: every call is an erasure of one `user_id`, which is Meta's and
//! scoped to the app. The configuration says what it is at the vendors.
//!
//! The answer is the address of a page on which the person can look up the state, and a code.

use super::answer::{Answer, Outcome, Told};
use super::mapping::{Condition, Mapping};
use super::platform::{Definition, Read};
use super::{Refused, Unreadable};
use crate::json::{Json, WrongType, quote};
use crate::signature::{Proven, Usual};

pub(super) const DEFINITION: Definition = Definition {
    signature: Usual::SignedRequest,
    read: Read::Mapped(Mapping {
        erasure: &[Condition { at: "/user_id", is: &[] }],
        request_id: None,
        fields: &[],
        typed: None,
        types: &[],
    }),
    check: Some(check),
    answer: Some(answer),
    answer_setting: Some("status_url"),
};

fn check(json: &Json<'_>, _: &Proven) -> Result<(), Refused> {
    match json.get("user_id") {
        Some(Json::Text(_)) => Ok(()),
        _ => Err(Unreadable::from(WrongType::new("/user_id", "a string")).into()),
    }
}

/// `{code}` in the setting is replaced by the code, which is the request's id.
fn answer(told: &Told<'_>) -> Option<Answer> {
    let Outcome::Taken(_, receipt) = told.outcome else { return None };
    let code = &receipt.request_id;
    let url = told.setting.replace("{code}", code);
    let json = format!(r#"{{"url":{},"confirmation_code":{}}}"#, quote(&url), quote(code));
    Some(Answer { status: 200, json })
}
