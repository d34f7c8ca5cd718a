//! Transcend: `PUT {base}/v1/data-silo` for every webhook, with the nonce that it brought
//! (<https://docs.transcend.io/docs/api-reference/PUT/v1/data-silo>). One webhook comes for each
//! identifier of a person, and all of them are one erasure here.
//!
//! | the erasure | body |
//! |---|---|
//! | is done, or was closed as completed | `{}`, which resolves the profile |
//! | no vendor has the person, or it was closed so | `{"profileStatus":"SKIPPED"}`; none where the answer to the webhook was 204 |
//! | was retried until its deadline, and nothing else is wrong | `{"profileStatus":"ERROR"}` |
//! | needs a person, has failed, names nobody whom a vendor takes, leaves a profile (`partial_erasure`), or waits for a blocked account | `{"status":"ACTION_REQUIRED"}` |
//! | waits | none |
//!
//! 409 says that Transcend has closed the request. What is not resolved Transcend sends again, with
//! another nonce.

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::hosts::MAX_BYTES;
use super::{Callback, Progress, Reply, Standing, Target, Webhook, Word};
use crate::json;
use crate::receipt::Outcome;
use crate::settings::Settings;
use crate::vendor::{Auth, BaseUrl, CallKind, Pace};

const DATA_SILO: &[CallKind] = &[CallKind {
    name: "data_silo",
    pace: Pace { calls: 600, per_seconds: 60 },
    reaches_person: false,
}];

/// The multi-tenant gateway; Transcend has another one in the US, and gateways that customers host.
const BASE_URL: &str = "https://multi-tenant.sombra.transcend.io";

/// The header of a webhook that its message repeats.
const NONCE: &str = "x-transcend-nonce";

/// How many nonces of one erasure are kept at most, the newest.
const MOST: usize = 50;

struct Transcend {
    auth: Auth,
    url: String,
}

/// The header of the internal key of a gateway that a customer hosts.
const GATEWAY: &str = "x-sombra-authorization";

/// Reads `base_url`; `key`, the name of the secret with the integration's API key; and `sombra_key`, that
/// of the gateway's internal key.
pub(super) fn configure(settings: &mut Settings<'_>) -> Option<Box<dyn Callback>> {
    let key = settings.required_secret("key");
    let gateway = settings.has("sombra_key").then(|| settings.required_secret("sombra_key"));
    let base = BaseUrl::configure(settings, BASE_URL);
    let auth = match gateway {
        None => Auth::Token(key?),
        Some(gateway) => Auth::TokenAndGateway { token: key?, header: GATEWAY, gateway: gateway? },
    };
    Some(Box::new(Transcend { auth, url: base?.at("/v1/data-silo") }))
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    /// That of the whole integration.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    /// That of the nonce's profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    profile_status: Option<&'static str>,
}

impl Callback for Transcend {
    fn auth(&self) -> &Auth {
        &self.auth
    }

    fn headers(&self, token: &SecretString) -> Vec<(&'static str, SecretString)> {
        let bearer = format!("Bearer {}", token.expose_secret());
        vec![
            (AUTHORIZATION.as_str(), bearer.into()),
            (CONTENT_TYPE.as_str(), "application/json".into()),
        ]
    }

