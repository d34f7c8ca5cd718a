//! Any sender whose payload the configuration describes:
//!
//! ```toml
//! signature   = "github"
//! request_id  = "/id"                                        # without it: made from the body
//! erasure     = { at = "/event", is = ["customer.deleted"] } # or "always"
//! identifiers = { user_ids = "/customer/id", email = "/customer/email" }
//! ```

use super::mapping::Mapping;
use super::platform::{Definition, Read};
use crate::signature::Usual;

pub(super) const DEFINITION: Definition = Definition {
    signature: Usual::Chosen,
    read: Read::Mapped(Mapping::UNKNOWN),
    check: None,
    answer: None,
    answer_setting: None,
};
