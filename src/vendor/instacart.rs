//! Instacart Connect: `POST {base}/v2/fulfillment/users/{user_id}/privacy_request`.
//!
//! Source: Instacart Connect, "Create a user data deletion request". The call has no body. A 200
//! says that the request was received and a workflow started; no answer says "deleted".
//!
//! | answer | outcome | about |
//! |---|---|---|
//! | 200 with `{"success": true}`, and nothing that contradicts it | `accepted` | the call |
//! | any other 2xx | `uncertain` | the call |
//! | 3xx | `blocked` | the account |
//! | 400, one error: code 1001, key `user_id`, "User Not Found" | `already_absent` | the call |
//! | 400 with key `feature_flag` or "not enabled" | `blocked` | the account |
//! | any other 400 | `rejected` | the call |
//! | 403 with key `feature_flag` or "not enabled" | `blocked` | the account |
//! | 403 "user not active", or with key `user_id` | `rejected` | the call |
//! | any other 403 | `blocked` | unclear |
//! | 401, 404 | `blocked` | the account |
//! | 429, or any `Retry-After` | `scheduled` | the account |
//! | 408, 502 to 504, 520 to 529 | `scheduled` | unclear |
//! | other 5xx | `scheduled` | the call |
//! | anything else | `rejected` | the call |
//!
//! Code 1001 is generic: it is also the code where deletion is not enabled for the retailer, so it
//! does not mean "not found" by itself. The words must be those of the vendor's page and no others,
//! but its pages write them in different case. A 404 is not documented for this route: it is a wrong
//! host or path, not an absent user.

use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};

use super::{
    Answer, Auth, BaseUrl, Call, CallKind, Pace, Request, Scope, Step, Vendor, Verdict, contradicts,
};
use crate::erasure::{Kind, Subject};
use crate::json::Json;
use crate::receipt::Outcome;
use crate::settings::Settings;

const PRODUCTION: &str = "https://connect.instacart.com";

const PRIVACY_REQUEST: &str = "privacy_request";

/// The vendor limits requests per second and documents no number. This is a cautious choice.
const CALLS: &[CallKind] = &[CallKind {
    name: PRIVACY_REQUEST,
    pace: Pace { calls: 120, per_seconds: 60 },
    reaches_person: false,
}];

/// All but RFC 3986's unreserved characters.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The languages that the vendor's page names.
const LANGUAGES: &[(&str, Option<&str>)] =
    &[("en-US", Some("en-US")), ("en-CA", Some("en-CA")), ("fr-CA", Some("fr-CA"))];

const NOT_ENABLED: &str = "deletion is not enabled for this retailer";

struct Instacart {
    base_url: BaseUrl,
    auth: Auth,
    retailer_id: Option<String>,
    accept_language: Option<&'static str>,
}

pub(super) fn configure(settings: &mut Settings<'_>) -> Option<Box<dyn Vendor>> {
    let base_url = BaseUrl::configure(settings, PRODUCTION);
    let retailer_id = settings.text("retailer_id").map(str::to_owned);
    if retailer_id.iter().any(|id| !id.bytes().all(|byte| byte.is_ascii_graphic())) {
        settings.problem("retailer_id", "must be visible ASCII characters");
    }
    let accept_language = settings.choice("accept_language", None, LANGUAGES);
    let token_url = base_url.as_ref().map(|base| base.at("/v2/oauth/token")).unwrap_or_default();
    let auth = Auth::token_or_client(settings, token_url, "connect:fulfillment");
    Some(Box::new(Instacart {
        base_url: base_url?,
        auth: auth?,
        retailer_id,
        accept_language: accept_language?,
    }))
}

impl Vendor for Instacart {
    fn auth(&self) -> &Auth {
        &self.auth
    }

    fn headers(&self, token: &SecretString) -> Vec<(&'static str, SecretString)> {
        let bearer = format!("Bearer {}", token.expose_secret());
        let mut headers = vec![
            ("Accept", "application/json".into()),
            ("Authorization", bearer.into()),
            ("Content-Type", "application/json".into()),
        ];
        if let Some(id) = &self.retailer_id {
            headers.push(("X-Retailer-Id", id.as_str().into()));
        }
        if let Some(language) = self.accept_language {
            headers.push(("Accept-Language", language.into()));
        }
        headers
    }

    fn plan(&self, subject: &Subject) -> Vec<Step> {
        let users = subject.identifiers().filter(|identifier| *identifier.kind() == Kind::UserId);
        let steps: Vec<Step> = users
            .map(|identifier| match identifier.expose() {
                // URL normalization would turn these into another route, however encoded.
                "." | ".." => Step::Unusable {
                    identifier: Some(identifier.clone()),
                    detail: "cannot be a segment of a URL's path",
                },
                _ => Step::Call(Call {
                    name: PRIVACY_REQUEST,
                    identifier: identifier.clone(),
                    alternatives: Vec::new(),
                }),
            })
            .collect();
        if steps.is_empty() {
            return vec![Step::Unusable {
                identifier: None,
                detail: "the request names no user_id",
            }];
        }
        steps
    }

