//! Insider: `DELETE {base}/api/user/v1/identity`, one identifier a call.
//!
//! Source: Insider, "Delete User Identities API". The call removes the value of one identifier; the
//! profile and its last identifier stay, so `accepted` here means "identifier removed" at most.
//!
//! | answer | outcome |
//! |---|---|
//! | 2xx with no body, or a JSON object that reports no error | `accepted` |
//! | any other 2xx | `uncertain` |
//! | 3xx | `blocked` |
//! | 400 "sole identifier" | `not_erased` |
//! | 400 "no valid identifier", "partner is invalid", "content type must be" | `blocked` |
//! | any other 400 | `rejected` |
//! | 401 | `blocked` |
//! | 403 "too many attempts", or not JSON (from the network's edge) | `scheduled` |
//! | any other 403 | `blocked` |
//! | 404 | `blocked` |
//! | 408, 429, 5xx | `scheduled` |
//! | anything else | `rejected` |
//!
//! The page shows no answer of a success, so a 2xx is judged by what it does not say. "No such
//! user" is documented for other routes of this host, not for this one.

use http::Method;
use secrecy::{ExposeSecret, SecretString};

use super::{Answer, BaseUrl, Call, Request, Step, Vendor, Verdict};
use crate::erasure::{Identifier, Kind, Subject};
use crate::json::{self, Json};
use crate::receipt::Outcome;
use crate::settings::{SecretName, Settings};

const PRODUCTION: &str = "https://unification.useinsider.com";

struct Insider {
    base_url: BaseUrl,
    partner_name: String,
    token: SecretName,
}

pub(super) fn configure(settings: &mut Settings<'_>) -> Option<Box<dyn Vendor>> {
    let base_url = BaseUrl::configure(settings, PRODUCTION);
    let partner_name = settings.required_text("partner_name");
    if let Some(name) = partner_name {
        if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            settings.problem("partner_name", "must be lowercase");
        } else if !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            settings.problem("partner_name", "must be visible ASCII characters");
        }
    }
    let mut auth = settings.required_table("auth")?;
    let token = auth.required_secret("token");
    auth.finish();
    Some(Box::new(Insider {
        base_url: base_url?,
        partner_name: partner_name?.to_owned(),
        token: token?,
    }))
}

impl Vendor for Insider {
    fn token(&self) -> &SecretName {
        &self.token
    }

    fn headers(&self, token: &SecretString) -> Vec<(&'static str, SecretString)> {
        vec![
            ("X-PARTNER-NAME", self.partner_name.as_str().into()),
            ("X-REQUEST-TOKEN", token.expose_secret().into()),
            ("Content-Type", "application/json".into()),
        ]
    }

    fn plan(&self, subject: &Subject) -> Vec<Step> {
        let steps: Vec<Step> = subject.identifiers().filter_map(step).collect();
        if steps.is_empty() {
            let detail = "the request names no email, phone_number, uuid or custom identifier";
            return vec![Step::Unusable { kind: None, detail }];
        }
        steps
    }

    fn request(&self, call: &Call) -> Request {
        Request {
            method: Method::DELETE,
            url: format!("{}/api/user/v1/identity", self.base_url.0),
            body: Some(body(&call.identifier)),
        }
    }

    fn judge(&self, answer: &Answer) -> Verdict {
        if let Some(verdict) = answer.means_everywhere() {
            return verdict;
        }
        let json = answer.json();
        let reason = json.as_ref().map(reason).unwrap_or_default();
        let says = |words: &str| reason.contains(words);
        match answer.status {
            200..=299 if confirms(answer) => answer.means(Outcome::Accepted, None),
            200..=299 => answer.means(Outcome::Uncertain, "2xx without a confirmation"),
            400 if says("sole identifier") => {
                answer.means(Outcome::NotErased, "the profile's sole identifier cannot be removed")
            }
            400 if says("no valid identifier") => {
                answer.means(Outcome::Blocked, "this identifier is not enabled at the vendor")
            }
            400 if says("partner is invalid") => {
                answer.means(Outcome::Blocked, "the partner name was refused")
            }
            400 if says("content type must be") => {
                answer.means(Outcome::Blocked, "the content type was refused")
            }
            401 => answer.means(Outcome::Blocked, "the token was refused"),
            403 if json.is_none() => {
                answer.means(Outcome::Scheduled, "refused by the vendor's network")
            }
            403 if says("too many attempts") => answer.means(Outcome::Scheduled, "rate limited"),
            403 => answer.means(Outcome::Blocked, "permission was refused"),
            404 => answer.means(Outcome::Blocked, "no such route at this base_url"),
            _ => answer.means(Outcome::Rejected, "the vendor refused the request"),
        }
    }
}

