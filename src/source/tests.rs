//! Every platform on its documented sample, and on what is not an erasure.

use super::*;
use crate::json::Json;
use crate::settings::{Findings, Misconfiguration, Settings};
use crate::signature::Proven;

/// The platform `name` with these settings, a JSON object.
pub(super) fn platform(name: &str, settings: &str) -> Result<Platform, Vec<String>> {
    let json = Json::parse(settings.as_bytes()).unwrap();
    let findings = Findings::default();
    let mut settings = Settings::new("S".into(), &json, &findings).unwrap();
    let (_, spec) = ALL.iter().find(|(known, _)| *known == name).unwrap();
    let platform = Platform::configure(spec, &mut settings);
    settings.finish();
    let problems: Vec<_> =
        findings.into_problems().iter().map(Misconfiguration::to_string).collect();
    if problems.is_empty() { Ok(platform.unwrap()) } else { Err(problems) }
}

/// Reads `body` as the platform `name` without settings.
pub(super) fn read_as(name: &str, body: &[u8]) -> Result<Received, Refused> {
    platform(name, "{}").unwrap().read(body, &Proven::default())
}

/// The request's id and its identifiers, written as `kind=value`; `None` where it is no erasure.
pub(super) fn read(
    name: &str,
    settings: &str,
    body: &str,
) -> Result<Option<(String, String)>, String> {
    let platform = platform(name, settings).unwrap();
    match platform.read(body.as_bytes(), &Proven::default()) {
        Err(refused) => Err(refused.to_string()),
        Ok(received) => Ok(received.erasures.first().map(shown)),
    }
}

/// The id of a request, and its identifiers, written as `kind=value`.
pub(super) fn shown(request: &ErasureRequest) -> (String, String) {
    let identifiers = request.subject.identifiers();
    let shown = identifiers.map(|one| format!("{}={}", one.kind(), one.expose()));
    (request.id.as_str().to_owned(), shown.collect::<Vec<String>>().join(" "))
}

/// The name of the event where it is no erasure.
pub(super) fn ignored(name: &str, settings: &str, body: &str) -> Result<String, String> {
    let platform = platform(name, settings).unwrap();
    let received = platform.read(body.as_bytes(), &Proven::default());
    let received = received.map_err(|refused| refused.to_string())?;
    let [name] = &received.ignored[..] else { return Err("an erasure".to_owned()) };
    Ok(name.as_str().to_owned())
}

pub(super) fn found(id: &str, identifiers: &str) -> Result<Option<(String, String)>, String> {
    Ok(Some((id.to_owned(), identifiers.to_owned())))
}

/// The identifiers alone.
pub(super) fn identifiers(name: &str, settings: &str, body: &str) -> String {
    read(name, settings, body).unwrap().unwrap().1
}

pub(super) const DATAGRAIL: &str = r#"{"schema_version":"1.0","event":"drop.deletion",
    "ticket_uuid":"a1b2c3d4-e5f6-7890-abcd-ef1234567890","hash_type":"email",
    "remote_identifier":"0035f00000A1B2CAAZ","remote_identifier_kind":"external_id"}"#;
pub(super) const SHOPIFY: &str = r#"{"shop_id":954889,"shop_domain":"{shop}.myshopify.com",
    "customer":{"id":191167,"email":"john@example.com","phone":"555-625-1199"},
    "orders_to_redact":[299938,280263,220458]}"#;
pub(super) const SEGMENT: &str =
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
pub(super) const KERTOS: &str = r#"{"data_subject_identifier":"subject@example.com","operation":"delete",
    "received_at":"2024-08-24T14:15:22Z"}"#;
pub(super) const OPENDSR: &str = r#"{"regulation":"gdpr","subject_request_type":"erasure",
    "subject_request_id":"a7551968-d5d6-44b2-9831-815ac9017798","api_version":"2.0",
    "subject_identities":[
        {"identity_type":"email","identity_value":"johndoe@example.com","identity_format":"raw"},
        {"identity_type":"email","identity_value":"5d41402a","identity_format":"sha256"},
        {"identity_type":"ios_vendor_id","identity_value":"x","identity_format":"raw"}]}"#;

