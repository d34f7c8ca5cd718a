//! OneTrust: the status of a subtask, `PUT /api/datasubject/v2/subtasks/{id}/status` (DSR Automation API,
//! "Update Subtask Status"), with a token of OAuth 2.0 client credentials. The subtask's id must be in
//! the webhook, where the tenant's workflow puts it.
//!
//! | the erasure | `status` |
//! |---|---|
//! | is done | `COMPLETED`, with the resolution `completed` |
//! | no vendor has the person | `COMPLETED`, with the resolution `not_found` |
//! | names nobody whom a vendor takes | `FAILED` |
//! | has failed for good | `FAILED` |
//! | the same, and each vendor that failed does not delete such identifiers (`not_erased`) | `REJECTED`, with the resolution `rejected` |
//! | is done, and leaves a profile (`partial_erasure`) | `IN_PROGRESS` |
//! | needs a person, who can still replay or close it | `IN_PROGRESS` |
//! | is blocked: a vendor rejects the credentials | `IN_PROGRESS` |
//! | waits | no message |
//!
//! Each message has a comment. A resolution may only go with `COMPLETED` and `REJECTED`, and nothing is
//! sent after those or `FAILED`: what OneTrust takes after them is not documented.

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::note::note;
use super::{Callback, Progress, Reply, Standing, Target, Webhook, Word, required_pointer};
use crate::json;
use crate::receipt::{Outcome, State};
use crate::settings::Settings;
use crate::vendor::{Auth, BaseUrl, CallKind, Pace};

/// OneTrust's limits differ between tenants: this is slow enough for any, and `pace` changes it.
const STATUS: &[CallKind] = &[CallKind {
    name: "subtask_status",
    pace: Pace { calls: 60, per_seconds: 60 },
    reaches_person: false,
}];

struct OneTrust {
    auth: Auth,
    base: BaseUrl,
    subtask_id: String,
    resolutions: Resolutions,
}

/// The ids of the tenant's resolutions, by what they say.
#[derive(Default)]
struct Resolutions {
    completed: Option<String>,
    not_found: Option<String>,
    rejected: Option<String>,
}

/// Reads `base_url`, `auth`, `subtask_id` and `resolutions`.
pub(super) fn configure(settings: &mut Settings<'_>) -> Option<Box<dyn Callback>> {
    let base = if settings.has("base_url") {
        BaseUrl::configure(settings, "")
    } else {
        settings.required_text("base_url");
        None
    };
    let token_url = base.as_ref().map(|base| base.at("/api/access/v1/oauth/token"));
    let auth = Auth::client_by_form(settings, token_url.unwrap_or_default());
    let subtask_id = required_pointer(settings, "subtask_id");
    let resolutions = settings.table("resolutions").map(|mut table| {
        let mut resolution = |key| resolution(&mut table, key);
        let completed = resolution("completed");
        let (not_found, rejected) = (resolution("not_found"), resolution("rejected"));
        table.finish();
        Resolutions { completed, not_found, rejected }
    });
    Some(Box::new(OneTrust {
        auth: auth?,
        base: base?,
        subtask_id: subtask_id?,
        resolutions: resolutions.unwrap_or_default(),
    }))
}

fn resolution(table: &mut Settings<'_>, key: &'static str) -> Option<String> {
    let text = table.text(key)?;
    if !is_uuid(text) {
        table.problem(key, "must be the id of a resolution, a UUID");
    }
    Some(text.to_owned())
}

/// Whether this is a UUID as RFC 9562 writes it.
fn is_uuid(text: &str) -> bool {
    let groups = text.split('-').map(str::len);
    let is_digit = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    groups.eq([8, 4, 4, 4, 12]) && text.bytes().all(is_digit)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UpdateSubtaskStatus<'a> {
    status: &'static str,
    comment: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolution_id: Option<&'a str>,
}

impl Callback for OneTrust {
    fn auth(&self) -> &Auth {
        &self.auth
    }

    fn headers(&self, token: &SecretString) -> Vec<(&'static str, SecretString)> {
        let bearer = format!("Bearer {}", token.expose_secret());
        let json = || SecretString::from("application/json");
        vec![("Authorization", bearer.into()), ("Accept", json()), ("Content-Type", json())]
    }

    fn message(&self) -> &'static [CallKind] {
        STATUS
    }

    fn reply(&self, webhook: &Webhook<'_>) -> Reply {
        let target = webhook.id(&self.subtask_id, is_uuid).map(|id| {
            let url = self.base.at(format_args!("/api/datasubject/v2/subtasks/{id}/status"));
            Target { url, headers: Vec::new() }
        });
        Reply { targets: target.into_iter().collect(), context: None }
    }

    fn is_about_one(&self) -> bool {
        true
    }

    fn word(&self, progress: &Progress<'_>) -> Option<Word> {
        let Resolutions { completed, not_found, rejected } = &self.resolutions;
        let mut outcomes = progress.receipt.deliveries.iter().map(|one| one.outcome);
        let (text, status, resolution) = match progress.standing {
            Standing::UnderWay if outcomes.any(|outcome| outcome == Outcome::Blocked) => {
                ("IN_PROGRESS, blocked", "IN_PROGRESS", &None)
            }
            Standing::UnderWay => return None,
            Standing::Partial | Standing::Attention => {
                ("IN_PROGRESS, needs attention", "IN_PROGRESS", &None)
            }
            Standing::Done => ("COMPLETED", "COMPLETED", completed),
            Standing::Absent => ("COMPLETED, not found", "COMPLETED", not_found),
            Standing::Failed if is_kept(progress) => ("REJECTED", "REJECTED", rejected),
            Standing::Failed | Standing::Unidentified => ("FAILED", "FAILED", &None),
        };
        let resolution_id = resolution.as_deref();
        let update = UpdateSubtaskStatus { status, comment: note(progress), resolution_id };
        let (text, body) = (text.to_owned(), json::to_string(&update));
        Some(Word { text, is_last: status != "IN_PROGRESS", method: "PUT", body })
    }
}

