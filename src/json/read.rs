//! Reads a JSON text (RFC 8259), strictly.

use std::borrow::Cow;

use super::{Json, Object};

/// How deep arrays and objects may nest.
const DEPTH: u8 = 127;

/// Which members of an object are kept.
pub(super) type Wanted<'a> = &'a dyn Fn(&str) -> bool;

pub(super) const ALL: Wanted<'static> = &|_| true;

/// Reads one JSON text; where it is none, tells how many of its bytes are. Of an object, members
/// that are not `wanted` are [`Json::Unread`].
pub(super) fn read<'a>(text: &'a str, wanted: Wanted<'_>) -> Result<Json<'a>, usize> {
    let mut reader = Reader { text, at: 0 };
    let Some(json) = reader.value(DEPTH, wanted) else { return Err(reader.at) };
    reader.skip_blank();
    if reader.at == text.len() { Ok(json) } else { Err(reader.at) }
}

/// A text, and how far it has been read. Where something is missing, a method stays in front of it.
pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
}

impl<'a> Reader<'a> {
    /// Of an object itself, not of those in it, only members that are `wanted` are kept.
    pub(super) fn value(&mut self, depth: u8, wanted: Wanted<'_>) -> Option<Json<'a>> {
        self.skip_blank();
        match self.peek()? {
            b'"' => self.string().map(Json::Text),
            b'{' => self.object(depth.checked_sub(1)?, wanted),
            b'[' => self.array(depth.checked_sub(1)?),
            b'n' => self.word("null").map(|()| Json::Null),
            b't' => self.word("true").map(|()| Json::Bool(true)),
            b'f' => self.word("false").map(|()| Json::Bool(false)),
            _ => self.number(),
        }
    }

    fn array(&mut self, depth: u8) -> Option<Json<'a>> {
        let mut items = Vec::new();
        let mut more = self.opens(b'[', b']')?;
        while more {
            items.push(self.value(depth, ALL)?);
            more = self.goes_on(b']')?;
        }
        Some(Json::Array(items))
    }

    pub(super) fn object(&mut self, depth: u8, wanted: Wanted<'_>) -> Option<Json<'a>> {
        let mut members = Vec::new();
        let mut more = self.opens(b'{', b'}')?;
        while more {
            let key = self.key()?;
            let value = if wanted(&key) {
                self.value(depth, ALL)?
            } else {
                self.pass_over(depth, &mut Vec::new())?;
                Json::Unread
            };
            members.push((key, value));
            more = self.goes_on(b'}')?;
        }
        Object::of(members).map(Json::Object)
    }

    fn key(&mut self) -> Option<Cow<'a, str>> {
        self.skip_blank();
        let key = self.string()?;
        self.skip_blank();
        self.take(b':').map(|()| key)
    }

    /// Whether anything follows the bracket `open` before `close`.
    fn opens(&mut self, open: u8, close: u8) -> Option<bool> {
        self.take(open)?;
        self.skip_blank();
        Some(self.take(close).is_none())
    }

    /// Whether a comma follows, and not `close`.
    fn goes_on(&mut self, close: u8) -> Option<bool> {
        self.skip_blank();
        if self.take(close).is_some() { Some(false) } else { self.take(b',').map(|()| true) }
    }