/// The step for one identifier; `None` for a kind that this call does not take.
fn step(identifier: &Identifier) -> Option<Step> {
    let usable = match identifier.kind() {
        Kind::UserId | Kind::InsiderId => return None,
        Kind::PhoneNumber => is_e164(identifier.expose()),
        Kind::Email | Kind::Uuid | Kind::Custom(_) => true,
    };
    Some(if usable {
        Step::Call(Call { name: "identity", identifier: identifier.clone() })
    } else {
        Step::Unusable { kind: Some(identifier.kind().clone()), detail: "is not in E.164 format" }
    })
}

/// The pattern of the vendor's own check: `^\+[1-9]\d{6,14}$`.
fn is_e164(number: &str) -> bool {
    let Some(digits) = number.strip_prefix('+') else { return false };
    (7..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0')
}

/// `{"identifiers":{"email":"…"}}` or `{"identifiers":{"custom":{"user_loyalty_id":"…"}}}`
fn body(identifier: &Identifier) -> String {
    let value = json::quote(identifier.expose());
    match identifier.kind() {
        Kind::Custom(name) => {
            let name = json::quote(name.as_str());
            format!(r#"{{"identifiers":{{"custom":{{{name}:{value}}}}}}}"#)
        }
        kind => format!(r#"{{"identifiers":{{"{kind}":{value}}}}}"#),
    }
}

fn confirms(answer: &Answer) -> bool {
    if answer.body.is_empty() {
        return true;
    }
    match answer.json() {
        Some(Json::Object(members)) => {
            !members.contains_key("error")
                && !matches!(members.get("success"), Some(Json::Bool(false)))
        }
        _ => false,
    }
}

/// The reason in either of the host's envelopes, in lower case: `{"error":"text: class"}` or
/// `{"success":false,"message":"text"}`.
fn reason(answer: &Json<'_>) -> String {
    let text = answer.get("error").or_else(|| answer.get("message")).and_then(Json::as_text);
    text.unwrap_or_default().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::erasure::CustomName;
    use crate::vendor::tests::{answer, configured, problems, subject};

    const MINIMAL: &str = r#"{"partner_name":"mybrand","auth":{"token":"INSIDER_TOKEN"}}"#;

    fn vendor() -> Box<dyn Vendor> {
        configured(configure, MINIMAL)
    }

    fn requests(identifiers: &[(Kind, &str)]) -> Vec<(String, String)> {
        let vendor = vendor();
        let steps = vendor.plan(&subject(identifiers));
        let calls = steps.iter().map(|step| match step {
            Step::Unusable { kind, detail } => (format!("{kind:?}"), (*detail).to_owned()),
            Step::Call(call) => {
                let request = vendor.request(call);
                (format!("{} {}", request.method, request.url), request.body.unwrap())
            }
        });
        calls.collect()
    }

    #[test]
    fn asks_exactly_as_the_vendors_page_does() {
        let custom = Kind::Custom(CustomName::parse("user_loyalty_id").unwrap());
        let url = "DELETE https://unification.useinsider.com/api/user/v1/identity".to_owned();
        let sent = requests(&[
            (Kind::UserId, "u-1"),
            (Kind::Email, " sample@useinsider.com"),
            (Kind::PhoneNumber, "+6598765432"),
            (Kind::Uuid, "42"),
            (Kind::InsiderId, "i-1"),
            (custom, "xyz\"123"),
        ]);
        let bodies = [
            r#"{"identifiers":{"email":"sample@useinsider.com"}}"#,
            r#"{"identifiers":{"phone_number":"+6598765432"}}"#,
            r#"{"identifiers":{"uuid":"42"}}"#,
            r#"{"identifiers":{"custom":{"user_loyalty_id":"xyz\"123"}}}"#,
        ];
        assert_eq!(sent, bodies.map(|body| (url.clone(), body.to_owned())));
        let headers = vendor().headers(&"1a2b3c4e5d6f".into());
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| (*name, value.expose_secret())).collect();
        assert_eq!(
            headers,
            [
                ("X-PARTNER-NAME", "mybrand"),
                ("X-REQUEST-TOKEN", "1a2b3c4e5d6f"),
                ("Content-Type", "application/json")
            ]
        );
    }

    #[test]
    fn an_unusable_identifier_is_shown_and_not_sent() {
        for number in ["555-625-1199", "6598765432", "+0123456789", "+123456", "+1234567890123456"]
        {
            let sent = requests(&[(Kind::PhoneNumber, number)]);
            assert_eq!(sent, [("Some(PhoneNumber)".into(), "is not in E.164 format".into())]);
        }
        assert_eq!(requests(&[(Kind::UserId, "u-1")])[0].0, "None");
    }

    #[test]
    fn every_row_of_the_table() {
        use Outcome::*;
        let sole = r#"{"error":"you cannot delete the sole identifier specified for a user: bad request"}"#;
        for (status, body, outcome) in [
            (200, "", Accepted),
            (204, "", Accepted),
            (200, "{}", Accepted),
            (200, r#"{"success":true}"#, Accepted),
            (200, r#"{"success":false}"#, Uncertain),
            (200, r#"{"error":"x: bad request"}"#, Uncertain),
            (200, "<html>", Uncertain),
            (200, "[]", Uncertain),
            (301, "", Blocked),
            (400, sole, NotErased),
            (400, r#"{"error":"no valid identifier: bad request"}"#, Blocked),
            (400, r#"{"success":false,"message":"Partner is invalid."}"#, Blocked),
            (400, r#"{"error":"content type must be application/json"}"#, Blocked),
            (400, r#"{"error":"other: bad request"}"#, Rejected),
            (400, "<html>sole identifier</html>", Rejected),
            (401, r#"{"success":false,"message":"Partner token authentication failed."}"#, Blocked),
            (403, r#"{"success":false,"message":"Access Denied."}"#, Blocked),
            (403, r#"{"message":"Too many attempts, please slow down"}"#, Scheduled),
            (403, "<html>", Scheduled),
            (404, r#"{"error":"no such user for these identifiers: no data"}"#, Blocked),
            (408, "", Scheduled),
            (418, "", Rejected),
            (429, r#"{"error":"rejected: too many requests"}"#, Scheduled),
            (500, sole, Scheduled),
            (520, "<html>", Scheduled),
        ] {
            let verdict = vendor().judge(&answer(status, body));
            assert_eq!(verdict.outcome, outcome, "{status} {body}");
            assert_eq!(verdict.status, Some(status));
        }
    }

    #[test]
    fn a_cut_answer_confirms_nothing() {
        let mut cut = answer(200, "{}");
        cut.truncated = true;
        assert_eq!(vendor().judge(&cut).outcome, Outcome::Uncertain);
    }

    #[test]
    fn a_wrong_configuration_is_named() {
        assert_eq!(problems(configure, MINIMAL), Vec::<String>::new());
        let wrong = r#"{"partner_name":"MyBrand","auth":{"token":"T","tokne":"T"}}"#;
        assert_eq!(
            problems(configure, wrong),
            ["V.partner_name: must be lowercase", "V.auth.tokne: is not a known setting"]
        );
    }

    proptest! {
        #[test]
        fn only_a_2xx_without_an_error_is_accepted(status in 200u16..600, body: String) {
            let outcome = vendor().judge(&answer(status, &body)).outcome;
            prop_assert_ne!(outcome, Outcome::AlreadyAbsent);
            if outcome == Outcome::Accepted {
                prop_assert!((200..300).contains(&status));
                let object = body.trim().starts_with('{');
                prop_assert!(body.is_empty() || object);
            }
        }
    }
}
