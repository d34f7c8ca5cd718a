//! What each platform hears, in its own form.

use super::tests::{FIDES, KETCH, platform};
use super::*;
use crate::receipt::{self, Delivery, Receipt, Timestamp};

fn told(name: &str, body: &str, outcome: Outcome<'_>) -> Option<(u16, serde_json::Value)> {
    let settings = match name {
        "meta" => {
            r#"{"identifiers":{"user_id":"/user_id"},"status_url":"https://s.example/{code}"}"#
        }
        _ => "{}",
    };
    let answer = platform(name, settings).unwrap().answer("shop", body.as_bytes(), outcome)?;
    Some((answer.status, serde_json::from_str(&answer.json).unwrap()))
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
        updated_at: Timestamp(0),
    };
    let received = Timestamp(1_795_325_400_000);
    Receipt::new("r-1", "shop", received, outcomes.iter().map(delivery).collect())
}

#[test]
fn ketch_hears_how_far_it_is() {
    use receipt::Outcome::*;
    for (outcomes, status, reason) in [
        (&[Accepted, AlreadyAbsent][..], "completed", "requested"),
        (&[AlreadyAbsent, AlreadyAbsent], "completed", "no_match"),
        (&[Accepted, Scheduled], "in_progress", "pending"),
        (&[Accepted, Rejected], "in_progress", "unknown"),
    ] {
        let (code, json) = told("ketch", KETCH, Outcome::Taken(202, &receipt(outcomes))).unwrap();
        assert_eq!((code, &json["kind"]), (200, &"DeleteResponse".into()));
        assert_eq!(json["apiVersion"], "dsr/v1");
        assert_eq!(json["metadata"]["uid"], "22880925-aac5-42f9-a653-cb6921d361ff");
        assert_eq!(json["metadata"]["tenant"], "axonic");
        assert_eq!(
            (&json["response"]["status"], &json["response"]["reason"]),
            (&status.into(), &reason.into())
        );
    }
    let (code, json) = told("ketch", KETCH, Outcome::Failed(422, "no identifier")).unwrap();
    assert_eq!((code, &json["kind"], &json["error"]["code"]), (422, &"Error".into(), &422.into()));
    assert_eq!(json["error"]["status"], "invalid");
    let (_, json) = told("ketch", "not JSON", Outcome::Failed(503, "later")).unwrap();
    assert_eq!(
        (&json["error"]["status"], &json["metadata"]),
        (&"unavailable".into(), &serde_json::json!({}))
    );
    assert_eq!(told("ketch", KETCH, Outcome::Other), None);
}

#[test]
fn each_platform_hears_its_own_form() {
    let receipt = receipt(&[receipt::Outcome::Accepted]);
    let taken = Outcome::Taken(200, &receipt);
    assert_eq!(
        told("meta", "", taken).unwrap(),
        (200, serde_json::json!({"url":"https://s.example/r-1","confirmation_code":"r-1"}))
    );
    assert_eq!(told("meta", "", Outcome::Failed(503, "later")), None);
    let halt = (200, serde_json::json!({"halt":false}));
    assert_eq!(told("fides", FIDES, taken), Some(halt.clone()));
    assert_eq!(told("fides", FIDES, Outcome::Other), Some(halt));
    assert_eq!(told("fides", FIDES, Outcome::Failed(422, "x")), None);
    let (status, json) = told("opendsr", "{}", taken).unwrap();
    assert_eq!((status, &json["subject_request_id"]), (201, &"r-1".into()));
    assert_eq!(
        (&json["controller_id"], &json["encoded_request"]),
        (&"shop".into(), &"e30=".into())
    );
    assert_eq!(json["received_time"], "2026-11-22T05:30:00Z");
    assert_eq!(json["expected_completion_time"], "2026-12-22T05:30:00Z");
    let (status, json) = told("opendsr", "{}", Outcome::Failed(400, "malformed")).unwrap();
    assert_eq!((status, &json["error"]["code"]), (400, &400.into()));
    assert_eq!(json["error"]["errors"][0]["message"], "malformed");
    for name in ["shopify", "segment", "kertos", "datagrail", "standard-webhooks"] {
        assert_eq!(told(name, "{}", taken), None, "{name}");
    }
}

#[test]
fn iabs_framework_hears_its_result_codes() {
    for (outcome, status, code) in [
        (Outcome::Other, 202, 0),
        (Outcome::Failed(422, ""), 400, 4),
        (Outcome::Failed(400, ""), 400, 1),
    ] {
        let (answered, json) = told("iab-ddrf", "", outcome).unwrap();
        assert_eq!((answered, &json["raResultCode"]), (status, &code.into()));
    }
}
