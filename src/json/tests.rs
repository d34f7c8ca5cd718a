use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn pointers(list: &[&str]) -> Pointers {
    list.iter().copied().collect()
}

#[test]
fn reads_values_by_pointer() {
    let json = Json::parse(br#"{"a":{"b":"c","n":null,"i":7}}"#).unwrap();
    assert_eq!(json.text_at("/a/b"), Ok(Some("c")));
    assert_eq!(json.text_at("/a/n"), Ok(None));
    assert_eq!(json.text_at("/a/n/deeper"), Ok(None));
    assert_eq!(json.text_at("/a/missing/deeper"), Ok(None));
    assert_eq!(json.text_at("/a/i"), Err(WrongType::new("/a/i", "a string")));
    assert_eq!(json.text_at("/a/b/c"), Err(WrongType::new("/a/b", "an object")));
    let json = Json::parse(br#"{"a/b":{"~1":["x",{"c":"d"}]}}"#).unwrap();
    assert_eq!(json.text_at("/a~1b/~01/1/c"), Ok(Some("d")));
    assert_eq!(json.text_at("/a~1b/~01/2/c"), Ok(None));
    for index in ["+1", "01", "", "-", "x"] {
        let wrong = Err(WrongType::new("/a~1b/~01", "an object"));
        assert_eq!(json.text_at(&format!("/a~1b/~01/{index}")), wrong, "{index}");
    }
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
fn integers_beyond_64_bits_are_just_numbers() {
    for (text, json) in [
        ("-9223372036854775808", Json::Integer(i64::MIN)),
        ("9223372036854775807", Json::Integer(i64::MAX)),
        ("9223372036854775808", Json::LargeInteger(1 << 63)),
        ("18446744073709551615", Json::LargeInteger(u64::MAX)),
    ] {
        assert_eq!(json.scalar().as_deref(), Some(text));
        assert_eq!(Json::parse(text.as_bytes()), Ok(json));
    }
    let beyond = "18446744073709551616";
    for number in [beyond, "-9223372036854775809", "1.5", "-0", "1e2", "1e999", "-1E+999"] {
        let near = number.parse().unwrap();
        assert_eq!(Json::parse(number.as_bytes()), Ok(Json::Number(near)), "{number}");
    }
}

#[test]
fn errors_have_a_position_and_no_content() {
    for (text, error) in [
        ("", "is not JSON (line 1, column 0)"),
        ("{\n  nul", "is not JSON (line 2, column 3)"),
        ("{} {}", "is not JSON (line 1, column 4)"),
        ("[1,\n\n 2", "is not JSON (line 3, column 2)"),
        ("[\"a\n\"]", "is not JSON (line 1, column 3)"),
        ("\u{feff}\u{feff}{}", "is not JSON (line 1, column 1)"),
        (" \u{feff}{}", "is not JSON (line 1, column 2)"),
        (r#"{"a":1,"a":2}"#, "has a duplicate key (line 1, column 10)"),
        (r#"{"a":[{"b":1,"\u0062":2}]}"#, "has a duplicate key (line 1, column 21)"),
        ("\n{\"x\":\"\\ud800\",\"a\":1,\"a\":2}", "has a duplicate key (line 2, column 23)"),
        // In what is read again, the position is the end of the member that holds the key.
        (r#"{"x":["\ud800",{"a":1,"a":2}],"y":0}"#, "has a duplicate key (line 1, column 29)"),
    ] {
        assert_eq!(Json::parse(text.as_bytes()).unwrap_err().to_string(), error, "{text}");
    }
}

#[test]
fn a_byte_order_mark_is_skipped() {
    assert_eq!(Json::parse("\u{feff}{}".as_bytes()), Json::parse(b"{}"));
    let json = pointers(&["/a"]).parse(b"\xef\xbb\xbf {\"a\":\"b\"}").unwrap();
    assert_eq!(json.text_at("/a"), Ok(Some("b")));
}

#[test]
fn only_what_pointers_lead_to_is_kept() {
    let text = br#"{"a":{"b":{"c":[1,{"d":2}]},"x":3},"list":[0,{"y":4,"z":5},6,7,8],"w":"no"}"#;
    let kept = |list: &[&str]| pointers(list).parse(text).unwrap();
    let expected = |text: &'static str| Json::parse(text.as_bytes()).unwrap();
    assert_eq!(kept(&[]), expected("{}"));
    assert_eq!(kept(&[""]), Json::parse(text).unwrap());
    assert_eq!(kept(&["/a/b"]), expected(r#"{"a":{"b":{"c":[1,{"d":2}]}}}"#));
    assert_eq!(kept(&["/a/b/c/1/d"]), expected(r#"{"a":{"b":{"c":[null,{"d":2}]}}}"#));
    assert_eq!(kept(&["/list/1/z"]), expected(r#"{"list":[null,{"z":5},null]}"#));
    assert_eq!(kept(&["/list/9"]), expected(r#"{"list":[null,null,null,null,null]}"#));
    assert_eq!(kept(&["/a/x/deeper", "/w/0"]), expected(r#"{"a":{"x":3},"w":"no"}"#));
    // The wider of two pointers counts, whichever comes first.
    for list in [["/a", "/a/x"], ["/a/x", "/a"]] {
        assert_eq!(kept(&list), expected(r#"{"a":{"b":{"c":[1,{"d":2}]},"x":3}}"#));
    }
    let mut presence = pointers(&["/a/x"]);
    for pointer in ["/a", "/list", "/missing"] {
        presence.add_presence(pointer);
    }
    assert_eq!(presence.parse(text), Ok(expected(r#"{"a":{"x":3},"list":[null,null]}"#)));
}

#[test]
fn an_array_of_one_item_can_be_recognized() {
    for (list, text, length) in [
        (&["/a"][..], "[]", 0),
        (&["/a"], "[1]", 1),
        (&["/a"], "[1,2,3,4]", 2),
        (&["/0/a"], "[1]", 1),
        (&["/0/a"], "[1,2,3,4]", 2),
    ] {
        let Ok(Json::Array(items)) = pointers(list).parse(text.as_bytes()) else { panic!("array") };
        assert_eq!(items.len(), length, "{list:?} {text}");
    }
}

#[test]
fn a_repeated_key_is_rejected_where_it_is_read_and_only_there() {
    let read = pointers(&["/a/b"]);
    for (text, rejected) in [
        (r#"{"a":{"b":1},"x":{"y":1,"y":2}}"#, false),
        (r#"{"a":{"b":1,"x":[{"y":1,"y":2}]}}"#, false),
        (r#"{"a":{"b":1},"a":{"b":2}}"#, true),
        (r#"{"a":{"b":1,"\u0062":2}}"#, true),
        (r#"{"a":{"b":{"y":1,"y":2}}}"#, true),
        // These members are skipped, but they are of an object that is read.
        (r#"{"a":{"b":1},"x":1,"x":2}"#, true),
        (r#"{"a":{"x":1,"b":1,"x":2}}"#, true),
    ] {
        let found = read.parse(text.as_bytes());
        assert_eq!(matches!(found, Err(Malformed::RepeatedKey { .. })), rejected, "{text}");
        assert_eq!(found.is_err(), rejected, "{text}");
    }
}

/// Values that cannot be read have a text read level by level.
#[test]
fn what_is_skipped_must_be_json() {
    for text in [r#"{"x":}"#, r#"{"x":[1,]}"#, r#"{"x":"\x"}"#, r#"{"x":01}"#, "{\"x\":\"\n\"}"] {
        assert!(pointers(&["/a"]).parse(text.as_bytes()).is_err(), "{text}");
    }
}

/// Whether both are the same value, as far as [`Json`] tells numbers apart.
fn same(ours: &Json<'_>, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Json::Null, Value::Null) => true,
        (Json::Bool(ours), Value::Bool(theirs)) => ours == theirs,
        (Json::Integer(ours), Value::Number(theirs)) => theirs.as_i64() == Some(*ours),
        (Json::LargeInteger(ours), Value::Number(theirs)) => {
            theirs.as_i64().is_none() && theirs.as_u64() == Some(*ours)
        }
        (Json::Number(_), Value::Number(theirs)) => {
            theirs.as_u64().or(theirs.as_i64().map(|_| 0)).is_none()
        }
        (Json::Text(ours), Value::String(theirs)) => ours == theirs,
        (Json::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| same(a, b))
        }
        (Json::Object(ours), Value::Object(theirs)) => {
            let found = |(key, ours)| theirs.get(key).is_some_and(|theirs| same(ours, theirs));
            ours.len() == theirs.len() && ours.iter().all(found)
        }
        _ => false,
    }
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
            proptest::collection::btree_map("[abc0-2/~]{0,2}", inner, 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A reader that copies or reads again at each level takes depth times size.
#[test]
fn a_deep_text_takes_no_longer_than_a_flat_one() {
    const DEPTH: usize = 120;
    let long = format!("\"{}\"", r"\u0061".repeat(170_000));
    let deep = [r#"{"\u0061":"#.repeat(DEPTH), long.clone(), "}".repeat(DEPTH)].concat();
    let arrays = ["[".repeat(DEPTH), long.clone(), "]".repeat(DEPTH)].concat();
    let pointer = "/a".repeat(DEPTH);
    let fastest = |text: &str, pointers: &Pointers| {
        let time = || {
            let begun = std::time::Instant::now();
            pointers.parse(text.as_bytes()).unwrap();
            begun.elapsed()
        };
        (0..5).map(|_| time()).min().unwrap()
    };
    let flat = fastest(&long, &pointers(&[""]));
    for text in [&deep, &arrays] {
        for all in [&[""][..], &[&pointer], &["/x"]] {
            let took = fastest(text, &pointers(all));
            assert!(took < 10 * flat, "{took:?} where a flat one takes {flat:?}");
        }
    }
}

proptest! {
    #[test]
    fn agrees_with_serde_json_on_valid_text(value in values(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        let text = text.unwrap();
        prop_assert!(same(&Json::parse(text.as_bytes()).unwrap(), &value), "{text}");
    }

    #[test]
    fn a_pointer_finds_the_same_in_a_part_as_in_the_whole(
        value in values(),
        list in proptest::collection::vec("(/([abc]|[0-2]|~0|~1)){0,3}", 0..5),
    ) {
        let text = value.to_string();
        let whole = Json::parse(text.as_bytes()).unwrap();
        let read: Pointers = list.iter().map(String::as_str).collect();
        let part = read.parse(text.as_bytes()).unwrap();
        for pointer in &list {
            prop_assert_eq!(part.at(pointer), whole.at(pointer), "{} {}", pointer, text);
            let known = value.pointer(pointer).filter(|value| !value.is_null());
            if let Some(known) = known {
                prop_assert!(part.at(pointer).unwrap().is_some_and(|ours| same(ours, known)));
            }
        }
    }

    #[test]
    fn a_repeated_key_counts_where_it_is_read(value in values(), key in "[a-c]{1,2}") {
        let text = format!(r#"{{"x":[{{"{key}":{value},"{key}":{value}}}],"y":"z"}}"#);
        let read = pointers(&["/x", "/y"]).parse(text.as_bytes());
        let repeated = matches!(read, Err(Malformed::RepeatedKey { .. }));
        prop_assert!(repeated, "{}", text);
        let skipped = pointers(&["/y"]).parse(text.as_bytes()).unwrap();
        prop_assert_eq!(skipped.text_at("/y"), Ok(Some("z")));
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Json::parse(&bytes);
        let _ = pointers(&["/a", "/0/b"]).parse(&bytes);
    }

    #[test]
    fn what_is_json_is_as_serde_json_has_it(
        text in r#"(\[|\]|\{|\}|,|:|"|\\|\\u[0d][0-9a-f]{3}| |\n|[0-2eE.+\-]|a|null|true|false|é|\t){0,24}"#,
    ) {
        let form = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        let theirs = serde_json::from_str::<Value>(&text);
        let ours = Json::parse_leniently(text.as_bytes());
        prop_assert_eq!(ours.is_ok(), form, "{}", text);
        prop_assert_eq!(pointers(&["/a"]).parse(text.as_bytes()).is_ok() || repeats(&text), form);
        if let (Ok(ours), Ok(theirs)) = (&ours, &theirs) {
            prop_assert!(same(ours, theirs) || repeats(&text), "{}", text);
        }
    }
}

/// Whether the text has a duplicate key.
fn repeats(text: &str) -> bool {
    matches!(Json::parse(text.as_bytes()), Err(Malformed::RepeatedKey { .. }))
}
