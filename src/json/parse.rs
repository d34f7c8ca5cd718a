//! Reads JSON (RFC 8259) into [`Json`].
//!
//! `serde_json` rejects a whole text for one string with a lone surrogate, one number out of range
//! or one deep array. Here such a value is read as unusable, so that it matters only to a reader
//! who needs it. Which texts are JSON is the same as with `serde_json`; tests compare the two.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};

use super::pointers::{Node, Pointers, item_index};
use super::scan::Reader;
use super::{Flaw, Json, Malformed, Object};

/// How many levels of arrays and objects are read.
const MAX_DEPTH: u8 = 127;

/// A byte order mark, which a reader may ignore (RFC 8259, 8.1).
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What a key means that an object names twice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeated {
    /// The text is rejected.
    Rejected,
    /// The member's value is unusable.
    Unusable,
}

/// Reads one JSON text, and of it what `node` says.
pub(super) fn parse<'a>(
    bytes: &'a [u8],
    node: &Node,
    repeated: Repeated,
) -> Result<Json<'a>, Malformed> {
    let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let mut reader = Reader::new(text);
    let json = value(&mut reader, node, repeated, MAX_DEPTH)?;
    reader.end()?;
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
        parse(bytes, &self.0, Repeated::Rejected)
    }
}

fn value<'a>(
    reader: &mut Reader<'a>,
    node: &Node,
    repeated: Repeated,
    depth: u8,
) -> Result<Json<'a>, Malformed> {
    reader.skip_space();
    let first = reader.first();
    let is_nested = matches!(first, Some(b'{' | b'['));
    match (first, depth.checked_sub(1)) {
        (Some(b'{'), Some(depth)) => object(reader, node, repeated, depth),
        (Some(b'['), Some(depth)) => array(reader, node, repeated, depth),
        _ if is_nested => {
            reader.skip()?;
            Ok(Json::Unusable(Flaw::TooDeep))
        }
        _ => reader.scalar(true),
    }
}

fn object<'a>(
    reader: &mut Reader<'a>,
    node: &Node,
    repeated: Repeated,
    depth: u8,
) -> Result<Json<'a>, Malformed> {
    let mut members = BTreeMap::new();
    let mut skipped = BTreeSet::new();
    reader.advance(1);
    reader.skip_space();
    let mut is_open = !reader.take(b'}');
    while is_open {
        let (raw, key) = reader.key()?;
        let after_key = reader.rest();
        reader.colon()?;
        let Some(key) = key else {
            // Nobody can ask for it. It is kept so that the object is not taken for an empty one.
            reader.skip()?;
            if matches!(node, Node::Whole) {
                let key = String::from_utf8_lossy(raw);
                members.entry(key).or_insert(Json::Unusable(Flaw::NotUnicode));
            }
            is_open = reader.goes_on(b'}')?;
            continue;
        };
        let is_new = match node.member(&key) {
            None => {
                reader.skip()?;
                skipped.insert(key)
            }
            Some(node) => match members.entry(key) {
                Entry::Vacant(place) => {
                    place.insert(value(reader, node, repeated, depth)?);
                    true
                }
                Entry::Occupied(mut place) => {
                    reader.skip()?;
                    place.insert(Json::Unusable(Flaw::Repeated));
                    false
                }
            },
        };
        if !is_new && repeated == Repeated::Rejected {
            return Err(reader.repeated_key(after_key));
        }
        is_open = reader.goes_on(b'}')?;
    }
    Ok(Json::Object(Object(members)))
}

fn array<'a>(
    reader: &mut Reader<'a>,
    node: &Node,
    repeated: Repeated,
    depth: u8,
) -> Result<Json<'a>, Malformed> {
    let index = |(key, node): (&String, _)| item_index(key).map(|index| (index, node));
    let nodes: BTreeMap<usize, &Node> = match node {
        Node::Whole => BTreeMap::new(),
        Node::Parts(parts) => parts.iter().filter_map(index).collect(),
    };
    let last = nodes.last_key_value().map_or(0, |(index, _)| *index);
    let limit = last.saturating_add(2);
    let mut items = Vec::new();
    reader.advance(1);
    reader.skip_space();
    let mut is_open = !reader.take(b']');
    while is_open {
        let wanted = match node {
            Node::Whole => Some(node),
            Node::Parts(_) => nodes.get(&items.len()).copied(),
        };
        match wanted {
            Some(node) => items.push(value(reader, node, repeated, depth)?),
            None => {
                reader.skip()?;
                if items.len() < limit {
                    items.push(Json::Null);
                }
            }
        }
        is_open = reader.goes_on(b']')?;
    }
    Ok(Json::Array(items))
}
