//! Fides (<https://github.com/ethyca/fides>): the call that has a halted request go on, with the token
//! that came with the webhook. For a two-way webhook before the policy (`pre`) it is
//! `POST {base}/api/v1/privacy-request/{id}/resume`, for a connector with `async_config: callback`
//! `POST {base}/api/v1/request-task/callback`.
//!
//! | the erasure | message |
//! |---|---|
//! | is done, or was closed as completed | the call, once |
//! | no vendor has the person, or it was closed so | the call, once |
//! | anything else | none: the request stays halted, and needs a person |
//!
//! There is no message for a failure. A webhook whose erasure is done when it is answered is answered
//! `{"halt":false}`, and then there is nothing to resume.

use std::time::Duration;

use serde::Serialize;

use super::hosts::MAX_BYTES;
use super::{Callback, Progress, Reply, Standing, Target, Webhook, Word};
use crate::json::{self, Json};
use crate::receipt::Outcome;
use crate::settings::Settings;
use crate::vendor::{Answer, Auth, BaseUrl, CallKind, Pace, Scope, Verdict};

const RESUME: &[CallKind] = &[CallKind {
    name: "resume",
    pace: Pace { calls: 600, per_seconds: 60 },
    reaches_person: false,
}];

/// What a connector's `reply-to` is.
const TASK_CALLBACK: &str = "/api/v1/request-task/callback";

/// The word of a connector's call, which is also the context of its reply.
const TASK: &str = "request-task callback";

/// Fides writes that a request waits once it has read the answer, so the first call may come too
/// early.
const TOO_EARLY: Duration = Duration::from_secs(5);

const HOUR: Duration = Duration::from_secs(3600);

struct Fides {
    base: BaseUrl,
    token_lifetime: Duration,
}

/// Reads `base_url`, and `token_hours`, Fides' `execution.privacy_request_delay_timeout`.
pub(super) fn configure(settings: &mut Settings<'_>) -> Option<Box<dyn Callback>> {
    let token_lifetime = HOUR.saturating_mul(settings.number("token_hours", 60, 1..=8760));
    let base = BaseUrl::configure(settings, "")?;
    Some(Box::new(Fides { base, token_lifetime }))
}

/// `derived_identity` would replace the request's identities: it stays empty.
#[derive(Serialize)]
struct Resume {
    derived_identity: Empty,
}

#[derive(Serialize)]
struct Empty {}

impl Callback for Fides {
    /// The token comes with each webhook.
    fn auth(&self) -> &Auth {
        &Auth::None
    }

    fn message(&self) -> &'static [CallKind] {
        RESUME
    }

    /// Fides does not sign: of the path that a webhook names only the request's id is used, and only
    /// where the body names the same request.
    fn reply(&self, webhook: &Webhook<'_>) -> Reply {
        self.read(webhook).unwrap_or_default()
    }

    fn answers_each_webhook(&self) -> bool {
        true
    }

    /// The answer is `{"halt":false}` then. A connector's task waits all the same.
    fn is_told_by_answer(&self, standing: Standing, reply: &Reply) -> bool {
        reply.context.is_none() && matches!(standing, Standing::Done | Standing::Absent)
    }

    fn reply_lifetime(&self) -> Option<Duration> {
        Some(self.token_lifetime)
    }

    fn word(&self, progress: &Progress<'_>) -> Option<Word> {
        if !matches!(progress.standing, Standing::Done | Standing::Absent) {
            return None;
        }
        let (text, body) = match progress.reply.context {
            Some(_) => (TASK, json::to_string(&Empty {})),
            None => ("resume", json::to_string(&Resume { derived_identity: Empty {} })),
        };
        Some(Word { text: text.to_owned(), is_last: true, method: "POST", body })
    }

    /// The token is the webhook's own, so a rejected one says nothing about others.
    fn judge(&self, answer: &Answer) -> Verdict {
        match answer.status {
            400 => {
                let too_early = Verdict {
                    retry_after: Some(TOO_EARLY),
                    ..answer.means(Outcome::Scheduled, "the request does not wait, or not yet")
                };
                too_early.about(Scope::Call)
            }
            401 | 403 => answer.means(Outcome::Rejected, "the token is rejected, or has expired"),
            404 => answer.means(Outcome::Rejected, "the request is gone"),
            _ => super::judge(answer),
        }
    }
}

