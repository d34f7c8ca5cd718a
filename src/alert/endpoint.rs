//! Where alerts go: `[vars.ALERTS]`, and the same as a lane's account.

use std::time::Duration;

use http::Method;
use secrecy::{ExposeSecret, SecretString};

use super::event::{CALL, id_of, name_and_body};
use crate::callback::{is_destination, sign};
use crate::delivery::breaker::Limits;
use crate::delivery::jurisdiction::Jurisdiction;
use crate::delivery::policy::Policy;
use crate::delivery::retry::Retry;
use crate::erasure::Subject;
use crate::json::Json;
use crate::receipt::{Outcome, Timestamp};
use crate::settings::{Findings, SecretName, Settings};
use crate::vendor::{Answer, Auth, Call, CallKind, Pace, Request, Step, Vendor, Verdict};

/// The name of the variable.
pub const VARIABLE: &str = "ALERTS";

/// What the URL must be, as a problem of the configuration says it.
pub const EXPECTED: &str = "must be an https URL on port 443 with a host's name, without user and \
                            fragment (http on loopback with a port)";

const DAY: Duration = Duration::from_secs(86_400);

/// Slack takes one message a second, and short bursts of more
/// (<https://docs.slack.dev/apis/web-api/rate-limits>).
const CALLS: &[CallKind] =
    &[CallKind { name: CALL, pace: Pace { calls: 30, per_seconds: 60 }, reaches_person: false }];

/// What is configured of alerts.
pub struct Alerts {
    /// Where they go.
    pub url: Url,
    /// The secret that signs them: `whsec_` and base64. Without it they are not signed, which the secret
    /// of a URL makes up for.
    pub secret: Option<SecretName>,
    /// How long one call may take.
    pub timeout: Duration,
    /// How their lane delivers.
    pub policy: Policy,
}

/// Where alerts go.
pub enum Url {
    /// This URL, which is no secret.
    Plain(String),
    /// The URL that is stored as this secret: who knows an incoming webhook of Slack can write there.
    Secret(SecretName),
}

impl Alerts {
    /// Reads the table; `None` where there is none, or it has a problem. `durable` says whether there
    /// are lanes.
    pub fn read(json: &Json<'_>, durable: bool, findings: &Findings) -> Option<Self> {
        if matches!(json, Json::Object(table) if table.iter().next().is_none()) {
            return None; // as it is read where it is not set
        }
        let mut settings = Settings::new(VARIABLE.to_owned(), json, findings)?;
        if !durable {
            settings
                .problem("url", "needs DELIVERY = \"durable\": direct delivery stores no alert");
        }
        let alerts = Self::configure(&mut settings);
        settings.finish();
        alerts
    }

    fn configure(settings: &mut Settings<'_>) -> Option<Self> {
        let timeout = settings.number("timeout_seconds", 10, 1..=60);
        let timeout = Duration::from_secs(timeout.into());
        let retry = Retry::configure(settings);
        let breaker = Limits::configure(settings);
        let jurisdiction = Jurisdiction::configure(settings);
        let has_secret_url = settings.has("url_secret");
        let url = if has_secret_url {
            if settings.has("url") {
                settings.misplaced("url", "must not be set beside url_secret");
            }
            settings.required_secret("url_secret").map(Url::Secret)
        } else {
            settings.required_text("url").and_then(|text| {
                let is_right = is_destination(text);
                if !is_right {
                    settings.problem("url", EXPECTED);
                }
                is_right.then(|| Url::Plain(text.to_owned()))
            })
        };
        let secret = if settings.has("secret") || !has_secret_url {
            Some(settings.required_secret("secret")?)
        } else {
            None
        };
        let lease = timeout.saturating_mul(6).saturating_add(Duration::from_secs(5));
        // Nobody needs an alert of long ago.
        let receipts = retry.deadline.saturating_add(DAY.saturating_mul(7));
        let (hold, replay) = (Duration::ZERO, Duration::ZERO);
        let policy = Policy {
            retry,
            breaker,
            jurisdiction,
            lease,
            receipts,
            hold,
            replay,
            ..Policy::default()
        };
        Some(Self { url: url?, secret, timeout, policy })
    }

    /// What sends them to `url`.
    pub fn vendor(&self, url: SecretString) -> Box<dyn Vendor> {
        let auth = self.secret.clone().map_or(Auth::None, Auth::Token);
        Box::new(Endpoint { auth, url })
    }
}

/// What receives alerts, as a lane's account.
struct Endpoint {
    auth: Auth,
    url: SecretString,
}

impl Vendor for Endpoint {
    fn auth(&self) -> &Auth {
        &self.auth
    }

    fn headers(&self, _: &SecretString) -> Vec<(&'static str, SecretString)> {
        vec![("content-type", "application/json".into())]
    }

    /// Alerts come from lanes, and not from a person's identifiers.
    fn plan(&self, _: &Subject) -> Vec<Step> {
        Vec::new()
    }

