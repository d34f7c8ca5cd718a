//! Segment's `delete` message of the classic Webhooks destination. It has a user id and no id of
//! its own, so the request's id is made from the signed body.
//!
//! Of a batch Segment signs the first event alone, so a batch is refused.

use super::mapping::{Condition, Mapping};
use super::platform::{Definition, Read};
use super::{Refused, Unreadable};
use crate::erasure::Kind;
use crate::json::{Json, WrongType};
use crate::signature::{Proven, Usual};

pub(super) const DEFINITION: Definition = Definition {
    signature: Usual::Preset("segment"),
    read: Read::Mapped(Mapping {
        erasure: &[Condition { at: "/type", is: &["delete"] }],
        request_id: None,
        fields: &[(Kind::UserId, "/userId")],
        typed: None,
        types: &[],
    }),
    check: Some(check),
    answer: None,
    answer_setting: None,
};

fn check(json: &Json<'_>, _: &Proven) -> Result<(), Refused> {
    if matches!(json, Json::Array(_)) || json.get("batch").is_some() {
        let one = WrongType::new("the body", "one event: a batch is not signed as a whole");
        return Err(Unreadable::from(one).into());
    }
    Ok(())
}
