//! Kertos: `operation` is `delete` or `read`, and there is one identifier, most often an email
//! address. Kertos does not sign and sends no id. `received_at` is when the person asked, not when
//! the webhook was sent, so it tells one request from another (Kertos, "Webhook API Docs for DSRs").

use super::mapping::Mapping;
use super::platform::{PlatformSpec, Reader};
use super::rule::Condition;
use crate::erasure::Kind;
use crate::signature::DefaultSignature;

pub(super) const SPEC: PlatformSpec = PlatformSpec {
    signature: DefaultSignature::None,
    erasure: &[Condition { at: "/operation", is: &["delete"] }],
    always: &[],
    reader: Reader::Mapped(Mapping {
        request_id: None,
        distinguished_by: Some(&["/received_at"]),
        fields: &[(Kind::Email, "/data_subject_identifier")],
        identities: None,
        types: &[],
    }),
    check: None,
    told_of_unusable: false,
    answer: None,
    request_status: None,
    answer_setting: None,
};