impl Fides {
    fn read(&self, webhook: &Webhook<'_>) -> Option<Reply> {
        let reply_to = (webhook.header)("reply-to")?;
        let token = (webhook.header)("reply-to-token")?;
        let is_plain = token.bytes().all(|byte| byte.is_ascii_graphic());
        if token.is_empty() || token.len() > MAX_BYTES || !is_plain {
            return None;
        }
        let (url, context) = if reply_to == TASK_CALLBACK {
            (self.base.at(TASK_CALLBACK), Some(TASK.to_owned()))
        } else {
            let id = reply_to.strip_prefix("/privacy-request/")?.strip_suffix("/resume")?;
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            let json = webhook.json();
            let of_body = json.get("privacy_request_id").and_then(Json::as_text);
            if id.is_empty() || !id.bytes().all(is_plain) || of_body != Some(id) {
                return None;
            }
            (self.base.at(format_args!("/api/v1/privacy-request/{id}/resume")), None)
        };
        let headers = vec![
            ("authorization".to_owned(), format!("Bearer {token}")),
            ("content-type".to_owned(), "application/json".to_owned()),
        ];
        Some(Reply { targets: vec![Target { url, headers }], context })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::tests::{progress, webhook};
    use crate::settings::Findings;

    fn fides() -> Box<dyn Callback> {
        let json = Json::parse(br#"{"base_url":"https://fides.example/"}"#).unwrap();
        let findings = Findings::default();
        let mut settings = Settings::new("S.callback".into(), &json, &findings).unwrap();
        let callback = configure(&mut settings).unwrap();
        settings.finish();
        assert!(findings.into_problems().is_empty());
        callback
    }

    const BODY: &[u8] = br#"{"privacy_request_id":"pri_7c1e"}"#;

    fn reply(reply_to: &str, token: &str) -> Reply {
        let headers = [("reply-to", reply_to), ("reply-to-token", token)];
        webhook(&headers, BODY, |webhook| fides().reply(webhook))
    }

    #[test]
    fn a_request_goes_on_when_all_is_well_and_never_otherwise() {
        use Standing::*;
        for standing in [UnderWay, Attention, Failed, Unidentified, Partial] {
            let word = progress(standing, &[Outcome::Rejected], |it| fides().word(it));
            assert_eq!(word, None, "{standing:?}");
        }
        for standing in [Done, Absent] {
            let word = progress(standing, &[], |it| fides().word(it)).unwrap();
            assert_eq!(word.body, r#"{"derived_identity":{}}"#);
            assert!(word.is_last && word.method == "POST");
            assert!(fides().is_told_by_answer(standing, &Reply::default()));
            let task = reply(TASK_CALLBACK, "t");
            assert!(!fides().is_told_by_answer(standing, &task));
        }
    }

    #[test]
    fn the_path_is_one_of_two_and_of_the_bodys_request() {
        let url = |reply_to: &str| reply(reply_to, "t").targets.pop().map(|target| target.url);
        let resume = "https://fides.example/api/v1/privacy-request/pri_7c1e/resume";
        assert_eq!(url("/privacy-request/pri_7c1e/resume").as_deref(), Some(resume));
        let task = "https://fides.example/api/v1/request-task/callback";
        assert_eq!(url(TASK_CALLBACK).as_deref(), Some(task));
        for bad in [
            "/privacy-request/pri_other/resume",
            "/privacy-request//resume",
            "/privacy-request/../user/resume",
            "/privacy-request/pri_7c1e/resume?x",
            "/api/v1/privacy-request/pri_7c1e/resume",
            "https://evil.example/privacy-request/pri_7c1e/resume",
            "/api/v1/user",
            "",
        ] {
            assert_eq!(url(bad), None, "{bad}");
        }
        for bad in ["", "a b", "a\r\nHost: evil"] {
            assert!(reply(TASK_CALLBACK, bad).targets.is_empty(), "{bad:?}");
        }
    }

    #[test]
    fn each_answer_has_its_meaning() {
        for (status, outcome) in [
            (200, Outcome::Accepted),
            (400, Outcome::Scheduled),
            (401, Outcome::Rejected),
            (403, Outcome::Rejected),
            (404, Outcome::Rejected),
            (429, Outcome::Scheduled),
            (500, Outcome::Scheduled),
            (302, Outcome::Blocked),
        ] {
            let body = Vec::new();
            let answer = Answer { status, body, truncated: false, retry_after: None, trace: None };
            let verdict = fides().judge(&answer);
            assert_eq!(verdict.outcome, outcome, "{status}");
            assert!(status != 400 || verdict.scope == Scope::Call);
        }
    }
}
