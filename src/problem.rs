//! Every answer that is not a success: RFC 9457 `application/problem+json`.
//!
//! `type` is a stable slug for programs, `title` and `detail` are for people. Every failed
//! authentication has the same answer, whatever the reason.

use serde::{Serialize, Serializer};

use crate::receipt::Receipt;
use crate::settings::Misconfiguration;

/// What went wrong, as far as the caller may know.
#[derive(Debug)]
pub enum Problem {
    /// 400: authentic, but it cannot be read; the detail says why.
    Malformed(String),
    /// 401: not authentic, whatever the reason.
    NotAuthentic,
    /// 404: no such route.
    NotFound,
    /// 404: receipts have no signature that a public key verifies; the detail says why.
    NoReceiptKeys(&'static str),
    /// 404: no source of this name.
    UnknownSource,
    /// 404: no erasure of this source and id.
    UnknownErasure,
    /// 404: no vendor account of this name.
    UnknownVendor,
    /// 401: not the operator.
    NotOperator,
    /// 403: the token allows to read alone.
    ReadOnly,
    /// 405: the route exists; this is the method it takes.
    MethodNotAllowed(&'static str),
    /// 409: the platform knows the end of this erasure already, or nothing is known of it.
    CannotClose,
    /// 413: the body is longer than this many bytes.
    TooLarge(u32),
    /// 422: the period holds so many deliveries, more than one request can read.
    PeriodTooLong(u32),
    /// 422: authentic, but no vendor can use any of the identifiers.
    InsufficientIdentification(Vec<Receipt>),
    /// 500: a fault of the relay.
    Internal,
    /// 503: the key that the sender signs with cannot be fetched; it may be after this many seconds.
    CannotVerify(u64),
    /// 503: a vendor must be tried again, so the platform must send the webhook again after this
    /// many seconds.
    TryAgain(Vec<Receipt>, u64),
    /// 503: nothing could be stored, so the platform must send the webhook again.
    NotStored,
    /// 503: a lane does not answer.
    LaneUnreachable,
    /// 503: the action could not be written to the audit trail, so nothing was done.
    NotAudited,
    /// 503: the configuration is not complete.
    NotConfigured(Disclosure),
}

/// How much of what is wrong with the configuration the caller may know.
#[derive(Debug)]
pub enum Disclosure {
    /// That there is something.
    Nothing,
    /// How much there is: anybody may ask for the health.
    Count(usize),
    /// Everything: the caller is the operator.
    All(Vec<Misconfiguration>),
}

impl Problem {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Problem::Malformed(_) => 400,
            Problem::NotAuthentic | Problem::NotOperator => 401,
            Problem::ReadOnly => 403,
            Problem::NotFound
            | Problem::NoReceiptKeys(_)
            | Problem::UnknownSource
            | Problem::UnknownErasure
            | Problem::UnknownVendor => 404,
            Problem::MethodNotAllowed(_) => 405,
            Problem::CannotClose => 409,
            Problem::TooLarge(_) => 413,
            Problem::PeriodTooLong(_) | Problem::InsufficientIdentification(_) => 422,
            Problem::Internal => 500,
            Problem::CannotVerify(_)
            | Problem::TryAgain(..)
            | Problem::NotStored
            | Problem::LaneUnreachable
            | Problem::NotAudited
            | Problem::NotConfigured(_) => 503,
        }
    }

    /// A header that belongs to the status.
    pub fn header(&self) -> Option<(&'static str, String)> {
        match self {
            Problem::MethodNotAllowed(allowed) => Some(("Allow", (*allowed).to_owned())),
            Problem::TryAgain(_, seconds) => Some(("Retry-After", seconds.to_string())),
            Problem::NotOperator => Some(("WWW-Authenticate", "Bearer".to_owned())),
            Problem::NotStored | Problem::LaneUnreachable | Problem::NotAudited => {
                Some(("Retry-After", "30".to_owned()))
            }
            Problem::CannotVerify(seconds) => Some(("Retry-After", seconds.to_string())),
            Problem::NotConfigured(_) => Some(("Retry-After", "300".to_owned())),
            _ => None,
        }
    }

