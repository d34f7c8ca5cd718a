//! The page "Create a user data deletion request".

use percent_encoding::percent_decode_str;

use super::account::{Credentials, InstacartAccount};
use super::issuer::Issuer;
use crate::answer::JSON;
use crate::inspection::{CredentialStatus, Inspection};

/// Compares a request with the page, and returns whom it is about.
pub(super) fn inspect(
    account: &InstacartAccount,
    issuer: &Issuer,
    inspection: &mut Inspection<'_>,
) -> Option<String> {
    let request = inspection.request;
    inspection.method("POST");
    let user_id = user_id(inspection);

    // The request examples send all three, Content-Type too, although there is no body.
    inspection.header("accept", JSON);
    inspection.header("content-type", JSON);
    inspection.token("authorization", "Bearer ", |token| match &account.credentials {
        Credentials::Token(expected) => CredentialStatus::known(token == expected),
        Credentials::Clients { .. } => issuer.token_status(token, request.received_at),
    });
    for (name, value) in account.headers() {
        inspection.header(name, value);
    }

    // "Request: None."
    if !request.body.is_empty() {
        inspection.mismatch("there is a body");
    }
    user_id
}

/// Reads `{user_id}`, which is one segment of the path: "Any unique identifier, such as a login
/// name, loyalty ID, or email address". So whatever RFC 3986 does not call unreserved must be
/// percent-encoded, and what URL normalisation turns into another path is no user id.
fn user_id(inspection: &mut Inspection<'_>) -> Option<String> {
    let segment = inspection
        .path()
        .strip_prefix("/v2/fulfillment/users/")
        .and_then(|rest| rest.strip_suffix("/privacy_request"));
    let Some(segment) = segment else {
        inspection.mismatch("the path is not /v2/fulfillment/users/{user_id}/privacy_request");
        return None;
    };
    if segment.contains('/') {
        inspection.mismatch("user_id: more than one segment of the path");
        return None;
    }
    if !segment.bytes().all(|byte| is_unreserved(byte) || byte == b'%') {
        inspection.mismatch("user_id: a character that must be percent-encoded is not");
    }
    let Some(user_id) = percent_decoded(segment) else {
        inspection.mismatch("user_id: not percent-encoded UTF-8");
        return None;
    };
    if matches!(user_id.as_str(), "" | "." | "..") {
        inspection.mismatch("user_id: empty, or one that URL normalisation removes");
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
    let escaped = |rest: &str| {
        rest.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !segment.split('%').skip(1).all(escaped) {
        return None; // the decoder would keep such a `%` as it is
    }
    percent_decode_str(segment).decode_utf8().ok().map(Into::into)
}
