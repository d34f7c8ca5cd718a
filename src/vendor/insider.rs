//! Insider: three calls of different reach, one identifier a call.
//!
//! | `erase` | call | what is deleted |
//! |---|---|---|
//! | `identity` | `DELETE {base}/api/user/v1/identity` | the value of one identifier; the profile, its events and its last identifier stay |
//! | `profile` | `POST {base}/api/user/v1/delete` | the profile and all its data: a right-to-be-forgotten request |
//! | `anonymize` | `POST {base}/api/user/v1/anonymize`, by `insider_id` `…/contact/v1/anonymize` | attributes marked as personal; the profile stays |
//!
//! Sources: Insider, "Delete User Identities API" for the first; the public API reference and its
//! Postman collection for the others. What the answers mean and what they are about, first matching
//! row:
//!
//! | answer | outcome | about |
//! |---|---|---|
//! | 200 or 204 with no body, `{}`, or `"success": true` and nothing that contradicts it | `accepted` | the call |
//! | any other 2xx | `uncertain` | the call |
//! | 3xx | `blocked` | the account |
//! | 400 "sole identifier" | `not_erased` | the call |
//! | 400 "no valid identifier" | `blocked` | the call |
//! | 400 "partner is invalid", "content type must be" | `blocked` | the account |
//! | any other 400 | `rejected` | the call |
//! | 401 | `blocked` | the account |
//! | 403 "too many attempts" | `scheduled` | the account |
//! | 403 as HTML (from the network's edge) | `scheduled` | unclear |
//! | 403 "access denied" | `blocked` | the account |
//! | any other 403 | `blocked` | unclear |
//! | 404 "no such user for these identifiers: no data", exactly, to `anonymize`, or to any call with `no_such_user = "already_absent"` | `already_absent` | the call |
//! | 404 with "no such user" otherwise | `rejected` | the call |
//! | any other 404 | `blocked` | the account |
//! | 429, or any `Retry-After` | `scheduled` | the account |
//! | 408, 502 to 504, 520 to 529 | `scheduled` | unclear |
//! | other 5xx | `scheduled` | the call |
//! | anything else | `rejected` | the call |
//!
//! `{}` is documented for erasing a profile; no page shows the answer of a success for the other
//! calls, so any other body without `"success": true` confirms nothing. "No such user" is documented
//! for `anonymize` alone; the operator may trust it for the other calls (`no_such_user`).

use http::Method;
use secrecy::{ExposeSecret, SecretString};

use super::{
    Answer, Auth, BaseUrl, Call, CallKind, NO_SUCH_USER, Pace, Request, Scope, Step, Vendor,
    Verdict, contradicts,
};
use crate::erasure::{Identifier, Kind, Subject};
use crate::json::Json;
use crate::receipt::Outcome;
use crate::settings::Settings;

mod identifier;

use identifier::{body, refusal};

const PRODUCTION: &str = "https://unification.useinsider.com";

/// The names of the calls, as receipts show them and as `erase` chooses among them.
const IDENTITY: &str = "identity";
const PROFILE: &str = "profile";
const ANONYMIZE: &str = "anonymize";

/// The operator must choose, since nothing here knows what a request is for.
const ERASE_UNSET: &str = "must be set: \"profile\" (the profile and all its data), \"anonymize\" \
                           (leaves the profile without personal attributes) or \"identity\" (leaves \
                           the profile without one identifier)";

/// What the vendor documents for each call.
const IDENTITY_CALL: CallKind = call_kind(IDENTITY, 1000, false);
const PROFILE_CALL: CallKind = call_kind(PROFILE, 10_000, true);
const ANONYMIZE_CALL: CallKind = call_kind(ANONYMIZE, 500, true);

const fn call_kind(name: &'static str, calls: u32, reaches_person: bool) -> CallKind {
    CallKind { name, pace: Pace { calls, per_seconds: 60 }, reaches_person }
}

