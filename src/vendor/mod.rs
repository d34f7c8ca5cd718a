//! The calls of each vendor, and what its answers mean: one file per vendor.
//!
//! A vendor plans its calls from a subject, writes each as an HTTP request, and judges the answer.
//! It makes no call itself and sees neither clock nor secret store.

#[cfg(any(test, feature = "example-vendor"))]
mod acme;
mod answer;
mod auth;
mod contradiction;
mod insider;
mod instacart;
mod pace;
mod trace;

use std::fmt;

pub use answer::{Answer, Failure, NO_SUCH_USER, RETRY_AFTER_CAP, Scope, Verdict};
pub use auth::{Auth, Client, ClientCredentials, ClientNames, Grant, Minted};
pub use contradiction::contradicts;
use http::Method;
pub use pace::Pace;
use secrecy::SecretString;

use crate::erasure::{Identifier, Subject};
use crate::receipt::Timestamp;
use crate::secure_url::SecureUrl;
use crate::settings::Settings;

/// Builds a vendor from its table in the configuration; `None` where that reported a problem.
pub type Configure = fn(&mut Settings<'_>) -> Option<Box<dyn Vendor>>;

/// Every vendor by the name of its `api` in the configuration.
pub const APIS: &[(&str, Configure)] = &[
    #[cfg(feature = "example-vendor")]
    ("acme", acme::configure),
    ("insider", insider::configure),
    ("instacart-connect", instacart::configure),
];

/// One vendor account: its calls, and what its answers mean.
pub trait Vendor {
    /// How the account authenticates.
    fn auth(&self) -> &Auth;

    /// The headers of every call, the token among them.
    fn headers(&self, token: &SecretString) -> Vec<(&'static str, SecretString)>;

    /// The calls that erase `subject`, one for each identifier, in the order to make them. An
    /// identifier that this vendor takes but cannot use is a step of its own, so that the receipt
    /// shows it.
    fn plan(&self, subject: &Subject) -> Vec<Step>;

    /// The calls that this account can make. The call that a plan starts with comes first: `pace` in
    /// the configuration applies to it.
    fn calls(&self) -> &'static [CallKind];

    /// Whether the vendor keeps a profile of the person after it accepted a call of this name, so that
    /// a person who asked for deletion is not deleted.
    fn leaves_profile(&self, call: &str) -> bool {
        let _ = call;
        false
    }

    /// The HTTP request of one call.
    fn request(&self, call: &Call) -> Request;

    /// Signs a request that leaves at `now`, where the account signs with its token.
    fn sign(&self, call: &Call, request: &mut Request, token: &SecretString, now: Timestamp) {
        let _ = (call, request, token, now);
    }

    /// The headers that bear the signature of a request's body, where the account signs with a
    /// [private key](Auth::PrivateKey), which the runtime does.
    fn signed_headers(&self, signature: &[u8]) -> Vec<(&'static str, String)> {
        let _ = signature;
        Vec::new()
    }

    /// What the vendor's answer to `call` means. The only place that decides it for this vendor.
    fn judge(&self, call: &Call, answer: &Answer) -> Verdict;

    /// A further call that replaces `call`, which had this verdict. There must be no cycle: each call
    /// follows once at most.
    fn follow_up(&self, call: &Call, verdict: &Verdict) -> Option<Call> {
        let _ = (call, verdict);
        None
    }
}

/// A call that an account can make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallKind {
    /// The vendor's name for the call.
    pub name: &'static str,
    /// How fast the vendor lets it be made.
    pub pace: Pace,
    /// One such call reaches all that the vendor has of a person, whichever identifier it names. The
    /// others of the person's identifiers are then tried only where the vendor knows no such user.
    pub reaches_person: bool,
}

/// One step of a plan.
#[derive(Debug, Clone)]
pub enum Step {
    /// A call to make.
    Call(Call),
    /// An identifier that cannot be sent, and why.
    Unusable {
        /// The identifier; `None` where the subject has none that the vendor takes.
        identifier: Option<Identifier>,
        /// The reason, a fixed text.
        detail: &'static str,
    },
}

/// One call for one identifier.
#[derive(Debug, Clone)]
pub struct Call {
    /// The vendor's name for the call, such as `privacy_request`.
    pub name: &'static str,
    /// The person's identifier.
    pub identifier: Identifier,
    /// Other identifiers of the same person, for a call that may replace this one.
    pub alternatives: Vec<Identifier>,
}

impl Call {
    /// Adds other identifiers of the same person, each once.
    pub fn add_names(&mut self, names: impl Iterator<Item = Identifier>) {
        for name in names {
            let mut known = std::iter::once(&self.identifier).chain(&self.alternatives);
            if !known.any(|one| one.kind() == name.kind() && one.expose() == name.expose()) {
                self.alternatives.push(name);
            }
        }
    }
}

/// An HTTP request to a vendor, without the account's headers. URL and body hold personal data, so `Debug`
/// shows neither.
pub struct Request {
    /// The HTTP method.
    pub method: Method,
    /// The absolute URL.
    pub url: String,
    /// Headers of this request alone, in the place of those of the account with the same names.
    pub headers: Vec<(String, SecretString)>,
    /// The body, where the call has one.
    pub body: Option<String>,
}

impl Request {
    /// A request with the account's headers alone.
    pub fn new(method: Method, url: String, body: Option<String>) -> Self {
        Self { method, url, headers: Vec::new(), body }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Request({}, …)", self.method)
    }
}

/// Where a vendor is reached: a [`SecureUrl`] without its trailing slashes.
#[derive(Debug, Clone)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// Reads `base_url`, or takes `default`.
    pub fn configure(settings: &mut Settings<'_>, default: &str) -> Option<Self> {
        let text = settings.text("base_url").unwrap_or(default);
        let parsed = Self::parse(text);
        if parsed.is_none() {
            settings.problem("base_url", SecureUrl::EXPECTED);
        }
        parsed
    }

    /// The URL of `path`, which starts with `/` and needs no more encoding.
    pub fn at(&self, path: impl fmt::Display) -> String {
        format!("{}{path}", self.0)
    }

    fn parse(text: &str) -> Option<Self> {
        let url = SecureUrl::parse(text)?;
        Some(Self(url.as_str().trim_end_matches('/').to_owned()))
    }
}

