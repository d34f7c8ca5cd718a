//! What a mapping reads, what it skips, and how the configuration overrides it.

use super::tests::{
    DATAGRAIL, FIDES, KERTOS, KETCH, OPENDSR, SEGMENT, SHOPIFY, found, identifiers, platform, read,
};

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

#[test]
fn a_derived_id_depends_on_the_body_alone() {
    let id = |body: &str| read("segment", "{}", body).unwrap().unwrap().0;
    assert_eq!(id(SEGMENT), id(SEGMENT));
    assert_ne!(id(SEGMENT), id(&SEGMENT.replace("019", "020")));
    assert_eq!(id(SEGMENT).len(), 32);
    assert!(crate::erasure::RequestId::parse(&id(SEGMENT)).unwrap().is_opaque());
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

#[test]
fn wrong_settings_are_named_by_their_path() {
    let kinds = "must be of: user_id, email, phone_number, uuid, insider_id, custom.NAME";
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
            vec!["S.identity_types: must be a table of texts".to_owned()],
        ),
        (
            "shopify",
            r#"{"erasure":"always","identity_types":{"a":"email"}}"#,
            vec![
                "S.erasure: is not a known setting".to_owned(),
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
        ("datagrail", DATAGRAIL),
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
            "1e999",
            r#"{"a":1,"a":2}"#,
            &format!("{}{}", "[".repeat(1000), "]".repeat(1000)),
        ] {
            assert_eq!(id(&with(&format!(r#""unknown":{value}"#))), id(body), "{name} {value}");
        }
        let repeated = id(&with(r#""unknown":1,"unknown":2"#)).unwrap_err();
        assert!(repeated.starts_with("unreadable: the body names a key twice"), "{repeated}");
    }
    let inside = SHOPIFY.replace(r#""id":191167"#, r#""id":191167,"notes":{"a":1,"a":"\ud800"}"#);
    assert_eq!(identifiers("shopify", "{}", &inside), identifiers("shopify", "{}", SHOPIFY));
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
    for body in [r#"[{"t/y":"crm","v":9},{"t/y":"crm","v":8}]"#, "[]", "[1,2,3]"] {
        let rejected = read("custom", settings, body).unwrap_err();
        assert_eq!(
            rejected, "unreadable: the body must be one event, or an array of one",
            "{body}"
        );
    }
}