    fn message(&self) -> &'static [CallKind] {
        DATA_SILO
    }

    /// The nonce is not covered by the webhook's signature: it goes to the configured host alone.
    fn reply(&self, webhook: &Webhook<'_>) -> Reply {
        let is_usable = |nonce: &String| {
            let is_plain = nonce.bytes().all(|byte| byte.is_ascii_graphic());
            !nonce.is_empty() && nonce.len() <= MAX_BYTES && is_plain
        };
        let nonce = (webhook.header)(NONCE).filter(is_usable);
        let target =
            |nonce| Target { url: self.url.clone(), headers: vec![(NONCE.to_owned(), nonce)] };
        Reply { targets: nonce.map(target).into_iter().collect(), context: None }
    }

    /// Each webhook's job is resolved by its own nonce.
    fn merge(&self, mut known: Reply, newer: Reply) -> Reply {
        for target in newer.targets {
            if !known.targets.contains(&target) {
                known.targets.push(target);
            }
        }
        let excess = known.targets.len().saturating_sub(MOST);
        known.targets.drain(..excess);
        known
    }

    fn answers_each_webhook(&self) -> bool {
        true
    }

    /// It is 204 then.
    fn is_told_by_answer(&self, standing: Standing, _: &Reply) -> bool {
        standing == Standing::Absent
    }

    fn word(&self, progress: &Progress<'_>) -> Option<Word> {
        let outcomes = || progress.receipt.deliveries.iter().map(|delivery| delivery.outcome);
        let is_blocked = || outcomes().any(|outcome| outcome == Outcome::Blocked);
        let is_exhausted = || {
            let mut bad = outcomes().filter(|one| !one.is_good() && *one != Outcome::NotApplicable);
            outcomes().any(|one| one == Outcome::Exhausted)
                && bad.all(|one| one == Outcome::Exhausted)
        };
        let action = Body { status: Some("ACTION_REQUIRED"), ..Body::default() };
        let profile = |status| Body { profile_status: Some(status), ..Body::default() };
        let (body, is_last) = match progress.standing {
            Standing::UnderWay if is_blocked() => (action, false),
            Standing::UnderWay => return None,
            Standing::Done => (Body::default(), true),
            Standing::Absent => (profile("SKIPPED"), true),
            Standing::Attention | Standing::Failed if is_exhausted() => (profile("ERROR"), false),
            Standing::Attention | Standing::Failed | Standing::Unidentified | Standing::Partial => {
                (action, false)
            }
        };
        let text = body.status.or(body.profile_status).unwrap_or("RESOLVED").to_owned();
        Some(Word { text, is_last, method: "PUT", body: json::to_string(&body) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::tests::{progress, webhook};
    use crate::json::Json;
    use crate::settings::Findings;

    fn transcend() -> Box<dyn Callback> {
        let json = Json::parse(br#"{"key":"TRANSCEND_API_KEY"}"#).unwrap();
        let findings = Findings::default();
        let mut settings = Settings::new("S.callback".into(), &json, &findings).unwrap();
        let callback = configure(&mut settings).unwrap();
        settings.finish();
        assert!(findings.into_problems().is_empty());
        callback
    }

    #[test]
    fn each_end_has_its_word() {
        use Outcome::*;
        let told = |standing, outcomes: &[Outcome]| {
            let word = progress(standing, outcomes, |progress| transcend().word(progress));
            word.map(|word| (word.text, word.body, word.is_last))
        };
        let word = |text: &str, body: &str, is_last| Some((text.into(), body.into(), is_last));
        let action = word("ACTION_REQUIRED", r#"{"status":"ACTION_REQUIRED"}"#, false);
        let error = word("ERROR", r#"{"profileStatus":"ERROR"}"#, false);
        for (standing, outcomes, expected) in [
            (Standing::UnderWay, &[Accepted, Scheduled][..], None),
            (Standing::UnderWay, &[Accepted, Blocked], action.clone()),
            (Standing::Done, &[Accepted, AlreadyAbsent], word("RESOLVED", "{}", true)),
            (
                Standing::Absent,
                &[AlreadyAbsent, NotApplicable],
                word("SKIPPED", r#"{"profileStatus":"SKIPPED"}"#, true),
            ),
            (Standing::Attention, &[Accepted, Exhausted], error.clone()),
            (Standing::Attention, &[Exhausted, Rejected], action.clone()),
            (Standing::Attention, &[NotErased, Accepted], action.clone()),
            (Standing::Attention, &[Uncertain, Accepted], action.clone()),
            (Standing::Failed, &[Exhausted, NotApplicable], error),
            (Standing::Failed, &[Accepted], action.clone()), // closed as failed
            (Standing::Unidentified, &[InsufficientIdentification], action.clone()),
            (Standing::Partial, &[Accepted], action),
        ] {
            assert_eq!(told(standing, outcomes), expected, "{standing:?} {outcomes:?}");
        }
    }

    #[test]
    fn every_nonce_is_kept_up_to_a_number() {
        let callback = transcend();
        let reply = |nonce: &str| webhook(&[(NONCE, nonce)], b"", |one| callback.reply(one));
        let mut known = Reply::default();
        for nonce in ["a", "b", "a"] {
            known = callback.merge(known, reply(nonce));
        }
        assert_eq!(known.targets.len(), 2);
        for number in 0..100 {
            known = callback.merge(known, reply(&format!("n{number}")));
        }
        assert_eq!(known.targets.len(), MOST);
        assert!(known.targets.last().is_some_and(|target| target.headers[0].1 == "n99"));
    }

    #[test]
    fn a_nonce_is_a_header_value_and_goes_nowhere_else() {
        let callback = transcend();
        let reply = |nonce: &str| webhook(&[(NONCE, nonce)], b"", |one| callback.reply(one));
        let long = "x".repeat(MAX_BYTES + 1);
        for bad in ["", "a b", "a\r\nhost: evil", "\u{e9}", long.as_str()] {
            assert!(reply(bad).targets.is_empty(), "{bad:?}");
        }
        let url = &reply("eyJ.nonce").targets[0].url;
        assert_eq!(url, "https://multi-tenant.sombra.transcend.io/v1/data-silo");
    }
}
