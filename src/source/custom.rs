//! Any sender whose payload the configuration describes:
//!
//! ```toml
//! signature   = "github"
//! request_id  = "/id"                                        # without it: made from the body
//! erasure     = { at = "/event", is = ["customer.deleted"] } # or "always"
//! identifiers = { user_ids = "/customer/id", email = "/customer/email" }
//! events      = "body"                                       # or a JSON Pointer: several in one body
//! ```

use super::handshake;
use super::mapping::Mapping;
use super::platform::{PlatformSpec, Reader};
use crate::signature::DefaultSignature;

pub(super) const SPEC: PlatformSpec = PlatformSpec {
    signature: DefaultSignature::None,
    erasure: &[],
    always: &[],
    reader: Reader::Mapped(Mapping::UNKNOWN),
    check: None,
    told_of_unusable: true,
    answer: Some(handshake::answer),
    request_status: None,
    answer_setting: None,
};
