//! The rules that the vendors' pages share, and the result of their application to a request.
//!
//! The text of a mismatch names the header, the member or the part of the path. It never quotes a
//! value, which may be a secret or a person's identifier.

use serde_json::json;

use crate::answer::Answer;
use crate::json::parse;
use crate::request::RecordedRequest;

/// The status for a request that does not match the documentation. No vendor documents it.
const MISMATCH_STATUS: u16 = 418;

/// Headers that no vendor documents and that an HTTP client, Cloudflare's network or its local
/// runtime adds.
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

/// Prefixes of such headers.
const CLIENT_HEADER_PREFIXES: &[&str] = &["cf-", "x-forwarded-"];

/// The result of an [`Inspection`].
pub(crate) struct Findings {
    /// Whom the request is about.
    pub(crate) identifier: Option<String>,
    pub(crate) mismatches: Vec<String>,
    /// The answer to a request that does not match or is not authorised; without one, the script
    /// answers.
    pub(crate) refusal: Option<Answer>,
}

/// Whether a token, or a client with its secret, is valid.
pub enum CredentialStatus {
    Valid,
    /// Valid once; since expired, revoked or disabled. The vendor refuses it, but it is no mismatch.
    NoLongerValid,
    /// Never valid.
    Unknown,
}

impl CredentialStatus {
    pub(crate) fn known(known: bool) -> Self {
        if known { Self::Valid } else { Self::Unknown }
    }
}

/// The comparison of a request with a vendor's page, rule by rule. The headers that have a rule are
/// the documented ones: any other, but for those that a client adds, is a mismatch.
pub struct Inspection<'a> {
    pub(crate) request: &'a RecordedRequest,
    mismatches: Vec<String>,
    documented_headers: Vec<&'static str>,
    unauthorized: bool,
    /// The mismatch that unknown credentials are.
    unknown_credentials: Option<&'static str>,
    /// The answer that the page documents for this mismatch.
    documented_refusal: Option<Answer>,
}

impl<'a> Inspection<'a> {
    /// Starts with what was already wrong with the request as HTTP.
    pub(crate) fn of(request: &'a RecordedRequest) -> Self {
        Self {
            request,
            mismatches: request.mismatches.clone(),
            documented_headers: Vec::new(),
            unauthorized: false,
            unknown_credentials: None,
            documented_refusal: None,
        }
    }

    /// Records a mismatch.
    pub(crate) fn mismatch(&mut self, what: impl Into<String>) {
        self.mismatches.push(what.into());
    }

    /// The method is this one.
    pub(crate) fn method(&mut self, documented: &str) {
        if self.request.method != documented {
            self.mismatch(format!("the method is not {documented}"));
        }
    }

    /// The path, with nothing after it: no page documents a query.
    pub(crate) fn path(&mut self) -> &'a str {
        let path = self.request.path();
        if path != self.request.target {
            self.mismatch("the path is followed by a query");
        }
        path
    }

    /// The path is this one, with nothing after it.
    pub(crate) fn path_is(&mut self, documented: &str) {
        if self.path() != documented {
            self.mismatch(format!("the path is not {documented}"));
        }
    }

    /// The header is present once; returns its value.
    fn once(&mut self, name: &'static str) -> Option<&'a str> {
        self.documented_headers.push(name);
        let mut values = self.request.header(name);
        match (values.next(), values.next()) {
            (Some(value), None) => return Some(value),
            (None, _) => self.mismatch(format!("header {name}: missing")),
            (Some(_), Some(_)) => self.mismatch(format!("header {name}: more than once")),
        }
        None
    }

    /// The header is present once, with exactly this value.
    pub(crate) fn header(&mut self, name: &'static str, documented: &str) {
        if self.once(name).is_some_and(|value| value != documented) {
            self.mismatch(format!("header {name}: not the value it must have"));
        }
    }

    /// The header may be present, with one of these values.
    pub(crate) fn optional_header(&mut self, name: &'static str, values: &[&str]) {
        self.documented_headers.push(name);
        if self.request.header(name).any(|value| !values.contains(&value)) {
            self.mismatch(format!("header {name}: not a value it may have"));
        }
    }

    /// The header is present once and holds a token after `scheme`, valid or not.
    pub(crate) fn token(
        &mut self,
        name: &'static str,
        scheme: &str,
        status: impl FnOnce(&str) -> CredentialStatus,
    ) {
        let Some(value) = self.once(name) else { return };
        match value.strip_prefix(scheme) {
            Some(token) if !token.is_empty() && !token.contains(char::is_whitespace) => {
                self.credentials(status(token), "the token is not this account's");
            }
            _ => self.mismatch(format!("header {name}: not of the documented form")),
        }
    }

    /// The credentials are valid, or were; otherwise they are the mismatch `unknown`.
    pub(crate) fn credentials(&mut self, status: CredentialStatus, unknown: &'static str) {
        match status {
            CredentialStatus::Valid => {}
            CredentialStatus::NoLongerValid => self.unauthorized = true,
            CredentialStatus::Unknown => {
                self.unauthorized = true;
                self.unknown_credentials = Some(unknown);
            }
        }
    }

    /// The body is a JSON object of this one member, a string that is not empty; returns it.
    pub(crate) fn only_text(&mut self, member: &str) -> Option<String> {
        let body = parse(&self.request.body);
        let value = match body.as_ref().map(|body| body.only_member()) {
            None => Err("body: not JSON".to_owned()),
            Some(Some((name, value))) if name == member => match value.as_text() {
                None => Err(format!("{member}: not a string")),
                Some("") => Err(format!("{member}: empty")),
                Some(text) => Ok(text.to_owned()),
            },
            Some(_) => Err(format!("body: not an object of `{member}` alone")),
        };
        value.map_err(|mismatch| self.mismatch(mismatch)).ok()
    }

    /// The page documents this answer for a mismatch of this request.
    pub(crate) fn refuse_with(&mut self, answer: Answer) {
        self.documented_refusal = Some(answer);
    }

    /// No other headers than the documented ones and those that a client adds.
    fn other_headers(&mut self) {
        for (name, _) in &self.request.headers {
            let known = self.documented_headers.contains(&name.as_str())
                || CLIENT_HEADERS.contains(&name.as_str())
                || CLIENT_HEADER_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
            if !known {
                self.mismatch(format!("header {name}: not documented"));
            }
        }
    }

    /// Ends the inspection. A request whose only fault is its credentials gets the vendor's own
    /// answer to that, `unauthorized`; any other fault gets an answer that no vendor gives, unless the
    /// page documents one.
    pub(crate) fn finish(mut self, identifier: Option<String>, unauthorized: Answer) -> Findings {
        self.other_headers();
        let refusal = match (self.mismatches.is_empty(), self.unauthorized) {
            (true, false) => None,
            (true, true) => Some(unauthorized),
            (false, _) => {
                Some(Answer::json(MISMATCH_STATUS, json!({ "mismatches": self.mismatches })))
            }
        };
        if let Some(mismatch) = self.unknown_credentials {
            self.mismatch(mismatch);
        }
        let refusal = self.documented_refusal.or(refusal);
        Findings { identifier, mismatches: self.mismatches, refusal }
    }
}
