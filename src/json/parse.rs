//! Makes [`Json`] of what `serde_json` reads.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::pointers::{Node, Pointers, item_index};
use super::{Json, Malformed, Object};

/// Reads one JSON text, and of it what `node` says.
pub(super) fn parse<'a>(bytes: &'a [u8], node: &Node) -> Result<Json<'a>, Malformed> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let json = Value(node).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(json)
}

impl Pointers {
    /// Reads one JSON text. A member of an object that no pointer leads to is absent. An item of an
    /// array that no pointer leads to is `null`, and the array ends one item after the last one that
    /// is read (after two where none is): an array of exactly one item can always be recognized.
    ///
    /// # Errors
    /// [`Malformed`]
    pub fn parse<'a>(&self, bytes: &'a [u8]) -> Result<Json<'a>, Malformed> {
        parse(bytes, &self.0)
    }
}

/// A value of which a part is read.
#[derive(Clone, Copy)]
struct Value<'n>(&'n Node);

impl<'a> DeserializeSeed<'a> for Value<'_> {
    type Value = Json<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Json<'a>, D::Error> {
        deserializer.deserialize_any(self)
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
        Ok(i64::try_from(number).map_or(Json::Number, Json::Integer))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json<'a>, E> {
        Ok(Json::Number)
    }

    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<Json<'a>, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'a>, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut array: A) -> Result<Json<'a>, A::Error> {
        let mut items = Vec::new();
        let Node::Parts(parts) = self.0 else {
            while let Some(item) = array.next_element_seed(self)? {
                items.push(item);
            }
            return Ok(Json::Array(items));
        };
        let index = |(key, node): (&String, _)| item_index(key).map(|index| (index, node));
        let nodes: BTreeMap<usize, &Node> = parts.iter().filter_map(index).collect();
        let last = nodes.last_key_value().map_or(0, |(index, _)| *index);
        let limit = last.saturating_add(2);
        for index in 0..limit {
            let item = match nodes.get(&index) {
                Some(node) => array.next_element_seed(Value(node))?,
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
        let repeated = || A::Error::custom("a key is named twice");
        let mut members = BTreeMap::new();
        let mut skipped = BTreeSet::new();
        // Keys are strings, so that they are read as any other string.
        while let Some(Json::Text(key)) = object.next_key_seed(Value(&Node::Whole))? {
            let Some(node) = self.0.member(&key) else {
                if !skipped.insert(key) {
                    return Err(repeated());
                }
                object.next_value::<IgnoredAny>()?;
                continue;
            };
            match members.entry(key) {
                Entry::Vacant(place) => place.insert(object.next_value_seed(Value(node))?),
                Entry::Occupied(_) => return Err(repeated()),
            };
        }
        Ok(Json::Object(Object(members)))
    }
}
