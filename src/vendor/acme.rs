//! Acme, the example of docs/adding-a-vendor.md: `POST {base}/v1/erasures`, one address a call.
//!
//! Source: Acme, "Erase a contact". What the answers mean and what they are about, first matching
//! row:
//!
//! | answer | outcome | about |
//! |---|---|---|
//! | 202 with `{"status": "queued"}`, and nothing that contradicts it | `accepted` | the call |
//! | any other 2xx | `uncertain` | the call |
//! | 404 with `{"error": "unknown_contact"}` | `already_absent` | the call |
//! | 3xx, 401, any other 404 | `blocked` | the account |
//! | 403 | `blocked` | unclear |
//! | 429, or any `Retry-After` | `scheduled` | the account |
//! | 408, 502 to 504, 520 to 529 | `scheduled` | unclear |
//! | other 5xx | `scheduled` | the call |
//! | anything else | `rejected` | the call |

use http::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::{
    Answer, Auth, BaseUrl, Call, CallKind, NO_SUCH_USER, Pace, Request, Scope, Step, Vendor,
    Verdict, contradicts,
};
use crate::erasure::{Identifier, Kind, Subject};
use crate::json::{self, Json};
use crate::receipt::Outcome;
use crate::settings::Settings;

const PRODUCTION: &str = "https://api.acme.example";

/// The vendor documents no rate limit. This is a cautious choice.
const CALLS: &[CallKind] = &[CallKind {
    name: "erasure",
    pace: Pace { calls: 60, per_seconds: 60 },
    reaches_person: false, // a contact may have several addresses
}];

struct Acme {
    base_url: BaseUrl,
    auth: Auth,
}

/// Reads `[vars.VENDORS.<name>]`. Each problem is reported by its path; unknown settings are rejected.
pub(super) fn configure(settings: &mut Settings<'_>) -> Option<Box<dyn Vendor>> {
    let base_url = BaseUrl::configure(settings, PRODUCTION);
    let auth = Auth::token(settings);
    Some(Box::new(Acme { base_url: base_url?, auth: auth? }))
}

impl Vendor for Acme {
    fn auth(&self) -> &Auth {
        &self.auth
    }

    fn headers(&self, token: &SecretString) -> Vec<(&'static str, SecretString)> {
        let bearer = format!("Bearer {}", token.expose_secret());
        vec![("Authorization", bearer.into()), ("Content-Type", "application/json".into())]
    }

    /// One call for each email address. A subject without one is a step too, so that the receipt shows
    /// that nothing was sent.
    fn plan(&self, subject: &Subject) -> Vec<Step> {
        let emails = subject.identifiers().filter(|it| *it.kind() == Kind::Email);
        let call = |email: &Identifier| {
            let (identifier, alternatives) = (email.clone(), Vec::new());
            Step::Call(Call { name: "erasure", identifier, alternatives })
        };
        let mut steps: Vec<Step> = emails.map(call).collect();
        if steps.is_empty() {
            let detail = "the request names no email address";
            steps.push(Step::Unusable { identifier: None, detail });
        }
        steps
    }

    fn calls(&self) -> &'static [CallKind] {
        CALLS
    }

    fn request(&self, call: &Call) -> Request {
        let body = json::to_string(&Body { email: call.identifier.expose() });
        Request::new(Method::POST, self.base_url.at("/v1/erasures"), Some(body))
    }

    fn judge(&self, _: &Call, answer: &Answer) -> Verdict {
        if let Some(verdict) = answer.means_everywhere() {
            return verdict;
        }
        let json = answer.json();
        let says = |key, word| {
            let value = json.as_ref().and_then(|json| json.get(key)).and_then(Json::as_text);
            value == Some(word)
        };
        match answer.status {
            202 if says("status", "queued") && !json.as_ref().is_some_and(contradicts) => {
                answer.means(Outcome::Accepted, None)
            }
            200..=299 => answer.means(Outcome::Uncertain, "2xx without a confirmation"),
            401 => answer.means(Outcome::Blocked, "the token was rejected"),
            403 => answer.means(Outcome::Blocked, "permission was rejected").about(Scope::Unclear),
            404 if says("error", "unknown_contact") => {
                answer.means(Outcome::AlreadyAbsent, NO_SUCH_USER)
            }
            404 => answer.means(Outcome::Blocked, "no such route at this base_url"),
            _ => answer.means(Outcome::Rejected, "the vendor rejected the request"),
        }
    }
}

