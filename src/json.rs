//! JSON read strictly: what a platform, a vendor or the configuration says.
//!
//! Unlike `serde_json::Value` it borrows its strings from the text, and refuses an object that
//! names a key twice: two readers of such a text may disagree on whose data it asks to delete.

mod pass;
mod read;
mod write;

use std::borrow::Cow;

use thiserror::Error;
pub use write::{Array, quote};

/// A JSON value whose strings are borrowed from the text where they hold no escapes.
pub enum Json<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// An integer from -2^63 to 2^63 - 1.
    Integer(i64),
    /// Any other number.
    Number,
    /// A string.
    Text(Cow<'a, str>),
    /// An array.
    Array(Vec<Json<'a>>),
    /// An object.
    Object(Object<'a>),
    /// Something that nobody wanted to know.
    Unread,
}

/// The members of a JSON object.
pub struct Object<'a>(Vec<(Cow<'a, str>, Json<'a>)>);

/// Whether a key is there twice.
fn any_twice(keys: &[impl AsRef<str>]) -> bool {
    /// So few are compared with each other faster than they are sorted.
    const FEW: usize = 16;
    if keys.len() <= FEW {
        let mut each = keys.iter().enumerate();
        return each.any(|(at, key)| keys.iter().take(at).any(|one| one.as_ref() == key.as_ref()));
    }
    let mut sorted: Vec<&str> = keys.iter().map(AsRef::as_ref).collect();
    sorted.sort_unstable();
    sorted.iter().zip(sorted.iter().skip(1)).any(|(one, next)| one == next)
}

impl<'a> Object<'a> {
    /// An object of these; `None` where a key is named twice.
    fn of(members: Vec<(Cow<'a, str>, Json<'a>)>) -> Option<Self> {
        let keys: Vec<&str> = members.iter().map(|(key, _)| &**key).collect();
        (!any_twice(&keys)).then_some(Self(members))
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&Json<'a>> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    /// Keys and values, ordered by key.
    pub fn sorted(&self) -> Vec<(&str, &Json<'a>)> {
        let mut members: Vec<_> = self.0.iter().map(|(key, value)| (&**key, value)).collect();
        members.sort_unstable_by_key(|(key, _)| *key);
        members
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Why a text is not usable JSON. It never repeats what the text says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Malformed {
    /// The bytes are not UTF-8.
    #[error("is not UTF-8")]
    Encoding,
    /// The text is not JSON, names a key twice, or nests deeper than 128 levels.
    #[error("is not JSON (line {line}, column {column})")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in bytes.
        column: usize,
    },
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
}

impl<'a> Json<'a> {
    /// Reads one JSON text.
    ///
    /// # Errors
    /// [`Malformed`], which tells where but never what.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        Self::parse_members(bytes, read::ALL)
    }

    /// Reads one JSON text as strictly, and where it is an object, keeps of it the members that are
    /// `wanted`. The others are [`Json::Unread`].
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_members(
        bytes: &'a [u8],
        wanted: &dyn Fn(&str) -> bool,
    ) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(bytes).map_err(|_| Malformed::Encoding)?;
        read::read(text, wanted).map_err(|read| {
            let (line, column) = place(text.as_bytes().get(..read).unwrap_or_default());
            Malformed::Syntax { line, column }
        })
    }

    /// The value at a JSON Pointer (RFC 6901); `None` where a key or an item is missing or the
    /// value, or one on the way to it, is `null`.
    ///
    /// # Errors
    /// [`WrongType`] where a value on the way is neither an object, nor an array with a place of
    /// that number, nor `null`.
    pub fn at(&self, pointer: &str) -> Result<Option<&Json<'a>>, WrongType> {
        let mut here = self;
        for (depth, key) in pointer.split('/').enumerate().skip(1) {
            let next = match here {
                Json::Object(members) if key.contains('~') => {
                    members.get(key.replace("~1", "/").replace("~0", "~").as_str())
                }
                Json::Object(members) => members.get(key),
                Json::Array(items) if key.bytes().all(|byte| byte.is_ascii_digit()) => {
                    key.parse::<usize>().ok().and_then(|index| items.get(index))
                }
                Json::Null => return Ok(None),
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
            Some(_) => Err(WrongType::new(pointer, "a string")),
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

/// Line and column of what comes after `read`.
fn place(read: &[u8]) -> (usize, usize) {
    let (mut line, mut column) = (1_usize, 1_usize);
    for byte in read {
        (line, column) = match byte {
            b'\n' => (line.saturating_add(1), 1),
            _ => (line, column.saturating_add(1)),
        };
    }
    (line, column)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_values_by_pointer() {
        let json = Json::parse(br#"{"a":{"b":"c","n":null,"i":7}}"#).unwrap();
        assert_eq!(json.text_at("/a/b"), Ok(Some("c")));
        assert_eq!(json.text_at("/a/n"), Ok(None));
        assert_eq!(json.text_at("/a/missing/deeper"), Ok(None));
        assert_eq!(json.text_at("/a/i"), Err(WrongType::new("/a/i", "a string")));
        assert_eq!(json.text_at("/a/b/c"), Err(WrongType::new("/a/b", "an object")));
        let json = Json::parse(br#"{"a/b":{"~1":["x",{"c":"d"}]}}"#).unwrap();
        assert_eq!(json.text_at("/a~1b/~01/1/c"), Ok(Some("d")));
        assert_eq!(json.text_at("/a~1b/~01/2/c"), Ok(None));
        assert_eq!(json.text_at("/a~1b/~01/+1"), Err(WrongType::new("/a~1b/~01", "an object")));
        let array = Json::parse(b"[]").unwrap();
        assert_eq!(array.text_at("/a"), Err(WrongType::new("the body", "an object")));
    }

    #[test]
    fn borrows_plain_strings_and_decodes_escapes() {
        let json = Json::parse(br#"["plain","a\u00e9\n"]"#).unwrap();
        let Json::Array(items) = json else { panic!("an array") };
        assert!(matches!(&items[0], Json::Text(Cow::Borrowed("plain"))));
        assert_eq!(items[1].as_text(), Some("aé\n"));
    }

    #[test]
    fn refuses_what_is_not_strict_json() {
        for bytes in [
            &b""[..],
            b"{",
            b"{} {}",
            b"\xef\xbb\xbf{}",
            b"nul",
            br#"{"a":1,"a":2}"#,
            br#"{"a":1,"\u0061":2}"#,
            &b"[".repeat(100_000),
        ] {
            assert!(matches!(Json::parse(bytes), Err(Malformed::Syntax { .. })));
        }
        assert_eq!(Json::parse(b"\"\xff\"").err(), Some(Malformed::Encoding));
    }

    #[test]
    fn integers_beyond_64_bits_are_just_numbers() {
        assert!(matches!(Json::parse(b"-9223372036854775808"), Ok(Json::Integer(i64::MIN))));
        assert!(matches!(Json::parse(b"9223372036854775808"), Ok(Json::Number)));
        assert!(matches!(Json::parse(b"1.5"), Ok(Json::Number)));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Json::parse(&bytes);
        }
    }
}
