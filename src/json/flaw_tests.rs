//! Values that cannot be read, in texts of which others can.

use super::*;

fn pointers(list: &[&str]) -> Pointers {
    list.iter().copied().collect()
}

#[test]
fn a_value_that_cannot_be_read_is_an_error_only_where_it_is_needed() {
    for value in [
        r#""\ud800""#,
        r#""\udead""#,
        r#""thanks \ud83d""#,
        r#""\ud83d\ud83d""#,
        r#""\ud83d\u0041""#,
        r#""\ud83d\n""#,
    ] {
        let text = format!(r#"{{"x":{value},"y":"z"}}"#);
        let json = Json::parse(text.as_bytes()).unwrap();
        assert_eq!(json.get("x"), Some(&Json::Unusable(Flaw::NotUnicode)), "{value:?}");
        assert_eq!(json.text_at("/y"), Ok(Some("z")));
        let error = json.text_at("/x").unwrap_err().to_string();
        assert_eq!(error, "/x must be valid Unicode: UTF-8, without lone surrogates");
    }
    let json = Json::parse(br#"{"x":1e999,"y":"z"}"#).unwrap();
    assert_eq!(json.text_at("/x"), Err(WrongType::new("/x", "a string")));
    let pair = Json::parse(br#"["\ud83d\ude00\uD83D\uDE00"]"#).unwrap();
    assert_eq!(pair.text_at("/0"), Ok(Some("\u{1f600}\u{1f600}")));
}

#[test]
fn a_key_that_is_not_unicode_is_nobodys() {
    let text = br#"{"\ud800":1,"a":"b","\ud800":{"c":1,"c":2}}"#;
    for json in [Json::parse(text), pointers(&["/a"]).parse(text)] {
        assert_eq!(json.unwrap().text_at("/a"), Ok(Some("b")));
    }
    let Ok(Json::Object(members)) = Json::parse(br#"{"\ud800":1}"#) else { panic!("an object") };
    assert!(!members.is_empty());
}

#[test]
fn a_lenient_reader_loses_only_what_is_named_twice() {
    let text = br#"{"a":1,"b":"c","a":1,"d":{"e":1,"e":2,"f":3},"a":4}"#;
    let json = Json::parse_leniently(text).unwrap();
    assert_eq!(json.get("a"), Some(&Json::Unusable(Flaw::Repeated)));
    assert_eq!(json.text_at("/b"), Ok(Some("c")));
    assert_eq!(json.at("/d/e"), Ok(Some(&Json::Unusable(Flaw::Repeated))));
    assert_eq!(json.at("/d/f"), Ok(Some(&Json::Integer(3))));
    assert!(Json::parse(text).is_err());
}

#[test]
fn nesting_is_limited_where_it_is_read() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let deepest = |text: &str| {
        let json = Json::parse(text.as_bytes()).unwrap();
        let mut here = &json;
        while let Json::Array(items) = here {
            let [item] = &items[..] else { return None };
            here = item;
        }
        Some(format!("{here:?}"))
    };
    assert_eq!(deepest(&nested(127)), None);
    assert_eq!(deepest(&nested(128)).as_deref(), Some("Unusable(TooDeep)"));
    assert_eq!(deepest(&nested(100_000)).as_deref(), Some("Unusable(TooDeep)"));
    let text = format!(r#"{{"a":"b","x":{}}}"#, nested(100_000));
    for json in [Json::parse(text.as_bytes()), pointers(&["/a"]).parse(text.as_bytes())] {
        assert_eq!(json.unwrap().text_at("/a"), Ok(Some("b")));
    }
    let open = "[".repeat(100_000);
    assert!(Json::parse(open.as_bytes()).is_err());
    assert!(pointers(&["/a"]).parse(format!(r#"{{"x":{open}"#).as_bytes()).is_err());
}

#[test]
fn what_is_skipped_cannot_reject_a_text() {
    let deep = format!("{}{}", "[".repeat(9999), "]".repeat(9999));
    for value in [r#""\ud800""#, r#"{"\udead":1}"#, "1e999999", r#"{"a":1,"a":2}"#, &deep] {
        // The second text is read again, for another value that is read and cannot be.
        for odd in ["", r#","z":"\ud800""#] {
            let text = format!(r#"{{"x":{value},"list":[{{"y":{value},"z":"w"}}]{odd}}}"#);
            let json = pointers(&["/list/0/z", "/z"]).parse(text.as_bytes()).unwrap();
            assert_eq!(json.text_at("/list/0/z"), Ok(Some("w")), "{value}");
            let json = Json::parse_leniently(text.as_bytes()).unwrap();
            assert_eq!(json.text_at("/list/0/z"), Ok(Some("w")), "{value}");
        }
    }
}

#[test]
fn what_is_read_must_be_utf_8() {
    for value in [&b"\"\xff\xfe\""[..], b"\"\xff\\n\"", b"{\"\xff\":1,\"\xff\":2}"] {
        let text = [br#"{"x":"#, value, br#","y":"z"}"#].concat();
        let error = Json::parse(&text).unwrap_err();
        assert!(matches!(error, Malformed::Syntax { line: 1, .. }), "{error}");
        assert!(Json::parse_leniently(&text).is_err());
        let json = pointers(&["/y"]).parse(&text).unwrap();
        assert_eq!(json.text_at("/y"), Ok(Some("z")));
    }
}

#[test]
fn what_cannot_be_read_is_found_on_every_level() {
    for depth in [1, 2, 60, 126] {
        for (value, read) in [
            (r#""\ud800""#, Json::Unusable(Flaw::NotUnicode)),
            ("1e999", Json::Number(f64::INFINITY)),
            ("-1e999", Json::Number(f64::NEG_INFINITY)),
        ] {
            let inner = format!(r#"{{"y":[{value},1],"z":"w"}}"#);
            let text = format!("{}{inner}{}", r#"{"x":"#.repeat(depth - 1), "}".repeat(depth - 1));
            let json = Json::parse(text.as_bytes()).unwrap();
            let inside = "/x".repeat(depth - 1);
            assert_eq!(json.at(&format!("{inside}/y/0")), Ok(Some(&read)), "{text}");
            assert_eq!(json.at(&format!("{inside}/y/1")), Ok(Some(&Json::Integer(1))), "{text}");
            assert_eq!(json.text_at(&format!("{inside}/z")), Ok(Some("w")), "{text}");
            let twice = text.replace(r#","z""#, r#","y":2,"z""#);
            let error = Json::parse(twice.as_bytes()).unwrap_err();
            assert!(matches!(error, Malformed::RepeatedKey { line: 1, .. }), "{error}");
            let json = Json::parse_leniently(twice.as_bytes()).unwrap();
            let repeated = Json::Unusable(Flaw::Repeated);
            assert_eq!(json.at(&format!("{inside}/y")), Ok(Some(&repeated)), "{text}");
        }
    }
}