/// Whether all that is not done was rejected by vendors that do not delete such identifiers.
fn is_kept(progress: &Progress<'_>) -> bool {
    let outcomes = progress.receipt.deliveries.iter().map(|delivery| delivery.outcome);
    let mut others = outcomes.filter(|outcome| outcome.state() != State::Done).peekable();
    others.peek().is_some() && others.all(|outcome| outcome == Outcome::NotErased)
}

#[cfg(test)]
mod tests {
    use Outcome::*;

    use super::super::note::tests::word;
    use super::*;
    use crate::json::Json;
    use crate::receipt::ClosureOutcome;
    use crate::settings::{Findings, Misconfiguration};

    const ID: &str = "6a1f0c9e-1111-4222-8333-944445555666";

    fn configured(text: &str) -> (Option<Box<dyn Callback>>, Vec<String>) {
        let json = Json::parse(text.as_bytes()).unwrap();
        let findings = Findings::default();
        let mut settings = Settings::new("C".into(), &json, &findings).unwrap();
        let callback = configure(&mut settings);
        settings.finish();
        (callback, findings.into_problems().iter().map(Misconfiguration::to_string).collect())
    }

    fn callback() -> Box<dyn Callback> {
        let settings = format!(
            r#"{{"base_url":"https://app-eu.onetrust.com/","subtask_id":"/task/id",
                "auth":{{"client_id":"A","client_secret":"B"}},
                "resolutions":{{"not_found":"{ID}"}}}}"#
        );
        configured(&settings).0.unwrap()
    }

    #[test]
    fn every_problem_is_reported() {
        let settings = r#"{"base_url":"http://app.onetrust.com","subtask_id":"task",
            "auth":{"client_id":"A"},"resolutions":{"completed":"done","x":"y"}}"#;
        assert_eq!(
            configured(settings).1,
            [
                "C.base_url: must be an https URL (http on loopback only) without user, query or \
                 fragment",
                "C.auth.client_secret: must be set",
                "C.subtask_id: must be a JSON Pointer, such as /customer/id",
                "C.resolutions.completed: must be the id of a resolution, a UUID",
                "C.resolutions.x: is not a known setting",
            ]
        );
    }

    #[test]
    fn the_id_is_a_uuid_and_nothing_else() {
        let callback = callback();
        let urls = |body: &str| -> Vec<String> {
            let header = &|_: &str| None;
            let reply = callback.reply(&Webhook { header, body: body.as_bytes() });
            reply.targets.into_iter().map(|target| target.url).collect()
        };
        let url = format!("https://app-eu.onetrust.com/api/datasubject/v2/subtasks/{ID}/status");
        assert_eq!(urls(&format!(r#"{{"task":{{"id":"{ID}"}}}}"#)), [url]);
        for bad in ["\"\"", "7", "null", "\"../../x\"", "\"6a1f0c9e-1111-4222-8333-94444555566/\""]
        {
            assert!(urls(&format!(r#"{{"task":{{"id":{bad}}}}}"#)).is_empty(), "{bad}");
        }
        assert!(urls("[").is_empty() && urls("{}").is_empty() && urls("7").is_empty());
    }

    #[test]
    fn every_row_of_the_table() {
        let callback = callback();
        for (outcomes, standing, closed, status, is_last) in [
            (&[Accepted][..], Standing::Done, None, "COMPLETED", true),
            (&[Rejected], Standing::Done, Some(ClosureOutcome::Completed), "COMPLETED", true),
            (&[InsufficientIdentification], Standing::Unidentified, None, "FAILED", true),
            (&[Accepted, Exhausted], Standing::Failed, None, "FAILED", true),
            (&[Accepted, NotErased], Standing::Failed, None, "REJECTED", true),
            (&[Uncertain, NotErased], Standing::Failed, None, "FAILED", true),
            (&[Accepted], Standing::Partial, None, "IN_PROGRESS", false),
            (&[Rejected], Standing::Attention, None, "IN_PROGRESS", false),
            (&[Blocked], Standing::UnderWay, None, "IN_PROGRESS", false),
        ] {
            let (word, body) = word(&*callback, outcomes, standing, closed).unwrap();
            assert_eq!((word.method, word.is_last), ("PUT", is_last), "{outcomes:?}");
            assert_eq!(body["status"], status, "{outcomes:?}");
            let comment = body["comment"].as_str().unwrap();
            assert!(comment.starts_with("Erasure Relay: "), "{comment}");
            assert_eq!(comment.contains("kept by law"), closed.is_some(), "{comment}");
            assert_eq!(body.get("resolutionId"), None);
        }
        let (absent, body) = word(&*callback, &[AlreadyAbsent], Standing::Absent, None).unwrap();
        assert_eq!((&body["status"], &body["resolutionId"]), (&"COMPLETED".into(), &ID.into()));
        assert!(absent.is_last);
        assert!(word(&*callback, &[Scheduled], Standing::UnderWay, None).is_none());
    }
}
