//! Osano: an action item, `PATCH /v1/subject-rights/action-items/{id}` (Osano API, "Update Subject Rights
//! Action Item"), with the header `x-osano-api-key`. The item's id must be in the webhook, where the
//! tenant's template puts it. The whole request is never changed: that would send the person an e-mail.
//!
//! | the erasure | the change |
//! |---|---|
//! | is done | `COMPLETED`, `resultsFound` |
//! | no vendor has the person | `COMPLETED`, without `resultsFound` |
//! | is blocked: a vendor rejects the credentials | `IN_PROGRESS` and a note |
//! | is done, and leaves a profile (`partial_erasure`) | a note; the item stays open |
//! | needs a person, who can still replay or close it | a note; the item stays open |
//! | has failed for good, or names nobody whom a vendor takes | a note; the item stays open |
//! | waits | no message |
//!
//! The note takes the place of the item's `internalNotes`. `409` says that somebody has completed the
//! item there: nothing more is sent.

use secrecy::SecretString;
use serde::Serialize;

use super::note::note;
use super::{Callback, Progress, Reply, Standing, Target, Webhook, Word, required_pointer};
use crate::json;
use crate::receipt::Outcome;
use crate::settings::Settings;
use crate::vendor::{Auth, BaseUrl, CallKind, Pace};

/// Osano documents no limit: this is slow enough for any, and `pace` changes it.
const UPDATE: &[CallKind] = &[CallKind {
    name: "action_item",
    pace: Pace { calls: 60, per_seconds: 60 },
    reaches_person: false,
}];

struct Osano {
    auth: Auth,
    base: BaseUrl,
    action_item_id: String,
}

/// Reads `secret`, `action_item_id` and `base_url`.
pub(super) fn configure(settings: &mut Settings<'_>) -> Option<Box<dyn Callback>> {
    let base = BaseUrl::configure(settings, "https://api.osano.com");
    let secret = settings.required_secret("secret");
    let action_item_id = required_pointer(settings, "action_item_id")?;
    Some(Box::new(Osano { auth: Auth::Token(secret?), base: base?, action_item_id }))
}

/// Whether this is the number of an action item.
fn is_number(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ActionItemUpdate {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    results_found: Option<bool>,
    internal_notes: String,
}

impl Callback for Osano {
    fn auth(&self) -> &Auth {
        &self.auth
    }

    fn headers(&self, token: &SecretString) -> Vec<(&'static str, SecretString)> {
        let json = || SecretString::from("application/json");
        vec![("x-osano-api-key", token.clone()), ("Accept", json()), ("Content-Type", json())]
    }

    fn message(&self) -> &'static [CallKind] {
        UPDATE
    }

    fn reply(&self, webhook: &Webhook<'_>) -> Reply {
        let target = webhook.id(&self.action_item_id, is_number).map(|id| {
            let url = self.base.at(format_args!("/v1/subject-rights/action-items/{id}"));
            Target { url, headers: Vec::new() }
        });
        Reply { targets: target.into_iter().collect(), context: None }
    }

    fn is_about_one(&self) -> bool {
        true
    }

    fn word(&self, progress: &Progress<'_>) -> Option<Word> {
        let Progress { receipt, standing, .. } = progress;
        let mut outcomes = receipt.deliveries.iter().map(|one| one.outcome);
        let is_closed = receipt.closed.is_some();
        let (text, status, results_found) = match standing {
            Standing::UnderWay if outcomes.any(|outcome| outcome == Outcome::Blocked) => {
                ("IN_PROGRESS, blocked", Some("IN_PROGRESS"), None)
            }
            Standing::UnderWay => return None,
            Standing::Done => ("COMPLETED", Some("COMPLETED"), Some(true)),
            Standing::Absent => ("COMPLETED, no results", Some("COMPLETED"), Some(false)),
            Standing::Partial => ("note: a profile is left", None, None),
            Standing::Attention => ("note: needs attention", None, None),
            Standing::Unidentified => ("note: nobody identified", None, None),
            Standing::Failed if is_closed => ("note: closed as failed", None, None),
            Standing::Failed => ("note: failed", None, None),
        };
        let update = ActionItemUpdate { status, results_found, internal_notes: note(progress) };
        let is_last = status == Some("COMPLETED") || is_closed;
        let (text, body) = (text.to_owned(), json::to_string(&update));
        Some(Word { text, is_last, method: "PATCH", body })
    }
}

