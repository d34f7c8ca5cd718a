//! Makes [`Json`] of what `serde_json` reads.
//!
//! `serde_json` rejects a whole text for one string with a lone surrogate or one number out of range
//! in what it reads, but not in what it skips. So a text that it rejects is read again, each member
//! and item as raw text first: if that cannot be read either, it alone is unusable. To read again
//! takes one pass for each level, and one over a text that is not JSON.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::pointers::{Node, Pointers, item_index};
use super::{Flaw, Json, Malformed, Object};

/// How many levels of arrays and objects are read. `serde_json` reads no more either.
const MAX_DEPTH: u8 = 127;

/// In the place of a key that is not Unicode.
const NO_KEY: &str = "\u{fffd}";

/// What a key means that an object names twice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeated {
    /// The text is rejected.
    Rejected,
    /// The member's value is unusable.
    Unusable,
}

/// A reader may ignore the mark (RFC 8259, 8.1).
pub(super) fn without_byte_order_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// Reads one JSON text, and of it what `node` says.
pub(super) fn parse<'a>(
    bytes: &'a [u8],
    node: &Node,
    repeated: Repeated,
) -> Result<Json<'a>, Malformed> {
    let text = without_byte_order_mark(bytes);
    let value = Value { node, repeated, depth: MAX_DEPTH, raw_first: false };
    let json = match value.parse(text) {
        Err(error) if !error.is_data() => {
            serde_json::from_slice::<&RawValue>(text)?;
            value.parse_raw(text)
        }
        read => read,
    };
    Ok(json?)
}

impl Pointers {
    /// Reads one JSON text. A member of an object that no pointer leads to is absent. An item of an
    /// array that no pointer leads to is `null`, and the array ends one item after the last one that
    /// is read (after two where none is): an array of exactly one item can always be recognized.
    ///
    /// # Errors
    /// [`Malformed`]
    pub fn parse<'a>(&self, bytes: &'a [u8]) -> Result<Json<'a>, Malformed> {
        parse(bytes, &self.0, Repeated::Rejected)
    }
}

/// How a value is read.
#[derive(Clone, Copy)]
struct Value<'n> {
    /// Which part of it.
    node: &'n Node,
    repeated: Repeated,
    /// How many levels of arrays and objects may begin here.
    depth: u8,
    /// Whether it, and what it holds, is read as raw text first.
    raw_first: bool,
}

impl Value<'_> {
    /// Reads a text. An error of the category "data" is a repeated key.
    fn parse<'a>(self, text: &'a [u8]) -> serde_json::Result<Json<'a>> {
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        let json = deserializer.deserialize_any(self)?;
        deserializer.end()?;
        Ok(json)
    }

    /// Reads what is known to be JSON. The only error is a repeated key.
    fn parse_raw<'a>(self, text: &'a [u8]) -> serde_json::Result<Json<'a>> {
        match (text.trim_ascii_start().first(), self.depth) {
            (Some(b'{' | b'['), 0) => Ok(Json::Unusable(Flaw::TooDeep)),
            (Some(b'{' | b'['), _) => Value { raw_first: true, ..self }.parse(text),
            (first, _) => Ok(self.parse(text).unwrap_or(match first {
                Some(b'"') => Json::Unusable(Flaw::NotUnicode),
                Some(b'-') => Json::Number(f64::NEG_INFINITY),
                _ => Json::Number(f64::INFINITY),
            })),
        }
    }

    /// How `node` is read of what this value holds.
    fn inner<'n>(self, node: &'n Node) -> Value<'n> {
        let Self { repeated, raw_first, .. } = self;
        Value { node, repeated, depth: self.depth.saturating_sub(1), raw_first }
    }
}

impl<'a> DeserializeSeed<'a> for Value<'_> {
    type Value = Json<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Json<'a>, D::Error> {
        if self.raw_first || self.depth == 0 {
            let raw = <&RawValue>::deserialize(deserializer)?;
            self.parse_raw(raw.get().as_bytes()).map_err(|_| repeated())
        } else {
            deserializer.deserialize_any(self)
        }
    }
}

impl<'a> Visitor<'a> for Value<'_> {
    type Value = Json<'a>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json<'a>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'a>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json<'a>, E> {
        Ok(Json::Integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json<'a>, E> {
        Ok(i64::try_from(number).map_or(Json::LargeInteger(number), Json::Integer))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json<'a>, E> {
        Ok(Json::Number(number))
    }

    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<Json<'a>, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'a>, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut array: A) -> Result<Json<'a>, A::Error> {
        let mut items = Vec::new();
        let Node::Parts(parts) = self.node else {
            while let Some(item) = array.next_element_seed(self.inner(self.node))? {
                items.push(item);
            }
            return Ok(Json::Array(items));
        };
        let index = |(key, node): (&String, _)| item_index(key).map(|index| (index, node));
        let nodes: BTreeMap<usize, &Node> = parts.iter().filter_map(index).collect();
        let last = nodes.last_key_value().map_or(0, |(index, _)| *index);
        for index in 0..last.saturating_add(2) {
            let item = match nodes.get(&index) {
                Some(node) => array.next_element_seed(self.inner(node))?,
                None => array.next_element::<IgnoredAny>()?.map(|_| Json::Null),
            };
            match item {
                Some(item) => items.push(item),
                None => return Ok(Json::Array(items)),
            }
        }
        while array.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'a>>(self, mut object: A) -> Result<Json<'a>, A::Error> {
        let mut members = BTreeMap::new();
        let mut skipped = BTreeSet::new();
        // A key is read like any other string.
        while let Some(key) = object.next_key_seed(self.inner(&Node::Whole))? {
            let Json::Text(key) = key else {
                // Nobody can ask for it. It is kept so that the object is not taken for an empty one.
                object.next_value::<IgnoredAny>()?;
                if matches!(self.node, Node::Whole) {
                    members.insert(NO_KEY.into(), Json::Unusable(Flaw::NotUnicode));
                }
                continue;
            };
            let is_new = match self.node.member(&key) {
                None => skipped.insert(key),
                Some(node) => match members.entry(key) {
                    Entry::Vacant(place) => {
                        place.insert(object.next_value_seed(self.inner(node))?);
                        continue;
                    }
                    Entry::Occupied(mut place) => {
                        place.insert(Json::Unusable(Flaw::Repeated));
                        false
                    }
                },
            };
            if !is_new && self.repeated == Repeated::Rejected {
                return Err(repeated());
            }
            object.next_value::<IgnoredAny>()?;
        }
        Ok(Json::Object(Object(members)))
    }
}

/// Becomes [`Malformed::RepeatedKey`].
pub(super) fn repeated<E: Error>() -> E {
    E::custom("a key is named twice")
}
