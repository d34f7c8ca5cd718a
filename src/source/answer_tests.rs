//! The answer in each platform's own form.

use std::time::Duration;

use super::tests::{FIDES, KETCH, platform};
use super::*;
use crate::json::Json;
use crate::receipt::{self, Closed, ClosureOutcome, Delivery, Receipt, Timestamp};
use crate::settings::{Findings, Settings};
use crate::signature::Encoding;
use crate::signature::public_key::Algorithm;

const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);

const CUSTOM: &str = r#"{"erasure":"always","identifiers":{"user_id":"/id"}}"#;

/// Another event, and when it came.
const OTHER: Outcome<'_> = Outcome::Other(Timestamp(1_795_325_400_000));

fn answer(name: &str, body: &str, outcome: Outcome<'_>) -> Option<Answer> {
    let settings = match name {
        "meta" => {
            r#"{"identifiers":{"user_id":"/user_id"},"status_url":"https://s.example/{code}"}"#
        }
        _ => "{}",
    };
    let settings = if name == "custom" { CUSTOM } else { settings };
    platform(name, settings).unwrap().answer(context(body.as_bytes(), outcome))
}

fn context<'a>(body: &'a [u8], outcome: Outcome<'a>) -> ReplyContext<'a> {
    ReplyContext {
        source: "shop",
        body,
        outcome,
        is_partial: false,
        is_told_later: false,
        setting: "",
        answer_within: MONTH,
        is_malformed: false,
        knows_type: &|_| false,
        stamp: None,
        origin: "https://r.example",
    }
}

fn answered(name: &str, body: &str, outcome: Outcome<'_>) -> Option<(u16, serde_json::Value)> {
    let answer = answer(name, body, outcome)?;
    Some((answer.status, serde_json::from_str(&answer.text).unwrap()))
}

fn receipt(outcomes: &[receipt::Outcome]) -> Receipt {
    let delivery = |outcome: &receipt::Outcome| Delivery {
        vendor: "instacart".into(),
        call: None,
        identifier: None,
        subject: None,
        outcome: *outcome,
        status: None,
        attempts: 1,
        detail: None,
        trace: None,
        next_attempt_at: None,
        updated_at: Timestamp(1_795_325_401_999),
        acknowledged: None,
        history: Vec::new(),
    };
    let received = Timestamp(1_795_325_400_000);
    Receipt::new("r-1", "shop", received, outcomes.iter().map(delivery).collect())
}

#[test]
fn ketch_is_answered_with_the_progress() {
    use receipt::Outcome::*;
    for (outcomes, status, reason) in [
        (&[Accepted, AlreadyAbsent][..], "completed", "requested"),
        (&[AlreadyAbsent, AlreadyAbsent], "completed", "no_match"),
        (&[Accepted, NotApplicable], "completed", "requested"),
        (&[AlreadyAbsent, NotApplicable], "completed", "no_match"),
        (&[Accepted, Scheduled], "in_progress", "unknown"),
        (&[Accepted, Rejected], "in_progress", "unknown"),
    ] {
        let (code, json) =
            answered("ketch", KETCH, Outcome::Taken(202, &receipt(outcomes))).unwrap();
        assert_eq!((code, &json["kind"]), (200, &"DeleteResponse".into()));
        assert_eq!(json["apiVersion"], "dsr/v1");
        assert_eq!(json["metadata"]["uid"], "22880925-aac5-42f9-a653-cb6921d361ff");
        assert_eq!(json["metadata"]["tenant"], "axonic");
        assert_eq!(
            (&json["response"]["status"], &json["response"]["reason"]),
            (&status.into(), &reason.into())
        );
        let expected = if status == "completed" { 1_795_325_401 } else { 1_797_917_400 };
        assert_eq!(json["response"]["expectedCompletionTimestamp"], expected);
    }
    let (code, json) = answered("ketch", KETCH, Outcome::Failed(422, "no identifier")).unwrap();
    assert_eq!((code, &json["kind"], &json["error"]["code"]), (422, &"Error".into(), &422.into()));
    assert_eq!(json["error"]["status"], "invalid");
    let (_, json) = answered("ketch", "not JSON", Outcome::Failed(503, "later")).unwrap();
    assert_eq!(
        (&json["error"]["status"], &json["metadata"]),
        (&"unavailable".into(), &serde_json::json!({}))
    );
    let access = KETCH.replace("DeleteRequest", "AccessRequest");
    let (code, json) = answered("ketch", &access, OTHER).unwrap();
    assert_eq!((code, &json["kind"]), (200, &"AccessResponse".into()));
    assert_eq!(json["metadata"]["uid"], "22880925-aac5-42f9-a653-cb6921d361ff");
    assert_eq!(json["response"]["status"], "unknown");
    assert_eq!(json["response"]["expectedCompletionTimestamp"], 1_797_917_400);
    let consent = KETCH.replace("DeleteRequest", "ConsentRequest");
    assert_eq!(answered("ketch", &consent, OTHER), None);
}

