//! The items of an array within a JSON text, each as a text of its own.

use super::Malformed;
use super::parse::BYTE_ORDER_MARK;
use super::pointers::unescape;
use super::scan::Reader;

/// The text of each item of the array at a JSON Pointer, whose steps are keys of objects. An object
/// there is one item. `None` where neither is there.
///
/// # Errors
/// [`Malformed`]: `bytes` are not JSON, or name a key on the way twice.
pub fn items<'a>(bytes: &'a [u8], pointer: &str) -> Result<Option<Vec<&'a [u8]>>, Malformed> {
    let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let mut reader = Reader::new(text);
    let steps: Vec<&str> = pointer.split('/').skip(1).collect();
    let found = find(&mut reader, &steps)?;
    reader.end()?;
    Ok(found)
}

fn find<'a>(reader: &mut Reader<'a>, steps: &[&str]) -> Result<Option<Vec<&'a [u8]>>, Malformed> {
    reader.skip_space();
    let Some((step, steps)) = steps.split_first() else { return list(reader) };
    if reader.first() != Some(b'{') {
        return reader.skip().map(|()| None);
    }
    let wanted = unescape(step);
    let (mut found, mut is_known) = (None, false);
    reader.advance(1);
    reader.skip_space();
    let mut is_open = !reader.take(b'}');
    while is_open {
        let (_, key) = reader.key()?;
        let after_key = reader.rest();
        reader.colon()?;
        if key.as_deref() != Some(&*wanted) {
            reader.skip()?;
        } else if is_known {
            return Err(reader.repeated_key(after_key));
        } else {
            is_known = true;
            found = find(reader, steps)?;
        }
        is_open = reader.goes_on(b'}')?;
    }
    Ok(found)
}

fn list<'a>(reader: &mut Reader<'a>) -> Result<Option<Vec<&'a [u8]>>, Malformed> {
    let mut items = Vec::new();
    match reader.first() {
        Some(b'{') => items.push(text(reader)?),
        Some(b'[') => {
            reader.advance(1);
            reader.skip_space();
            let mut is_open = !reader.take(b']');
            while is_open {
                reader.skip_space();
                items.push(text(reader)?);
                is_open = reader.goes_on(b']')?;
            }
        }
        _ => return reader.skip().map(|()| None),
    }
    Ok(Some(items))
}

/// Passes over a value, and returns its text.
fn text<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Malformed> {
    let before = reader.rest();
    reader.skip()?;
    let length = before.len().saturating_sub(reader.rest().len());
    Ok(before.get(..length).unwrap_or_default())
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
