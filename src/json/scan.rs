//! Reads the parts that JSON texts are made of (RFC 8259).

use std::borrow::Cow;

use super::{Flaw, Json, Malformed};

/// A JSON text, and how far it is read.
pub(super) struct Reader<'a> {
    text: &'a [u8],
    /// What is not read yet.
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Begins a text.
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, rest: text }
    }

    /// What is not read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next byte.
    pub(super) fn first(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Only white space may follow.
    pub(super) fn end(&mut self) -> Result<(), Malformed> {
        self.skip_space();
        if self.rest.is_empty() { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Passes over a value, however deep it is nested.
    pub(super) fn skip(&mut self) -> Result<(), Malformed> {
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
    pub(super) fn scalar(&mut self, is_read: bool) -> Result<Json<'a>, Malformed> {
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
        let length = start.len().saturating_sub(self.rest.len());
        let text = start.get(..length).and_then(|digits| str::from_utf8(digits).ok());
        let text = text.unwrap_or_default();
        let near = || Json::Number(text.parse().unwrap_or(f64::INFINITY));
        if !is_integer || text == "-0" {
            return Ok(near());
        }
        let large = || text.parse().map(Json::LargeInteger);
        Ok(text.parse().map(Json::Integer).or_else(|_| large()).unwrap_or_else(|_| near()))
    }

    /// Takes one digit or more.
    fn digits(&mut self) -> Result<(), Malformed> {
        let count = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.advance(count);
        if count == 0 { Err(self.unexpected()) } else { Ok(()) }
    }

    /// A key as it is written, and decoded where it is Unicode.
    pub(super) fn key(&mut self) -> Result<(&'a [u8], Option<Cow<'a, str>>), Malformed> {
        self.skip_space();
        let (raw, has_escapes) = self.quoted()?;
        Ok((raw, decode(raw, has_escapes)))
    }

    pub(super) fn colon(&mut self) -> Result<(), Malformed> {
        self.skip_space();
        if self.take(b':') { Ok(()) } else { Err(self.unexpected()) }
    }

    /// After a value: whether a comma follows, or the end of the array or object.
    pub(super) fn goes_on(&mut self, close: u8) -> Result<bool, Malformed> {
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

    pub(super) fn skip_space(&mut self) {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    /// Takes `byte` if it is the next one.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let is_next = self.rest.first() == Some(&byte);
        if is_next {
            self.advance(1);
        }
        is_next
    }

    pub(super) fn advance(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    /// The next byte must not be there, or the text must not end here.
    fn unexpected(&self) -> Malformed {
        let rest = self.rest.get(1..).unwrap_or_default();
        let (line, column) = self.position(rest);
        Malformed::Syntax { line, column }
    }

    /// The key that ends before `rest` is named twice.
    pub(super) fn repeated_key(&self, rest: &[u8]) -> Malformed {
        let (line, column) = self.position(rest);
        Malformed::RepeatedKey { line, column }
    }

    /// Line and column of the last byte before `rest`.
    fn position(&self, rest: &[u8]) -> (usize, usize) {
        let length = self.text.len().saturating_sub(rest.len());
        let read = self.text.get(..length).unwrap_or_default();
        let before = read.split_last().map_or(read, |(_, before)| before);
        let mut lines = before.rsplit(|byte| *byte == b'\n');
        let line = lines.clone().count();
        let start = lines.next().unwrap_or_default();
        let ended = usize::from(!read.is_empty());
        (line, start.len().saturating_add(ended))
    }
}

/// How many bytes a string goes on without a quote, a backslash or a control character.
fn plain_length(bytes: &[u8]) -> usize {
    // Eight at a time, as far as none of them is one of these.
    let (words, _) = bytes.as_chunks::<8>();
    let words = words.iter().take_while(|word| is_plain_word(u64::from_ne_bytes(**word)));
    let length = words.count().saturating_mul(8);
    let rest = bytes.get(length..).unwrap_or_default();
    let is_plain = |byte: &&u8| !matches!(byte, b'"' | b'\\' | 0..0x20);
    length.saturating_add(rest.iter().take_while(is_plain).count())
}

/// Whether none of eight bytes ends the plain part of a string. Of each byte the highest bit is set
/// where it is below a number, or is zero after the bits that it must have were inverted ("Bit
/// Twiddling Hacks": determine if a word has a byte less than n).
fn is_plain_word(word: u64) -> bool {
    const EACH: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHEST: u64 = u64::from_ne_bytes([0x80; 8]);
    let below = |word: u64, limit: u64| word.wrapping_sub(EACH.wrapping_mul(limit)) & !word;
    let is = |byte: u8| below(word ^ EACH.wrapping_mul(byte.into()), 1);
    (below(word, 0x20) | is(b'"') | is(b'\\')) & HIGHEST == 0
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
