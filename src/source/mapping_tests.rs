//! What a mapping reads, what it skips, and how the configuration overrides it.

use super::tests::{
    DATAGRAIL, FIDES, KERTOS, KETCH, OPENDSR, SEGMENT, SHOPIFY, found, identifiers, platform, read,
};
use crate::signature::Proven;

#[test]
fn an_identifier_that_is_turned_off_is_read_nowhere() {
    let without = r#"{"identifiers":{"email":false}}"#;
    let typed = KETCH.replace("account_id", "email");
    let (_, identifiers) = read("ketch", without, &typed).unwrap().unwrap();
    assert!(identifiers.is_empty(), "{} are left", identifiers.len());
}

#[test]
fn a_redaction_without_orders_is_an_erasure() {
    let none = SHOPIFY.replace("[299938,280263,220458]", "null");
    assert!(matches!(read("shopify", "{}", &none), Ok(Some(_))));
}

fn id(name: &str, body: &str) -> String {
    read(name, "{}", body).unwrap().unwrap().0
}

fn is_derived(name: &str, settings: &str, body: &str) -> bool {
    let platform = platform(name, settings).unwrap();
    let received = platform.read(body.as_bytes(), &Proven::default()).unwrap();
    let request = &received.erasures[0];
    assert_eq!(platform.derives_ids(), request.id_is_derived);
    request.id_is_derived
}

