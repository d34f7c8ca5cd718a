//! JSON that comes from outside: webhooks, vendors' answers, keys, the configuration.
//!
//! [`Json`] borrows its strings from the text. An object that has a duplicate key is rejected: two
//! readers of such a text may disagree on whose data it asks to delete. A value that cannot be read
//! (a lone surrogate, a number out of range, too deep) is an error only for a reader who needs it.
//! [`Pointers`] reads only some parts of a text.

#[cfg(test)]
mod flaw_tests;
mod items;
mod parse;
mod pointers;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use thiserror::Error;

use parse::Repeated;
use pointers::{Node, item_index, unescape};

pub use items::items;
pub use pointers::Pointers;

/// A JSON value whose strings are borrowed from the text where they hold no escapes.
#[derive(Debug, PartialEq)]
pub enum Json<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// An integer from -2^63 to 2^63 - 1.
    Integer(i64),
    /// An integer from 2^63 to 2^64 - 1.
    LargeInteger(u64),
    /// Any other number, as an `f64` near to it; infinite where it is out of range.
    Number(f64),
    /// A string.
    Text(Cow<'a, str>),
    /// An array.
    Array(Vec<Json<'a>>),
    /// An object.
    Object(Object<'a>),
    /// A value that cannot be read.
    Unusable(Flaw),
}

/// Why a value cannot be read, though the text is JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// A string with a lone surrogate.
    NotUnicode,
    /// An array or an object at the 128th level.
    TooDeep,
    /// The object names the key twice.
    Repeated,
}

/// The members of a JSON object, each key once.
#[derive(Debug, Default, PartialEq)]
pub struct Object<'a>(BTreeMap<Cow<'a, str>, Json<'a>>);

impl<'a> Object<'a> {
    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&Json<'a>> {
        self.0.get(key)
    }

    /// Keys and values, ordered by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Json<'a>)> {
        self.0.iter().map(|(key, value)| (&**key, value))
    }

    /// The number of members.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Why a text cannot be read as JSON. It holds a position and nothing of the text.
///
/// Lines are counted from 1. The column is the number of bytes of the line up to the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Malformed {
    /// The text is not JSON, or what is read of it is not UTF-8 (RFC 8259, 8.1).
    #[error("is not JSON (line {line}, column {column})")]
    Syntax {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// An object has a duplicate key. In a text that also holds a value that cannot be read, the position
    /// is the end of the second one or of a member of the text that holds it.
    #[error("has a duplicate key (line {line}, column {column})")]
    RepeatedKey {
        /// The line of the second one.
        line: usize,
        /// The column of the second one.
        column: usize,
    },
}

impl From<serde_json::Error> for Malformed {
    /// Keeps the position alone: the message of an error can repeat the text.
    fn from(error: serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        if error.is_data() {
            Malformed::RepeatedKey { line, column }
        } else {
            Malformed::Syntax { line, column }
        }
    }
}

/// A value that is not of the type it must be, or is missing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{pointer} must be {expected}")]
pub struct WrongType {
    /// Where: a JSON Pointer (RFC 6901).
    pub pointer: String,
    /// What must be there, such as "a string".
    pub expected: &'static str,
}

impl WrongType {
    /// The value at `pointer` is not `expected`.
    pub fn new(pointer: impl Into<String>, expected: &'static str) -> Self {
        Self { pointer: pointer.into(), expected }
    }

    /// `found` at `pointer` is not `expected`. Where it cannot be read at all, that is said instead.
    pub fn of(found: &Json<'_>, pointer: impl Into<String>, expected: &'static str) -> Self {
        let expected = match found {
            Json::Unusable(Flaw::NotUnicode) => "valid Unicode: UTF-8, without lone surrogates",
            Json::Unusable(Flaw::TooDeep) => "nested less than 128 levels deep",
            Json::Unusable(Flaw::Repeated) => "named once",
            _ => expected,
        };
        Self::new(pointer, expected)
    }
}

impl<'a> Json<'a> {
    /// Reads a whole JSON text.
    ///
    /// # Errors
    /// [`Malformed`]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        parse::parse(bytes, &Node::Whole, Repeated::Rejected)
    }

    /// Reads a whole JSON text of which some members matter and others must not get in the way: a
    /// member that is named twice is [`Flaw::Repeated`], and the others can be read.
    ///
    /// # Errors
    /// [`Malformed::Syntax`]
    pub fn parse_leniently(bytes: &'a [u8]) -> Result<Self, Malformed> {
        parse::parse(bytes, &Node::Whole, Repeated::Unusable)
    }

    /// The value at a JSON Pointer (RFC 6901); `None` where a key or an item is missing or the
    /// value, or one on the way to it, is `null`.
    ///
    /// # Errors
    /// [`WrongType`] where a value on the way is neither an object, nor `null`, nor an array while
    /// the pointer has an index.
    pub fn at(&self, pointer: &str) -> Result<Option<&Json<'a>>, WrongType> {
        let mut here = self;
        for (depth, key) in pointer.split('/').enumerate().skip(1) {
            let next = match (here, item_index(key)) {
                (Json::Object(members), _) => members.get(&unescape(key)),
                (Json::Array(items), Some(index)) => items.get(index),
                (Json::Null, _) => None,
                _ if depth == 1 => return Err(WrongType::new("the body", "an object")),
                _ => {
                    let place: Vec<&str> = pointer.split('/').take(depth).collect();
                    return Err(WrongType::new(place.join("/"), "an object"));
                }
            };
            match next {
                Some(value) => here = value,
                None => return Ok(None),
            }
        }
        Ok(if matches!(here, Json::Null) { None } else { Some(here) })
    }

    /// The string at `pointer`, if there is one; `null` counts as missing.
    ///
    /// # Errors
    /// [`WrongType`] where something else is there.
    pub fn text_at(&self, pointer: &str) -> Result<Option<&str>, WrongType> {
        match self.at(pointer)? {
            None => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text)),
            Some(other) => Err(WrongType::of(other, pointer, "a string")),
        }
    }

    /// A string, or an integer or a Boolean as its text; `None` for anything else.
    pub fn scalar(&self) -> Option<Cow<'_, str>> {
        match self {
            Json::Text(text) => Some(Cow::Borrowed(text)),
            Json::Integer(number) => Some(Cow::Owned(number.to_string())),
            Json::LargeInteger(number) => Some(Cow::Owned(number.to_string())),
            Json::Bool(truth) => Some(Cow::Borrowed(if *truth { "true" } else { "false" })),
            _ => None,
        }
    }

    /// The value as a string, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Json::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The member `key` of an object; `None` for anything else.
    pub fn get(&self, key: &str) -> Option<&Json<'a>> {
        match self {
            Json::Object(members) => members.get(key),
            _ => None,
        }
    }
}

/// Writes `value`, which must be one that JSON can hold: what this crate writes are structs, and
/// maps whose keys are strings.
pub fn to_string(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
