//! Reads a body by JSON Pointers: which messages are erasures, where the request's id is, and
//! where the identifiers are. A platform's file has the pointers as constants; the configuration
//! may override them, and for `custom` has all of them.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use super::{Message, Unreadable};
use crate::erasure::{ErasureRequest, Kind, RequestId, Subject};
use crate::json::{Json, Pointers, WrongType};
use crate::signature::to_hex;

mod overrides;

pub use overrides::Overrides;

/// What a platform's messages look like.
pub struct Mapping {
    /// All of these must hold of an erasure. Empty where the configuration must say it.
    pub erasure: &'static [Condition],
    /// Where the request's id is; `None` where the platform sends none that is proven. Then the id
    /// is a hash of the message, which must therefore be the same on every retry.
    pub request_id: Option<&'static str>,
    /// Where identifiers are, and of which kind they are.
    pub fields: &'static [(Kind, &'static str)],
    /// Where identifiers are that name their own type.
    pub identities: Option<Identities>,
    /// The types that they name, and the kinds that these are here.
    pub types: &'static [(&'static str, Kind)],
}

/// What must hold of an erasure.
pub struct Condition {
    /// A JSON Pointer.
    pub at: &'static str,
    /// The value there is one of these. Where there are none, it can be anything, `null` included.
    pub is: &'static [&'static str],
}

/// An object, or an array of objects, each with the type and the value of an identifier.
pub struct Identities {
    /// Where it is: a JSON Pointer, empty for the body itself.
    pub at: Cow<'static, str>,
    /// The member that has the type.
    pub kind: Cow<'static, str>,
    /// The member that has the value.
    pub value: Cow<'static, str>,
    /// The member that has the format of the value. Anything but `raw` is a hash, which no vendor
    /// can use: such an identifier is ignored.
    pub format: Option<Cow<'static, str>>,
}

impl Mapping {
    /// A platform of which nothing is known.
    pub const UNKNOWN: Mapping =
        Mapping { erasure: &[], request_id: None, fields: &[], identities: None, types: &[] };

    /// Adds every pointer that [`read`](Self::read) looks into.
    pub(super) fn select(&self, overrides: &Overrides, pointers: &mut Pointers) {
        match &overrides.erasure {
            Some((at, _)) => pointers.add(at),
            None => {
                for condition in self.erasure {
                    match condition.is {
                        [] => pointers.add_presence(condition.at),
                        _ => pointers.add(condition.at),
                    }
                }
            }
        }
        if let Some(pointer) = self.request_id(overrides) {
            pointers.add(pointer);
        }
        for (_, pointer) in self.fields(overrides) {
            pointers.add(pointer);
        }
        match self.identities(overrides) {
            Some(Identities { at, kind, value, format }) if at.is_empty() => {
                // The body, or the one item of it.
                for holder in ["", "/0"] {
                    for member in [Some(kind), Some(value), format.as_ref()].into_iter().flatten() {
                        pointers.add_member(holder, member);
                    }
                }
            }
            Some(identities) => pointers.add(&identities.at),
            None => {}
        }
    }

    fn request_id<'a>(&'a self, overrides: &'a Overrides) -> Option<&'a str> {
        overrides.request_id.as_deref().or(self.request_id)
    }