#[cfg(test)]
mod scope_tests;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::erasure::Kind;
    use crate::json::Json;
    use crate::settings::{Findings, Misconfiguration};

    fn configure(configure: Configure, settings: &str) -> (Option<Box<dyn Vendor>>, Vec<String>) {
        let json = Json::parse(settings.as_bytes()).unwrap();
        let findings = Findings::default();
        let mut settings = Settings::new("V".into(), &json, &findings).unwrap();
        let vendor = configure(&mut settings);
        settings.finish();
        (vendor, findings.into_problems().iter().map(Misconfiguration::to_string).collect())
    }

    /// A vendor from settings that must be right.
    pub(super) fn configured(by: Configure, settings: &str) -> Box<dyn Vendor> {
        configure(by, settings).0.unwrap()
    }

    /// What is wrong with `settings`.
    pub(super) fn problems(by: Configure, settings: &str) -> Vec<String> {
        configure(by, settings).1
    }

    pub(super) fn subject(identifiers: &[(Kind, &str)]) -> Subject {
        let mut subject = Subject::default();
        for (kind, value) in identifiers {
            subject.add(kind.clone(), value);
        }
        subject
    }

    /// A call of this name about somebody.
    pub(super) fn call(name: &'static str) -> Call {
        let subject = subject(&[(Kind::Email, "sample@useinsider.com")]);
        Call {
            name,
            identifier: subject.identifiers().next().unwrap().clone(),
            alternatives: Vec::new(),
        }
    }

    pub(super) fn answer(status: u16, body: &str) -> Answer {
        let body = body.as_bytes().to_vec();
        Answer { status, body, truncated: false, retry_after: None, trace: None }
    }

    #[test]
    fn a_base_url_is_secure_and_without_trailing_slashes() {
        let at = |text: &str| BaseUrl::parse(text).map(|base| base.at("/v1/x"));
        for (text, url) in [
            ("https://connect.instacart.com", Some("https://connect.instacart.com/v1/x")),
            ("https://h/base//", Some("https://h/base/v1/x")),
            ("http://[::1]:1/", Some("http://[::1]:1/v1/x")),
            ("http://h", None),
            ("https://h/?q", None),
        ] {
            assert_eq!(at(text).as_deref(), url, "{text}");
        }
    }
}
