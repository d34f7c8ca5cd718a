//! DataGrail's two kinds of webhooks, which are signed alike.
//!
//! `datagrail-drop` is `drop.deletion` of data broker compliance
//! (<https://docs.datagrail.io/docs/request-manager/data-broker-compliance/api-reference>).
//! `remote_identifier` is an id in the operator's own system, of the kind that
//! `remote_identifier_kind` names. `ticket_uuid` is the request.
//!
//! `datagrail-dsr` are the webhooks about requests of data subjects: access, deletion, opt-out and
//! health check
//! (<https://docs.datagrail.io/docs/integrations/webhooks-integrations/webhooks-integrations-overview>).
//! Documented are the headers of the signature and the members that all of them have, the request's
//! id `webhook_request_id` among them. Which bytes are signed, and what a deletion looks like, is
//! not: the signature is taken to be that of `drop.deletion`, and the configuration must say the
//! rest.

use std::borrow::Cow::Borrowed;

use super::mapping::{Identities, Mapping};
use super::platform::{PlatformSpec, Reader};
use super::rule::Condition;
use crate::erasure::Kind;
use crate::signature::DefaultSignature;

pub(super) const DROP: PlatformSpec = PlatformSpec {
    signature: DefaultSignature::Preset("datagrail"),
    erasure: &[Condition { at: "/event", is: &["drop.deletion"] }],
    always: &[],
    reader: Reader::Mapped(Mapping {
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
    told_of_unusable: false,
    answer: None,
    request_status: None,
    answer_setting: None,
};

pub(super) const DSR: PlatformSpec = PlatformSpec {
    signature: DefaultSignature::Preset("datagrail"),
    erasure: &[],
    always: &[],
    reader: Reader::Mapped(Mapping {
        request_id: Some("/webhook_request_id"),
        distinguished_by: None,
        fields: &[],
        identities: None,
        types: &[],
    }),
    check: None,
    told_of_unusable: false,
    answer: None,
    request_status: None,
    answer_setting: None,
};