    fn calls(&self) -> &'static [CallKind] {
        CALLS
    }

    /// It goes to where the configuration says now, also where it was raised before a change.
    fn request(&self, call: &Call) -> Request {
        let (_, body) = name_and_body(call.identifier.expose());
        Request::new(Method::POST, self.url.expose_secret().to_owned(), Some(body.to_owned()))
    }

    fn sign(&self, call: &Call, request: &mut Request, token: &SecretString, now: Timestamp) {
        if matches!(self.auth, Auth::Token(_)) {
            let (name, _) = name_and_body(call.identifier.expose());
            sign(request, &id_of(name), token, now.0.div_euclid(1000));
        }
    }

    /// 2xx confirms. All alerts have one form, so who rejects one rejects all: they wait until that is
    /// corrected, or until their deadline.
    fn judge(&self, _: &Call, answer: &Answer) -> Verdict {
        if let Some(verdict) = answer.means_everywhere() {
            return verdict;
        }
        match answer.status {
            200..=299 => answer.means(Outcome::Accepted, None),
            425 => answer.means(Outcome::Scheduled, "the endpoint wants it later"),
            _ => answer.means(Outcome::Blocked, "the endpoint rejects the alert"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::erasure::{Identifier, Kind};
    use crate::settings::Misconfiguration;
    use crate::vendor::Scope;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn read(text: &str, durable: bool) -> (Option<Alerts>, Vec<String>) {
        let (json, findings) = (Json::parse(text.as_bytes()).unwrap(), Findings::default());
        let alerts = Alerts::read(&json, durable, &findings);
        (alerts, findings.into_problems().iter().map(Misconfiguration::to_string).collect())
    }

    #[test]
    fn a_url_is_signed_for_or_is_a_secret_itself() {
        let (alerts, problems) = read(r#"{"url":"https://a.example/x","secret":"S"}"#, true);
        assert!(problems.is_empty(), "{problems:?}");
        let alerts = alerts.unwrap();
        assert!(matches!(&alerts.url, Url::Plain(url) if url == "https://a.example/x"));
        assert!(alerts.secret.is_some());
        let (alerts, problems) = read(r#"{"url_secret":"ALERTS_URL"}"#, true);
        assert!(problems.is_empty() && alerts.unwrap().secret.is_none(), "{problems:?}");
        let (alerts, _) = read(r#"{"url_secret":"ALERTS_URL","secret":"S"}"#, true);
        assert!(alerts.unwrap().secret.is_some());
        assert!(matches!(read("{}", false), (None, problems) if problems.is_empty()));
    }

    #[test]
    fn a_wrong_table_is_named_by_its_paths() {
        for (text, durable, expected) in [
            ("7", true, vec!["ALERTS: must be a table".to_owned()]),
            (
                r#"{"url":"https://a.example/x"}"#,
                true,
                vec!["ALERTS.secret: must be set".to_owned()],
            ),
            (
                r#"{"url":"https://127.0.0.1/x","secret":"S"}"#,
                true,
                vec![format!("ALERTS.url: {EXPECTED}")],
            ),
            (r#"{"secret":"S"}"#, true, vec!["ALERTS.url: must be set".to_owned()]),
            (
                r#"{"url":"https://a.example/x","url_secret":"U"}"#,
                true,
                vec!["ALERTS.url: must not be set beside url_secret".to_owned()],
            ),
            (
                r#"{"url_secret":"https://hooks.example.com/x","pace":1}"#,
                true,
                vec![
                    format!("ALERTS.url_secret: {}", SecretName::EXPECTED),
                    "ALERTS.pace: is not a known setting".to_owned(),
                ],
            ),
            (
                r#"{"url_secret":"U"}"#,
                false,
                vec![
                    "ALERTS.url: needs DELIVERY = \"durable\": direct delivery stores no alert"
                        .to_owned(),
                ],
            ),
        ] {
            assert_eq!(read(text, durable).1, expected, "{text}");
        }
    }

    fn vendor(settings: &str) -> Box<dyn Vendor> {
        read(settings, true).0.unwrap().vendor("https://a.example/x".into())
    }

    /// The call that sends an alert of this body.
    fn call(body: &str) -> Call {
        let identifier = Identifier::restore(Kind::Email, format!("name\n{body}"));
        Call { name: CALL, identifier, alternatives: Vec::new() }
    }

    #[test]
    fn what_is_rejected_waits_for_the_operator() {
        let vendor = vendor(r#"{"url_secret":"U"}"#);
        let judge = |status| {
            let answer = Answer {
                status,
                body: Vec::new(),
                truncated: false,
                retry_after: None,
                trace: None,
            };
            let verdict = vendor.judge(&call("{}"), &answer);
            (verdict.outcome, verdict.scope)
        };
        for status in [200, 204] {
            assert_eq!(judge(status).0, Outcome::Accepted, "{status}");
        }
        for status in [302, 400, 401, 403, 404, 409, 410, 413, 422] {
            assert_eq!(judge(status), (Outcome::Blocked, Scope::Account), "{status}");
        }
        for status in [408, 425, 429, 500, 503] {
            assert_eq!(judge(status).0, Outcome::Scheduled, "{status}");
        }
    }

    #[test]
    fn a_signature_is_made_where_there_is_a_secret() {
        let call = call(r#"{"text":"t"}"#);
        let headers = |settings: &str| {
            let vendor = vendor(settings);
            let mut request = vendor.request(&call);
            assert_eq!(request.url, "https://a.example/x");
            assert_eq!(request.body.as_deref(), Some(r#"{"text":"t"}"#));
            let now = Timestamp(1_795_325_400_000);
            vendor.sign(&call, &mut request, &SECRET.into(), now);
            let names = request.headers.iter().map(|(name, _)| name.clone());
            names.collect::<Vec<_>>()
        };
        assert!(headers(r#"{"url_secret":"U"}"#).is_empty());
        let signed = ["webhook-id", "webhook-timestamp", "webhook-signature"];
        assert_eq!(headers(r#"{"url":"https://a.example/x","secret":"S"}"#), signed);
    }
}
