//! Every platform on its documented sample, and on what is not an erasure.

use std::cell::RefCell;

use super::*;
use crate::json::Json;
use crate::settings::{Misconfiguration, Settings};
use crate::signature::Proven;

/// The platform `name` with these settings, a JSON object.
pub(super) fn platform(name: &str, settings: &str) -> Result<Platform, Vec<String>> {
    let json = Json::parse(settings.as_bytes()).unwrap();
    let problems = RefCell::default();
    let mut settings = Settings::new("S".into(), &json, &problems).unwrap();
    let (_, spec) = ALL.iter().find(|(known, _)| *known == name).unwrap();
    let platform = Platform::configure(spec, &mut settings);
    settings.finish();
    let problems: Vec<_> = problems.take().iter().map(Misconfiguration::to_string).collect();
    if problems.is_empty() { Ok(platform.unwrap()) } else { Err(problems) }
}

/// Reads `body` as the platform `name` without settings.
pub(super) fn read_as(name: &str, body: &[u8]) -> Result<Message, Refused> {
    platform(name, "{}").unwrap().read(body, &Proven::default())
}

/// The request's id and its identifiers, written as `kind=value`; `None` where it is no erasure.
fn read(name: &str, settings: &str, body: &str) -> Result<Option<(String, String)>, String> {
    let platform = platform(name, settings).unwrap();
    match platform.read(body.as_bytes(), &Proven::default()) {
        Err(refused) => Err(refused.to_string()),
        Ok(Message::Other) => Ok(None),
        Ok(Message::Erasure(request)) => {
            let identifiers = request.subject.identifiers();
            let shown = identifiers.map(|one| format!("{}={}", one.kind(), one.expose()));
            let shown: Vec<String> = shown.collect();
            Ok(Some((request.id.as_str().to_owned(), shown.join(" "))))
        }
    }
}

fn found(id: &str, identifiers: &str) -> Result<Option<(String, String)>, String> {
    Ok(Some((id.to_owned(), identifiers.to_owned())))
}

/// The identifiers alone.
fn identifiers(name: &str, settings: &str, body: &str) -> String {
    read(name, settings, body).unwrap().unwrap().1
}

const DATAGRAIL: &str = r#"{"schema_version":"1.0","event":"drop.deletion",
    "ticket_uuid":"a1b2c3d4-e5f6-7890-abcd-ef1234567890","hash_type":"email",
    "remote_identifier":"0035f00000A1B2CAAZ","remote_identifier_kind":"external_id"}"#;
const SHOPIFY: &str = r#"{"shop_id":954889,"shop_domain":"{shop}.myshopify.com",
    "customer":{"id":191167,"email":"john@example.com","phone":"555-625-1199"},
    "orders_to_redact":[299938,280263,220458]}"#;
const SEGMENT: &str =
    r#"{"type":"delete","userId":"019mr8mf4r","timestamp":"2012-12-02T00:30:08.276Z"}"#;
pub(super) const KETCH: &str = r#"{"apiVersion":"dsr/v1","kind":"DeleteRequest",
    "metadata":{"uid":"22880925-aac5-42f9-a653-cb6921d361ff","tenant":"axonic"},
    "request":{"identities":[
        {"identitySpace":"account_id","identityFormat":"raw","identityValue":"123"},
        {"identitySpace":"email","identityFormat":"md5","identityValue":"5d41402a"},
        {"identitySpace":"loyalty","identityValue":77}],
    "subject":{"email":"test@subject.com","firstName":"Test"}}}"#;
pub(super) const FIDES: &str = r#"{"privacy_request_id":"pri_2f0c","direction":"two_way",
    "callback_type":"pre","policy_action":"erasure",
    "identity":{"email":"customer-1@example.com","phone_number":null,"external_id":null}}"#;
const KERTOS: &str = r#"{"data_subject_identifier":"subject@example.com","operation":"delete",
    "received_at":"2024-08-24T14:15:22Z"}"#;
const OPENDSR: &str = r#"{"regulation":"gdpr","subject_request_type":"erasure",
    "subject_request_id":"a7551968-d5d6-44b2-9831-815ac9017798","api_version":"2.0",
    "subject_identities":[
        {"identity_type":"email","identity_value":"johndoe@example.com","identity_format":"raw"},
        {"identity_type":"email","identity_value":"5d41402a","identity_format":"sha256"},
        {"identity_type":"ios_vendor_id","identity_value":"x","identity_format":"raw"}]}"#;