struct Insider {
    base_url: BaseUrl,
    partner_name: String,
    auth: Auth,
    /// The call that a request for erasure starts with.
    erase: &'static str,
    /// Erase the profile once its sole identifier is all that is left.
    escalate: bool,
    /// Trust "no such user" where it is not documented.
    trust_no_such_user: bool,
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
    let calls = [IDENTITY, PROFILE, ANONYMIZE].map(|call| (call, call));
    let erase = if settings.has("erase") {
        settings.required_choice("erase", &calls)
    } else {
        settings.problem("erase", ERASE_UNSET);
        None
    };
    let sole = [("report", false), ("erase_profile", true)];
    let escalate = settings.choice("sole_identifier", false, &sole);
    let absent = [("report", false), ("already_absent", true)];
    let trust_no_such_user = settings.choice("no_such_user", false, &absent);
    let auth = Auth::token(settings);
    Some(Box::new(Insider {
        base_url: base_url?,
        partner_name: partner_name?.to_owned(),
        auth: auth?,
        erase: erase?,
        escalate: escalate?,
        trust_no_such_user: trust_no_such_user?,
    }))
}

impl Vendor for Insider {
    fn auth(&self) -> &Auth {
        &self.auth
    }

    fn headers(&self, token: &SecretString) -> Vec<(&'static str, SecretString)> {
        vec![
            ("X-PARTNER-NAME", self.partner_name.as_str().into()),
            ("X-REQUEST-TOKEN", token.expose_secret().into()),
            ("Content-Type", "application/json".into()),
        ]
    }

    fn plan(&self, subject: &Subject) -> Vec<Step> {
        let (usable, unusable) = self.identifiers(subject);
        let call = |identifier: &Identifier, alternatives| {
            let identifier = identifier.clone();
            Step::Call(Call { name: self.erase, identifier, alternatives })
        };
        let mut steps: Vec<Step> = match usable.split_first() {
            // One call reaches the whole profile, whatever the others are.
            Some((first, others)) if self.erase != IDENTITY => {
                vec![call(first, others.iter().map(|other| (*other).clone()).collect())]
            }
            _ => usable.iter().map(|each| call(each, Vec::new())).chain(unusable).collect(),
        };
        if steps.is_empty() {
            let detail = "the request names no identifier that this call takes";
            steps.push(Step::Unusable { identifier: None, detail });
        }
        steps
    }

    fn calls(&self) -> &'static [CallKind] {
        // Deliveries from before a change of `erase` may still wait.
        match self.erase {
            IDENTITY => &[IDENTITY_CALL, PROFILE_CALL, ANONYMIZE_CALL],
            PROFILE => &[PROFILE_CALL, IDENTITY_CALL, ANONYMIZE_CALL],
            _ => &[ANONYMIZE_CALL, IDENTITY_CALL, PROFILE_CALL],
        }
    }

    fn leaves_profile(&self, call: &str) -> bool {
        call == IDENTITY
    }

    fn request(&self, call: &Call) -> Request {
        let (method, path) = match (call.name, call.identifier.kind()) {
            (PROFILE, _) => (Method::POST, "/api/user/v1/delete"),
            (ANONYMIZE, Kind::InsiderId) => (Method::POST, "/api/contact/v1/anonymize"),
            (ANONYMIZE, _) => (Method::POST, "/api/user/v1/anonymize"),
            _ => (Method::DELETE, "/api/user/v1/identity"),
        };
        Request::new(method, self.base_url.at(path), Some(body(&call.identifier)))
    }

    fn judge(&self, call: &Call, answer: &Answer) -> Verdict {
        if let Some(verdict) = answer.means_everywhere() {
            return verdict;
        }
        let json = answer.json();
        let reason = json.as_ref().map(reason).unwrap_or_default();
        let says = |words: &str| reason.contains(words);
        match answer.status {
            200 | 204 if confirms(answer) => answer.means(Outcome::Accepted, reach(call)),
            200..=299 => answer.means(Outcome::Uncertain, "2xx without a confirmation"),
            400 if says("sole identifier") => {
                answer.means(Outcome::NotErased, "the profile's sole identifier cannot be removed")
            }
            400 if says("no valid identifier") => {
                let detail = "this identifier is not enabled at the vendor";
                answer.means(Outcome::Blocked, detail).about(Scope::Call)
            }
            400 if says("partner is invalid") => {
                answer.means(Outcome::Blocked, "the partner name was refused")
            }
            400 if says("content type must be") => {
                answer.means(Outcome::Blocked, "the content type was refused")
            }
            401 => answer.means(Outcome::Blocked, "the token was refused"),
            403 if answer.is_html() => answer
                .means(Outcome::Scheduled, "refused by the vendor's network")
                .about(Scope::Unclear),
            403 if says("too many attempts") => {
                answer.means(Outcome::Scheduled, "rate limited").about(Scope::Account)
            }
            403 => {
                let scope = if says("access denied") { Scope::Account } else { Scope::Unclear };
                answer.means(Outcome::Blocked, "permission was refused").about(scope)
            }
            404 if json.as_ref().is_some_and(is_no_such_user) => {
                if call.name == ANONYMIZE || self.trust_no_such_user {
                    answer.means(Outcome::AlreadyAbsent, NO_SUCH_USER)
                } else {
                    answer.means(Outcome::Rejected, NO_SUCH_USER)
                }
            }
            404 if says("no such user") => {
                answer.means(Outcome::Rejected, "no such user, in words that are not documented")
            }
            404 => answer.means(Outcome::Blocked, "no such route at this base_url"),
            _ => answer.means(Outcome::Rejected, "the vendor refused the request"),
        }
    }

    /// A sole identifier may be followed by the erasure of its profile. A call that reaches a whole
    /// profile and finds no such user is followed by the same call for the next identifier.
    fn follow_up(&self, call: &Call, verdict: &Verdict) -> Option<Call> {
        if call.name == IDENTITY {
            let sole = verdict.outcome == Outcome::NotErased && self.escalate;
            return sole.then(|| Call { name: PROFILE, ..call.clone() });
        }
        let (next, others) = call.alternatives.split_first()?;
        verdict.is_no_such_user().then(|| Call {
            name: call.name,
            identifier: next.clone(),
            alternatives: others.to_vec(),
        })
    }
}

