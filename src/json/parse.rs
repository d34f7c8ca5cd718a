//! Reads JSON (RFC 8259) into [`Json`].
//!
//! `serde_json` rejects a whole text for one string with a lone surrogate, one number out of range
//! or one deep array. Here such a value is read as unusable, so that it matters only to a reader
//! who needs it. Which texts are JSON is the same as with `serde_json`; tests compare the two.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};

use super::pointers::{Node, Pointers, item_index};
use super::{Flaw, Json, Malformed, Object};

/// How many levels of arrays and objects are read.
const MAX_DEPTH: u8 = 127;

/// A byte order mark, which a reader may ignore (RFC 8259, 8.1).
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

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
    let mut reader = Reader { text, rest: text, repeated };
    let json = reader.value(node, MAX_DEPTH)?;
    reader.skip_space();
    if reader.rest.is_empty() { Ok(json) } else { Err(reader.unexpected()) }
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

struct Reader<'a> {
    text: &'a [u8],
    /// What is not read yet.
    rest: &'a [u8],
    repeated: Repeated,
}

impl<'a> Reader<'a> {
    fn value(&mut self, node: &Node, depth: u8) -> Result<Json<'a>, Malformed> {
        self.skip_space();
        let is_nested = matches!(self.rest.first(), Some(b'{' | b'['));
        match (self.rest.first(), depth.checked_sub(1)) {
            (Some(b'{'), Some(depth)) => self.object(node, depth),
            (Some(b'['), Some(depth)) => self.array(node, depth),
            _ if is_nested => {
                self.skip()?;
                Ok(Json::Unusable(Flaw::TooDeep))
            }
            _ => self.scalar(true),
        }
    }

    fn object(&mut self, node: &Node, depth: u8) -> Result<Json<'a>, Malformed> {
        let mut members = BTreeMap::new();
        let mut skipped = BTreeSet::new();
        self.advance(1);
        self.skip_space();
        let mut is_open = !self.take(b'}');
        while is_open {
            let (raw, key) = self.key()?;
            let after_key = self.rest;
            self.colon()?;
            let Some(key) = key else {
                // Nobody can ask for it. It is kept so that the object is not taken for an empty one.
                self.skip()?;
                if matches!(node, Node::Whole) {
                    let key = String::from_utf8_lossy(raw);
                    members.entry(key).or_insert(Json::Unusable(Flaw::NotUnicode));
                }
                is_open = self.goes_on(b'}')?;
                continue;
            };
            let is_new = match node.member(&key) {
                None => {
                    self.skip()?;
                    skipped.insert(key)
                }
                Some(node) => match members.entry(key) {
                    Entry::Vacant(place) => {
                        place.insert(self.value(node, depth)?);
                        true
                    }
                    Entry::Occupied(mut place) => {
                        self.skip()?;
                        place.insert(Json::Unusable(Flaw::Repeated));
                        false
                    }
                },
            };
            if !is_new && self.repeated == Repeated::Rejected {
                return Err(self.repeated_key(after_key));
            }
            is_open = self.goes_on(b'}')?;
        }
        Ok(Json::Object(Object(members)))
    }

    fn array(&mut self, node: &Node, depth: u8) -> Result<Json<'a>, Malformed> {
        let index = |(key, node): (&String, _)| item_index(key).map(|index| (index, node));
        let nodes: BTreeMap<usize, &Node> = match node {
            Node::Whole => BTreeMap::new(),
            Node::Parts(parts) => parts.iter().filter_map(index).collect(),
        };
        let last = nodes.last_key_value().map_or(0, |(index, _)| *index);
        let limit = last.saturating_add(2);
        let mut items = Vec::new();
        self.advance(1);
        self.skip_space();
        let mut is_open = !self.take(b']');
        while is_open {
            let wanted = match node {
                Node::Whole => Some(node),
                Node::Parts(_) => nodes.get(&items.len()).copied(),
            };
            match wanted {
                Some(node) => items.push(self.value(node, depth)?),
                None => {
                    self.skip()?;
                    if items.len() < limit {
                        items.push(Json::Null);
                    }
                }
            }
            is_open = self.goes_on(b']')?;
        }
        Ok(Json::Array(items))
    }

    /// Passes over a value, however deep it is nested.
    fn skip(&mut self) -> Result<(), Malformed> {
        let mut closing = Vec::new();
        loop {
            self.skip_space();
            let close = match self.rest.first() {
                Some(b'{') => Some(b'}'),
                Some(b'[') => Some(b']'),
                _ => None,
            };
            match close {
                None => {
                    self.scalar(false)?;
                }
                Some(close) => {
                    self.advance(1);
                    self.skip_space();
                    if !self.take(close) {
                        closing.push(close);
                        self.skip_key(close)?;
                        continue;
                    }
                }
            }
            // A value has ended, and perhaps those around it.
            loop {
                let Some(close) = closing.last().copied() else { return Ok(()) };
                if self.goes_on(close)? {
                    self.skip_key(close)?;
                    break;
                }
                closing.pop();
            }
        }
    }

    /// Passes over a key, if what ends with `close` is an object.
    fn skip_key(&mut self, close: u8) -> Result<(), Malformed> {
        if close == b'}' {
            self.skip_space();
            self.quoted()?;
            self.colon()?;
        }
        Ok(())
    }

    /// A value that holds no others. A string is decoded only if it `is_read`.
    fn scalar(&mut self, is_read: bool) -> Result<Json<'a>, Malformed> {
        match self.rest.first() {
            Some(b'"') => {
                let (raw, has_escapes) = self.quoted()?;
                let text = if is_read { decode(raw, has_escapes) } else { None };
                Ok(text.map_or(Json::Unusable(Flaw::NotUnicode), Json::Text))
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => {
                for (word, json) in [
                    (&b"null"[..], Json::Null),
                    (b"true", Json::Bool(true)),
                    (b"false", Json::Bool(false)),
                ] {
                    if let Some(rest) = self.rest.strip_prefix(word) {
                        self.rest = rest;
                        return Ok(json);
                    }
                }
                Err(self.unexpected())
            }
        }
    }

    fn number(&mut self) -> Result<Json<'a>, Malformed> {
        let start = self.rest;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        let length = start.len().saturating_sub(self.rest.len());
        let mut is_integer = true;
        if self.take(b'.') {
            is_integer = false;
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            is_integer = false;
            let _ = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        let text = start.get(..length).and_then(|digits| str::from_utf8(digits).ok());
        let Some(text) = text.filter(|text| is_integer && *text != "-0") else {
            return Ok(Json::Number);
        };
        let large = || text.parse().map(Json::LargeInteger);
        Ok(text.parse().map(Json::Integer).or_else(|_| large()).unwrap_or(Json::Number))
    }

    /// Takes one digit or more.
    fn digits(&mut self) -> Result<(), Malformed> {
        let count = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.advance(count);
        if count == 0 { Err(self.unexpected()) } else { Ok(()) }
    }

    /// A key as it is written, and decoded where it is Unicode.
    fn key(&mut self) -> Result<(&'a [u8], Option<Cow<'a, str>>), Malformed> {
        self.skip_space();
        let (raw, has_escapes) = self.quoted()?;
        Ok((raw, decode(raw, has_escapes)))
    }

    fn colon(&mut self) -> Result<(), Malformed> {
        self.skip_space();
        if self.take(b':') { Ok(()) } else { Err(self.unexpected()) }
    }

    /// After a value: whether a comma follows, or the end of the array or object.
    fn goes_on(&mut self, close: u8) -> Result<bool, Malformed> {
        self.skip_space();
        if self.take(b',') {
            Ok(true)
        } else if self.take(close) {
            Ok(false)
        } else {
            Err(self.unexpected())
        }
    }

    /// What is between quotes, and whether it has escapes.
    fn quoted(&mut self) -> Result<(&'a [u8], bool), Malformed> {
        if !self.take(b'"') {
            return Err(self.unexpected());
        }
        let start = self.rest;
        let mut has_escapes = false;
        loop {
            self.advance(plain_length(self.rest));
            match self.rest {
                [b'"', rest @ ..] => {
                    let length = start.len().saturating_sub(self.rest.len());
                    self.rest = rest;
                    return Ok((start.get(..length).unwrap_or_default(), has_escapes));
                }
                [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', rest @ ..] => {
                    self.rest = rest;
                }
                [b'\\', b'u', rest @ ..] if code_unit(rest).is_some() => self.advance(6),
                _ => return Err(self.unexpected()),
            }
            has_escapes = true;
        }
    }

    fn skip_space(&mut self) {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    /// Takes `byte` if it is the next one.
    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.rest.first() == Some(&byte);
        if is_next {
            self.advance(1);
        }
        is_next
    }

    fn advance(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    /// The next byte must not be there, or the text must not end here.
    fn unexpected(&self) -> Malformed {
        let rest = self.rest.get(1..).unwrap_or_default();
        let (line, column) = self.position(rest);
        Malformed::Syntax { line, column }
    }

    fn repeated_key(&self, rest: &[u8]) -> Malformed {
        let (line, column) = self.position(rest);
        Malformed::RepeatedKey { line, column }
    }

    /// Line and column of the last byte before `rest`.
    fn position(&self, rest: &[u8]) -> (usize, usize) {
        let length = self.text.len().saturating_sub(rest.len());
        let read = self.text.get(..length).unwrap_or_default();
        let before = read.split_last().map_or(read, |(_, before)| before);
        let lines = before.split(|byte| *byte == b'\n');
        let line = lines.clone().count();
        let start = lines.last().unwrap_or_default();
        let ended = usize::from(!read.is_empty());
        (line, start.len().saturating_add(ended))
    }
}