#[test]
fn the_documented_samples_are_erasures() {
    assert_eq!(
        read("datagrail", "{}", DATAGRAIL),
        found("a1b2c3d4-e5f6-7890-abcd-ef1234567890", "user_id=0035f00000A1B2CAAZ")
    );
    assert_eq!(
        identifiers("shopify", "{}", SHOPIFY),
        "user_id=191167 email=john@example.com phone_number=555-625-1199"
    );
    assert_eq!(identifiers("segment", "{}", SEGMENT), "user_id=019mr8mf4r");
    let types = r#"{"identity_types":{"account_id":"user_id","loyalty":"custom.loyalty_id"}}"#;
    assert_eq!(
        read("ketch", types, KETCH),
        found(
            "22880925-aac5-42f9-a653-cb6921d361ff",
            "email=test@subject.com user_id=123 custom.loyalty_id=77"
        )
    );
    assert_eq!(identifiers("ketch", "{}", KETCH), "email=test@subject.com");
    assert_eq!(read("fides", "{}", FIDES), found("pri_2f0c", "email=customer-1@example.com"));
    assert_eq!(identifiers("kertos", "{}", KERTOS), "email=subject@example.com");
    assert_eq!(
        read("opendsr", "{}", OPENDSR),
        found("a7551968-d5d6-44b2-9831-815ac9017798", "email=johndoe@example.com")
    );
}

#[test]
fn metas_request_is_what_the_signature_carries() {
    let settings = r#"{"identifiers":{"custom":{"facebook_id":"/user_id"}},
                       "status_url":"https://shop.example/deletion/{code}"}"#;
    let meta = platform("meta", settings).unwrap();
    let proven = Proven { claims: vec![br#"{"user_id":"1000000001","issued_at":7}"#.to_vec()] };
    let Ok(Message::Erasure(request)) = meta.read(b"signed_request=x.y", &proven) else {
        panic!("an erasure")
    };
    let identifiers: Vec<_> = request.subject.identifiers().collect();
    assert_eq!(identifiers[0].expose(), "1000000001");
    assert_eq!(
        platform("meta", "{}").err().unwrap(),
        ["S.identifiers: must say where at least one identifier is", "S.status_url: must be set",]
    );
}

const TRANSCEND: &str = r#"{"type":"ERASURE","coreIdentifier":{"value":"19530621"},
    "extras":{"profile":{"identifier":"subject@example.com","type":"email"},
    "request":{"id":"4a2af8c4-3b72-4f01-9822-b873d143841d"}}}"#;

