//! Which events are erasures, bodies with several events, and messages that test a connection.

use super::tests::{FIDES, KETCH, SHOPIFY, found, ignored, platform, read, shown};
use super::*;
use crate::signature::Proven;

const ONE: &str = r#"{"request_id":"/id","erasure":{"at":"/event","is":["deleted"]},
    "identifiers":{"user_id":"/user"}}"#;

fn several(at: &str) -> Platform {
    let settings = ONE.replacen('{', &format!(r#"{{"events":"{at}","#), 1);
    platform("custom", &settings).unwrap()
}

fn event(id: u32, kind: &str) -> String {
    format!(r#"{{"id":"r-{id}","event":"{kind}","user":"u-{id}"}}"#)
}

#[test]
fn the_operator_says_what_an_erasure_is() {
    let access = FIDES.replace("erasure", "access");
    assert_eq!(ignored("fides", "{}", &access).unwrap(), "access");
    for settings in [
        r#"{"erasure":"always"}"#,
        r#"{"erasure":{"at":"/policy_action","is":["access","erasure"]}}"#,
    ] {
        let identifiers = "email=customer-1@example.com";
        assert_eq!(read("fides", settings, &access), found("pri_2f0c", identifiers));
        // What is not approved yet is not erased.
        let early = access.replace("\"pre\"", "\"pre_approval\"");
        assert_eq!(ignored("fides", settings, &early).unwrap(), "pre_approval");
    }
    let never = r#"{"erasure":{"at":"/policy_action","is":["update"]}}"#;
    assert_eq!(ignored("fides", never, FIDES).unwrap(), "erasure");
    let canonical = r#"{"type":"gdpr.delete","data":{"request_id":"r","subject":{"uuid":"7"}}}"#;
    let named = r#"{"erasure":{"at":"/type","is":["gdpr.delete"]}}"#;
    assert_eq!(read("standard-webhooks", named, canonical), found("r", "uuid=7"));
    assert_eq!(ignored("standard-webhooks", "{}", canonical).unwrap(), "gdpr.delete");
    for (name, _) in ALL {
        let more = match *name {
            "meta" => r#","identifiers":{"user_id":"/user_id"},"status_url":"https://s.example/""#,
            "custom" | "datagrail-dsr" => r#","identifiers":{"user_id":"/user_id"}"#,
            _ => "",
        };
        for erasure in [r#""always""#, r#"{"at":"/kind","is":["x"]}"#] {
            assert!(platform(name, &format!(r#"{{"erasure":{erasure}{more}}}"#)).is_ok(), "{name}");
        }
    }
}

#[test]
fn what_is_ignored_is_named_and_its_content_is_not() {
    assert_eq!(
        ignored("ketch", "{}", &KETCH.replace("DeleteR", "AccessR")).unwrap(),
        "AccessRequest"
    );
    let other = SHOPIFY.replace("orders_to_redact", "orders_requested");
    assert_eq!(ignored("shopify", "{}", &other).unwrap(), "unnamed");
    let personal = r#"{"type":"jane@example.com"}"#;
    assert_eq!(ignored("standard-webhooks", "{}", personal).unwrap(), "unprintable");
    let consent = KETCH.replace("dsr/v1", "consent/v1");
    assert!(ignored("ketch", "{}", &consent).is_err());
    let consent = consent.replace("DeleteRequest", "ConsentRequest");
    assert_eq!(ignored("ketch", "{}", &consent).unwrap(), "ConsentRequest");
    assert_eq!(ignored("ketch", r#"{"erasure":"always"}"#, &consent).unwrap(), "consent/v1");
}

#[test]
fn a_body_of_several_events_is_several_erasures() {
    let body = format!("[{},{},{}]", event(1, "deleted"), event(2, "created"), event(3, "deleted"));
    let nested = format!(r#"{{"x":{{"a/b":{body},"y":"\ud800","w":{{"c":1,"c":1}}}},"z":1}}"#);
    for (at, body) in [("body", &body), ("/x/a~1b", &nested)] {
        let received = several(at).read(body.as_bytes(), &Proven::default()).unwrap();
        let erasures: Vec<_> = received.erasures.iter().map(shown).collect();
        let expected = [("r-1", "user_id=u-1"), ("r-3", "user_id=u-3")];
        assert_eq!(erasures, expected.map(|(id, one)| (id.to_owned(), one.to_owned())));
        let ignored: Vec<_> = received.ignored.iter().map(EventName::as_str).collect();
        assert_eq!((ignored, received.unreadable), (vec!["created"], None));
    }
    let one = several("body").read(event(1, "deleted").as_bytes(), &Proven::default()).unwrap();
    assert_eq!(one.erasures.len(), 1);
}

#[test]
fn an_id_that_comes_twice_is_one_erasure() {
    let again = event(1, "deleted").replace("u-1", "u-9");
    let body = format!("[{},{again},{again}]", event(1, "deleted"));
    let received = several("body").read(body.as_bytes(), &Proven::default()).unwrap();
    let erasures: Vec<_> = received.erasures.iter().map(shown).collect();
    assert_eq!(erasures, [("r-1".to_owned(), "user_id=u-1 user_id=u-9".to_owned())]);
}

#[test]
fn an_id_is_derived_from_each_event() {
    let settings = r#"{"events":"body","erasure":"always","identifiers":{"user_id":"/user"}}"#;
    let batch = platform("custom", settings).unwrap();
    let ids = |body: String| {
        let received = batch.read(body.as_bytes(), &Proven::default()).unwrap();
        received.erasures.iter().map(|one| one.id.as_str().to_owned()).collect::<Vec<_>>()
    };
    let [one, two] = [event(1, "deleted"), event(2, "deleted")];
    let both = ids(format!("[{one}, {two}]"));
    assert_eq!(both.len(), 2);
    assert_eq!(ids(format!("[{two}\n,{one} ]")), [both[1].clone(), both[0].clone()]);
}

#[test]
fn one_event_that_cannot_be_read_does_not_lose_the_others() {
    let body =
        format!(r#"[{},{{"event":"deleted"}},{{}},{}]"#, event(1, "deleted"), event(2, "deleted"));
    let received = several("body").read(body.as_bytes(), &Proven::default()).unwrap();
    assert_eq!(received.erasures.len(), 2);
    let expected = format!("event 1: /id must be {}", crate::erasure::RequestId::EXPECTED);
    assert_eq!(received.unreadable.unwrap().to_string(), expected);
}

#[test]
fn what_holds_no_events_is_rejected() {
    let many = |count: usize| {
        let one = event(1, "created");
        format!("[{}{one}]", format!("{one},").repeat(count - 1))
    };
    let read = |at: &str, body: &str| {
        let received = several(at).read(body.as_bytes(), &Proven::default());
        received.map(|received| received.ignored.len()).map_err(|error| error.to_string())
    };
    assert_eq!(read("body", &many(100)), Ok(100));
    let wrong = "unreadable: the body must be an array of at most 100 events";
    for body in [&*many(101), "7", "null", "\"x\""] {
        assert_eq!(read("body", body).unwrap_err(), wrong);
    }
    let wrong = "unreadable: /x must be an array of at most 100 events";
    for body in [r#"{"y":[]}"#, r#"{"x":null}"#, r#"{"x":"[]"}"#] {
        assert_eq!(read("/x", body).unwrap_err(), wrong, "{body}");
    }
    assert!(read("/x", r#"{"x":[],"x":[]}"#).unwrap_err().contains("has a duplicate key"));
    assert!(read("body", "[{]").unwrap_err().contains("is not JSON"));
    assert_eq!(read("body", "[]"), Ok(1));
    assert_eq!(read("/x", r#"{"x":[]}"#), Ok(0));
    let bad = ONE.replacen('{', r#"{"events":"x","#, 1);
    assert_eq!(
        platform("custom", &bad).err().unwrap(),
        ["S.events: must be a JSON Pointer, such as /customer/id"]
    );
    let two = format!("[{0},{0}]", event(1, "deleted"));
    let hint = format!("unreadable: {}", Unreadable::SeveralEvents);
    assert!(hint.contains("setting events"));
    assert_eq!(super::tests::read("custom", ONE, &two).unwrap_err(), hint);
}

#[test]
fn tests_of_the_connection_are_no_erasures() {
    for ping in [
        r#"{"zen":"Keep it logically awesome.","hook_id":7,"hook":{"events":["*"]},"sender":{"id":1}}"#,
        r#"payload=%7B%22zen%22%3A%22Design+for+failure.%22%2C%22hook_id%22%3A7%7D"#,
        r#"{"zen":"x","hook_id":7,"user":"the one who made the hook"}"#,
        r#"{"type":"ping"}"#,
        r#"{"token":"t","challenge":"c","type":"url_verification"}"#,
        r#"{"integration_name":"x","integration_kind":"webhook","webhook_request_id":"u"}"#,
        "",
        " {} ",
        "[ ]",
    ] {
        assert_eq!(ignored("custom", ONE, ping), Ok("ping".to_owned()), "{ping}");
    }
    // Whoever is named may ask for an erasure.
    for odd in [
        r#"{"type":"ping","user":"u-1"}"#,
        r#"{"zen":"x","user":"u-1"}"#,
        r#"{"type":"deleted"}"#,
        r#"{"data":{}}"#,
        r#"{"event":null}"#,
    ] {
        assert_eq!(
            ignored("custom", ONE, odd),
            Err("unreadable: /event must be a string".to_owned())
        );
    }
    assert!(read("standard-webhooks", "{}", "{}").is_err());
}

#[test]
fn a_form_with_json_is_read_and_any_other_is_explained() {
    let form = "payload=%7B%22id%22%3A%22r%22%2C%22event%22%3A%22deleted%22%2C%22user%22%3A%22a+b%2B%22%7D";
    assert_eq!(read("custom", ONE, form), found("r", "user_id=a b+"));
    for (name, body) in
        [("custom", "event=deleted&user=1"), ("shopify", "a=b"), ("custom", "payload=a=b")]
    {
        let settings = if name == "custom" { ONE } else { "{}" };
        let error = "unreadable: the body is a form, not JSON: set the sender's content type to \
                     application/json";
        assert_eq!(read(name, settings, body), Err(error.to_owned()), "{body}");
    }
    assert!(read("custom", ONE, "not JSON").unwrap_err().contains("is not JSON (line 1"));
}

#[test]
fn datagrails_other_webhooks_are_described_by_the_operator() {
    assert_eq!(
        platform("datagrail-dsr", "{}").err().unwrap(),
        ["S.erasure: must be set", "S.identifiers: must say where at least one identifier is"]
    );
    let settings =
        r#"{"erasure":{"at":"/right","is":["deletion"]},"identifiers":{"email":"/who"}}"#;
    let common =
        r#""integration_name":"x","integration_kind":"webhook","webhook_request_id":"u-1""#;
    let deletion = format!(r#"{{{common},"right":"deletion","who":["a@example.com"]}}"#);
    assert_eq!(read("datagrail-dsr", settings, &deletion), found("u-1", "email=a@example.com"));
    assert_eq!(ignored("datagrail-dsr", settings, &format!("{{{common}}}")).unwrap(), "ping");
    let access = deletion.replace("deletion", "access");
    assert_eq!(ignored("datagrail-dsr", settings, &access).unwrap(), "access");
}
