//! Shopify's mandatory webhook `customers/redact`. Its topic and its id are headers, which the
//! signature does not cover. So an erasure is recognized by the members that only that topic's body has
//! (`orders_to_redact` and `customer`), and the request's id is made from the signed body, which has
//! no time.

use super::mapping::Mapping;
use super::platform::{PlatformSpec, Reader};
use super::rule::Condition;
use crate::erasure::Kind;
use crate::signature::DefaultSignature;

pub(super) const SPEC: PlatformSpec = PlatformSpec {
    signature: DefaultSignature::Preset("shopify"),
    erasure: &[
        Condition { at: "/customer", is: &[] },
        Condition { at: "/orders_to_redact", is: &[] },
    ],
    always: &[],
    reader: Reader::Mapped(Mapping {
        request_id: None,
        distinguished_by: None,
        fields: &[
            (Kind::UserId, "/customer/id"),
            (Kind::Email, "/customer/email"),
            (Kind::PhoneNumber, "/customer/phone"),
        ],
        identities: None,
        types: &[],
    }),
    check: None,
    told_of_unusable: false,
    answer: None,
    request_status: None,
    answer_setting: None,
};
