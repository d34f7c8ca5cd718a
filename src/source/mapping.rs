//! Reads a body by JSON Pointers: which messages are erasures, where the request's id is, and
//! where the identifiers are. A platform's file has the pointers as constants; the configuration
//! may change them, and for `custom` has all of them.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use super::{Message, Unreadable};
use crate::erasure::{CustomName, ErasureRequest, Kind, RequestId, Subject};
use crate::json::{Json, WrongType};
use crate::settings::Settings;
use crate::signature::to_hex;

type Text = Cow<'static, str>;

/// What a platform's messages look like.
pub struct Mapping {
    /// All of these must hold of an erasure. Empty where the configuration must say it.
    pub erasure: &'static [Condition],
    /// Where the request's id is; `None` where the platform sends none that is proven. Then it is
    /// made from the message, which must therefore be the same on every retry.
    pub request_id: Option<&'static str>,
    /// Where identifiers are, and what they are.
    pub fields: &'static [(Kind, &'static str)],
    /// Where identifiers are that say themselves what they are.
    pub typed: Option<Typed>,
    /// What they say, and what that is here.
    pub types: &'static [(&'static str, Kind)],
}

/// What must hold of an erasure.
pub struct Condition {
    /// A JSON Pointer.
    pub at: &'static str,
    /// What is there: one of these, or anything at all where there are none.
    pub is: &'static [&'static str],
}

/// An object, or an array of objects, that say what they identify a person by.
pub struct Typed {
    /// Where it is: a JSON Pointer, empty for the body itself.
    pub at: Text,
    /// The member that says what the value is.
    pub kind: Text,
    /// The member that has the value.
    pub value: Text,
    /// The member that says how the value is written. Anything but `raw` is a hash, of which no
    /// vendor can make use: such an identifier is left out.
    pub format: Option<Text>,
}

/// What the configuration changes.
#[derive(Default)]
pub struct Changes {
    erasure: Option<(String, Vec<String>)>,
    request_id: Option<String>,
    /// `None` as a pointer: the platform's own is left out.
    fields: Vec<(Kind, Option<String>)>,
    typed: Option<Typed>,
    types: Vec<(String, Kind)>,
}

const KINDS: [(&str, Kind); 5] = [
    ("user_id", Kind::UserId),
    ("email", Kind::Email),
    ("phone_number", Kind::PhoneNumber),
    ("uuid", Kind::Uuid),
    ("insider_id", Kind::InsiderId),
];

impl Mapping {
    /// A platform of which nothing is known.
    pub const UNKNOWN: Mapping =
        Mapping { erasure: &[], request_id: None, fields: &[], typed: None, types: &[] };

    /// Reads a message, whose text is `text`.
    pub(super) fn read(
        &self,
        changes: &Changes,
        json: &Json<'_>,
        text: &[u8],
    ) -> Result<Message, Unreadable> {
        if matches!(json, Json::Array(events) if events.len() != 1) {
            // A pointer to the first event would lose the others.
            return Err(WrongType::new("the body", "one event, or an array of one").into());
        }
        if !self.is_erasure(changes, json)? {
            return Ok(Message::Other);
        }
        let id = match changes.request_id.as_deref().or(self.request_id) {
            Some(pointer) => {
                let id = json.at(pointer)?.and_then(scalar);
                let id = id.as_deref().and_then(RequestId::parse);
                id.ok_or_else(|| WrongType::new(pointer, RequestId::EXPECTED))?
            }
            None => derived(text)?,
        };
        Ok(Message::Erasure(ErasureRequest { id, subject: self.subject(changes, json)? }))
    }

