//! Reads an erasure by JSON Pointers: where the request's id is, and where the identifiers are. A
//! platform's file has the pointers as constants; the configuration may override them, and for
//! `custom` has all of them.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use super::Unreadable;
use crate::erasure::{ErasureRequest, Kind, RequestId, Subject};
use crate::json::{Json, Pointers, WrongType};

mod overrides;

pub use overrides::Overrides;

/// What a platform's erasures look like.
pub struct Mapping {
    /// Where the request's id is; `None` where the platform sends none that is proven. Then the id
    /// is made from the message.
    pub request_id: Option<&'static str>,
    /// What tells one request from another, beside its identifiers, where the id is made from the
    /// message. `None` where nothing is documented: then that is the whole message, which must be
    /// the same on every retry.
    pub distinguished_by: Option<&'static [&'static str]>,
    /// Where identifiers are, and of which kind they are.
    pub fields: &'static [(Kind, &'static str)],
    /// Where identifiers are that name their own type.
    pub identities: Option<Identities>,
    /// The types that they name, and the kinds that these are here.
    pub types: &'static [(&'static str, Kind)],
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
    pub const UNKNOWN: Mapping = Mapping {
        request_id: None,
        distinguished_by: None,
        fields: &[],
        identities: None,
        types: &[],
    };

    /// Adds every pointer that [`read`](Self::read) looks into.
    pub(super) fn select(&self, overrides: &Overrides, pointers: &mut Pointers) {
        match self.request_id(overrides) {
            Some(pointer) => pointers.add(pointer),
            None => {
                for pointer in self.distinguished_by.unwrap_or_default() {
                    pointers.add(pointer);
                }
            }
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

    /// Where the request's id is; `None` where it is made from the message.
    pub(super) fn request_id<'a>(&'a self, overrides: &'a Overrides) -> Option<&'a str> {
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

    /// Reads an erasure, whose text is `text`.
    ///
    /// # Errors
    /// [`WrongType`]: the first value that is not as the mapping has it.
    pub(super) fn read(
        &self,
        overrides: &Overrides,
        json: &Json<'_>,
        text: &[u8],
    ) -> Result<ErasureRequest, Unreadable> {
        let subject = self.subject(overrides, json)?;
        let (id, id_is_derived) = match self.request_id(overrides) {
            Some(pointer) => {
                let sent = json.at(pointer)?.unwrap_or(&Json::Null);
                let id = sent.scalar().as_deref().and_then(RequestId::parse);
                (id.ok_or_else(|| WrongType::of(sent, pointer, RequestId::EXPECTED))?, false)
            }
            None => (RequestId::derived(&self.digest(json, &subject, text)), true),
        };
        Ok(ErasureRequest { id, id_is_derived, subject })
    }

    /// The types of identifiers that are read.
    pub(super) fn identity_types<'a>(&'a self, overrides: &'a Overrides) -> Vec<&'a str> {
        let own = self.types.iter().map(|(name, kind)| (*name, kind));
        let own = own.filter(|(name, _)| overrides.kind(name).is_none());
        let all = own.chain(overrides.types.iter().map(|(name, kind)| (name.as_str(), kind)));
        all.filter(|(_, kind)| !overrides.has_field(kind)).map(|(name, _)| name).collect()
    }

    /// A digest of what tells one request from another. A time at which the message was sent is
    /// not of it where the platform documents what else is.
    fn digest(&self, json: &Json<'_>, subject: &Subject, text: &[u8]) -> Vec<u8> {
        let mut digest = Sha256::new();
        let Some(pointers) = self.distinguished_by else {
            return digest.chain_update(text).finalize().to_vec();
        };
        // Each text ends with a byte that no UTF-8 has, so that no two lists of texts are alike.
        let mut add = |text: &str| digest.update([text.as_bytes(), b"\xff"].concat());
        for identifier in subject.identifiers() {
            add(&identifier.kind().to_string());
            add(identifier.expose());
        }
        for pointer in pointers {
            let value = json.at(pointer).ok().flatten().and_then(Json::scalar);
            add(pointer);
            add(value.as_deref().unwrap_or_default());
        }
        digest.finalize().to_vec()
    }

    /// Whom an event is about.
    ///
    /// # Errors
    /// [`WrongType`]
    pub(super) fn subject(
        &self,
        overrides: &Overrides,
        json: &Json<'_>,
    ) -> Result<Subject, WrongType> {
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
        let at = identities.at.as_ref();
        let found = json.at(at)?;
        let items = match found {
            None => return Ok(()),
            Some(Json::Array(items)) if items.len() <= Subject::MAX_VALUES => items.as_slice(),
            Some(one @ Json::Object(_)) => std::slice::from_ref(one),
            Some(other) => {
                return Err(WrongType::of(other, at, "an object, or an array of at most 100"));
            }
        };
        for (index, item) in items.iter().enumerate() {
            // What is no identity at all is not one of an unknown type: somebody may be meant.
            if !matches!(item, Json::Object(_)) {
                return Err(WrongType::of(item, format!("{at}/{index}"), "an object"));
            }
            let wrong = |member: &str, value: &Json<'_>, expected| {
                let member = member.replace('~', "~0").replace('/', "~1");
                let pointer = match found {
                    Some(Json::Array(_)) => format!("{at}/{index}/{member}"),
                    _ => format!("{at}/{member}"),
                };
                WrongType::of(value, pointer, expected)
            };
            let format = identities.format.as_deref().and_then(|key| Some((key, item.get(key)?)));
            let raw = match format {
                None | Some((_, Json::Null)) => true,
                Some((_, Json::Text(format))) => format.eq_ignore_ascii_case("raw"),
                Some((key, other)) => return Err(wrong(key, other, "a string")),
            };
            let Some(name) = item.get(&identities.kind).and_then(Json::as_text) else { continue };
            let own = || self.types.iter().find(|(known, _)| *known == name);
            let kind = overrides.kind(name).or_else(|| own().map(|(_, kind)| kind));
            let Some(kind) = kind else { continue };
            // A pointer for a kind, or `false`, replaces these identifiers too.
            if !raw || overrides.has_field(kind) {
                continue;
            }
            match item.get(&identities.value).unwrap_or(&Json::Null) {
                Json::Null => {}
                value => {
                    let text = identifier(value).ok_or_else(|| {
                        wrong(
                            &identities.value,
                            value,
                            "a string, or an integer of at most 64 bits",
                        )
                    })?;
                    subject.add(kind.clone(), &text);
                }
            }
        }
        Ok(())
    }
}

/// An identifier as it is sent: a string or an integer.
fn identifier<'a>(json: &'a Json<'_>) -> Option<Cow<'a, str>> {
    json.scalar().filter(|_| !matches!(json, Json::Bool(_)))
}

/// Adds the value at `pointer`: one identifier, or an array of them.
fn add(
    subject: &mut Subject,
    kind: &Kind,
    json: &Json<'_>,
    pointer: &str,
) -> Result<(), WrongType> {
    const EXPECTED: &str = "a string, an integer of at most 64 bits, or an array of at most 100";
    let found = json.at(pointer)?;
    let values = match found {
        None => return Ok(()),
        Some(Json::Array(items)) if items.len() <= Subject::MAX_VALUES => items.as_slice(),
        Some(one) => std::slice::from_ref(one),
    };
    for (index, value) in values.iter().enumerate() {
        if matches!(value, Json::Null) {
            continue;
        }
        match identifier(value) {
            Some(text) => subject.add(kind.clone(), &text),
            None => {
                return Err(match found {
                    Some(Json::Array(items)) if items.len() == values.len() => WrongType::of(
                        value,
                        format!("{pointer}/{index}"),
                        "a string, or an integer of at most 64 bits",
                    ),
                    _ => WrongType::of(value, pointer, EXPECTED),
                });
            }
        }
    }
    Ok(())
}
