//! Messages that test a connection, and forms that hold JSON: what senders do before, or beside, the
//! events that the configuration describes.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use super::Unreadable;
use super::answer::{Answer, Outcome, ReplyContext};
use crate::json::{Json, Malformed, Pointers};

/// The form field in which GitHub sends its JSON unless its content type is `application/json`
/// (<https://docs.github.com/webhooks/webhook-events-and-payloads#delivery-headers>).
const FORM_FIELD: &[u8] = b"payload=";

/// The type of Slack's handshake.
const URL_VERIFICATION: &str = "url_verification";

/// The JSON of a body: the body itself, or the one field of a form. No JSON text begins like a form.
pub fn payload(body: &[u8]) -> Cow<'_, [u8]> {
    match body.strip_prefix(FORM_FIELD) {
        None => Cow::Borrowed(body),
        Some(value) => {
            let value: Vec<u8> =
                value.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
            Cow::Owned(percent_decode(&value).collect())
        }
    }
}

/// Whether a body has no content, so that it cannot be an erasure of anybody.
pub fn is_empty(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    let within = |open, close| {
        text.strip_prefix(open)
            .and_then(|text: &[u8]| text.strip_suffix(close))
            .map(<[u8]>::trim_ascii)
    };
    text.is_empty() || within(b"{", b"}") == Some(b"") || within(b"[", b"]") == Some(b"")
}

/// Whether a message that does not say what it is, as the configuration describes it, is a known
/// test: GitHub's `ping`, whose name is in a header alone (`zen` and `hook_id`). Where it names
/// nobody, also DataGrail's health check, which has the members that all of its webhooks have, and
/// what calls itself a ping, a test, or Slack's handshake.
pub fn is_ping(text: &[u8], names_nobody: bool) -> bool {
    let pointers: Pointers =
        ["/zen", "/hook_id", "/integration_kind", "/type", "/event"].into_iter().collect();
    let Ok(json) = pointers.parse(text) else { return false };
    let says = |key: &str, words: &[&str]| {
        json.get(key).and_then(Json::as_text).is_some_and(|text| words.contains(&text))
    };
    let tests = ["ping", "test", URL_VERIFICATION];
    let is_githubs = json.get("zen").is_some() && json.get("hook_id").is_some();
    let is_other =
        says("integration_kind", &["webhook"]) || says("type", &tests) || says("event", &tests);
    is_githubs || (names_nobody && is_other)
}

/// Why `text` is not JSON.
pub fn not_json(text: &[u8], malformed: Malformed) -> Unreadable {
    let start = text.trim_ascii_start().first();
    let form = !matches!(start, Some(b'{' | b'[')) && text.contains(&b'=');
    if form { Unreadable::Form } else { malformed.into() }
}

/// Slack's `url_verification`, which must be answered with its `challenge`
/// (<https://docs.slack.dev/reference/events/url_verification>).
pub fn answer(context: &ReplyContext<'_>) -> Option<Answer> {
    let Outcome::Other(_) = context.outcome else { return None };
    let pointers: Pointers = ["/type", "/challenge"].into_iter().collect();
    let json = pointers.parse(context.body).ok()?;
    let text = |key| json.get(key).and_then(Json::as_text);
    let challenge = text("challenge").filter(|_| text("type") == Some(URL_VERIFICATION))?;
    Some(Answer::new(200, &Challenge { challenge }))
}

#[derive(serde::Serialize)]
struct Challenge<'a> {
    challenge: &'a str,
}
