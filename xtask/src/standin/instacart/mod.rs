//! Instacart Connect, as its pages "Create a user data deletion request" and "Generate an access
//! token" have it: `POST /v2/fulfillment/users/{user_id}/privacy_request` without a body, and
//! `POST /v2/oauth/token` with a client's credentials in a JSON body.

mod account;
mod issuer;
mod privacy_request;
#[cfg(test)]
mod tests;
mod token_request;
#[cfg(test)]
mod token_tests;

use super::answer::Answer;
use super::inspection::{Inspection, Verdict};
use super::journal::Recorded;

pub use account::InstacartAccount;
pub(super) use issuer::Issuer;

/// The page's response example: "User data deletion request created".
pub const SUCCESS: &str = r#"{"success":true}"#;

/// The page's only error ("User not found for the provided ID": 400, code 1001, meta `user_id`), in
/// the single form of Instacart's page on error codes, where `meta` stands beside `error`.
pub const USER_NOT_FOUND: &str =
    r#"{"error":{"message":"User Not Found","code":1001},"meta":{"key":"user_id"}}"#;

/// The path of a token request.
pub const TOKEN: &str = "/v2/oauth/token";

/// The answer (401) to a client that is refused. No page shows one: this is the form of RFC 6749,
/// section 5.2, where `error` is a string and not Instacart's object.
pub const INVALID_CLIENT: &str =
    r#"{"error":"invalid_client","error_description":"Client authentication failed."}"#;

/// The languages that the page on request headers lists for `Accept-Language`.
pub(super) const LANGUAGES: &[&str] = &["en-US", "en-CA", "fr-CA"];

const LANGUAGE_HEADER: &str = "accept-language";
const RETAILER_HEADER: &str = "x-retailer-id";

/// Holds a request against the page of its path.
pub(super) fn inspect(account: &InstacartAccount, issuer: &Issuer, request: &Recorded) -> Verdict {
    match request.path() {
        TOKEN => token_request::inspect(account, issuer, request),
        _ => privacy_request::inspect(account, issuer, request),
    }
}

/// The answer to a request in order: a new token, or the promise to delete a user's data.
pub(super) fn usual(issuer: &Issuer, path: &str) -> Answer {
    match path {
        TOKEN => Answer::json(200, issuer.issue()),
        _ => Answer::json(200, SUCCESS),
    }
}

/// The headers that an account may ask for: each with its value where the account has one, and
/// nowhere else. `rule` says whether a request must have it.
fn account_headers<'a>(
    account: &InstacartAccount,
    inspection: &mut Inspection<'a>,
    rule: impl Fn(&mut Inspection<'a>, &'static str, &str),
) -> Vec<&'static str> {
    let expected = [(LANGUAGE_HEADER, &account.language), (RETAILER_HEADER, &account.retailer_id)];
    let mut documented = Vec::new();
    for (name, value) in expected {
        if let Some(value) = value {
            rule(inspection, name, value);
            documented.push(name);
        }
    }
    documented
}
