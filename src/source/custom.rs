//! Any sender whose payload the configuration describes:
//!
//! ```toml
//! signature   = "github"
//! request_id  = "/id"                                        # without it: made from the body
//! erasure     = { at = "/event", is = ["customer.deleted"] } # or "always"
//! identifiers = { user_ids = "/customer/id", email = "/customer/email" }
//! ```

use super::mapping::Mapping;
use super::platform::{PlatformSpec, Reader};
use crate::signature::DefaultSignature;

pub(super) const SPEC: PlatformSpec = PlatformSpec {
    signature: DefaultSignature::None,
    reader: Reader::Mapped(Mapping::UNKNOWN),
    check: None,
    answer: None,
    answer_setting: None,
};