/// The body of every call.
#[derive(Serialize)]
struct Body<'a> {
    email: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vendor::tests::{answer, call, configured, problems, subject};

    const SETTINGS: &str = r#"{"auth":{"token":"ACME_TOKEN"}}"#;

    #[test]
    fn asks_exactly_as_the_vendors_page_does() {
        let vendor = configured(configure, SETTINGS);
        let steps = vendor.plan(&subject(&[(Kind::UserId, "7"), (Kind::Email, "a@example.com")]));
        let [Step::Call(call)] = &steps[..] else { panic!("{steps:?}") };
        let request = vendor.request(call);
        assert_eq!(
            (request.method, request.url.as_str()),
            (Method::POST, "https://api.acme.example/v1/erasures",)
        );
        assert_eq!(request.body.as_deref(), Some(r#"{"email":"a@example.com"}"#));
        let headers = vendor.headers(&"t0ken".into());
        let headers = headers.iter().map(|(name, value)| (*name, value.expose_secret()));
        let expected = [("Authorization", "Bearer t0ken"), ("Content-Type", "application/json")];
        assert_eq!(headers.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_request_without_an_email_address_is_shown() {
        let steps = configured(configure, SETTINGS).plan(&subject(&[(Kind::UserId, "7")]));
        assert!(matches!(steps[..], [Step::Unusable { identifier: None, .. }]), "{steps:?}");
    }

    #[test]
    fn every_row_of_the_table() {
        use Outcome::*;
        let vendor = configured(configure, SETTINGS);
        for (status, body, outcome, scope) in [
            (202, r#"{"status":"queued"}"#, Accepted, Scope::Call),
            (202, r#"{"status":"queued","error":"quota"}"#, Uncertain, Scope::Call),
            (202, r#"{"status":"later"}"#, Uncertain, Scope::Call),
            (202, "<html>", Uncertain, Scope::Call),
            (202, "", Uncertain, Scope::Call),
            (200, r#"{"status":"queued"}"#, Uncertain, Scope::Call),
            (404, r#"{"error":"unknown_contact"}"#, AlreadyAbsent, Scope::Call),
            (404, r#"{"error":"unknown_route"}"#, Blocked, Scope::Account),
            (404, "", Blocked, Scope::Account),
            (301, "", Blocked, Scope::Account),
            (401, "", Blocked, Scope::Account),
            (403, "", Blocked, Scope::Unclear),
            (408, "", Scheduled, Scope::Unclear),
            (429, "", Scheduled, Scope::Account),
            (500, "", Scheduled, Scope::Call),
            (503, "", Scheduled, Scope::Unclear),
            (400, r#"{"error":"unknown_contact"}"#, Rejected, Scope::Call),
            (422, "", Rejected, Scope::Call),
        ] {
            let verdict = vendor.judge(&call("erasure"), &answer(status, body));
            assert_eq!((verdict.outcome, verdict.scope), (outcome, scope), "{status} {body}");
        }
    }

    #[test]
    fn a_wrong_configuration_is_named() {
        assert_eq!(problems(configure, SETTINGS), Vec::<String>::new());
        assert_eq!(
            problems(configure, r#"{"base_url":"http://acme.example","auth":{"token":"T"},"x":1}"#),
            [
                format!("V.base_url: {}", crate::secure_url::SecureUrl::EXPECTED),
                "V.x: is not a known setting".to_owned()
            ]
        );
    }
}
