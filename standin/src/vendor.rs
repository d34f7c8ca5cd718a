//! Which vendor a stand-in simulates.

use std::sync::Arc;

use crate::answer::Answer;
use crate::insider::{self, InsiderAccount};
use crate::inspection::Findings;
use crate::instacart::{self, InstacartAccount, Issuer};
use crate::outage::Outage;
use crate::request::RecordedRequest;

/// A vendor, with the one account that it knows.
pub(crate) enum Vendor {
    Instacart(InstacartAccount, Arc<Issuer>),
    Insider(InsiderAccount),
}

impl Vendor {
    /// Compares a request with the vendor's documentation.
    pub(crate) fn inspect(&self, request: &RecordedRequest) -> Findings {
        match self {
            Self::Instacart(account, issuer) => instacart::inspect(account, issuer, request),
            Self::Insider(account) => insider::inspect(account, request),
        }
    }

    /// The documented response to a request that succeeds.
    pub(crate) fn success(&self, path: &str) -> Answer {
        match self {
            Self::Instacart(_, issuer) => instacart::success(issuer, path),
            Self::Insider(_) => Answer::json(200, insider::SUCCESS),
        }
    }

    /// The response to any request to `path` during an outage.
    pub(crate) fn during(&self, outage: Outage, path: &str) -> Answer {
        match outage {
            Outage::Down => Answer::html(503),
            Outage::Throttled => {
                Answer::json(429, insider::TOO_MANY_REQUESTS).with_header("Retry-After", "10")
            }
            Outage::CredentialsRejected => match self {
                Self::Instacart(..) if path == instacart::TOKEN => {
                    Answer::json(401, instacart::INVALID_CLIENT)
                }
                Self::Instacart(..) => Answer::status(401),
                Self::Insider(_) => Answer::json(401, insider::WRONG_TOKEN),
            },
            Outage::Hanging => Answer::Hang,
        }
    }
}