#[test]
fn an_id_is_derived_where_none_is_sent() {
    for (name, settings, body, derived) in [
        ("segment", "{}", SEGMENT, true),
        ("segment", r#"{"request_id":"/timestamp"}"#, SEGMENT, false),
        ("shopify", "{}", SHOPIFY, true),
        ("kertos", "{}", KERTOS, true),
        ("fides", "{}", FIDES, false),
        ("custom", r#"{"erasure":"always","identifiers":{"email":"/a"}}"#, r#"{"a":""}"#, true),
    ] {
        assert_eq!(is_derived(name, settings, body), derived, "{name} {settings}");
    }
}

#[test]
fn a_derived_id_depends_on_the_message_alone() {
    for (name, body, other) in [
        ("segment", SEGMENT, SEGMENT.replace("019", "020")),
        ("segment", SEGMENT, SEGMENT.replace("2012", "2013")),
        ("segment", SEGMENT, SEGMENT.replace('{', r#"{"messageId":"m","#)),
        ("kertos", KERTOS, KERTOS.replace("subject@", "other@")),
        ("kertos", KERTOS, KERTOS.replace("2024", "2025")),
        ("shopify", SHOPIFY, SHOPIFY.replace("299938", "299939")),
        ("shopify", SHOPIFY, SHOPIFY.replace("john@", "jane@")),
    ] {
        assert_eq!(id(name, body), id(name, body), "{name}");
        assert_ne!(id(name, body), id(name, &other), "{name} {other}");
    }
    // What is one text must not be taken for another's beginning.
    let parted = |id: &str, time: &str| {
        id_of_segment(&format!(r#"{{"type":"delete","userId":"{id}","messageId":"{time}"}}"#))
    };
    assert_ne!(parted("ab", "c"), parted("a", "bc"));
}

fn id_of_segment(body: &str) -> String {
    id("segment", body)
}

#[test]
fn a_time_of_sending_makes_no_other_request() {
    let sent = |time: &str| {
        let more = format!(r#"{{"messageId":"m-1","sentAt":"{time}","receivedAt":"{time}","#);
        id_of_segment(&SEGMENT.replacen('{', &more, 1))
    };
    assert_eq!(sent("2026-11-22T05:30:00Z"), sent("2026-11-22T06:30:00Z"));
    let ordered = r#"{ "timestamp" : "2012-12-02T00:30:08.276Z", "userId":"019mr8mf4r",
        "type":"delete", "context":{"retry":2} }"#;
    assert_eq!(id_of_segment(SEGMENT), id_of_segment(ordered));
    let sent =
        |time: &str| id("kertos", &KERTOS.replacen('{', &format!(r#"{{"sent_at":"{time}","#), 1));
    assert_eq!(sent("1"), sent("2"));
    // Identifiers that the configuration adds tell requests apart as well.
    let settings = r#"{"identifiers":{"email":"/traits/email"}}"#;
    let about = |email: &str| {
        let body = SEGMENT.replacen('{', &format!(r#"{{"traits":{{"email":"{email}"}},"#), 1);
        read("segment", settings, &body).unwrap().unwrap().0
    };
    assert_ne!(about("a@example.com"), about("b@example.com"));
}

#[test]
fn ids_of_64_bits_are_taken_as_they_are_written() {
    for number in ["9007199254740993", "9223372036854775808", "18446744073709551615", "-7"] {
        let body = SHOPIFY.replace("191167", number);
        assert!(identifiers("shopify", "{}", &body).contains(&format!("user_id={number} ")));
        let by_id = read("shopify", r#"{"request_id":"/customer/id"}"#, &body).unwrap().unwrap();
        assert_eq!(by_id.0, number);
        let typed = KETCH.replace("77", number);
        let types = r#"{"identity_types":{"loyalty":"custom.loyalty_id"}}"#;
        assert!(identifiers("ketch", types, &typed).ends_with(&format!("loyalty_id={number}")));
    }
}

#[test]
fn an_identifier_that_cannot_be_read_is_named_by_its_pointer() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let unicode = "valid Unicode: UTF-8, without lone surrogates";
    let integer = "a string, an integer of at most 64 bits, or an array of at most 100";
    for (value, expected) in [
        (r#""\ud800""#, unicode),
        ("18446744073709551616", integer),
        ("1e999", integer),
        ("1.5", integer),
        ("true", integer),
        ("{}", integer),
    ] {
        let body = SHOPIFY.replace("191167", value);
        let error = read("shopify", "{}", &body).unwrap_err();
        assert_eq!(error, format!("unreadable: /customer/id must be {expected}"), "{value}");
        let by_id = read(
            "shopify",
            r#"{"request_id":"/customer/id","identifiers":{"user_ids":false}}"#,
            &body,
        );
        assert!(
            value == "true" || by_id.unwrap_err().starts_with("unreadable: /customer/id must be ")
        );
    }
    let list = SEGMENT.replace(r#""019mr8mf4r""#, &format!(r#"["a",7,null,{deep}]"#));
    assert_eq!(
        read("segment", "{}", &list).unwrap_err(),
        "unreadable: /userId/3 must be a string, or an integer of at most 64 bits"
    );
    let event = SEGMENT.replace(r#""delete""#, r#""\udead""#);
    assert_eq!(read("segment", "{}", &event), Err(format!("unreadable: /type must be {unicode}")));
    let settings = r#"{"erasure":"always","identities":{"at":"/a","type":"t","value":"v/w"},
        "identity_types":{"crm":"user_id"}}"#;
    for (body, pointer) in [
        (r#"{"a":{"t":"crm","v/w":"\ud800"}}"#, "/a/v~1w"),
        (r#"{"a":[{},{"t":"crm","v/w":"\ud800"}]}"#, "/a/1/v~1w"),
    ] {
        let error = read("custom", settings, body).unwrap_err();
        assert_eq!(error, format!("unreadable: {pointer} must be {unicode}"));
    }
}

#[test]
fn the_configuration_overrides_where_things_are() {
    let changed = |identifiers: &str| {
        let settings = format!(r#"{{"identifiers":{identifiers}}}"#);
        identifiers_of_shopify(&settings)
    };
    assert_eq!(
        changed(r#"{"user_ids":"/orders_to_redact","phone_number":false}"#),
        "email=john@example.com user_id=299938 user_id=280263 user_id=220458"
    );
    assert_eq!(
        changed(r#"{"user_id":false,"email":false,"custom":{"shop":"/shop_id"}}"#),
        "phone_number=555-625-1199 custom.shop=954889"
    );
    let by_id = read("shopify", r#"{"request_id":"/shop_id"}"#, SHOPIFY).unwrap().unwrap();
    assert_eq!(by_id.0, "954889");
}

fn identifiers_of_shopify(settings: &str) -> String {
    identifiers("shopify", settings, SHOPIFY)
}

#[test]
fn any_payload_can_be_described() {
    let settings = r#"{"request_id":"/0/eventId","erasure":{"at":"/0/kind","is":["a","b"]},
        "identifiers":{"email":"/0/to~1from/0"},
        "identities":{"at":"/0/ids","type":"t","value":"v"},
        "identity_types":{"crm":"user_id"}}"#;
    let body = r#"[{"eventId":17,"kind":"b","to/from":["a@example.com"],
                    "ids":{"t":"crm","v":9}}]"#;
    assert_eq!(read("custom", settings, body), found("17", "email=a@example.com user_id=9"));
    let two = r#"[{"kind":"b"},{"kind":"b"}]"#;
    assert!(read("custom", settings, two).unwrap_err().contains("an array of one"));
    let always = r#"{"erasure":"always","identifiers":{"user_id":"/id"}}"#;
    assert_eq!(identifiers("custom", always, r#"{"id":"x"}"#), "user_id=x");
    assert_eq!(identifiers("custom", always, r#"{"id":null}"#), "");
}

/// Somebody may be meant, and must not be left out in silence.
#[test]
fn an_identity_that_is_no_object_is_rejected() {
    let settings = r#"{"erasure":"always","identities":{"at":"/ids","type":"t","value":"v"},
        "identity_types":{"crm":"user_id"}}"#;
    for item in ["null", "7", r#""x""#, "[]", r#"[{"t":"crm","v":9}]"#] {
        let body = format!(r#"{{"ids":[{{"t":"crm","v":9}},{item}]}}"#);
        let rejected = read("custom", settings, &body).unwrap_err();
        assert!(rejected.contains("/ids/1") && rejected.contains("an object"), "{rejected}");
    }
    assert_eq!(identifiers("custom", settings, r#"{"ids":[{"t":"other","v":9},{}]}"#), "");
}

#[test]
fn wrong_settings_are_named_by_their_path() {
    let kinds = "must be one of: user_id, email, phone_number, uuid, insider_id, custom.NAME";
    for (name, settings, problems) in [
        (
            "custom",
            "{}",
            vec![
                "S.erasure: must be set".to_owned(),
                "S.identifiers: must say where at least one identifier is".to_owned(),
            ],
        ),
        (
            "custom",
            r#"{"erasure":{"at":"event"},"identifiers":{"email":"a","typo":"/b"}}"#,
            vec![
                "S.erasure.at: must be a JSON Pointer, such as /customer/id".to_owned(),
                "S.erasure.is: must be set".to_owned(),
                "S.identifiers.email: must be a JSON Pointer, such as /customer/id".to_owned(),
                "S.identifiers.typo: is not a known setting".to_owned(),
            ],
        ),
        ("ketch", r#"{"identity_types":{"a":"fax"}}"#, vec![format!("S.identity_types: {kinds}")]),
        (
            "ketch",
            r#"{"identity_types":{"a":1}}"#,
            vec!["S.identity_types: must be a table of strings".to_owned()],
        ),
        (
            "shopify",
            r#"{"erasure":"never","events":"body","identity_types":{"a":"email"}}"#,
            vec![
                "S.erasure: must be one of: always, not \"never\"".to_owned(),
                "S.events: is not a known setting".to_owned(),
                "S.identity_types: is not a known setting".to_owned(),
            ],
        ),
        (
            "standard-webhooks",
            r#"{"identifiers":{"email":"/e"}}"#,
            vec!["S.identifiers: is not a known setting".to_owned()],
        ),
    ] {
        assert_eq!(platform(name, settings).err().unwrap_or_default(), problems, "{name}");
    }
}

/// Each body with one more member, which is not read.
#[test]
fn what_is_not_read_cannot_reject_an_erasure() {
    for (name, body) in [
        ("datagrail-drop", DATAGRAIL),
        ("shopify", SHOPIFY),
        ("segment", SEGMENT),
        ("ketch", KETCH),
        ("fides", FIDES),
        ("kertos", KERTOS),
        ("opendsr", OPENDSR),
    ] {
        let id = |body: &str| read(name, "{}", body).map(|erasure| erasure.unwrap().1);
        let with = |member: &str| format!("{{{member},{}", &body[1..]);
        for value in [
            r#""\ud800""#,
            r#""thanks \ud83d""#,
            r#"{"\ud800":1}"#,
            "1e999",
            "123456789012345678901234567890",
            r#"{"a":1,"a":2}"#,
            &format!("{}{}", "[".repeat(1000), "]".repeat(1000)),
        ] {
            assert_eq!(id(&with(&format!(r#""unknown":{value}"#))), id(body), "{name} {value}");
        }
        let repeated = id(&with(r#""unknown":1,"unknown":2"#)).unwrap_err();
        assert!(repeated.starts_with("unreadable: the body has a duplicate key"), "{repeated}");
    }
    let inside = SHOPIFY.replace(r#""id":191167"#, r#""id":191167,"notes":{"a":1,"a":"\ud800"}"#);
    assert_eq!(identifiers("shopify", "{}", &inside), identifiers("shopify", "{}", SHOPIFY));
    // Identities are objects of which two or three members are read.
    for value in [r#""\ud83d""#, "1e999", &format!("{}{}", "[".repeat(200), "]".repeat(200))] {
        let noted =
            KETCH.replace(r#"{"identitySpace""#, &format!(r#"{{"note":{value},"identitySpace""#));
        let types = r#"{"identity_types":{"account_id":"user_id"}}"#;
        assert_eq!(identifiers("ketch", types, &noted), identifiers("ketch", types, KETCH));
    }
    let repeated = SHOPIFY.replace(r#""id":191167"#, r#""id":191167,"id":7"#);
    assert!(read("shopify", "{}", &repeated).is_err());
}

#[test]
fn identities_may_be_in_the_body_itself_or_in_its_one_event() {
    let settings = r#"{"erasure":"always","identities":{"type":"t/y","value":"v"},
        "identity_types":{"crm":"user_id"}}"#;
    for body in [r#"{"t/y":"crm","v":9,"w":"\ud800"}"#, r#"[{"t/y":"crm","v":9,"w":"\ud800"}]"#] {
        assert_eq!(identifiers("custom", settings, body), "user_id=9");
    }
    for body in [r#"[{"t/y":"crm","v":9},{"t/y":"crm","v":8}]"#, "[1,2,3]"] {
        let rejected = read("custom", settings, body).unwrap_err();
        assert_eq!(rejected, format!("unreadable: {}", super::Unreadable::SeveralEvents), "{body}");
    }
}
