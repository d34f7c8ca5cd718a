//! Osano: "Update Subject Rights Action Item" (`PATCH /v1/subject-rights/action-items/{id}`). A change of
//! the whole request is a mismatch: it would send the person an e-mail.

use super::{Contract, Message};

/// The contract of an action item's update.
pub const OSANO: Contract = osano;

/// The API key.
pub const KEY: &str = "api-key-of-osano";

fn osano(message: &Message) -> Vec<String> {
    let mut mismatches = Vec::new();
    let mut expect = |is_right: bool, what: &str| {
        if !is_right {
            mismatches.push(format!("Osano: {what}"));
        }
    };
    expect(message.method == "PATCH", "the method must be PATCH");
    let id = message.target.strip_prefix("/v1/subject-rights/action-items/").unwrap_or_default();
    expect(id.parse::<u64>().is_ok(), "the path must name an action item by its number");
    expect(message.header("x-osano-api-key") == Some(KEY), "x-osano-api-key");
    expect(message.header("content-type") == Some("application/json"), "content-type");
    let body = message.json();
    let known = ["status", "resultsFound", "internalNotes"];
    let members = body.as_object();
    let only = members.is_some_and(|all| all.keys().all(|key| known.contains(&key.as_str())));
    expect(only, "the members of the body");
    if let Some(status) = body.get("status") {
        let statuses = ["IN_PROGRESS", "COMPLETED", "CLAIMED", "REJECTED"];
        expect(status.as_str().is_some_and(|it| statuses.contains(&it)), "status");
    }
    let found = body.get("resultsFound");
    expect(found.is_none_or(serde_json::Value::is_boolean), "resultsFound must be a Boolean");
    let is_completed = body["status"] == "COMPLETED";
    expect(is_completed == found.is_some(), "resultsFound goes with COMPLETED");
    let notes = body["internalNotes"].as_str();
    let fits = notes.is_some_and(|notes| notes.chars().count() <= 500);
    expect(fits, "internalNotes must have at most 500 characters");
    mismatches
}
