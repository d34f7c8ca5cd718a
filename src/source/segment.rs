//! Segment's `delete` message of the classic Webhooks destination. It has a user id and no id of
//! its own that is always there, so the request's id is made from the signed body: from the user,
//! `messageId` and `timestamp`. `sentAt` and `receivedAt` say when a message was on its way (Segment,
//! "Spec: Common fields") and may differ where one is sent again.
//!
//! Segment signs only the first event of a batch, so a batch is rejected.

use super::mapping::Mapping;
use super::platform::{Check, PlatformSpec, Reader};
use super::rule::Condition;
use super::{Refused, Unreadable};
use crate::erasure::Kind;
use crate::json::{Json, WrongType};
use crate::signature::{DefaultSignature, Proven};

pub(super) const SPEC: PlatformSpec = PlatformSpec {
    signature: DefaultSignature::Preset("segment"),
    erasure: &[Condition { at: "/type", is: &["delete"] }],
    always: &[],
    reader: Reader::Mapped(Mapping {
        request_id: None,
        distinguished_by: Some(&["/messageId", "/timestamp"]),
        fields: &[(Kind::UserId, "/userId")],
        identities: None,
        types: &[],
    }),
    check: Some(Check { looks_into: &["/batch"], run: check }),
    told_of_unusable: false,
    answer: None,
    request_status: None,
    answer_setting: None,
};

fn check(json: &Json<'_>, _: &Proven) -> Result<(), Refused> {
    if matches!(json, Json::Array(_)) || json.get("batch").is_some() {
        let one = WrongType::new("the body", "one event: a batch is not signed as a whole");
        return Err(Unreadable::from(one).into());
    }
    Ok(())
}
