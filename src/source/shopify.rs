//! Shopify's mandatory webhook `customers/redact`. Its topic and its id are headers, which the
//! signature does not cover. So an erasure is told by what only that topic has in its body
//! (`orders_to_redact` beside `customer`), and the request's id is made from the signed body.

use super::mapping::{Condition, Mapping};
use super::platform::{Definition, Read};
use crate::erasure::Kind;
use crate::signature::Usual;

pub(super) const DEFINITION: Definition = Definition {
    signature: Usual::Preset("shopify"),
    read: Read::Mapped(Mapping {
        erasure: &[
            Condition { at: "/customer", is: &[] },
            Condition { at: "/orders_to_redact", is: &[] },
        ],
        request_id: None,
        fields: &[
            (Kind::UserId, "/customer/id"),
            (Kind::Email, "/customer/email"),
            (Kind::PhoneNumber, "/customer/phone"),
        ],
        typed: None,
        types: &[],
    }),
    check: None,
    answer: None,
    answer_setting: None,
};