    /// The stable name of this kind of problem, its `type`.
    pub fn slug(&self) -> &'static str {
        match self {
            Problem::Malformed(_) => "malformed",
            Problem::NotAuthentic => "not-authentic",
            Problem::NotFound | Problem::NoReceiptKeys(_) => "not-found",
            Problem::UnknownSource => "unknown-source",
            Problem::UnknownErasure => "unknown-erasure",
            Problem::UnknownVendor => "unknown-vendor",
            Problem::NotOperator => "not-operator",
            Problem::ReadOnly => "read-only",
            Problem::NotStored => "not-stored",
            Problem::LaneUnreachable => "lane-unreachable",
            Problem::NotAudited => "not-audited",
            Problem::MethodNotAllowed(_) => "method-not-allowed",
            Problem::CannotClose => "cannot-close",
            Problem::TooLarge(_) => "too-large",
            Problem::PeriodTooLong(_) => "period-too-long",
            Problem::InsufficientIdentification(_) => "insufficient-identification",
            Problem::Internal => "internal",
            Problem::CannotVerify(_) => "cannot-verify",
            Problem::TryAgain(..) => "try-again",
            Problem::NotConfigured(_) => "not-configured",
        }
    }

    /// What kind of problem this is, for people.
    pub fn title(&self) -> &'static str {
        match self {
            Problem::Malformed(_) => "The request is malformed",
            Problem::NotAuthentic => "The request is not authentic",
            Problem::NotFound | Problem::NoReceiptKeys(_) => "There is no such resource",
            Problem::UnknownSource => "There is no such source",
            Problem::UnknownErasure => "There is no such erasure",
            Problem::UnknownVendor => "There is no such vendor",
            Problem::NotOperator => "This needs the operator's token",
            Problem::ReadOnly => "This token may read, and change nothing",
            Problem::NotStored => "Nothing was stored: send this webhook again",
            Problem::LaneUnreachable => "A lane does not answer",
            Problem::NotAudited => "The audit trail cannot be written, so nothing was done",
            Problem::MethodNotAllowed(_) => "The method is not allowed here",
            Problem::CannotClose => {
                "The platform is not told, or knows the end of this request already"
            }
            Problem::TooLarge(_) => "The body is too large",
            Problem::PeriodTooLong(_) => "The period is too long for one request",
            Problem::InsufficientIdentification(_) => {
                "The request names no identifier that a vendor can use"
            }
            Problem::Internal => "The relay failed",
            Problem::CannotVerify(_) => "The request cannot be verified now: send it again",
            Problem::TryAgain(..) => "A vendor must be tried again: send this webhook again",
            Problem::NotConfigured(_) => "The configuration is not complete",
        }
    }

    /// What is known beside the title, for people.
    pub fn detail(&self) -> Option<String> {
        match self {
            Problem::NotFound => Some(
                "a webhook's path is /webhooks/{source}: one slash before each part, none at the end"
                    .to_owned(),
            ),
            Problem::NoReceiptKeys(detail) => Some((*detail).to_owned()),
            Problem::Malformed(detail) => Some(detail.clone()),
            Problem::TooLarge(limit) => Some(format!("at most {limit} bytes")),
            Problem::PeriodTooLong(deliveries) => Some(format!(
                "it holds {deliveries} deliveries: choose from and to closer together"
            )),
            Problem::NotConfigured(Disclosure::Count(count)) => Some(format!(
                "problems: {count}. GET /healthz lists them with Authorization: Bearer <ADMIN_TOKEN>; \
                 so does the Worker's log"
            )),
            _ => None,
        }
    }
}

/// The members of a problem. Those of a receipt, or the list of several, are among them, so that a
/// program finds them in the same place whether the erasures succeeded or not.
#[derive(Serialize)]
struct Members<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(flatten)]
    receipt: Option<&'a Receipt>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    erasures: &'a [Receipt],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    problems: &'a [Misconfiguration],
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let erasures: &[Receipt] = match self {
            Problem::InsufficientIdentification(receipts) | Problem::TryAgain(receipts, _) => {
                receipts
            }
            _ => &[],
        };
        let (receipt, erasures) = match erasures {
            [one] => (Some(one), &[][..]),
            several => (None, several),
        };
        let problems: &[Misconfiguration] = match self {
            Problem::NotConfigured(Disclosure::All(problems)) => problems,
            _ => &[],
        };
        let (r#type, title, status) = (self.slug(), self.title(), self.status());
        let detail = self.detail();
        Members { r#type, title, status, detail, receipt, erasures, problems }.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::Timestamp;

    #[test]
    fn a_problem_is_the_standards_json() {
        let json = serde_json::to_string(&Problem::TooLarge(10)).unwrap();
        assert_eq!(
            json,
            concat!(
                r#"{"type":"too-large","title":"The body is too large","status":413,"#,
                r#""detail":"at most 10 bytes"}"#
            )
        );
    }

    #[test]
    fn a_receipt_stands_beside_the_problem() {
        let receipt = Receipt::new("r", "s", Timestamp(0), vec![]);
        let several = Problem::TryAgain(vec![receipt.clone(), receipt.clone()], 60);
        let json = serde_json::to_value(&several).unwrap();
        assert_eq!((json["erasures"].as_array().map(Vec::len), json.get("state")), (Some(2), None));
        let problem = Problem::TryAgain(vec![receipt], 60);
        assert_eq!(problem.header(), Some(("Retry-After", "60".to_owned())));
        let json: serde_json::Value = serde_json::to_value(&problem).unwrap();
        assert_eq!((&json["status"], &json["request_id"]), (&503.into(), &"r".into()));
        assert!(json["deliveries"].is_array());
        assert_eq!(
            serde_json::to_string(&problem).unwrap(),
            concat!(
                r#"{"type":"try-again","title":"A vendor must be tried again: send this webhook again","#,
                r#""status":503,"request_id":"r","source":"s","state":"done","#,
                r#""received_at":"1970-01-01T00:00:00Z","deliveries":[]}"#
            )
        );
    }

    #[test]
    fn missing_receipt_keys_are_no_path_of_a_webhook() {
        let json = serde_json::to_value(Problem::NoReceiptKeys("RECEIPT_SIGNING_KEY is not set"));
        let json = json.unwrap();
        assert_eq!((&json["type"], &json["status"]), (&"not-found".into(), &404.into()));
        assert_eq!(json["detail"], "RECEIPT_SIGNING_KEY is not set");
    }

    #[test]
    fn a_configuration_s_problems_are_listed() {
        let problems = vec![Misconfiguration::new("VENDORS", "must be a table")];
        let told = |told| serde_json::to_string(&Problem::NotConfigured(told)).unwrap();
        let start =
            r#"{"type":"not-configured","title":"The configuration is not complete","status":503"#;
        let list = r#","problems":["VENDORS: must be a table"]}"#;
        assert_eq!(told(Disclosure::All(problems)), format!("{start}{list}"));
        assert_eq!(told(Disclosure::Nothing), format!("{start}}}"));
        let counted = told(Disclosure::Count(2));
        assert!(counted.contains(r#""detail":"problems: 2. "#) && !counted.contains("VENDORS"));
    }
}
