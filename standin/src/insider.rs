//! Insider, by its page "Delete User Identities API": `DELETE /api/user/v1/identity`, with one
//! identifier in a JSON body. With the same headers, the routes that reach a whole profile: `POST /api/user/v1/delete`, `POST /api/user/v1/anonymize` and, by the profile's own id,
//! `POST /api/contact/v1/anonymize`.

use crate::answer::{Answer, JSON};
use crate::inspection::{CredentialStatus, Inspection};
use crate::json::parse;
use crate::request::RecordedRequest;
use crate::vendor::Vendor;

/// The path that removes one identifier of a profile.
pub const IDENTITY: &str = "/api/user/v1/identity";

/// The path that erases a profile with its data.
pub const DELETE: &str = "/api/user/v1/delete";

/// The path that removes what is personal from a profile, and keeps the profile.
pub const ANONYMIZE: &str = "/api/user/v1/anonymize";

/// The path that does the same for a profile named by its own id.
pub const CONTACT_ANONYMIZE: &str = "/api/contact/v1/anonymize";

/// Insider's response to a successful call. In its Postman collection this is the success of
/// "delete a profile" and of "change an identity"; the pages of the other two routes show none.
pub const SUCCESS: &str = "{}";

/// The page's answer (400) when the identifier is the only one of its profile.
pub const SOLE_IDENTIFIER: &str =
    r#"{"error":"you cannot delete the sole identifier specified for a user: bad request"}"#;

/// The documented answer (404) of anonymize to identifiers that no profile has.
pub const NO_SUCH_USER: &str = r#"{"error":"no such user for these identifiers: no data"}"#;

/// The page's answer (429) above 1,000 requests per minute.
pub const TOO_MANY_REQUESTS: &str = r#"{"error":"rejected: too many requests"}"#;

/// The answer (401) to a wrong token, from Insider's page on status and error codes.
pub const WRONG_TOKEN: &str =
    r#"{"success":false,"message":"Partner token authentication failed."}"#;

/// "The entire request must not exceed 5 MB."
const LARGEST_REQUEST: usize = 5_000_000;

/// The account that the stand-in knows.
#[derive(Clone)]
pub struct InsiderAccount {
    /// "The partner name should be lowercase."
    pub partner_name: String,
    /// The value of `X-REQUEST-TOKEN`.
    pub token: String,
}

impl Vendor for InsiderAccount {
    fn inspect(&self, inspection: &mut Inspection<'_>) -> Option<String> {
        let path = inspection.path();
        match path {
            IDENTITY => inspection.method("DELETE"),
            DELETE | ANONYMIZE | CONTACT_ANONYMIZE => inspection.method("POST"),
            _ => {
                inspection.mismatch("the path is not /api/user/v1/{identity, delete or anonymize}");
            }
        }
        inspection.header("x-partner-name", &self.partner_name);
        inspection
            .token("x-request-token", "", |token| CredentialStatus::known(token == self.token));
        inspection.header("content-type", JSON); // in the page's samples
        inspection.optional_header("accept", &["*/*", JSON]); // a client's own
        if size(inspection.request) > LARGEST_REQUEST {
            inspection.mismatch("the request is larger than 5 MB");
        }
        identifier(inspection, Accepted::at(path))
    }

    fn success(&self, _: &str) -> Answer {
        Answer::json(200, SUCCESS)
    }

    fn unauthorized(&self, _: &str) -> Answer {
        Answer::json(401, WRONG_TOKEN)
    }
}

/// How a route lets a request name a profile.
#[derive(Clone, Copy, PartialEq)]
enum Accepted {
    Identifiers,
    InsiderId,
    Either,
}

impl Accepted {
    fn at(path: &str) -> Self {
        match path {
            DELETE => Self::Either,
            CONTACT_ANONYMIZE => Self::InsiderId,
            _ => Self::Identifiers,
        }
    }
}

/// The bytes of a request: request line, headers with their separators, body.
fn size(request: &RecordedRequest) -> usize {
    let line = request.method.len() + " ".len() + request.target.len() + " HTTP/1.1\r\n".len();
    let headers = request.headers.iter().map(|(name, value)| name.len() + value.len() + 4);
    line + headers.sum::<usize>() + 2 + request.body.len()
}

/// Reads the one identifier that a request may name, and applies the rules for its type.
fn identifier(inspection: &mut Inspection<'_>, accepted: Accepted) -> Option<String> {
    let (name, value) = match named_identifier(&inspection.request.body, accepted) {
        Ok(identifier) => identifier,
        Err(mismatch) => {
            inspection.mismatch(mismatch);
            return None;
        }
    };
    match name.as_str() {
        _ if value.is_empty() => inspection.mismatch(format!("{name}: empty")),
        "email" if !is_email(&value) => inspection.mismatch("email: not an email address"),
        "phone_number" if !is_e164(&value) => inspection.mismatch("phone_number: not E.164"),
        _ => {}
    }
    Some(value)
}

/// The type and the value of the identifier in a body, which is `{"identifiers":{TYPE:VALUE}}` or
/// `{"identifiers":{"custom":{NAME:VALUE}}}` and nothing else: "Each DELETE request must include
/// an identifier type and its corresponding value", "only 1 record (user)". Some routes accept
/// the profile's own id, instead of and not among the identifiers: `{"insider_id":VALUE}`.
fn named_identifier(body: &[u8], accepted: Accepted) -> Result<(String, String), &'static str> {
    let body = parse(body).ok_or("body: not JSON")?;
    let identifiers = match body.only_member() {
        Some(("identifiers", identifiers)) if accepted != Accepted::InsiderId => identifiers,
        Some(("insider_id", id)) if accepted != Accepted::Identifiers => {
            let id = id.as_text().ok_or("insider_id: not a string")?;
            return Ok(("insider_id".to_owned(), id.to_owned()));
        }
        _ => {
            return Err(match accepted {
                Accepted::Identifiers => "body: not an object of `identifiers` alone",
                Accepted::InsiderId => "body: not an object of `insider_id` alone",
                Accepted::Either => "body: not an object of `identifiers` or `insider_id` alone",
            });
        }
    };
    let (name, value) =
        identifiers.only_member().ok_or("identifiers: not an object of one identifier")?;
    let value = match name {
        "email" | "phone_number" | "uuid" => value,
        "custom" => match value.only_member() {
            Some(("", _)) => return Err("custom: the identifier's name is empty"),
            Some((_, value)) => value,
            None => return Err("custom: not an object of one identifier"),
        },
        _ => return Err("identifiers: neither email, phone_number, uuid nor custom"),
    };
    let value = value.as_text().ok_or("identifiers: a value that is not a string")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// "User's email address": something, an `@`, something.
fn is_email(value: &str) -> bool {
    value.rsplit_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
}

/// "E.164 format (e.g. +6598765432)"; Insider's own pattern is `^\+[1-9]\d{6,14}$`.
fn is_e164(value: &str) -> bool {
    value.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0')
    })
}
