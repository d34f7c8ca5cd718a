//! Instacart Connect, by its pages "Create a user data deletion request" and "Generate an access
//! token": `POST /v2/fulfillment/users/{user_id}/privacy_request` without a body, and
//! `POST /v2/oauth/token` with a client's credentials in a JSON body.

mod account;
mod documented;
mod issuer;
mod privacy_request;
mod token_request;

use crate::answer::Answer;
use crate::inspection::Findings;
use crate::request::RecordedRequest;

pub use account::InstacartAccount;
pub(crate) use documented::LANGUAGES;
pub use documented::{INVALID_CLIENT, SUCCESS, TOKEN, USER_NOT_FOUND};
pub(crate) use issuer::Issuer;

/// Compares a request with the page of its path.
pub(crate) fn inspect(
    account: &InstacartAccount,
    issuer: &Issuer,
    request: &RecordedRequest,
) -> Findings {
    match request.path() {
        TOKEN => token_request::inspect(account, issuer, request),
        _ => privacy_request::inspect(account, issuer, request),
    }
}

/// The documented success: a new token, or the confirmation of a deletion request.
pub(crate) fn success(issuer: &Issuer, path: &str) -> Answer {
    match path {
        TOKEN => Answer::json(200, issuer.issue()),
        _ => Answer::json(200, SUCCESS),
    }
}
