//! Reads the settings that override a mapping.

use std::borrow::Cow;

use super::super::rule::{check_pointer, pointer};
use super::{Identities, Mapping};
use crate::erasure::{CustomName, Kind};
use crate::settings::Settings;

/// What the configuration says of a platform's messages.
#[derive(Default)]
pub struct Overrides {
    pub(super) request_id: Option<String>,
    /// `None` as a pointer: the platform's own is not read.
    pub(super) fields: Vec<(Kind, Option<String>)>,
    pub(super) identities: Option<Identities>,
    pub(super) types: Vec<(String, Kind)>,
}

const KINDS: [(&str, Kind); 5] = [
    ("user_id", Kind::UserId),
    ("email", Kind::Email),
    ("phone_number", Kind::PhoneNumber),
    ("uuid", Kind::Uuid),
    ("insider_id", Kind::InsiderId),
];

const KIND_EXPECTED: &str =
    "must be one of: user_id, email, phone_number, uuid, insider_id, custom.NAME";

impl Overrides {
    /// Reads the settings that say where things are. `described` says that the configuration
    /// describes the messages.
    pub fn configure(mapping: &Mapping, described: bool, settings: &mut Settings<'_>) -> Self {
        let mut overrides = Self { request_id: pointer(settings, "request_id"), ..Self::default() };
        if described {
            overrides.identities = identities(settings);
        }
        if let Some(mut table) = settings.table("identifiers") {
            overrides.fields = fields(&mut table);
            table.finish();
        }
        if overrides.identities.is_some() || mapping.identities.is_some() {
            for (name, kind) in settings.text_entries("identity_types") {
                match kind_named(kind) {
                    Some(kind) => overrides.types.push((name.to_owned(), kind)),
                    None => settings.problem("identity_types", KIND_EXPECTED),
                }
            }
        }
        let none = mapping.fields.is_empty() && mapping.identities.is_none();
        if none && !settings.has("identifiers") && !settings.has("identities") {
            settings.problem("identifiers", "must say where at least one identifier is");
        }
        overrides
    }

    /// Whether the configuration says where the request's id is.
    pub(in super::super) fn has_request_id(&self) -> bool {
        self.request_id.is_some()
    }

    /// Whether the pointer of `kind` is overridden.
    pub(super) fn has_field(&self, kind: &Kind) -> bool {
        self.fields.iter().any(|(known, _)| known == kind)
    }

    /// The kind of identifiers of the type `name`.
    pub(super) fn kind(&self, name: &str) -> Option<&Kind> {
        self.types.iter().find(|(known, _)| known == name).map(|(_, kind)| kind)
    }
}

/// A kind by its name in the configuration.
fn kind_named(name: &str) -> Option<Kind> {
    if let Some(custom) = name.strip_prefix("custom.") {
        return CustomName::parse(custom).map(Kind::Custom);
    }
    KINDS.into_iter().find(|(known, _)| *known == name).map(|(_, kind)| kind)
}

/// `{ at = "/identities", type = "identitySpace", value = "identityValue" }`
fn identities(settings: &mut Settings<'_>) -> Option<Identities> {
    let mut table = settings.table("identities")?;
    let at = pointer(&mut table, "at").unwrap_or_default();
    let mut member = |key| table.required_text(key).map(|text| Cow::Owned(text.to_owned()));
    let (kind, value) = (member("type"), member("value"));
    let format = table.text("format").map(|text| Cow::Owned(text.to_owned()));
    table.finish();
    Some(Identities { at: Cow::Owned(at), kind: kind?, value: value?, format })
}

/// `user_ids`, `email` and so on: a pointer, or `false` where the platform's own is not to be read.
fn fields(table: &mut Settings<'_>) -> Vec<(Kind, Option<String>)> {
    let mut fields = Vec::new();
    for (key, kind) in [("user_ids", Kind::UserId)].into_iter().chain(KINDS) {
        if table.is_false(key) {
            fields.push((kind, None));
        } else if let Some(pointer) = pointer(table, key) {
            fields.push((kind, Some(pointer)));
        }
    }
    for (name, pointer) in table.text_entries("custom") {
        match CustomName::parse(name) {
            Some(name) if check_pointer(table, "custom", pointer) => {
                fields.push((Kind::Custom(name), Some(pointer.to_owned())));
            }
            Some(_) => {}
            None => table.problem("custom", "must have names of A-Z a-z 0-9 _ -"),
        }
    }
    fields
}
