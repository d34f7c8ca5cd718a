//! A recorded request.

use std::fmt;
use std::time::Instant;

/// One request, as it arrived.
#[derive(Clone)]
pub struct RecordedRequest {
    /// As received; HTTP methods are case-sensitive.
    pub method: String,
    /// Path and query as received, still percent-encoded. (A fragment, which no HTTP client sends,
    /// is dropped by hyper.)
    pub target: String,
    /// In the order of arrival, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The raw bytes.
    pub body: Vec<u8>,
    /// Whom the request is about, if that could be read: Instacart's decoded user id, or the value
    /// of Insider's identifier. A token request is about nobody.
    pub identifier: Option<String>,
    /// Where the request does not match the vendor's documentation.
    pub mismatches: Vec<String>,
    /// The status of the response, once there is one.
    pub response_status: Option<u16>,
    /// When the response was ready to be sent.
    pub responded_at: Option<Instant>,
    /// When the head of the request was received.
    pub received_at: Instant,
}

impl RecordedRequest {
    /// The target without a query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// Every value of the header `name` (lower case).
    pub fn header<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// Headers whose values are secrets.
const SECRET_HEADERS: &[&str] = &["authorization", "x-request-token", "cookie"];

/// The end of the path of token requests, whose bodies, and by mistake queries, are secrets.
const TOKEN_PATH_END: &str = "/oauth/token";

const SECRET: &str = "(secret)";

impl fmt::Debug for RecordedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(name, value): &(String, String)| {
            let secret = SECRET_HEADERS.contains(&name.as_str());
            format!("{name}: {}", if secret { SECRET } else { value })
        };
        let (target, body) = if self.path().ends_with(TOKEN_PATH_END) {
            (self.path(), SECRET.into())
        } else {
            (self.target.as_str(), String::from_utf8_lossy(&self.body))
        };
        f.debug_struct("RecordedRequest")
            .field("method", &self.method)
            .field("target", &target)
            .field("headers", &self.headers.iter().map(shown).collect::<Vec<_>>())
            .field("body", &body)
            .field("identifier", &self.identifier)
            .field("mismatches", &self.mismatches)
            .field("response_status", &self.response_status)
            .finish_non_exhaustive()
    }
}
