//! The relay's own event, as Standard Webhooks 1.0 has it. Who receives it verifies the signature with
//! a library of their own.

use super::{Contract, Message};

/// The headers that a signature needs.
pub const SECRET_HEADERS: [&str; 3] = ["webhook-id", "webhook-timestamp", "webhook-signature"];

/// The form of an event.
pub const EVENT: Contract = event;

fn event(message: &Message) -> Vec<String> {
    let mut mismatches = Vec::new();
    let mut expect = |is_right: bool, what: &str| {
        if !is_right {
            mismatches.push(format!("event: {what}"));
        }
    };
    expect(message.method == "POST", "the method must be POST");
    expect(message.header("content-type") == Some("application/json"), "content-type");
    for name in SECRET_HEADERS {
        expect(message.header(name).is_some(), name);
    }
    let body = message.json();
    let kind = body["type"].as_str().unwrap_or_default();
    let known = ["privacy.erasure.settled", "privacy.erasure.attention"];
    expect(known.contains(&kind), "type");
    expect(body["timestamp"].is_string() && body["data"].is_object(), "timestamp and data");
    mismatches
}
