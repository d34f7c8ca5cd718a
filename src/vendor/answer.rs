//! A vendor's answer, and its verdict.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use thiserror::Error;

use crate::json::Json;
use crate::receipt::Outcome;

/// The longest pause that a vendor's `Retry-After` can ask for.
pub const RETRY_AFTER_CAP: Duration = Duration::from_secs(3600);

/// The detail of a verdict on a user whom the vendor does not know. The person may be known to it by
/// another identifier.
pub const NO_SUCH_USER: &str = "the vendor knows no such user";

/// What a vendor answered.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, up to the number of bytes that the transport reads.
    pub body: Vec<u8>,
    /// The body was longer than the transport reads.
    pub truncated: bool,
    /// The pause that the vendor asks for, if any.
    pub retry_after: Option<Duration>,
    /// The vendor's id of this answer, if any.
    pub trace: Option<String>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Failure {
    /// No answer within the configured time.
    #[error("no answer in time")]
    Timeout,
    /// The connection failed, or closed before the answer was complete.
    #[error("connection failed")]
    Network,
}

/// What a verdict is about. One about the account would be the same for every other call; one about a
/// call says nothing about the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The one call, and the identifier in it.
    Call,
    /// Either: there was no answer, one from a proxy in front of the vendor, or one that the vendor
    /// documents for both.
    Unclear,
    /// The credentials, the configuration or the rate of the account.
    Account,
}

/// What an answer, or its absence, means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What is known now.
    pub outcome: Outcome,
    /// What it is about.
    pub scope: Scope,
    /// The reason, a fixed text.
    pub detail: Option<Cow<'static, str>>,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// The pause that the vendor asks for.
    pub retry_after: Option<Duration>,
    /// The vendor's id of its answer.
    pub trace: Option<String>,
}

impl Answer {
    /// The verdict that this answer means `outcome`. Its scope is the one that is usual for the
    /// outcome and the status; a vendor's table that says otherwise sets it ([`Verdict::about`]).
    pub fn means(&self, outcome: Outcome, detail: impl Into<Option<&'static str>>) -> Verdict {
        let scope = match (outcome, self.status) {
            (Outcome::Blocked, _) | (Outcome::Scheduled, 429) => Scope::Account,
            (Outcome::Scheduled, _) if self.retry_after.is_some() => Scope::Account,
            (Outcome::Scheduled, 408 | 502..=504 | 520..=529) => Scope::Unclear,
            _ => Scope::Call,
        };
        Verdict {
            outcome,
            scope,
            detail: detail.into().map(Cow::Borrowed),
            status: Some(self.status),
            retry_after: self.retry_after,
            trace: self.trace.clone(),
        }
    }

    /// The body, where it is complete and JSON. A member that cannot be read, or is named twice, does
    /// not keep others from being read.
    pub fn json(&self) -> Option<Json<'_>> {
        if self.truncated { None } else { Json::parse_leniently(&self.body).ok() }
    }

    /// Whether there is no body.
    pub fn is_empty(&self) -> bool {
        self.text().is_empty() && !self.truncated
    }

    /// Whether the body is HTML: then it comes from the vendor's network, not from its API.
    pub fn is_html(&self) -> bool {
        self.text().trim_ascii_start().starts_with(b"<")
    }

    /// The body without a byte order mark.
    fn text(&self) -> &[u8] {
        self.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.body)
    }

    /// The verdict that is the same for every vendor: redirects are never followed, and 408, 429 and
    /// 5xx are retried. `None` for a status that each vendor judges itself.
    pub fn means_everywhere(&self) -> Option<Verdict> {
        match self.status {
            300..=399 => Some(self.means(Outcome::Blocked, "redirect refused")),
            408 => Some(self.means(Outcome::Scheduled, "the vendor timed out")),
            429 => Some(self.means(Outcome::Scheduled, "rate limited")),
            500..=599 => Some(self.means(Outcome::Scheduled, "the vendor failed")),
            _ => None,
        }
    }

    /// Reads `Retry-After` (RFC 9110, 10.2.3): seconds or a date, at most an hour ahead. `now` is
    /// in milliseconds since the Unix epoch.
    pub fn parse_retry_after(value: &str, now: i64) -> Option<Duration> {
        let value = value.trim();
        let pause = if value.bytes().all(|byte| byte.is_ascii_digit()) {
            Duration::from_secs(value.parse().ok()?)
        } else {
            let now = Duration::from_millis(u64::try_from(now).ok()?);
            let date: SystemTime = httpdate::parse_http_date(value).ok()?;
            date.duration_since(UNIX_EPOCH).ok()?.saturating_sub(now)
        };
        Some(pause.min(RETRY_AFTER_CAP))
    }
}

impl From<Failure> for Verdict {
    /// A call without an answer is retried.
    fn from(failure: Failure) -> Self {
        let detail = match failure {
            Failure::Timeout => "no answer in time",
            Failure::Network => "connection failed",
        };
        Self::without_answer(Outcome::Scheduled, detail)
    }
}

impl Verdict {
    /// The verdict on a call that had no answer: what blocks it is the account's, and silence may be
    /// either's.
    pub fn without_answer(outcome: Outcome, detail: &'static str) -> Self {
        let scope = if outcome == Outcome::Blocked { Scope::Account } else { Scope::Unclear };
        let detail = Some(detail.into());
        Self { outcome, scope, detail, status: None, retry_after: None, trace: None }
    }

    /// Whether the vendor knows no such user.
    pub fn is_no_such_user(&self) -> bool {
        self.detail.as_deref() == Some(NO_SUCH_USER)
    }

    /// The same verdict about something else.
    #[must_use]
    pub fn about(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_and_capped() {
        let parse = |value| Answer::parse_retry_after(value, 784_111_777_000).map(|d| d.as_secs());
        assert_eq!(parse("120"), Some(120));
        assert_eq!(parse(" 0 "), Some(0));
        assert_eq!(parse("86400"), Some(3600));
        assert_eq!(parse("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60));
        assert_eq!(parse("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
        assert_eq!(parse("Sat, 06 Nov 2094 08:00:00 GMT"), Some(3600));
        for value in ["", "-1", "soon", "1.5", "99999999999999999999999"] {
            assert_eq!(parse(value), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn no_retry_after_panics(value: String, now: i64) {
            let _ = Answer::parse_retry_after(&value, now);
        }
    }
}
