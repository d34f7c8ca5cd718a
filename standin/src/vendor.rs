//! What a stand-in needs to know of the vendor that it simulates.

use crate::answer::Answer;
use crate::insider;
use crate::inspection::{Findings, Inspection};
use crate::outage::Outage;
use crate::request::RecordedRequest;

/// A vendor, by its documentation, with the one account that it knows.
pub trait Vendor: Send + Sync + 'static {
    /// Compares a request with the vendor's page, and returns whom the request is about, where that
    /// can be read.
    fn inspect(&self, inspection: &mut Inspection<'_>) -> Option<String>;

    /// The documented response to a request to `path` that succeeds.
    fn success(&self, path: &str) -> Answer;

    /// The documented response to a request to `path` with wrong credentials.
    fn unauthorized(&self, path: &str) -> Answer;
}

/// The result of the comparison of a request with the vendor's documentation.
pub(crate) fn inspect(vendor: &dyn Vendor, request: &RecordedRequest) -> Findings {
    let mut inspection = Inspection::of(request);
    let identifier = vendor.inspect(&mut inspection);
    inspection.finish(identifier, vendor.unauthorized(request.path()))
}

/// The response to any request to `path` during an outage. Only Insider documents a rate limit, so that
/// answer is Insider's at each.
pub(crate) fn during(vendor: &dyn Vendor, outage: Outage, path: &str) -> Answer {
    match outage {
        Outage::Down => Answer::html(503),
        Outage::Throttled => {
            Answer::json(429, insider::TOO_MANY_REQUESTS).with_header("Retry-After", "10")
        }
        Outage::CredentialsRejected => vendor.unauthorized(path),
        Outage::Hanging => Answer::Hang,
    }
}
