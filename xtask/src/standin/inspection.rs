//! The rules that the vendors' pages share, and the verdict on a request.
//!
//! A rule's text names what departs: the header, the member, the part of the path. It never
//! quotes a value, which may be a secret or a person's identifier.

use serde_json::json;

use super::answer::Answer;
use super::journal::Recorded;

/// The media type of both vendors' pages.
pub(super) const JSON: &str = "application/json";

/// The status for a request that departs from the documentation. Neither vendor documents it.
const DEPARTURE_STATUS: u16 = 418;

/// Headers that no vendor documents and no relay sends: an HTTP client, Cloudflare's network or
/// its local runtime adds them.
const CLIENT_HEADERS: &[&str] = &[
    "accept-encoding",
    "cdn-loop",
    "connection",
    "content-length",
    "host",
    "transfer-encoding",
    "user-agent",
    "x-real-ip",
];

/// Beginnings of such headers.
const CLIENT_HEADER_PREFIXES: &[&str] = &["cf-", "x-forwarded-"];

/// What a vendor makes of a request.
pub(super) struct Verdict {
    /// Whom the request is about.
    pub(super) identifier: Option<String>,
    pub(super) departures: Vec<String>,
    /// The answer to a request that departs or is not authorised; without one, the script answers.
    pub(super) refusal: Option<Answer>,
}

/// What a vendor makes of a token, or of a client and its secret.
pub(super) enum Standing {
    Good,
    /// Once good, and no longer: the vendor refuses, but the request keeps to the documentation.
    Lapsed,
    /// Never good.
    Unknown,
}

impl Standing {
    pub(super) fn known(known: bool) -> Self {
        if known { Self::Good } else { Self::Unknown }
    }
}

/// A request held against a vendor's page, rule by rule.
pub(super) struct Inspection<'a> {
    pub(super) request: &'a Recorded,
    departures: Vec<String>,
    unauthorized: bool,
    /// The departure that wrong credentials are.
    wrong_credentials: Option<&'static str>,
}

impl<'a> Inspection<'a> {
    /// Begins with what was already wrong with the request as HTTP.
    pub(super) fn of(request: &'a Recorded) -> Self {
        let departures = request.departures.clone();
        Self { request, departures, unauthorized: false, wrong_credentials: None }
    }

    /// Notes a departure.
    pub(super) fn depart(&mut self, what: impl Into<String>) {
        self.departures.push(what.into());
    }

    /// The method is this one.
    pub(super) fn method(&mut self, documented: &str) {
        if self.request.method != documented {
            self.depart(format!("the method is not {documented}"));
        }
    }

    /// The path, and nothing after it: no page knows a query.
    pub(super) fn path(&mut self) -> &'a str {
        let path = self.request.path();
        if path != self.request.target {
            self.depart("the path is followed by a query");
        }
        path
    }

    /// The header is there once; this is its value.
    fn once(&mut self, name: &'static str) -> Option<&'a str> {
        let mut values = self.request.header(name);
        match (values.next(), values.next()) {
            (Some(value), None) => return Some(value),
            (None, _) => self.depart(format!("header {name}: missing")),
            (Some(_), Some(_)) => self.depart(format!("header {name}: more than once")),
        }
        None
    }

    /// The header is there once, with exactly this value.
    pub(super) fn header(&mut self, name: &'static str, documented: &str) {
        if self.once(name).is_some_and(|value| value != documented) {
            self.depart(format!("header {name}: not the value it must have"));
        }
    }

    /// The header may be there, with one of these values.
    pub(super) fn optional_header(&mut self, name: &'static str, values: &[&str]) {
        if self.request.header(name).any(|value| !values.contains(&value)) {
            self.depart(format!("header {name}: not a value it may have"));
        }
    }

    /// The header is there once and holds a token behind `scheme`; it may be the wrong token.
    pub(super) fn token(
        &mut self,
        name: &'static str,
        scheme: &str,
        standing: impl FnOnce(&str) -> Standing,
    ) {
        let Some(value) = self.once(name) else { return };
        match value.strip_prefix(scheme) {
            Some(token) if !token.is_empty() && !token.contains(char::is_whitespace) => {
                self.credentials(standing(token), "the token is not this account's");
            }
            _ => self.depart(format!("header {name}: not of the documented form")),
        }
    }

    /// The credentials are good, or no longer; else they are the departure `wrong`.
    pub(super) fn credentials(&mut self, standing: Standing, wrong: &'static str) {
        match standing {
            Standing::Good => {}
            Standing::Lapsed => self.unauthorized = true,
            Standing::Unknown => {
                self.unauthorized = true;
                self.wrong_credentials = Some(wrong);
            }
        }
    }

    /// No other headers than the documented ones and those that a client adds.
    pub(super) fn no_headers_besides(&mut self, documented: &[&str]) {
        for (name, _) in &self.request.headers {
            let known = documented.contains(&name.as_str())
                || CLIENT_HEADERS.contains(&name.as_str())
                || CLIENT_HEADER_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
            if !known {
                self.depart(format!("header {name}: not documented"));
            }
        }
    }

    /// Ends the inspection. A request whose only fault is its credentials gets the vendor's own
    /// answer to that; any other fault gets an answer that no vendor gives.
    pub(super) fn verdict(mut self, identifier: Option<String>, unauthorized: Answer) -> Verdict {
        let refusal = match (self.departures.is_empty(), self.unauthorized) {
            (true, false) => None,
            (true, true) => Some(unauthorized),
            (false, _) => {
                Some(Answer::json(DEPARTURE_STATUS, json!({ "departures": self.departures })))
            }
        };
        if let Some(departure) = self.wrong_credentials {
            self.depart(departure);
        }
        Verdict { identifier, departures: self.departures, refusal }
    }
}
