//! The relay's own event, for platforms without a way back: Standard Webhooks 1.0
//! (<https://www.standardwebhooks.com>), signed, with the receipt as its `data`, to a URL of the
//! configuration.
//!
//! | the erasure | `type` |
//! |---|---|
//! | is done, or was closed | `privacy.erasure.settled` |
//! | has failed for good, or names nobody whom a vendor takes | `privacy.erasure.settled` |
//! | needs a person, who can still replay or close it | `privacy.erasure.attention` |
//! | is done, and leaves a profile (`partial_erasure`) | `privacy.erasure.attention` |
//! | waits | no event |

use secrecy::SecretString;
use serde::Serialize;

use super::{Callback, Progress, Reply, Standing, Target, Webhook, Word};
use crate::json;
use crate::receipt::{Receipt, Timestamp};
use crate::secure_url::SecureUrl;
use crate::settings::Settings;
use crate::signature::hmac::Key;
use crate::signature::scheme::SecretEncoding;
use crate::signature::{Incoming, presets};
use crate::vendor::{Auth, CallKind, Pace, Request};

const EVENT: &[CallKind] = &[CallKind {
    name: "event",
    pace: Pace { calls: 600, per_seconds: 60 },
    reaches_person: false,
}];

struct Event {
    auth: Auth,
    url: SecureUrl,
}

/// Reads `url`, and `secret`, the name of a secret that is `whsec_` and base64.
pub(super) fn configure(settings: &mut Settings<'_>) -> Option<Box<dyn Callback>> {
    let secret = settings.required_secret("secret");
    let text = settings.required_text("url")?;
    let url = SecureUrl::parse(text);
    if url.is_none() {
        settings.problem("url", SecureUrl::EXPECTED);
    }
    Some(Box::new(Event { auth: Auth::Token(secret?), url: url? }))
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: Timestamp,
    data: &'a Receipt,
}

impl Callback for Event {
    fn auth(&self) -> &Auth {
        &self.auth
    }

    fn message(&self) -> &'static [CallKind] {
        EVENT
    }

    fn reply(&self, _: &Webhook<'_>) -> Reply {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        let url = self.url.as_str().to_owned();
        Reply { targets: vec![Target { url, headers }], context: None }
    }

    fn word(&self, progress: &Progress<'_>) -> Option<Word> {
        let (text, kind, is_last) = match progress.standing {
            Standing::UnderWay => return None,
            Standing::Attention | Standing::Partial => {
                ("attention", "privacy.erasure.attention", false)
            }
            _ => ("settled", "privacy.erasure.settled", true),
        };
        let body = Body { kind, timestamp: progress.now, data: progress.receipt };
        let body = json::to_string(&body);
        Some(Word { text: text.to_owned(), is_last, method: "POST", body })
    }

    fn sign(&self, request: &mut Request, id: &str, secret: &SecretString, now: i64) {
        sign(request, id, secret, now);
    }
}

/// Signs a request that leaves at `now`, in seconds since the Unix epoch, as Standard Webhooks has it.
pub fn sign(request: &mut Request, id: &str, secret: &SecretString, now: i64) {
    // Without a key there is no signature, and the recipient rejects the message.
    let Ok(key) = Key::parse(secret, SecretEncoding::Whsec) else { return };
    let body = request.body.as_deref().unwrap_or_default().as_bytes();
    let none = |_: &str| None;
    let message = Incoming { method: "POST", url: &request.url, headers: &none, body };
    let timestamp = now.to_string();
    let signature = key.sign(&presets::standard_webhooks().layout, id, &timestamp, &message);
    for (name, value) in [("id", id), ("timestamp", &timestamp), ("signature", &signature)] {
        request.headers.push((format!("webhook-{name}"), value.into()));
    }
}
