//! The page "Create a user data deletion request".

use super::super::answer::Answer;
use super::super::inspection::{Inspection, JSON, Standing, Verdict};
use super::super::journal::Recorded;
use super::account::{Credentials, InstacartAccount};
use super::account_headers;
use super::issuer::Issuer;

/// Holds a request against the page.
pub(super) fn inspect(account: &InstacartAccount, issuer: &Issuer, request: &Recorded) -> Verdict {
    let mut inspection = Inspection::of(request);
    inspection.method("POST");
    let user_id = user_id(&mut inspection);

    // The request examples send all three, Content-Type too, although there is no body.
    inspection.header("accept", JSON);
    inspection.header("content-type", JSON);
    inspection.token("authorization", "Bearer ", |token| match &account.credentials {
        Credentials::Token(expected) => Standing::known(token == expected),
        Credentials::Clients { .. } => issuer.standing_of_token(token, request.received_at),
    });
    let mut documented = account_headers(account, &mut inspection, Inspection::header);
    documented.extend(["accept", "authorization", "content-type"]);
    inspection.no_headers_besides(&documented);

    // "Request: None."
    if !request.body.is_empty() {
        inspection.depart("there is a body");
    }
    // "401: Ensure that the access token is valid"; the body of that answer is not documented.
    inspection.verdict(user_id, Answer::status(401))
}

/// Reads `{user_id}`, which is one segment of the path: "Any unique identifier, such as a login
/// name, loyalty ID, or email address". So whatever RFC 3986 does not call unreserved must be
/// percent-encoded, and what URL normalisation turns into another path is no user id.
fn user_id(inspection: &mut Inspection) -> Option<String> {
    let segment = inspection
        .path()
        .strip_prefix("/v2/fulfillment/users/")
        .and_then(|rest| rest.strip_suffix("/privacy_request"));
    let Some(segment) = segment else {
        inspection.depart("the path is not /v2/fulfillment/users/{user_id}/privacy_request");
        return None;
    };
    if segment.contains('/') {
        inspection.depart("user_id: more than one segment of the path");
        return None;
    }
    if !segment.bytes().all(|byte| is_unreserved(byte) || byte == b'%') {
        inspection.depart("user_id: a character that must be percent-encoded is not");
    }
    let Some(user_id) = percent_decoded(segment) else {
        inspection.depart("user_id: not percent-encoded UTF-8");
        return None;
    };
    if matches!(user_id.as_str(), "" | "." | "..") {
        inspection.depart("user_id: empty, or one that URL normalisation removes");
    }
    Some(user_id)
}

/// RFC 3986, section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Decodes every `%XX`; `None` where a `%` is not followed by two hexadecimal digits, or where the
/// result is not UTF-8.
fn percent_decoded(segment: &str) -> Option<String> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = segment.bytes();
    let mut decoded = Vec::with_capacity(segment.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => digit(bytes.next()?)? * 16 + digit(bytes.next()?)?,
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}
