//! Kertos: `operation` is `delete` or `read`, and one identifier, most often an address. Kertos
//! does not sign and sends no id.

use super::mapping::{Condition, Mapping};
use super::platform::{Definition, Read};
use crate::erasure::Kind;
use crate::signature::Usual;

pub(super) const DEFINITION: Definition = Definition {
    signature: Usual::Chosen,
    read: Read::Mapped(Mapping {
        erasure: &[Condition { at: "/operation", is: &["delete"] }],
        request_id: None,
        fields: &[(Kind::Email, "/data_subject_identifier")],
        typed: None,
        types: &[],
    }),
    check: None,
    answer: None,
    answer_setting: None,
};
