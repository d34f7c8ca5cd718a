//! Ketch's callback (ketch-forwarder, `api/dsr/v1/Status.md` and its OpenAPI schemas).

use serde_json::Value;

use super::{Contract, Message};

/// The contract of `DeleteStatusEvent`. The credential is `Bearer` and the path of the callback, so
/// that a message which bears another callback's is a mismatch.
pub const KETCH: Contract = ketch;

fn ketch(message: &Message) -> Vec<String> {
    let mut mismatches = Vec::new();
    let mut expect = |is_right: bool, what: &str| {
        if !is_right {
            mismatches.push(format!("Ketch: {what}"));
        }
    };
    expect(message.method == "POST", "the method must be POST");
    for name in ["content-type", "accept"] {
        expect(message.header(name) == Some("application/json"), name);
    }
    let credential = format!("Bearer {}", message.target);
    expect(message.header("authorization") == Some(&credential), "authorization");
    let body = message.json();
    let keys = |value: &Value, known: &[&str]| {
        value.as_object().is_some_and(|all| all.keys().all(|key| known.contains(&key.as_str())))
    };
    expect(keys(&body, &["apiVersion", "kind", "metadata", "event"]), "the members of the body");
    expect(body["apiVersion"] == "dsr/v1", "apiVersion");
    expect(body["kind"] == "DeleteStatusEvent", "kind");
    expect(keys(&body["metadata"], &["uid", "tenant"]), "the members of metadata");
    expect(body["metadata"]["uid"].is_string(), "uid");
    expect(body["metadata"]["tenant"].is_string(), "tenant");
    let event = &body["event"];
    // `subject`, `identities` and `context` would change the request.
    let known = ["status", "reason", "resultMessage", "requestID", "expectedCompletionTimestamp"];
    expect(keys(event, &known), "the members of event");
    let reasons: &[&str] = match event["status"].as_str() {
        Some("in_progress") => &["unknown"],
        Some("completed") => &["requested", "no_match", "insufficient_identification", "executed"],
        _ => &[],
    };
    expect(event["reason"].as_str().is_some_and(|it| reasons.contains(&it)), "status and reason");
    expect(event["requestID"] == body["metadata"]["uid"], "requestID");
    let time = event["expectedCompletionTimestamp"].as_i64();
    expect(time.is_some_and(|time| time > 1_700_000_000), "expectedCompletionTimestamp");
    mismatches
}
