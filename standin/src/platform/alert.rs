//! The endpoint that an operator gives for alerts: an event of Standard Webhooks 1.0, with the `text` that
//! Slack's incoming webhooks read. Who receives it verifies the signature with a library of their own.

use super::event::SECRET_HEADERS;
use super::{Contract, Message};

/// The form of an alert, as docs/operations.md has it. It has all headers of a signature or none.
pub const ALERT: Contract = alert;

const TYPES: [(&str, &str); 7] = [
    ("relay.account.blocked", "account_blocked"),
    ("relay.breaker.opened", "breaker_opened"),
    ("relay.breaker.closed", "breaker_closed"),
    ("relay.delivery.attention", "delivery_attention"),
    ("relay.callback.failed", "callback_failed"),
    ("relay.erasure.due", "erasure_due"),
    ("relay.erasure.overdue", "erasure_overdue"),
];

const DATA: [&str; 8] =
    ["reason", "lane", "source", "request_id", "count", "since", "due_by", "detail"];

fn alert(message: &Message) -> Vec<String> {
    let mut mismatches = Vec::new();
    let mut expect = |is_right: bool, what: &str| {
        if !is_right {
            mismatches.push(format!("alert: {what}"));
        }
    };
    expect(message.method == "POST", "the method must be POST");
    expect(message.header("content-type") == Some("application/json"), "content-type");
    let headers = SECRET_HEADERS.iter().filter(|name| message.header(name).is_some()).count();
    expect(headers == 0 || headers == SECRET_HEADERS.len(), "the headers of the signature");
    let body = message.json();
    let members = |value: &serde_json::Value, known: &[&str]| {
        value.as_object().is_some_and(|all| all.keys().all(|key| known.contains(&key.as_str())))
    };
    expect(members(&body, &["type", "timestamp", "data", "text"]), "the members of the body");
    let data = &body["data"];
    expect(members(data, &DATA), "the members of data");
    let pair = (body["type"].as_str(), data["reason"].as_str());
    let is_known = TYPES.iter().any(|(kind, reason)| pair == (Some(*kind), Some(*reason)));
    expect(is_known, "type and reason");
    expect(body["timestamp"].is_string(), "timestamp");
    expect(data["lane"].is_string() || data["source"].is_string(), "lane or source");
    expect(data["count"].as_i64().is_some_and(|count| count > 0), "count");
    // Slack reads these characters as its own markup.
    let is_plain = |text: &str| !text.is_empty() && !text.contains(['<', '>', '&']);
    expect(body["text"].as_str().is_some_and(is_plain), "text");
    mismatches
}
