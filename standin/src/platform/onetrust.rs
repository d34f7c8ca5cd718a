//! OneTrust: "Generate Access Token" (`POST /api/access/v1/oauth/token`, as the page's recipe sends it:
//! a form) and "Update Subtask Status" (`PUT /api/datasubject/v2/subtasks/{id}/status`).

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;

use super::{Contract, Message};

/// The contract of both calls.
pub const ONETRUST: Contract = onetrust;

/// The path of a token request.
pub const TOKEN: &str = "/api/access/v1/oauth/token";

/// The id and the secret of the client that is issued tokens.
pub const CLIENT: (&str, &str) = ("client-of-onetrust", "secret+of/onetrust&=");

const ISSUED: &str = "Bearer token-of-onetrust";

/// The bodies of the answers: a token, or the Boolean of an update.
#[must_use]
pub fn onetrust_body(message: &Message) -> &'static str {
    match message.target.as_str() {
        TOKEN => {
            r#"{"access_token":"token-of-onetrust","expires_in":31535999,"role":"Api Key User","scope":"read","token_type":"bearer"}"#
        }
        _ => "true",
    }
}

fn onetrust(message: &Message) -> Vec<String> {
    let mut mismatches = Vec::new();
    let mut expect = |is_right: bool, what: &str| {
        if !is_right {
            mismatches.push(format!("OneTrust: {what}"));
        }
    };
    if message.target == TOKEN {
        expect(message.method == "POST", "the method of a token request must be POST");
        let form = "application/x-www-form-urlencoded";
        expect(message.header("content-type") == Some(form), "a token request must be a form");
        let body = String::from_utf8_lossy(&message.body).replace('+', " ");
        let pairs: BTreeSet<String> = body
            .split('&')
            .map(|pair| percent_decode_str(pair).decode_utf8_lossy().into_owned())
            .collect();
        let (id, secret) = CLIENT;
        let known = [
            "grant_type=client_credentials".to_owned(),
            format!("client_id={id}"),
            format!("client_secret={secret}"),
        ];
        expect(pairs == BTreeSet::from(known), "grant_type, client_id and client_secret");
        return mismatches;
    }
    expect(message.method == "PUT", "the method must be PUT");
    let id = message.target.strip_prefix("/api/datasubject/v2/subtasks/");
    let id = id.and_then(|rest| rest.strip_suffix("/status")).unwrap_or_default();
    expect(is_uuid(id), "the path must name a subtask by its UUID");
    expect(message.header("authorization") == Some(ISSUED), "authorization");
    expect(message.header("content-type") == Some("application/json"), "content-type");
    let body = message.json();
    let known = ["status", "comment", "resolutionId"];
    let members = body.as_object();
    let only = members.is_some_and(|all| all.keys().all(|key| known.contains(&key.as_str())));
    expect(only, "the members of the body");
    let status = body["status"].as_str().unwrap_or_default();
    let statuses = ["IN_PROGRESS", "FAILED", "COMPLETED", "REJECTED"];
    expect(statuses.contains(&status), "status");
    expect(body["comment"].as_str().is_some_and(|it| !it.is_empty()), "comment");
    if let Some(resolution) = body.get("resolutionId") {
        expect(resolution.as_str().is_some_and(is_uuid), "resolutionId must be a UUID");
        let may = matches!(status, "COMPLETED" | "REJECTED");
        expect(may, "resolutionId may only go with COMPLETED and REJECTED");
    }
    mismatches
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    let is_digit = |char: char| char.is_ascii_hexdigit() || char == '-';
    groups == [8, 4, 4, 4, 12] && text.chars().all(is_digit)
}