#[test]
fn transcends_token_and_body_must_agree() {
    let transcend = platform("transcend", "{}").unwrap();
    let read = |claims: &str, body: &str| {
        let proven = Proven { claims: vec![claims.as_bytes().to_vec()] };
        transcend.read(body.as_bytes(), &proven)
    };
    let old = r#"{"value":"19530621","aud":"relay","iat":7}"#;
    let Ok(Message::Erasure(request)) = read(old, TRANSCEND) else { panic!("an erasure") };
    assert_eq!(request.id.as_str(), "4a2af8c4-3b72-4f01-9822-b873d143841d");
    let one: Vec<_> = request.subject.identifiers().collect();
    assert_eq!((one.len(), one[0].expose()), (1, "subject@example.com"));
    assert!(read(r#"{"value":"19530621","scope":"coreIdentifier"}"#, TRANSCEND).is_ok());
    for (claims, body, refusal) in [
        (r#"{"value":"other"}"#, TRANSCEND, Refusal::IdentityMismatch),
        ("{}", TRANSCEND, Refusal::IdentityMismatch),
        ("{}", "{}", Refusal::IdentityMismatch),
        (old, r#"{"type":"ERASURE","coreIdentifier":"19530621"}"#, Refusal::IdentityMismatch),
        (r#"{"value":"19530621","scope":"dsr"}"#, TRANSCEND, Refusal::WrongScope),
    ] {
        assert_eq!(read(claims, body).err(), Some(refusal.into()), "{claims}");
    }
    let unproven = transcend.read(TRANSCEND.as_bytes(), &Proven::default());
    assert_eq!(unproven.err(), Some(Refusal::IdentityMismatch.into()));
    let access = TRANSCEND.replace("ERASURE", "ACCESS");
    assert!(matches!(read(old, &access), Ok(Message::Other)));
}

#[test]
fn iabs_request_is_what_the_outer_token_says() {
    let ddrf = platform("iab-ddrf", "{}").unwrap();
    let read = |claims: &str| {
        let proven = Proven { claims: vec![claims.as_bytes().to_vec(), b"{}".to_vec()] };
        match ddrf.read(b"a.b.c", &proven) {
            Ok(Message::Erasure(request)) => Ok(request.subject.identifiers().count()),
            Ok(Message::Other) => Err("other".to_owned()),
            Err(refused) => Err(refused.to_string()),
        }
    };
    let sub = |format: &str| {
        format!(
            r#"{{"version":"1.0","jti":"j","sub":{{"identifierValue":"a@example.com",
                "identifierType":"email","identifierFormat":"{format}"}}}}"#
        )
    };
    assert_eq!(read(&sub("raw")), Ok(1));
    assert_eq!(read(&sub("sha256")), Ok(0));
    assert_eq!(
        read(&sub("raw").replace("1.0", "2.0")).unwrap_err(),
        "unreadable: /version must be 1.0"
    );
    let text = r#"{"version":"1.0","jti":"j","sub":"a@example.com"}"#;
    assert_eq!(read(text).unwrap_err(), "unreadable: /sub must be an object");
}

#[test]
fn other_events_are_not_erasures() {
    for (name, body) in [
        ("datagrail", DATAGRAIL.replace("drop.deletion", "drop.status")),
        ("shopify", SHOPIFY.replace("orders_to_redact", "orders_requested")),
        ("shopify", r#"{"shop_id":954889,"shop_domain":"x"}"#.to_owned()),
        ("segment", SEGMENT.replace("delete", "identify")),
        ("ketch", KETCH.replace("DeleteRequest", "AccessRequest")),
        ("fides", FIDES.replace("erasure", "access")),
        ("fides", FIDES.replace("\"pre\"", "\"pre_approval\"")),
        ("kertos", KERTOS.replace("delete", "read")),
        ("kertos", KERTOS.replace("delete", "DELETE")),
        ("opendsr", OPENDSR.replace("erasure", "access")),
    ] {
        assert_eq!(read(name, "{}", &body), Ok(None), "{name}");
    }
}

#[test]
fn what_is_wrong_is_named_by_its_pointer() {
    for (name, body, error) in [
        ("datagrail", "{}", "/event must be a string"),
        ("kertos", "[]", "the body must be one event, or an array of one"),
        (
            "fides",
            r#"{"policy_action":"erasure","callback_type":"later"}"#,
            "/callback_type must be pre_approval, pre or post",
        ),
        (
            "ketch",
            r#"{"apiVersion":"dsr/v2","kind":"DeleteRequest"}"#,
            "/apiVersion must be dsr/v1",
        ),
        (
            "ketch",
            r#"{"apiVersion":"dsr/v1","kind":"DeleteRequest","metadata":{"uid":"u"},"request":
                {"identities":[{"identitySpace":"email","identityValue":1.5}]}}"#,
            "/request/identities must be objects whose value is a string or an integer",
        ),
        (
            "ketch",
            r#"{"apiVersion":"dsr/v1","kind":"DeleteRequest","metadata":{"uid":"u"},"request":
                {"identities":[{"identitySpace":"email","identityValue":"a","identityFormat":7}]}}"#,
            "/request/identities must be objects whose format is a string",
        ),
        (
            "datagrail",
            r#"{"event":"drop.deletion"}"#,
            "/ticket_uuid must be a string of 1 to 256 bytes without control characters",
        ),
        (
            "segment",
            r#"{"type":"delete","userId":{"pii":1}}"#,
            "/userId must be a string, an integer, or an array of at most 100",
        ),
        (
            "segment",
            r#"{"batch":[{"type":"delete","userId":"pii"}]}"#,
            "the body must be one event: a batch is not signed as a whole",
        ),
        ("segment", "[1]", "the body must be one event: a batch is not signed as a whole"),
        (
            "opendsr",
            r#"{"subject_request_type":"erasure","subject_request_id":"r","subject_identities":7}"#,
            "/subject_identities must be an object, or an array of at most 100",
        ),
    ] {
        assert_eq!(read(name, "{}", body), Err(format!("unreadable: {error}")), "{name}");
    }
}

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

/// Each body with one more member, which nobody looks into.
#[test]
fn what_nobody_looks_into_cannot_reject_an_erasure() {
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

/// No body makes a platform panic, and none is read that `serde_json` rejects.
mod any_body {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn does_not_panic(body in r#"[\[\]{},:"a-z0-9\\]{0,60}"#) {
            for (name, _) in ALL.iter().filter(|(name, _)| !matches!(*name, "meta" | "custom")) {
                let read = read_as(name, body.as_bytes());
                let json = serde_json::from_str::<serde::de::IgnoredAny>(&body).is_ok();
                prop_assert!(json || read.is_err(), "{} {}", name, body);
            }
        }
    }
}