#[test]
fn ketch_is_not_told_completed_while_a_profile_is_left() {
    let receipt = receipt(&[receipt::Outcome::Accepted]);
    let told = |is_partial| {
        let context = context(KETCH.as_bytes(), Outcome::Taken(200, &receipt));
        let context = ReplyContext { is_partial, ..context };
        let answer = platform("ketch", "{}").unwrap().answer(context).unwrap();
        let json: serde_json::Value = serde_json::from_str(&answer.text).unwrap();
        let response = &json["response"];
        let text = |key: &str| response[key].as_str().unwrap().to_owned();
        (text("status"), text("reason"), response["expectedCompletionTimestamp"].as_i64().unwrap())
    };
    let words = |status: &str, reason: &str, at| (status.to_owned(), reason.to_owned(), at);
    assert_eq!(told(true), words("in_progress", "unknown", 1_797_917_400));
    assert_eq!(told(false), words("completed", "requested", 1_795_325_401));
}

#[test]
fn each_platform_is_answered_in_its_own_form() {
    let receipt = receipt(&[receipt::Outcome::Accepted]);
    let taken = Outcome::Taken(200, &receipt);
    assert_eq!(
        answered("meta", "", taken).unwrap(),
        (200, serde_json::json!({"url":"https://s.example/r-1","confirmation_code":"r-1"}))
    );
    // Without a page of the operator's own it is the relay's.
    let own = platform("meta", r#"{"identifiers":{"user_id":"/user_id"}}"#).unwrap();
    let json = r#"{"url":"https://r.example/status/r-1","confirmation_code":"r-1"}"#;
    assert_eq!(own.answer(context(b"", taken)).unwrap().text, json);
    assert_eq!(answered("meta", "", Outcome::Failed(503, "later")), None);
    let halt = (200, serde_json::json!({"halt":false}));
    assert_eq!(answered("fides", FIDES, taken), Some(halt.clone()));
    assert_eq!(answered("fides", FIDES, OTHER), Some(halt));
    assert_eq!(answered("fides", FIDES, Outcome::Failed(422, "x")), None);
    let (status, json) = answered("opendsr", "{}", taken).unwrap();
    assert_eq!((status, &json["subject_request_id"]), (201, &"r-1".into()));
    assert_eq!(
        (&json["controller_id"], &json["encoded_request"]),
        (&"shop".into(), &"e30=".into())
    );
    assert_eq!(json["received_time"], "2026-11-22T05:30:00Z");
    assert_eq!(json["expected_completion_time"], "2026-12-22T05:30:00Z");
    let (status, json) = answered("opendsr", "{}", Outcome::Failed(400, "malformed")).unwrap();
    assert_eq!((status, &json["error"]["code"]), (400, &400.into()));
    assert_eq!(json["error"]["errors"][0]["message"], "malformed");
    let (status, json) = answered("opendsr", "{}", Outcome::Failed(422, "nobody")).unwrap();
    assert_eq!((status, &json["error"]["code"]), (400, &400.into()));
    for name in ["shopify", "segment", "kertos", "datagrail-drop", "standard-webhooks"] {
        assert_eq!(answered(name, "{}", taken), None, "{name}");
    }
}

#[test]
fn iabs_framework_is_answered_with_its_result_codes() {
    let platform = platform("iab-ddrf", r#"{"identity_types":{"card":"custom.card"}}"#).unwrap();
    let token = |kind: &str, format: &str, value: &str| {
        let claims = serde_json::json!({ "sub": {
            "identifierType": kind, "identifierFormat": format, "identifierValue": value } });
        let part =
            |json: &serde_json::Value| Encoding::Base64Url.encode(json.to_string().as_bytes());
        let header = part(&serde_json::json!({ "alg": "ES256" }));
        format!("{header}.{}.c2lnbmF0dXJl", part(&claims))
    };
    let receipt = receipt(&[receipt::Outcome::Rejected]);
    let unusable = Outcome::Failed(422, "");
    let stale = Outcome::Failed(401, "");
    for (kind, format, value, outcome, is_malformed, status, code) in [
        ("email", "raw", "a@example.com", Outcome::Taken(202, &receipt), false, 202, 0),
        ("email", "raw", "a@example.com", OTHER, false, 202, 0),
        ("email", "raw", "a@example.com", Outcome::Failed(400, ""), false, 400, 1),
        ("idfa", "raw", "1", unusable, false, 400, 4),
        ("idfa", "sha256", "1", unusable, false, 400, 4),
        ("phone", "raw", "+6598765432", unusable, false, 400, 4),
        ("phone", "raw", "98765432", unusable, true, 400, 5),
        ("email", "sha256", "28f6dc889e", unusable, false, 400, 5),
        ("card", "sha256", "28f6dc889e", unusable, false, 400, 5),
        ("email", "RAW", " ", unusable, false, 400, 5),
        ("email", "raw", "a@example.com", stale, false, 400, 6),
    ] {
        let body = token(kind, format, value);
        let context = ReplyContext { is_malformed, ..context(body.as_bytes(), outcome) };
        let answer = platform.answer(context).unwrap();
        assert_eq!((answer.status, answer.form), (status, Form::Json), "{kind} {format}");
        let json = format!(r#"{{"version":"1.0","raResultCode":{code}}}"#);
        assert_eq!(answer.text, json, "{kind} {format}");
    }
    assert_eq!(platform.answer(context(b"", Outcome::Failed(503, "later"))), None);
}

#[test]
fn a_signed_acknowledgement_repeats_the_request() {
    let platform = platform("iab-ddrf", "{}").unwrap();
    let settings =
        br#"{"acknowledgement":{"issuer":"relay.example","key":"DDRF_KEY","key_id":"k1"}}"#;
    let json = Json::parse(settings).unwrap();
    let findings = Findings::default();
    let mut settings = Settings::new("S".into(), &json, &findings).unwrap();
    let by = Acknowledgement::configure(&mut settings).unwrap();
    let stamp = Stamp { by: &by, algorithm: Algorithm::Rs256, id: "ac-1", issued_at: 7 };
    for body in [" a.b.c\n", r#"{"rqJWT":"a.b.c"}"#] {
        let context = context(body.as_bytes(), OTHER);
        let answer = platform.answer(ReplyContext { stamp: Some(stamp), ..context }).unwrap();
        assert_eq!((answer.status, answer.form), (202, Form::UnsignedToken));
        let (_, claims) = answer.text.split_once('.').unwrap();
        let claims = Encoding::Base64Url.decode(claims).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["rqJWT"], "a.b.c");
        assert_eq!((&claims["jti"], &claims["iss"]), (&"ac-1".into(), &"relay.example".into()));
        assert!(claims.get("raResultString").is_none());
    }
}

#[test]
fn the_bytes_of_each_answer() {
    let receipt = receipt(&[receipt::Outcome::Accepted]);
    let taken = Outcome::Taken(202, &receipt);
    let failed = Outcome::Failed(503, "a \"title\"");
    for (name, body, outcome, status, json) in [
        (
            "ketch",
            KETCH,
            taken,
            200,
            concat!(
                r#"{"apiVersion":"dsr/v1","kind":"DeleteResponse","metadata":{"#,
                r#""uid":"22880925-aac5-42f9-a653-cb6921d361ff","tenant":"axonic"},"#,
                r#""response":{"status":"completed","reason":"requested","#,
                r#""expectedCompletionTimestamp":1795325401,"requestID":"r-1"}}"#
            ),
        ),
        (
            "ketch",
            r#"{"metadata":{"uid":7,"tenant":"t","x":"\ud800"},"y":1,"z":"\ud800"}"#,
            failed,
            503,
            concat!(
                r#"{"apiVersion":"dsr/v1","kind":"Error","metadata":{"tenant":"t"},"#,
                r#""error":{"code":503,"status":"unavailable","message":"a \"title\""}}"#
            ),
        ),
        (
            "opendsr",
            "{}",
            taken,
            201,
            concat!(
                r#"{"controller_id":"shop","expected_completion_time":"2026-12-22T05:30:00Z","#,
                r#""received_time":"2026-11-22T05:30:00Z","encoded_request":"e30=","#,
                r#""subject_request_id":"r-1"}"#
            ),
        ),
        (
            "opendsr",
            "{}",
            failed,
            503,
            concat!(
                r#"{"error":{"code":503,"message":"a \"title\"","errors":[{"#,
                r#""domain":"erasure-relay","reason":"unavailable","message":"a \"title\""}]}}"#
            ),
        ),
        ("meta", "", taken, 200, r#"{"url":"https://s.example/r-1","confirmation_code":"r-1"}"#),
        ("fides", FIDES, taken, 200, r#"{"halt":false}"#),
        ("iab-ddrf", "", taken, 202, r#"{"version":"1.0","raResultCode":0}"#),
    ] {
        let json = json.to_owned();
        let form = Form::Json;
        assert_eq!(
            answer(name, body, outcome),
            Some(Answer { status, text: json, form }),
            "{name}"
        );
    }
}

#[test]
fn slacks_handshake_is_answered_with_its_challenge() {
    let body = r#"{"token":"t","challenge":"3eZbrw1a","type":"url_verification"}"#;
    assert_eq!(
        answered("custom", body, OTHER),
        Some((200, serde_json::json!({"challenge":"3eZbrw1a"})))
    );
    for other in [r#"{"challenge":"x"}"#, r#"{"type":"url_verification"}"#, "", "{}"] {
        assert_eq!(answer("custom", other, OTHER), None, "{other}");
    }
}

#[test]
fn opendsrs_controller_is_told_the_status() {
    use receipt::Outcome::*;
    let ask = platform("opendsr", "{}").unwrap().request_status().unwrap();
    let receipt = |outcomes: &[receipt::Outcome]| {
        let mut receipt = receipt(outcomes);
        receipt.due_by = Some(receipt.received_at.after(MONTH));
        receipt
    };
    let query = |receipt: Option<&Receipt>, cancels, is_partial| {
        let answer = ask(&StatusQuery { source: "shop", cancels, is_partial, receipt });
        (answer.status, serde_json::from_str::<serde_json::Value>(&answer.text).unwrap())
    };
    let asked = |receipt: Option<&Receipt>, cancels| query(receipt, cancels, false);
    let (_, partial) = query(Some(&receipt(&[Accepted])), false, true);
    assert_eq!(partial["request_status"], "in_progress");
    assert_eq!(partial["expected_completion_time"], "2026-12-22T05:30:00Z");
    for (outcomes, status, count) in [
        (&[Accepted, NotApplicable][..], "completed", None),
        (&[AlreadyAbsent, AlreadyAbsent], "completed", Some(0)),
        (&[Accepted, Scheduled], "in_progress", None),
        (&[Accepted, Rejected], "in_progress", None),
    ] {
        let (code, json) = asked(Some(&receipt(outcomes)), false);
        assert_eq!((code, &json["request_status"]), (200, &status.into()), "{outcomes:?}");
        assert_eq!(
            (&json["subject_request_id"], &json["controller_id"]),
            (&"r-1".into(), &"shop".into())
        );
        assert_eq!(json.get("results_count").and_then(serde_json::Value::as_u64), count);
        let expected =
            if status == "completed" { "2026-11-22T05:30:01Z" } else { "2026-12-22T05:30:00Z" };
        assert_eq!(json["expected_completion_time"], expected);
    }
    let at = Timestamp(1_795_325_500_000);
    for (closed, outcomes, status, count) in [
        (ClosureOutcome::Completed, &[Rejected][..], "completed", None),
        (ClosureOutcome::NotFound, &[Uncertain], "completed", Some(0)),
        (ClosureOutcome::Failed, &[Rejected], "in_progress", None),
    ] {
        let mut receipt = receipt(outcomes);
        receipt.closed = Some(Closed { outcome: closed, note: String::new(), at });
        let (_, json) = asked(Some(&receipt), false);
        assert_eq!(json["request_status"], status, "{closed:?}");
        assert_eq!(json.get("results_count").and_then(serde_json::Value::as_u64), count);
        let expected =
            if status == "completed" { "2026-11-22T05:31:40Z" } else { "2026-12-22T05:30:00Z" };
        assert_eq!(json["expected_completion_time"], expected);
    }
    for (receipt, cancels, reason) in [
        (Some(&receipt(&[Accepted])), true, "not_pending"),
        (Some(&receipt(&[Scheduled])), true, "not_pending"),
        (None, true, "not_found"),
        (None, false, "not_found"),
    ] {
        let (code, json) = asked(receipt, cancels);
        assert_eq!((code, &json["error"]["code"]), (400, &400.into()));
        assert_eq!(json["error"]["errors"][0]["reason"], reason);
    }
    assert!(platform("ketch", "{}").unwrap().request_status().is_none());
}

#[test]
fn fides_waits_where_a_message_follows() {
    let receipt = receipt(&[receipt::Outcome::Scheduled]);
    for is_told_later in [true, false] {
        let context = context(FIDES.as_bytes(), Outcome::Taken(202, &receipt));
        let context = ReplyContext { is_told_later, ..context };
        let answer = platform("fides", "{}").unwrap().answer(context).unwrap();
        assert_eq!((answer.status, answer.text), (200, format!(r#"{{"halt":{is_told_later}}}"#)));
    }
}

#[test]
fn transcend_learns_that_no_vendor_has_the_person() {
    use receipt::Outcome::*;
    for (outcomes, status) in [
        (&[AlreadyAbsent, AlreadyAbsent][..], 204),
        (&[AlreadyAbsent, NotApplicable], 204),
        (&[AlreadyAbsent, Accepted], 200),
        (&[AlreadyAbsent, Scheduled], 200),
        (&[AlreadyAbsent, Rejected], 200),
        (&[AlreadyAbsent, InsufficientIdentification], 200),
        (&[NotApplicable], 200),
        (&[], 200),
    ] {
        let receipt = receipt(outcomes);
        let answer = answer("transcend", "{}", Outcome::Taken(202, &receipt)).unwrap();
        assert_eq!(answer.status, status, "{outcomes:?}");
        assert_eq!(answer.text.is_empty(), status == 204);
    }
    assert_eq!(answer("transcend", "{}", OTHER), None);
    assert_eq!(answer("transcend", "{}", Outcome::Failed(503, "later")), None);
}