#[test]
fn the_documented_samples_are_erasures() {
    assert_eq!(
        read("datagrail-drop", "{}", DATAGRAIL),
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
    let read = |claims: &str| {
        let proven = Proven { claims: vec![claims.as_bytes().to_vec()] };
        let received = meta.read(b"signed_request=x.y", &proven);
        received.map(|received| shown(&received.erasures[0]).1).map_err(|error| error.to_string())
    };
    assert_eq!(read(r#"{"user_id":"1000000001","issued_at":7}"#).unwrap(), FACEBOOK);
    assert_eq!(read(r#"{"user_id":1000000001,"expires":0}"#).unwrap(), FACEBOOK);
    for odd in [r#"{"user_id":1.5}"#, r#"{"user_id":null}"#, r#"{"user_id":["1"]}"#, "{}"] {
        let error = "unreadable: /user_id must be a string or an integer";
        assert_eq!(read(odd).unwrap_err(), error);
    }
    assert_eq!(
        platform("meta", "{}").err().unwrap(),
        ["S.identifiers: must say where at least one identifier is"]
    );
    let settings = r#"{"identifiers":{"user_id":"/user_id"},"request_id":"/user_id"}"#;
    assert_eq!(
        platform("meta", settings).err().unwrap(),
        ["S.request_id: must not be set: the id is a code, and secret"]
    );
}

const FACEBOOK: &str = "custom.facebook_id=1000000001";

const TRANSCEND: &str = r#"{"type":"ERASURE","coreIdentifier":{"value":"19530621"},
    "extras":{"profile":{"identifier":"subject@example.com","type":"email"},
    "request":{"id":"4a2af8c4-3b72-4f01-9822-b873d143841d"}}}"#;

#[test]
fn transcends_token_and_body_must_agree() {
    let transcend = platform("transcend", "{}").unwrap();
    let read = |claims: &str, body: &str| {
        let proven = Proven { claims: vec![claims.as_bytes().to_vec()] };
        transcend.read(body.as_bytes(), &proven).map(|received| received.erasures)
    };
    let old = r#"{"value":"19530621","aud":"relay","iat":7}"#;
    let requests = read(old, TRANSCEND).unwrap();
    let id = "4a2af8c4-3b72-4f01-9822-b873d143841d";
    assert_eq!(shown(&requests[0]), (id.to_owned(), "email=subject@example.com".to_owned()));
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
    assert_eq!(read(old, &access).unwrap().len(), 0);
}

#[test]
fn iabs_request_is_what_the_outer_token_says() {
    let ddrf = platform("iab-ddrf", "{}").unwrap();
    let read = |claims: &str| {
        let proven = Proven { claims: vec![claims.as_bytes().to_vec(), b"{}".to_vec()] };
        match ddrf.read(b"a.b.c", &proven) {
            Ok(received) => Ok(received.erasures[0].subject.identifiers().count()),
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
        ("datagrail-drop", DATAGRAIL.replace("drop.deletion", "drop.status")),
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
        ("datagrail-drop", "{}", "/event must be a string"),
        ("kertos", "[]", &Unreadable::SeveralEvents.to_string()),
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
            "/request/identities/0/identityValue must be a string, or an integer of at most 64 bits",
        ),
        (
            "ketch",
            r#"{"apiVersion":"dsr/v1","kind":"DeleteRequest","metadata":{"uid":"u"},"request":
                {"identities":[{"identitySpace":"email","identityValue":"a","identityFormat":7}]}}"#,
            "/request/identities/0/identityFormat must be a string",
        ),
        (
            "datagrail-drop",
            r#"{"event":"drop.deletion"}"#,
            &format!("/ticket_uuid must be {}", crate::erasure::RequestId::EXPECTED),
        ),
        (
            "segment",
            r#"{"type":"delete","userId":{"pii":1}}"#,
            "/userId must be a string, an integer of at most 64 bits, or an array of at most 100",
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

/// No body makes a platform panic, and none is read that `serde_json` rejects.
mod any_body {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn does_not_panic(body in r#"[\[\]{},:"a-z0-9\\]{0,60}"#) {
            for (name, _) in ALL.iter().filter(|(name, _)| !matches!(*name, "meta" | "custom" | "datagrail-dsr")) {
                let read = read_as(name, body.as_bytes());
                let json = serde_json::from_str::<serde::de::IgnoredAny>(&body).is_ok();
                prop_assert!(json || read.is_err(), "{} {}", name, body);
            }
        }
    }
}
