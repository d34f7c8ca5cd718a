//! What each vendor is asked, and what its answers mean: one file per vendor.
//!
//! A vendor plans its calls from a subject, writes each as an HTTP request, and judges the answer.
//! It makes no call itself and sees neither clock nor secret store.

mod answer;
mod auth;
mod insider;
mod instacart;
mod pace;

use std::fmt;

pub use answer::{Answer, Failure, RETRY_AFTER_CAP, Verdict};
pub use auth::{Auth, Client, ClientCredentials, ClientNames, Grant, Minted};
use http::Method;
pub use pace::Pace;
use secrecy::SecretString;

use crate::erasure::{Identifier, Kind, Subject};
use crate::settings::Settings;

/// Builds a vendor from its table in the configuration; `None` where that noted a problem.
pub type Configure = fn(&mut Settings<'_>) -> Option<Box<dyn Vendor>>;

/// Every vendor by the name of its `api` in the configuration.
pub const APIS: &[(&str, Configure)] =
    &[("insider", insider::configure), ("instacart-connect", instacart::configure)];

/// One vendor account's way of being asked to delete.
pub trait Vendor {
    /// How the account proves itself.
    fn auth(&self) -> &Auth;

    /// The headers of every call, the token among them.
    fn headers(&self, token: &SecretString) -> Vec<(&'static str, SecretString)>;

    /// The calls that erase `subject`, one for each identifier, in the order to make them. An
    /// identifier that this vendor takes but cannot use is a step of its own, so that the receipt
    /// shows it.
    fn plan(&self, subject: &Subject) -> Vec<Step>;

    /// The calls that this account can make, by name, and how fast the vendor lets each be made.
    /// The one that a plan starts with comes first: the `pace` of the configuration is its.
    fn calls(&self) -> &'static [(&'static str, Pace)];

    /// The HTTP request of one call.
    fn request(&self, call: &Call) -> Request;

    /// What the vendor's answer to `call` means. The only place that decides it for this vendor.
    fn judge(&self, call: &Call, answer: &Answer) -> Verdict;

    /// A further call that takes the place of `call` now that it came to `verdict`. It must not go
    /// in circles: each call may follow once.
    fn follow_up(&self, call: &Call, verdict: &Verdict) -> Option<Call> {
        let _ = (call, verdict);
        None
    }
}

/// One step of a plan.
#[derive(Debug, Clone)]
pub enum Step {
    /// A call to make.
    Call(Call),
    /// An identifier that cannot be sent, and why.
    Unusable {
        /// What the identifier is; `None` where the subject has none that the vendor takes.
        kind: Option<Kind>,
        /// The reason, in fixed words.
        detail: &'static str,
    },
}

/// One call for one identifier.
#[derive(Debug, Clone)]
pub struct Call {
    /// The vendor's name for the call, such as `privacy_request`.
    pub name: &'static str,
    /// Whom it is about.
    pub identifier: Identifier,
    /// Further names of the same person, for a call that may take this one's place.
    pub alternatives: Vec<Identifier>,
}

impl Call {
    /// Adds further names of the same person, each once.
    pub fn add_names(&mut self, names: impl Iterator<Item = Identifier>) {
        for name in names {
            let mut known = std::iter::once(&self.identifier).chain(&self.alternatives);
            if !known.any(|one| one.kind() == name.kind() && one.expose() == name.expose()) {
                self.alternatives.push(name);
            }
        }
    }
}

/// An HTTP request to a vendor, without its headers. URL and body hold personal data, so `Debug`
/// shows neither.
pub struct Request {
    /// The HTTP method.
    pub method: Method,
    /// The absolute URL.
    pub url: String,
    /// The body, where the call has one.
    pub body: Option<String>,
}

impl fmt::Debug for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Request({}, …)", self.method)
    }
}

/// Where a vendor is reached: `https`, or plain `http` on loopback, without a trailing slash.
#[derive(Debug, Clone)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// What a URL that secrets are sent to must be, as a problem tells it.
    pub const EXPECTED: &'static str =
        "must be an https URL (http on loopback only) without user, query or fragment";

    /// Reads `base_url`, or takes `default`.
    pub fn configure(settings: &mut Settings<'_>, default: &str) -> Option<Self> {
        let text = settings.text("base_url").unwrap_or(default);
        let parsed = Self::parse(text);
        if parsed.is_none() {
            settings.problem("base_url", Self::EXPECTED);
        }
        parsed
    }

    /// The URL of `path`, which starts with `/` and needs no more encoding.
    pub fn at(&self, path: impl fmt::Display) -> String {
        format!("{}{path}", self.0)
    }

    /// Takes `text` if it is one.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port),
            _ => (authority, "0"),
        };
        let safe = scheme.eq_ignore_ascii_case("https")
            || scheme.eq_ignore_ascii_case("http")
                && matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        let of = |text: &str, further: &[u8]| {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || further.contains(&byte);
            !text.is_empty() && text.bytes().all(fits)
        };
        let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let host = address.map_or_else(|| of(host, b"-._"), |address| of(address, b":."));
        let port = of(port, b"") && port.parse::<u16>().is_ok();
        let path = path.is_empty() || of(path, b"/-._~%!$&'()*+,;=:");
        (safe && host && port && path).then(|| Self(text.trim_end_matches('/').to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use proptest::prelude::*;

    use super::*;
    use crate::json::Json;
    use crate::settings::Misconfiguration;

    fn configure(configure: Configure, settings: &str) -> (Option<Box<dyn Vendor>>, Vec<String>) {
        let json = Json::parse(settings.as_bytes()).unwrap();
        let problems = RefCell::default();
        let mut settings = Settings::new("V".into(), &json, &problems).unwrap();
        let vendor = configure(&mut settings);
        settings.finish();
        (vendor, problems.take().iter().map(Misconfiguration::to_string).collect())
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
    fn a_base_url_is_https_or_on_loopback() {
        for good in [
            "https://connect.instacart.com",
            "https://h:8443/base/",
            "http://127.0.0.1:1/",
            "http://[::1]:1",
            "http://localhost",
        ] {
            assert!(BaseUrl::parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "connect.instacart.com",
            "http://connect.instacart.com",
            "http://127.0.0.1.example.com",
            "http://127.0.0.1@example.com",
            "https://user@h",
            "https://h/?q",
            "https://h/#f",
            "ftp://h",
            "/path",
            "https://",
            "https:///path",
            "https://h:",
            "https://h:x/",
            "https://h:65536/",
            "https://[::1",
            "https://[]",
            "https://a:b:1/",
            "https://h/a b",
            "https://h\\@i/",
            " https://h",
        ] {
            assert!(BaseUrl::parse(bad).is_none(), "{bad}");
        }
        assert_eq!(BaseUrl::parse("https://h/base/").unwrap().0, "https://h/base");
    }

    proptest! {
        #[test]
        fn a_base_url_is_a_url_to_others_too(
            text in "(https?|HTTP)://(h|a\\.example|localhost|127\\.0\\.0\\.1|\\[::1\\]|[a-z@:%\\[\\].#?\\\\-]{0,6})(:[0-9]{1,5})?[/a-z0-9._~@?# %-]{0,8}",
        ) {
            if BaseUrl::parse(&text).is_some() {
                let url: http::Uri = text.parse().unwrap();
                let loopback = ["localhost", "127.0.0.1", "[::1]"].contains(&url.host().unwrap());
                prop_assert!(url.scheme_str() == Some("https") || loopback, "{text}");
                prop_assert!(url.query().is_none() && !text.contains(['@', '#']), "{text}");
            }
        }
    }
}
