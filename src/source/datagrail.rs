//! DataGrail's `drop.deletion` webhook. Its other webhooks are not documented well enough; they
//! are answered `204`, or `400` where they do not say what they are.
//!
//! `remote_identifier` is an id in the operator's own system, of the kind that
//! `remote_identifier_kind` names. `ticket_uuid` is the request.

use std::borrow::Cow::Borrowed;

use super::mapping::{Condition, Mapping, Typed};
use super::platform::{Definition, Read};
use crate::erasure::Kind;
use crate::signature::Usual;

pub(super) const DEFINITION: Definition = Definition {
    signature: Usual::Preset("datagrail"),
    read: Read::Mapped(Mapping {
        erasure: &[Condition { at: "/event", is: &["drop.deletion"] }],
        request_id: Some("/ticket_uuid"),
        fields: &[],
        typed: Some(Typed {
            at: Borrowed(""),
            kind: Borrowed("remote_identifier_kind"),
            value: Borrowed("remote_identifier"),
            format: None,
        }),
        types: &[
            ("external_id", Kind::UserId),
            ("email", Kind::Email),
            ("phone", Kind::PhoneNumber),
        ],
    }),
    check: None,
    answer: None,
    answer_setting: None,
};