#[cfg(test)]
mod tests {
    use Outcome::*;

    use super::super::note::tests::word;
    use super::*;
    use crate::json::Json;
    use crate::receipt::ClosureOutcome;
    use crate::settings::{Findings, Misconfiguration};

    fn configured(text: &str) -> (Option<Box<dyn Callback>>, Vec<String>) {
        let json = Json::parse(text.as_bytes()).unwrap();
        let findings = Findings::default();
        let mut settings = Settings::new("C".into(), &json, &findings).unwrap();
        let callback = configure(&mut settings);
        settings.finish();
        (callback, findings.into_problems().iter().map(Misconfiguration::to_string).collect())
    }

    fn callback() -> Box<dyn Callback> {
        configured(r#"{"secret":"A","action_item_id":"/item"}"#).0.unwrap()
    }

    #[test]
    fn every_problem_is_reported() {
        let settings = r#"{"base_url":"ftp://x","action_item_id":"item"}"#;
        assert_eq!(
            configured(settings).1,
            [
                "C.base_url: must be an https URL (http on loopback only) without user, query or \
                 fragment",
                "C.secret: must be set",
                "C.action_item_id: must be a JSON Pointer, such as /customer/id",
            ]
        );
    }

    #[test]
    fn the_id_is_a_number_and_nothing_else() {
        let callback = callback();
        let urls = |id: &str| -> Vec<String> {
            let body = format!(r#"{{"item":{id}}}"#);
            let header = &|_: &str| None;
            let reply = callback.reply(&Webhook { header, body: body.as_bytes() });
            reply.targets.into_iter().map(|target| target.url).collect()
        };
        // A template writes a text or a number.
        for good in ["4711", "\"4711\""] {
            let url = "https://api.osano.com/v1/subject-rights/action-items/4711";
            assert_eq!(urls(good), [url], "{good}");
        }
        for bad in ["\"\"", "-1", "1.5", "true", "\"1/../2\"", "\"{{dsarActionItemId}}\""] {
            assert!(urls(bad).is_empty(), "{bad}");
        }
    }

    #[test]
    fn every_row_of_the_table() {
        let (completed, open) = (Some("COMPLETED"), None);
        let (failed, done) = (Some(ClosureOutcome::Failed), Some(ClosureOutcome::Completed));
        let callback = callback();
        for (outcomes, standing, closed, status, found, is_last) in [
            (&[Accepted][..], Standing::Done, None, completed, Some(true), true),
            (&[Rejected], Standing::Done, done, completed, Some(true), true),
            (&[AlreadyAbsent], Standing::Absent, None, completed, Some(false), true),
            (&[Accepted], Standing::Partial, None, open, None, false),
            (&[Rejected], Standing::Attention, None, open, None, false),
            (&[Exhausted], Standing::Failed, None, open, None, false),
            (&[Exhausted], Standing::Failed, failed, open, None, true),
            (&[InsufficientIdentification], Standing::Unidentified, None, open, None, false),
            (&[Blocked], Standing::UnderWay, None, Some("IN_PROGRESS"), None, false),
        ] {
            let (word, body) = word(&*callback, outcomes, standing, closed).unwrap();
            assert_eq!((word.method, word.is_last), ("PATCH", is_last), "{outcomes:?}");
            assert_eq!(body.get("status").map(|it| it.as_str().unwrap()), status, "{outcomes:?}");
            let told = body.get("resultsFound").map(|it| it.as_bool().unwrap());
            assert_eq!(told, found, "{outcomes:?}");
            assert!(body["internalNotes"].as_str().unwrap().starts_with("Erasure Relay: "));
        }
        assert!(word(&*callback, &[Scheduled], Standing::UnderWay, None).is_none());
    }
}
