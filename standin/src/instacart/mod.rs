//! Instacart Connect, by its pages "Create a user data deletion request" and "Generate an access
//! token": `POST /v2/fulfillment/users/{user_id}/privacy_request` without a body, and
//! `POST /v2/oauth/token` with a client's credentials in a JSON body.

mod account;
mod documented;
mod issuer;
mod privacy_request;
mod token_request;

use std::sync::Arc;

use crate::answer::Answer;
use crate::inspection::Inspection;
use crate::vendor::Vendor;

pub use account::InstacartAccount;
pub(crate) use documented::LANGUAGES;
pub use documented::{INVALID_CLIENT, SUCCESS, TOKEN, USER_NOT_FOUND};
pub(crate) use issuer::Issuer;

/// The vendor with its account, and the tokens that it has issued.
pub(crate) struct Instacart {
    pub(crate) account: InstacartAccount,
    pub(crate) issuer: Arc<Issuer>,
}

impl Vendor for Instacart {
    fn inspect(&self, inspection: &mut Inspection<'_>) -> Option<String> {
        let Self { account, issuer } = self;
        match inspection.request.path() {
            TOKEN => {
                token_request::inspect(account, issuer, inspection);
                None // it is about nobody
            }
            _ => privacy_request::inspect(account, issuer, inspection),
        }
    }

    /// A new token, or the confirmation of a deletion request.
    fn success(&self, path: &str) -> Answer {
        match path {
            TOKEN => Answer::json(200, self.issuer.issue()),
            _ => Answer::json(200, SUCCESS),
        }
    }

    /// "401: Ensure that the access token is valid"; the body of that answer is not documented.
    fn unauthorized(&self, path: &str) -> Answer {
        match path {
            TOKEN => Answer::json(401, INVALID_CLIENT),
            _ => Answer::status(401),
        }
    }
}
