//! Which vendor a stand-in simulates.

use std::sync::Arc;

use crate::answer::Answer;
use crate::insider::{self, InsiderAccount};
use crate::inspection::Findings;
use crate::instacart::{self, InstacartAccount, Issuer};
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
}
