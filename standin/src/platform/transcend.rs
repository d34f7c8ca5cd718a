//! Transcend's `PUT /v1/data-silo` (docs.transcend.io, API reference and job statuses).

use super::{Contract, Message};

/// The API key that [`TRANSCEND`] takes.
pub const TRANSCEND_KEY: &str = "integration-key-1";

/// The internal key of a gateway that a customer hosts.
pub const SOMBRA_KEY: &str = "internal-key-1";

/// The contract of `PUT /v1/data-silo`, with the nonce of a webhook.
pub const TRANSCEND: Contract = transcend;

fn transcend(message: &Message) -> Vec<String> {
    let mut mismatches = Vec::new();
    let mut expect = |is_right: bool, what: &str| {
        if !is_right {
            mismatches.push(format!("Transcend: {what}"));
        }
    };
    expect(message.method == "PUT", "the method must be PUT");
    expect(message.target == "/v1/data-silo", "the path");
    let bearer = format!("Bearer {TRANSCEND_KEY}");
    expect(message.header("authorization") == Some(&bearer), "authorization");
    let internal = message.header("x-sombra-authorization");
    let is_right = internal.is_none_or(|it| it == format!("Bearer {SOMBRA_KEY}"));
    expect(is_right, "x-sombra-authorization");
    expect(message.header("content-type") == Some("application/json"), "content-type");
    expect(message.header("x-transcend-nonce").is_some_and(|it| !it.is_empty()), "the nonce");
    let body = message.json();
    let statuses =
        ["READY", "RESOLVED", "SKIPPED", "SKIPPED_DUE_TO_EXCEPTION", "ACTION_REQUIRED", "WAITING"];
    let of_profile = ["RESOLVED", "SKIPPED", "SKIPPED_DUE_TO_EXCEPTION", "WAITING", "ERROR"];
    let is_right = body.as_object().is_some_and(|members| {
        members.iter().all(|(name, value)| match name.as_str() {
            "status" => statuses.iter().any(|known| value == known),
            "profileStatus" => of_profile.iter().any(|known| value == known),
            "pollId" | "message" => value.is_string(),
            _ => false,
        })
    });
    expect(is_right, "the body");
    mismatches
}