    fn calls(&self) -> &'static [CallKind] {
        CALLS
    }

    fn request(&self, call: &Call) -> Request {
        let user_id = utf8_percent_encode(call.identifier.expose(), SEGMENT);
        let path = format_args!("/v2/fulfillment/users/{user_id}/privacy_request");
        Request::new(Method::POST, self.base_url.at(path), None)
    }

    fn judge(&self, _: &Call, answer: &Answer) -> Verdict {
        if let Some(verdict) = answer.means_everywhere() {
            return verdict;
        }
        match answer.status {
            200 if confirms(answer) => answer.means(Outcome::Accepted, None),
            200..=299 => answer.means(Outcome::Uncertain, "2xx without a confirmation"),
            400 => judge_bad_request(answer),
            401 => answer.means(Outcome::Blocked, "the token was refused"),
            403 => judge_forbidden(answer),
            404 => answer.means(Outcome::Blocked, "no such route at this base_url"),
            _ => answer.means(Outcome::Rejected, "the vendor refused the request"),
        }
    }
}

fn confirms(answer: &Answer) -> bool {
    let Some(json) = answer.json() else { return false };
    matches!(json.get("success"), Some(Json::Bool(true))) && !contradicts(&json)
}

fn judge_bad_request(answer: &Answer) -> Verdict {
    let json = answer.json();
    let errors = json.as_ref().map(VendorError::all).unwrap_or_default();
    let succeeded = json.as_ref().and_then(|json| json.get("success"));
    if let [only] = errors.as_slice()
        && only.is_user_not_found()
        && matches!(succeeded, None | Some(Json::Null | Json::Bool(false)))
    {
        return answer.means(Outcome::AlreadyAbsent, "user not found");
    }
    if errors.iter().any(VendorError::is_not_enabled) {
        return answer.means(Outcome::Blocked, NOT_ENABLED);
    }
    answer.means(Outcome::Rejected, "the vendor refused the request")
}

/// Documented for missing permissions and for a user that is not active, whose entry has no code.
fn judge_forbidden(answer: &Answer) -> Verdict {
    let json = answer.json();
    let errors = json.as_ref().map(VendorError::all).unwrap_or_default();
    if errors.iter().any(VendorError::is_not_enabled) {
        return answer.means(Outcome::Blocked, NOT_ENABLED);
    }
    if errors.iter().any(VendorError::is_about_the_user) {
        return answer.means(Outcome::Rejected, "the vendor refused this user");
    }
    answer.means(Outcome::Blocked, "permission was refused").about(Scope::Unclear)
}

/// One entry of an error answer. `meta` is beside `error`, or inside it.
///
/// ```json
/// {"error":{"message":"User Not Found","code":1001},"meta":{"key":"user_id"}}
/// {"error":{"message":"…","code":9999,"errors":[{"error":{…},"meta":{…}}]}}
/// ```
struct VendorError<'a> {
    message: String,
    code: Option<i64>,
    key: Option<&'a str>,
}

impl<'a> VendorError<'a> {
    /// Every entry: the one, or under the collective code 9999 those nested in it.
    fn all(answer: &'a Json<'a>) -> Vec<Self> {
        let entries = |holder: &'a Json<'a>| match holder.get("errors") {
            None | Some(Json::Null) => Vec::new(),
            Some(Json::Array(entries)) => entries.iter().map(Self::one).collect(),
            Some(other) => vec![Self::one(other)],
        };
        let outer = Self::one(answer);
        let mut all = answer.get("error").map(entries).unwrap_or_default();
        if all.is_empty() || outer.code != Some(9999) {
            all.push(outer);
        }
        all.extend(entries(answer)); // not documented in this place
        all
    }

    fn one(entry: &'a Json<'a>) -> Self {
        let error = entry.get("error");
        let meta = entry.get("meta").or_else(|| error?.get("meta"));
        let said = error.unwrap_or(entry);
        let message = said.as_text().or_else(|| said.get("message")?.as_text());
        Self {
            message: message.unwrap_or_default().to_ascii_lowercase(),
            code: match error.and_then(|error| error.get("code")) {
                Some(Json::Integer(code)) => Some(*code),
                _ => None,
            },
            key: meta.and_then(|meta| meta.get("key")?.as_text()),
        }
    }

    fn is_user_not_found(&self) -> bool {
        let is_said = self.message.trim() == "user not found";
        self.code == Some(1001) && self.key == Some("user_id") && is_said
    }

    fn is_about_the_user(&self) -> bool {
        self.key == Some("user_id") || self.message == "user not active"
    }

    fn is_not_enabled(&self) -> bool {
        self.key == Some("feature_flag") || self.message.contains("not enabled")
    }
}

#[cfg(test)]
#[path = "instacart_tests.rs"]
mod tests;