    fn is_erasure(&self, changes: &Changes, json: &Json<'_>) -> Result<bool, WrongType> {
        if let Some((at, is)) = &changes.erasure {
            return holds(json, at, |text| is.iter().any(|known| known == text));
        }
        for condition in self.erasure {
            let holds = match condition.is {
                [] => is_present(json, condition.at)?,
                is => holds(json, condition.at, |text| is.contains(&text))?,
            };
            if !holds {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn subject(&self, changes: &Changes, json: &Json<'_>) -> Result<Subject, WrongType> {
        let mut subject = Subject::default();
        for (kind, pointer) in self.fields {
            if !changes.fields.iter().any(|(changed, _)| changed == kind) {
                add(&mut subject, kind, json, pointer)?;
            }
        }
        for (kind, pointer) in &changes.fields {
            if let Some(pointer) = pointer {
                add(&mut subject, kind, json, pointer)?;
            }
        }
        if let Some(typed) = changes.typed.as_ref().or(self.typed.as_ref()) {
            self.typed(typed, changes, json, &mut subject)?;
        }
        Ok(subject)
    }

    /// Adds the identifiers that say themselves what they are. Those of other types are left out.
    fn typed(
        &self,
        typed: &Typed,
        changes: &Changes,
        json: &Json<'_>,
        subject: &mut Subject,
    ) -> Result<(), WrongType> {
        let wrong = |expected| WrongType::new(typed.at.as_ref(), expected);
        let items = match json.at(&typed.at)? {
            None => return Ok(()),
            Some(Json::Array(items)) if items.len() <= Subject::MAX_VALUES => items.as_slice(),
            Some(one @ Json::Object(_)) => std::slice::from_ref(one),
            Some(_) => return Err(wrong("an object, or an array of at most 100")),
        };
        for item in items {
            let text = |key: &str| item.get(key).and_then(Json::as_text);
            let raw = match typed.format.as_ref().and_then(|key| item.get(key)) {
                None | Some(Json::Null) => true,
                Some(Json::Text(format)) => format.eq_ignore_ascii_case("raw"),
                Some(_) => return Err(wrong("objects whose format is a string")),
            };
            let Some(name) = text(&typed.kind) else { continue };
            let kind = changes.types.iter().find(|(known, _)| known == name).map(|(_, kind)| kind);
            let usual = || self.types.iter().find(|(known, _)| *known == name);
            let Some(kind) = kind.or_else(|| usual().map(|(_, kind)| kind)) else { continue };
            // Whoever says where a kind is, or that it is left out, says so of these too.
            if !raw || changes.fields.iter().any(|(changed, _)| changed == kind) {
                continue;
            }
            match item.get(&typed.value) {
                None | Some(Json::Null) => {}
                Some(Json::Text(value)) => subject.add(kind.clone(), value),
                Some(Json::Integer(value)) => subject.add(kind.clone(), &value.to_string()),
                Some(_) => return Err(wrong("objects whose value is a string or an integer")),
            }
        }
        Ok(())
    }
}

/// Whether there is anything at `pointer`, be it `null`.
fn is_present(json: &Json<'_>, pointer: &str) -> Result<bool, WrongType> {
    let Some((holder, key)) = pointer.rsplit_once('/') else { return Ok(false) };
    Ok(json.at(holder)?.is_some_and(|holder| holder.get(key).is_some()))
}

/// Whether what is at `pointer` is as it must be. It must be there: a message that does not say
/// what it is may be an erasure that nobody would miss.
fn holds(json: &Json<'_>, pointer: &str, is: impl Fn(&str) -> bool) -> Result<bool, WrongType> {
    let value = json.at(pointer)?.and_then(scalar);
    value.map(|value| is(&value)).ok_or_else(|| WrongType::new(pointer, "a string"))
}

/// A string, or an integer or a truth as its text; `None` for anything else.
fn scalar<'a>(json: &'a Json<'_>) -> Option<Cow<'a, str>> {
    match json {
        Json::Text(text) => Some(Cow::Borrowed(text)),
        Json::Integer(number) => Some(Cow::Owned(number.to_string())),
        Json::Bool(truth) => Some(Cow::Borrowed(if *truth { "true" } else { "false" })),
        _ => None,
    }
}

/// Adds what is at `pointer`: one value, or an array of them.
fn add(
    subject: &mut Subject,
    kind: &Kind,
    json: &Json<'_>,
    pointer: &str,
) -> Result<(), WrongType> {
    let wrong = || WrongType::new(pointer, "a string, an integer, or an array of at most 100");
    let values = match json.at(pointer)? {
        None => return Ok(()),
        Some(Json::Array(items)) if items.len() <= Subject::MAX_VALUES => items.as_slice(),
        Some(one) => std::slice::from_ref(one),
    };
    for value in values {
        match value {
            Json::Null => {}
            Json::Text(_) | Json::Integer(_) => {
                subject.add(kind.clone(), &scalar(value).ok_or_else(wrong)?);
            }
            _ => return Err(wrong()),
        }
    }
    Ok(())
}

/// An id for a message that has none: 128 bits of its SHA-256, as hex.
fn derived(text: &[u8]) -> Result<RequestId, WrongType> {
    let digest = Sha256::digest(text);
    let id = to_hex(digest.get(..16).unwrap_or(&digest));
    RequestId::parse(&id).ok_or_else(|| WrongType::new("the body", RequestId::EXPECTED))
}

impl Changes {
    /// Reads the settings that say where things are.
    pub(super) fn configure(mapping: &Mapping, settings: &mut Settings<'_>) -> Option<Self> {
        let unknown = mapping.erasure.is_empty();
        let mut changes = Self { request_id: pointer(settings, "request_id"), ..Self::default() };
        let erasure = if unknown { erasure(settings) } else { Some(None) };
        if unknown {
            changes.typed = typed(settings);
        }
        if let Some(mut table) = settings.table("identifiers") {
            changes.fields = fields(&mut table);
            table.finish();
        }
        if changes.typed.is_some() || mapping.typed.is_some() {
            for (name, kind) in settings.text_entries("identity_types") {
                match named(kind) {
                    Some(kind) => changes.types.push((name.to_owned(), kind)),
                    None => settings.problem("identity_types", KIND_EXPECTED),
                }
            }
        }
        let none = mapping.fields.is_empty() && mapping.typed.is_none();
        if none && !settings.has("identifiers") && !settings.has("identities") {
            settings.problem("identifiers", "must say where at least one identifier is");
        }
        changes.erasure = erasure?;
        Some(changes)
    }
}

const KIND_EXPECTED: &str =
    "must be of: user_id, email, phone_number, uuid, insider_id, custom.NAME";

/// A kind by its name in the configuration.
fn named(name: &str) -> Option<Kind> {
    if let Some(custom) = name.strip_prefix("custom.") {
        return CustomName::parse(custom).map(Kind::Custom);
    }
    KINDS.into_iter().find(|(known, _)| *known == name).map(|(_, kind)| kind)
}

fn pointer(settings: &mut Settings<'_>, key: &'static str) -> Option<String> {
    let text = settings.text(key)?;
    check_pointer(settings, key, text).then(|| text.to_owned())
}

fn check_pointer(settings: &Settings<'_>, key: &str, text: &str) -> bool {
    let fits = text.starts_with('/');
    if !fits {
        settings.problem(key, "must be a JSON Pointer, such as /customer/id");
    }
    fits
}

/// `{ at = "/event", is = ["customer.deleted"] }`, or `"always"`, which holds of every message.
fn erasure(settings: &mut Settings<'_>) -> Option<Option<(String, Vec<String>)>> {
    if !settings.has_table("erasure") {
        return settings.required_choice("erasure", &[("always", ())]).map(|()| None);
    }
    let mut table = settings.table("erasure")?;
    if !table.has("at") {
        table.problem("at", "must be set");
    }
    let at = pointer(&mut table, "at");
    if !table.has("is") {
        table.problem("is", "must be set");
    }
    let is = table.texts("is");
    table.finish();
    Some(Some((at?, is?.into_iter().map(str::to_owned).collect())))
}

/// `{ at = "/identities", type = "identitySpace", value = "identityValue" }`
fn typed(settings: &mut Settings<'_>) -> Option<Typed> {
    let mut table = settings.table("identities")?;
    let at = pointer(&mut table, "at").unwrap_or_default();
    let mut member = |key| table.required_text(key).map(|text| Cow::Owned(text.to_owned()));
    let (kind, value) = (member("type"), member("value"));
    let format = table.text("format").map(|text| Cow::Owned(text.to_owned()));
    table.finish();
    Some(Typed { at: Cow::Owned(at), kind: kind?, value: value?, format })
}

/// `user_ids`, `email` and so on: a pointer, or `false` to leave the platform's own out.
fn fields(table: &mut Settings<'_>) -> Vec<(Kind, Option<String>)> {
    let mut fields = Vec::new();
    let keys = KINDS.map(|(key, kind)| (key, kind));
    for (key, kind) in [("user_ids", Kind::UserId)].into_iter().chain(keys) {
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