    /// Where identifiers are: those of the platform that are not overridden, then the others.
    fn fields<'a>(&'a self, overrides: &'a Overrides) -> impl Iterator<Item = (&'a Kind, &'a str)> {
        let own = self.fields.iter().filter(|(kind, _)| !overrides.has_field(kind));
        let own = own.map(|(kind, pointer)| (kind, *pointer));
        let others = overrides.fields.iter();
        own.chain(others.filter_map(|(kind, pointer)| Some((kind, pointer.as_deref()?))))
    }

    fn identities<'a>(&'a self, overrides: &'a Overrides) -> Option<&'a Identities> {
        overrides.identities.as_ref().or(self.identities.as_ref())
    }

    /// Reads a message, whose text is `text`.
    ///
    /// # Errors
    /// [`WrongType`]: the first value that is not as the mapping has it.
    pub(super) fn read(
        &self,
        overrides: &Overrides,
        json: &Json<'_>,
        text: &[u8],
    ) -> Result<Message, Unreadable> {
        if matches!(json, Json::Array(events) if events.len() != 1) {
            // A pointer to the first event would lose the others.
            return Err(WrongType::new("the body", "one event, or an array of one").into());
        }
        if !self.is_erasure(overrides, json)? {
            return Ok(Message::Other);
        }
        let id = match self.request_id(overrides) {
            Some(pointer) => {
                let id = json.at(pointer)?.and_then(scalar);
                let id = id.as_deref().and_then(RequestId::parse);
                id.ok_or_else(|| WrongType::new(pointer, RequestId::EXPECTED))?
            }
            None => derived_id(text)?,
        };
        Ok(Message::Erasure(ErasureRequest { id, subject: self.subject(overrides, json)? }))
    }

    fn is_erasure(&self, overrides: &Overrides, json: &Json<'_>) -> Result<bool, WrongType> {
        if let Some((at, is)) = &overrides.erasure {
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

    fn subject(&self, overrides: &Overrides, json: &Json<'_>) -> Result<Subject, WrongType> {
        let mut subject = Subject::default();
        for (kind, pointer) in self.fields(overrides) {
            add(&mut subject, kind, json, pointer)?;
        }
        if let Some(identities) = self.identities(overrides) {
            self.add_identities(identities, overrides, json, &mut subject)?;
        }
        Ok(subject)
    }

    /// Adds the identifiers that name their own type. Those of unknown types are ignored.
    fn add_identities(
        &self,
        identities: &Identities,
        overrides: &Overrides,
        json: &Json<'_>,
        subject: &mut Subject,
    ) -> Result<(), WrongType> {
        let wrong = |expected| WrongType::new(identities.at.as_ref(), expected);
        let items = match json.at(&identities.at)? {
            None => return Ok(()),
            Some(Json::Array(items)) if items.len() <= Subject::MAX_VALUES => items.as_slice(),
            Some(one @ Json::Object(_)) => std::slice::from_ref(one),
            Some(_) => return Err(wrong("an object, or an array of at most 100")),
        };
        for item in items {
            let raw = match identities.format.as_ref().and_then(|key| item.get(key)) {
                None | Some(Json::Null) => true,
                Some(Json::Text(format)) => format.eq_ignore_ascii_case("raw"),
                Some(_) => return Err(wrong("objects whose format is a string")),
            };
            let Some(name) = item.get(&identities.kind).and_then(Json::as_text) else { continue };
            let own = || self.types.iter().find(|(known, _)| *known == name);
            let kind = overrides.kind(name).or_else(|| own().map(|(_, kind)| kind));
            let Some(kind) = kind else { continue };
            // A pointer for a kind, or `false`, replaces these identifiers too.
            if !raw || overrides.has_field(kind) {
                continue;
            }
            match item.get(&identities.value) {
                None | Some(Json::Null) => {}
                Some(Json::Text(value)) => subject.add(kind.clone(), value),
                Some(Json::Integer(value)) => subject.add(kind.clone(), &value.to_string()),
                Some(_) => return Err(wrong("objects whose value is a string or an integer")),
            }
        }
        Ok(())
    }
}

/// Whether there is a value at `pointer`, `null` included.
fn is_present(json: &Json<'_>, pointer: &str) -> Result<bool, WrongType> {
    let Some((holder, key)) = pointer.rsplit_once('/') else { return Ok(false) };
    Ok(json.at(holder)?.is_some_and(|holder| holder.get(key).is_some()))
}

/// Whether the value at `pointer` is as it must be. It must be there: a message that does not say
/// what it is may be an erasure, and must not be acknowledged as something else.
fn holds(json: &Json<'_>, pointer: &str, is: impl Fn(&str) -> bool) -> Result<bool, WrongType> {
    let value = json.at(pointer)?.and_then(scalar);
    value.map(|value| is(&value)).ok_or_else(|| WrongType::new(pointer, "a string"))
}

/// A string, or an integer or a Boolean as its text; `None` for anything else.
fn scalar<'a>(json: &'a Json<'_>) -> Option<Cow<'a, str>> {
    match json {
        Json::Text(text) => Some(Cow::Borrowed(text)),
        Json::Integer(number) => Some(Cow::Owned(number.to_string())),
        Json::Bool(truth) => Some(Cow::Borrowed(if *truth { "true" } else { "false" })),
        _ => None,
    }
}

/// Adds the value at `pointer`: one identifier, or an array of them.
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

/// An id for a message that has none: the first 128 bits of its SHA-256, as hex.
fn derived_id(text: &[u8]) -> Result<RequestId, WrongType> {
    let digest = Sha256::digest(text);
    let id = to_hex(digest.get(..16).unwrap_or(&digest));
    RequestId::parse(&id).ok_or_else(|| WrongType::new("the body", RequestId::EXPECTED))
}
