//! The items of an array within a JSON text, each as a text of its own.

use std::fmt;

use serde::Deserializer;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Malformed;
use super::parse::{repeated, without_byte_order_mark};
use super::pointers::unescape;

/// The text of each item of the array at a JSON Pointer, whose steps are keys of objects. An object
/// there is one item. `None` where neither is there.
///
/// # Errors
/// [`Malformed`]: `bytes` are not JSON, or name a key on the way twice.
pub fn items<'a>(bytes: &'a [u8], pointer: &str) -> Result<Option<Vec<&'a [u8]>>, Malformed> {
    let text = without_byte_order_mark(bytes);
    serde_json::from_slice::<&RawValue>(text)?;
    let steps: Vec<&str> = pointer.split('/').skip(1).collect();
    Ok(Steps(&steps).find(text)?)
}

/// The steps of a pointer.
struct Steps<'s>(&'s [&'s str]);

impl Steps<'_> {
    /// Finds the items in what is known to be JSON. The only error is a repeated key.
    fn find<'a>(&self, text: &'a [u8]) -> serde_json::Result<Option<Vec<&'a [u8]>>> {
        let text_alone = text.trim_ascii();
        match (text_alone.first(), self.0.is_empty()) {
            (Some(b'{'), true) => Ok(Some(vec![text_alone])),
            (Some(b'{'), false) => serde_json::Deserializer::from_slice(text).deserialize_map(self),
            (Some(b'['), true) => {
                let items: Vec<&RawValue> = serde_json::from_slice(text)?;
                Ok(Some(items.into_iter().map(|item| item.get().as_bytes()).collect()))
            }
            _ => Ok(None),
        }
    }
}

impl<'a> Visitor<'a> for &Steps<'_> {
    type Value = Option<Vec<&'a [u8]>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let Some((step, rest)) = self.0.split_first() else { return Ok(None) };
        let wanted = unescape(step);
        let mut found = None;
        while let Some(key) = object.next_key::<&RawValue>()? {
            let is_wanted =
                serde_json::from_str::<String>(key.get()).is_ok_and(|key| key == wanted);
            if is_wanted && found.is_some() {
                return Err(repeated());
            }
            let value: &RawValue = object.next_value()?;
            if is_wanted {
                found = Some(Steps(rest).find(value.get().as_bytes()).map_err(|_| repeated())?);
            }
        }
        Ok(found.flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(json: &str, pointer: &str) -> Result<Option<Vec<String>>, Malformed> {
        let found = items(json.as_bytes(), pointer)?;
        let text = |item: &[u8]| String::from_utf8(item.to_vec()).unwrap();
        Ok(found.map(|items| items.into_iter().map(text).collect()))
    }

    #[test]
    fn each_item_is_a_text_of_its_own() {
        let list = |texts: &[&str]| Ok(Some(texts.iter().map(|text| (*text).to_owned()).collect()));
        for (json, pointer, expected) in [
            ("\u{feff} [ {\"a\": [1]} ,\"x\",\n7]\n", "", &["{\"a\": [1]}", "\"x\"", "7"][..]),
            (" [ ] ", "", &[]),
            (" {\"a\":1, \"a\":2} ", "", &["{\"a\":1, \"a\":2}"]),
            (r#"{"x":[1],"a/b":{"x":2,"":[3,4]},"y":"\ud800","y":1e999}"#, "/a~1b/", &["3", "4"]),
        ] {
            assert_eq!(texts(json, pointer), list(expected), "{json}");
        }
        for (json, pointer) in [
            ("7", ""),
            ("\"[]\"", ""),
            ("null", ""),
            ("[[1]]", "/0"),
            ("{}", "/a"),
            (r#"{"a":null}"#, "/a"),
            (r#"{"a":{"b":7}}"#, "/a/b"),
        ] {
            assert_eq!(texts(json, pointer), Ok(None), "{json}");
        }
        for (json, pointer, twice) in [
            ("[1,]", "", false),
            ("[1] 2", "", false),
            ("[1", "", false),
            ("", "", false),
            (r#"{"a":[1],"a":[2]}"#, "/a", true),
            (r#"{"a":{"b":[1],"b":[1]}}"#, "/a/b", true),
        ] {
            let error = texts(json, pointer).unwrap_err();
            assert_eq!(matches!(error, Malformed::RepeatedKey { .. }), twice, "{json}");
        }
    }
}
