//! Fides' endpoints at which a halted request goes on (ethyca/fides, `privacy_request_endpoints.py`).

use super::{Contract, Message};

/// The contract of `privacy-request/{id}/resume` and `request-task/callback`. A token is `token-of-` and
/// the request's id; that of a task may be any.
pub const FIDES: Contract = fides;

fn fides(message: &Message) -> Vec<String> {
    let mut mismatches = Vec::new();
    let mut expect = |is_right: bool, what: &str| {
        if !is_right {
            mismatches.push(format!("Fides: {what}"));
        }
    };
    expect(message.method == "POST", "the method must be POST");
    expect(message.header("content-type") == Some("application/json"), "content-type");
    let token = message.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let body = message.json();
    let members = body.as_object();
    if message.target == "/api/v1/request-task/callback" {
        expect(token.is_some_and(|token| !token.is_empty()), "the token");
        // `access_results` is for access requests only.
        let known = |name: &String| name == "rows_masked";
        expect(members.is_some_and(|members| members.keys().all(known)), "the body");
        return mismatches;
    }
    let id = message.target.strip_prefix("/api/v1/privacy-request/");
    let id = id.and_then(|rest| rest.strip_suffix("/resume"));
    expect(id.is_some_and(|id| !id.is_empty() && !id.contains('/')), "the path");
    let right = format!("token-of-{}", id.unwrap_or_default());
    expect(token == Some(&right), "the token");
    // Anything in it would change the request.
    let is_empty = body["derived_identity"].as_object().is_some_and(serde_json::Map::is_empty);
    expect(is_empty && members.is_some_and(|members| members.len() == 1), "the body");
    mismatches
}
