//! Fides (Ethyca): webhooks of a policy, before or after it runs. Fides does not sign.
//!
//! A `pre_approval` webhook is no erasure: nobody has approved it yet. A webhook that Fides waits
//! for must be answered with `halt`, whatever it was about.

use super::answer::{Answer, Outcome, Told};
use super::mapping::{Condition, Mapping};
use super::platform::{Definition, Read};
use super::{Refused, Unreadable};
use crate::erasure::Kind;
use crate::json::{Json, WrongType};
use crate::signature::{Proven, Usual};

pub(super) const DEFINITION: Definition = Definition {
    signature: Usual::Chosen,
    read: Read::Mapped(Mapping {
        erasure: &[
            Condition { at: "/policy_action", is: &["erasure"] },
            Condition { at: "/callback_type", is: &["pre", "post"] },
        ],
        request_id: Some("/privacy_request_id"),
        fields: &[
            (Kind::UserId, "/identity/external_id"),
            (Kind::Email, "/identity/email"),
            (Kind::PhoneNumber, "/identity/phone_number"),
        ],
        typed: None,
        types: &[],
    }),
    check: Some(check),
    answer: Some(answer),
    answer_setting: None,
};

/// What nobody knows may be an erasure: it must not pass for something else.
fn check(json: &Json<'_>, _: &Proven) -> Result<(), Refused> {
    match json.get("callback_type").and_then(Json::as_text) {
        Some("pre" | "post" | "pre_approval") => Ok(()),
        _ => {
            let expected = "pre_approval, pre or post";
            Err(Unreadable::from(WrongType::new("/callback_type", expected)).into())
        }
    }
}

fn answer(told: &Told<'_>) -> Option<Answer> {
    match told.outcome {
        Outcome::Taken(..) | Outcome::Other => {
            Some(Answer { status: 200, json: r#"{"halt":false}"#.to_owned() })
        }
        Outcome::Failed(..) => None,
    }
}
