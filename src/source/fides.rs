//! Fides (Ethyca): webhooks of a policy, before or after it runs. Fides does not sign.
//!
//! `policy_action` is the action of the policy's first rule alone: the erasure of a policy that
//! also has an access rule may come as `access`. Then the configuration must say what an erasure is
//! (`erasure`).
//!
//! A `pre_approval` webhook is no erasure, whatever the configuration says: it is not approved yet.
//! Fides waits for the answer to a two-way webhook, which must have `halt`, whatever the webhook was
//! about. It is `true` where a message follows ([`crate::callback`]): the request then waits for it.

use serde::Serialize;

use super::answer::{Answer, Outcome, ReplyContext};
use super::mapping::Mapping;
use super::platform::{Check, PlatformSpec, Reader};
use super::rule::Condition;
use super::{Refused, Unreadable};
use crate::erasure::Kind;
use crate::json::{Json, WrongType};
use crate::signature::{DefaultSignature, Proven};

pub(super) const SPEC: PlatformSpec = PlatformSpec {
    signature: DefaultSignature::None,
    erasure: &[Condition { at: "/policy_action", is: &["erasure"] }],
    always: &[Condition { at: "/callback_type", is: &["pre", "post"] }],
    reader: Reader::Mapped(Mapping {
        request_id: Some("/privacy_request_id"),
        distinguished_by: None,
        fields: &[
            (Kind::UserId, "/identity/external_id"),
            (Kind::Email, "/identity/email"),
            (Kind::PhoneNumber, "/identity/phone_number"),
        ],
        identities: None,
        types: &[],
    }),
    check: Some(Check { looks_into: &["/callback_type"], run: check }),
    told_of_unusable: false,
    answer: Some(answer),
    request_status: None,
    answer_setting: None,
};

/// An unknown type may be an erasure: it is rejected, not taken for another event.
fn check(json: &Json<'_>, _: &Proven) -> Result<(), Refused> {
    match json.get("callback_type").and_then(Json::as_text) {
        Some("pre" | "post" | "pre_approval") => Ok(()),
        _ => {
            let expected = "pre_approval, pre or post";
            Err(Unreadable::from(WrongType::new("/callback_type", expected)).into())
        }
    }
}

#[derive(Serialize)]
struct Decision {
    halt: bool,
}

fn answer(context: &ReplyContext<'_>) -> Option<Answer> {
    let halt = context.is_told_later;
    match context.outcome {
        Outcome::Taken(..) | Outcome::Other(_) => Some(Answer::new(200, &Decision { halt })),
        Outcome::Failed(..) => None,
    }
}