impl Insider {
    /// The identifiers that can be sent, in the order to try them, and the others that the vendor
    /// takes.
    ///
    /// Identities are removed from the most to the least personal, since the last one of a profile
    /// always stays. A whole profile is best identified by Insider's own id, then by the operator's.
    fn identifiers<'a>(&self, subject: &'a Subject) -> (Vec<&'a Identifier>, Vec<Step>) {
        let rank = |kind: &Kind| match (self.erase, kind) {
            (_, Kind::UserId) | (IDENTITY, Kind::InsiderId) => None,
            (IDENTITY, Kind::Email) => Some(0),
            (IDENTITY, Kind::PhoneNumber) => Some(1),
            (IDENTITY, Kind::Custom(_)) => Some(2),
            (IDENTITY, Kind::Uuid) => Some(3),
            (_, Kind::InsiderId) => Some(0),
            (_, Kind::Uuid) => Some(1),
            (_, Kind::Email) => Some(2),
            (_, Kind::PhoneNumber) => Some(3),
            (_, Kind::Custom(_)) => Some(4),
        };
        let (mut usable, mut unusable) = (Vec::new(), Vec::new());
        // A pass for each rank keeps the order within a rank.
        for wanted in 0..=4 {
            let ranked = |other: &&Identifier| rank(other.kind()) == Some(wanted);
            for identifier in subject.identifiers().filter(ranked) {
                match refusal(identifier) {
                    None => usable.push(identifier),
                    Some(detail) => {
                        let identifier = Some(identifier.clone());
                        unusable.push(Step::Unusable { identifier, detail });
                    }
                }
            }
        }
        (usable, unusable)
    }
}

/// What `accepted` means for a call.
fn reach(call: &Call) -> &'static str {
    match call.name {
        PROFILE => "the profile and its data",
        ANONYMIZE => "personal attributes only; the profile stays",
        _ => "this identifier only; the profile stays",
    }
}

fn confirms(answer: &Answer) -> bool {
    if answer.is_empty() {
        return true;
    }
    let Some(json) = answer.json() else { return false };
    let is_empty = matches!(&json, Json::Object(members) if members.is_empty());
    is_empty || (matches!(json.get("success"), Some(Json::Bool(true))) && !contradicts(&json))
}

/// Whether the answer is the vendor's documented one for an unknown user.
fn is_no_such_user(answer: &Json<'_>) -> bool {
    let is_said = reason(answer).trim() == "no such user for these identifiers: no data";
    is_said && matches!(answer.get("success"), None | Some(Json::Null | Json::Bool(false)))
}

/// The reason in either of the host's envelopes, in lower case: `{"error":"text: class"}` or
/// `{"success":false,"message":"text"}`.
fn reason(answer: &Json<'_>) -> String {
    let text = |key| answer.get(key).and_then(Json::as_text);
    text("error").or_else(|| text("message")).unwrap_or_default().to_ascii_lowercase()
}

#[cfg(test)]
#[path = "insider_tests.rs"]
mod tests;