/// How many bytes a string goes on without a quote, a backslash or a control character.
fn plain_length(bytes: &[u8]) -> usize {
    let is_plain = |byte: &u8| !matches!(byte, b'"' | b'\\' | 0..0x20);
    // Eight at a time, as far as none of them can be one of these.
    let (chunks, _) = bytes.as_chunks::<8>();
    let whole = chunks.iter().take_while(|chunk| chunk.iter().all(is_plain)).count();
    let whole = whole.saturating_mul(8);
    let rest = bytes.get(whole..).unwrap_or_default();
    whole.saturating_add(rest.iter().take_while(|byte| is_plain(byte)).count())
}

/// The four hexadecimal digits of `\u0000`.
fn code_unit(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.first_chunk::<4>()?;
    digits.iter().try_fold(0u16, |unit, byte| {
        let digit = char::from(*byte).to_digit(16)?;
        unit.checked_mul(16)?.checked_add(u16::try_from(digit).ok()?)
    })
}

/// The text of a string whose form has been checked; `None` where it is not Unicode.
fn decode(raw: &[u8], has_escapes: bool) -> Option<Cow<'_, str>> {
    if !has_escapes {
        return str::from_utf8(raw).ok().map(Cow::Borrowed);
    }
    let mut text = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            text.push(*byte);
            continue;
        }
        let (escape, after) = after.split_first()?;
        rest = after;
        let char = match escape {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = code_unit(rest)?;
                rest = rest.get(4..)?;
                match char::from_u32(unit.into()) {
                    Some(char) => char,
                    None => {
                        let low = code_unit(rest.strip_prefix(b"\\u")?)?;
                        rest = rest.get(6..)?;
                        char::decode_utf16([unit, low]).next()?.ok()?
                    }
                }
            }
            other => char::from(*other),
        };
        text.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
    }
    String::from_utf8(text).ok().map(Cow::Owned)
}
