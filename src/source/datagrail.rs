//! DataGrail's `drop.deletion` webhook. Its other webhooks are not documented well enough: they are
//! answered with 204, or with 400 where they have no `event`.
//!
//! `remote_identifier` is an id in the operator's own system, of the kind that
//! `remote_identifier_kind` names. `ticket_uuid` is the request.

use std::borrow::Cow::Borrowed;

use super::mapping::{Condition, Identities, Mapping};
use super::platform::{PlatformSpec, Reader};
use crate::erasure::Kind;
use crate::signature::DefaultSignature;

pub(super) const SPEC: PlatformSpec = PlatformSpec {
    signature: DefaultSignature::Preset("datagrail"),
    reader: Reader::Mapped(Mapping {
        erasure: &[Condition { at: "/event", is: &["drop.deletion"] }],
        request_id: Some("/ticket_uuid"),
        distinguished_by: None,
        fields: &[],
        identities: Some(Identities {
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