    fn string(&mut self) -> Option<Cow<'a, str>> {
        self.take(b'"')?;
        let mut text = Cow::Borrowed(self.plain()?);
        while self.take(b'"').is_none() {
            self.take(b'\\')?; // otherwise it is a control character, or the end
            let escaped = self.escaped()?;
            let text = text.to_mut();
            text.push(escaped);
            text.push_str(self.plain()?);
        }
        Some(text)
    }

    /// The part of a string up to its end or the next escape.
    fn plain(&mut self) -> Option<&'a str> {
        let rest = self.text.get(self.at..)?;
        let mut plain = 0_usize;
        for word in rest.as_bytes().as_chunks().0 {
            let more = plain_bytes(u64::from_le_bytes(*word));
            plain = plain.wrapping_add(more);
            if more < 8 {
                break;
            }
        }
        let special = |byte: &u8| matches!(byte, b'"' | b'\\' | ..b' ');
        let after = rest.as_bytes().get(plain..)?;
        plain = plain.wrapping_add(after.iter().position(special).unwrap_or(after.len()));
        self.skip(plain);
        rest.get(..plain)
    }

    /// What an escape stands for, after its backslash.
    pub(super) fn escaped(&mut self) -> Option<char> {
        let escaped = match self.peek()? {
            byte @ (b'"' | b'\\' | b'/') => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.code(),
            _ => return None,
        };
        self.skip(1);
        Some(escaped)
    }

    /// A character by its number, in UTF-16.
    fn code(&mut self) -> Option<char> {
        let unit = self.unit()?;
        if !(0xd800..0xdc00).contains(&unit) {
            return char::from_u32(unit.into());
        }
        self.take(b'\\')?;
        let low = self.unit()?;
        char::decode_utf16([unit, low]).next()?.ok()
    }

    fn unit(&mut self) -> Option<u16> {
        self.take(b'u')?;
        let digits = self.text.get(self.at..)?.get(..4)?;
        let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit()); // not a sign
        let unit = u16::from_str_radix(digits, 16).ok().filter(|_| hex)?;
        self.skip(4);
        Some(unit)
    }

    fn number(&mut self) -> Option<Json<'a>> {
        let (text, integer) = self.digits_and_signs()?;
        let value = if integer { text.parse().ok() } else { None };
        Some(value.map_or(Json::Number, Json::Integer))
    }

    /// A number as it is written, and whether it is an integer.
    pub(super) fn digits_and_signs(&mut self) -> Option<(&'a str, bool)> {
        let start = self.at;
        let negative = self.take(b'-').is_some();
        let zero = self.take(b'0').is_some();
        if !zero {
            self.digits()?;
        }
        let mut integer = !(zero && negative); // -0 is none
        if self.take(b'.').is_some() {
            self.digits()?;
            integer = false;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.skip(1);
            let _sign = self.take(b'+').or_else(|| self.take(b'-'));
            self.digits()?;
            integer = false;
        }
        Some((self.text.get(start..self.at)?, integer))
    }

    /// One digit or more.
    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.skip(1);
        }
        (self.at > start).then_some(())
    }

    pub(super) fn word(&mut self, word: &str) -> Option<()> {
        self.text.get(self.at..)?.starts_with(word).then(|| self.skip(word.len()))
    }

    fn skip_blank(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.skip(1);
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Reads on behind `byte`, if it is next.
    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek() == Some(byte)).then(|| self.skip(1))
    }

    #[inline(always)]
    pub(super) fn skip(&mut self, bytes: usize) {
        self.at = self.at.wrapping_add(bytes);
    }
}

/// How many of eight bytes, the lowest first, come before a control character, a quote or a backslash.
#[inline(always)]
pub(super) fn plain_bytes(word: u64) -> usize {
    const EACH: u64 = 0x0101_0101_0101_0101;
    // The highest bit of each byte below `limit`; above the first, of others too.
    let below = |word: u64, limit: u8| word.wrapping_sub(EACH.wrapping_mul(limit.into())) & !word;
    let is = |byte: u8| below(word ^ EACH.wrapping_mul(byte.into()), 1);
    let special = (below(word, b' ') | is(b'"') | is(b'\\')) & EACH.wrapping_mul(0x80);
    (special.trailing_zeros() / 8) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// Whether both are the same value, as far as [`Json`] tells numbers.
    fn same(ours: &Json<'_>, theirs: &Value) -> bool {
        match (ours, theirs) {
            (Json::Null, Value::Null) => true,
            (Json::Bool(ours), Value::Bool(theirs)) => ours == theirs,
            (Json::Integer(ours), Value::Number(theirs)) => theirs.as_i64() == Some(*ours),
            (Json::Number, Value::Number(theirs)) => theirs.as_i64().is_none(),
            (Json::Text(ours), Value::String(theirs)) => ours == theirs,
            (Json::Array(ours), Value::Array(theirs)) => {
                ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| same(a, b))
            }
            (Json::Object(ours), Value::Object(theirs)) => {
                let found = |(key, ours)| theirs.get(key).is_some_and(|theirs| same(ours, theirs));
                ours.len() == theirs.len() && ours.sorted().into_iter().all(found)
            }
            _ => false,
        }
    }

    /// `serde_json` takes what we take; we refuse an object that names a key twice as well.
    fn agree(text: &str) -> Result<(), TestCaseError> {
        let all = read(text, ALL);
        let none = read(text, &|_| false);
        prop_assert_eq!(all.as_ref().err(), none.as_ref().err(), "{}", text);
        match (all, serde_json::from_str::<Value>(text)) {
            (Ok(ours), Ok(theirs)) => prop_assert!(same(&ours, &theirs), "{text}"),
            (Ok(_), Err(error)) => {
                prop_assert!(error.to_string().contains("out of range"), "{text}")
            }
            (Err(_), Ok(theirs)) => {
                let keys = text.matches(':').count(); // a repeated key is dropped by theirs
                prop_assert!(theirs.to_string().matches(':').count() < keys, "{text}");
            }
            (Err(read), Err(_)) => prop_assert!(text.is_char_boundary(read)),
        }
        Ok(())
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 100, 8, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                proptest::collection::btree_map(any::<String>(), inner, 0..40)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    #[test]
    fn nests_as_deep_as_serde_json() {
        for depth in [126, 127, 128, 129] {
            agree(&format!("{}{}", "[".repeat(depth), "]".repeat(depth))).unwrap();
            agree(&format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth))).unwrap();
        }
    }

    #[test]
    fn tells_where_the_text_is_not_json() {
        for (text, at) in [
            ("", 0),
            (" nul", 1),
            ("[1,]", 3),
            ("[1 2]", 3),
            ("{\"a\" 1}", 5),
            ("\"\u{e9}\n\"", 3),
            (r#""\ud800""#, 7),
            (r#""\x""#, 2),
            ("-", 1),
            ("01", 1),
            ("1.", 2),
            ("{} x", 3),
            (r#"{"a":1,"a":2}"#, 13),
            (r#"{"b":{"a":1,"a":2}}"#, 18),
            (r#"{"b":[{"a":1,"c":[],"\u0061":2}]}"#, 31),
            (r#"{"b":{"c":{"a":1},"a":[1,]}}"#, 25),
        ] {
            for wanted in [ALL, &|_| false] {
                assert_eq!(read(text, wanted).err(), Some(at), "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn reads_what_serde_json_writes(value in values(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            let text = text.unwrap();
            prop_assert!(same(&read(&text, ALL).unwrap(), &value), "{text}");
        }

        #[test]
        fn agrees_with_serde_json_on_any_text(text in r#"[\[\]{},:"\\ \n0-2eE.+\-adfltrusn/é\t]{0,14}"#) {
            agree(&text)?;
        }

        #[test]
        fn agrees_on_strings_and_numbers(
            string in r#""(a|é|\\["/bfnrtx\\]|\\u[dD8][8-9a-f+]0[0-9]|[\x00-\x20]|😀){0,6}""#,
            number in r"-?[0-9]{0,21}(\.[0-9]{0,3})?([eE][+-]?[0-9]{0,3})?",
        ) {
            agree(&string)?;
            agree(&number)?;
        }

        #[test]
        fn agrees_on_what_is_cut_or_spoilt(value in values(), at in any::<prop::sample::Index>(), byte in "[ -~]") {
            let text = value.to_string();
            let places: Vec<usize> = text.char_indices().map(|(place, _)| place).collect();
            let place = *at.get(&places);
            agree(&text[..place])?;
            agree(&format!("{}{byte}{}", &text[..place], &text[place..]))?;
        }
    }
}
