//! What each platform is told about an erasure once it has an outcome, and by which message: one file
//! per platform.
//!
//! A platform's callback is a vendor account of its own: its messages wait in a lane, with retry, pace,
//! breaker and deadline, and are shown in the receipt. Here is only what differs between platforms:
//! where a message goes, which word it bears, and what the answer means. No clock, no I/O.
//!
//! ```text
//! webhook ──► Reply (where to, with which credentials)  ─┐
//! lanes of the vendors ──► records of the erasure ───────┼─► Ticket ──► Word ──► Message ──► lane
//! operator ──► Closure ──────────────────────────────────┘
//! ```

mod account;
mod event;
mod fides;
mod hosts;
mod ketch;
mod note;
mod onetrust;
mod opendsr;
mod osano;
pub mod outbox;
mod progress;
mod ticket;
mod transcend;
pub mod wire;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::json::Json;
use crate::receipt::Outcome;
use crate::settings::Settings;
use crate::source::pointer;
use crate::vendor::{Answer, Auth, CallKind, Request, Scope, Verdict};
use secrecy::SecretString;

pub use account::{Configured, account_name, configure, source_of};
pub use event::sign;
pub use hosts::is_destination;
pub use opendsr::Processor;
pub use progress::{Progress, Standing};
pub use ticket::{Closure, Ticket};

/// Builds a callback from its table in the configuration; `None` where that reported a problem.
pub type Configure = fn(&mut Settings<'_>) -> Option<Box<dyn Callback>>;

/// Every callback by the name of its `kind` in the configuration. The one with the name of a source's
/// platform is that platform's default; `event` is that of all others.
pub const KINDS: &[(&str, Configure)] = &[
    ("event", event::configure),
    ("fides", fides::configure),
    ("ketch", ketch::configure),
    ("onetrust", onetrust::configure),
    ("opendsr", opendsr::configure),
    ("osano", osano::configure),
    ("transcend", transcend::configure),
];

/// How one platform is told.
pub trait Callback {
    /// How the messages authenticate, beside what the webhook brought.
    fn auth(&self) -> &Auth;

    /// The headers of every message.
    fn headers(&self, token: &SecretString) -> Vec<(&'static str, SecretString)> {
        let _ = token;
        Vec::new()
    }

    /// The kind of message, with its pace.
    fn message(&self) -> &'static [CallKind];

    /// Where the messages about the erasure of a webhook go, and what they need of it; without
    /// targets where the webhook names none that the configuration allows.
    fn reply(&self, webhook: &Webhook<'_>) -> Reply;

    /// Whether a webhook names what the messages are about, so that it must hold one erasure alone.
    fn is_about_one(&self) -> bool {
        false
    }

    /// What is kept where a webhook is repeated: what the newer one brought.
    fn merge(&self, known: Reply, newer: Reply) -> Reply {
        if newer.targets.is_empty() { known } else { newer }
    }

    /// Whether each webhook waits for a word of its own: a recipient that a later webhook brings must
    /// hear what the others have heard, the last word as well.
    fn answers_each_webhook(&self) -> bool {
        false
    }

    /// Whether the answer to a webhook itself tells the platform that the erasure stands like this, so
    /// that no message follows. Only where [each webhook is answered](Self::answers_each_webhook).
    fn is_told_by_answer(&self, standing: Standing, reply: &Reply) -> bool {
        let _ = (standing, reply);
        false
    }

    /// For how long the platform takes messages after a webhook; `None` where it sets no limit.
    fn reply_lifetime(&self) -> Option<Duration> {
        None
    }

    /// What the platform is to be told now; `None` where there is nothing to tell.
    fn word(&self, progress: &Progress<'_>) -> Option<Word>;

    /// The body of the message that bears `word` to a target; that of the word unless it names the
    /// target.
    fn body(&self, progress: &Progress<'_>, word: &Word, target: &Target) -> String {
        let _ = (progress, target);
        word.body.clone()
    }

    /// The headers that bear the signature of a body, where messages are signed with a
    /// [private key](Auth::PrivateKey). Answers to the platform bear them, too.
    fn signed_headers(&self, signature: &[u8]) -> Vec<(&'static str, String)> {
        let _ = signature;
        Vec::new()
    }

    /// What is published of the signing key, where the platform asks for it.
    fn processor(&self) -> Option<&Processor> {
        None
    }

    /// Signs a message that leaves at `now`, in seconds since the Unix epoch.
    fn sign(&self, request: &mut Request, id: &str, secret: &SecretString, now: i64) {
        let _ = (request, id, secret, now);
    }

    /// What the platform's answer means.
    fn judge(&self, answer: &Answer) -> Verdict {
        judge(answer)
    }
}

/// Reads the JSON Pointer `key`, which must be set: where a webhook has what a message needs.
fn required_pointer(settings: &mut Settings<'_>, key: &'static str) -> Option<String> {
    if settings.has(key) {
        return pointer(settings, key);
    }
    settings.required_text(key);
    None
}

/// A webhook, as a callback looks at it. None of it has been proven to come from the platform where the
/// platform does not sign.
pub struct Webhook<'a> {
    /// The values of its headers, by lower-case name.
    pub header: &'a dyn Fn(&str) -> Option<String>,
    /// The body.
    pub body: &'a [u8],
}

impl Webhook<'_> {
    /// The body as JSON, as far as it can be read.
    fn json(&self) -> Json<'_> {
        Json::parse_leniently(self.body).unwrap_or(Json::Null)
    }

    /// The text or number at a JSON Pointer, where it is an id of this form: it becomes part of a URL.
    fn id(&self, pointer: &str, is_id: fn(&str) -> bool) -> Option<String> {
        let json = self.json();
        let id = json.at(pointer).ok()??.scalar()?;
        is_id(&id).then(|| id.into_owned())
    }
}

/// Where messages about one erasure go. It holds credentials: it is sealed, erased with the last
/// message, and never logged.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Each gets every message.
    pub targets: Vec<Target>,
    /// What else of the webhook the messages repeat, such as its tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
}

/// One recipient.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// An absolute URL whose host the configuration names.
    pub url: String,
    /// The headers that the webhook brought for it.
    pub headers: Vec<(String, String)>,
}

/// What a platform is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The platform's own words, as receipts show them. A message is sent where they change.
    pub text: String,
    /// Whether the platform takes no further word after this.
    pub is_last: bool,
    /// The HTTP method.
    pub method: &'static str,
    /// The body, where it is the same for all recipients.
    pub body: String,
}

/// A message for one target, as it is sealed in the lane.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Message {
    /// The same for every attempt, and for no other message.
    id: String,
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: String,
}

/// The verdict that is the same for most platforms: 2xx confirms, 409 says that the platform has closed
/// the matter already, 425 is retried as the statuses are that mean the same everywhere.
fn judge(answer: &Answer) -> Verdict {
    if let Some(verdict) = answer.means_everywhere() {
        return verdict;
    }
    match answer.status {
        200..=299 => answer.means(Outcome::Accepted, None),
        409 => answer.means(Outcome::AlreadyAbsent, "the platform has closed it already"),
        425 => answer.means(Outcome::Scheduled, "the platform wants it later"),
        401 | 403 => answer
            .means(Outcome::Blocked, "the platform rejects the credentials")
            .about(Scope::Unclear),
        _ => answer.means(Outcome::Rejected, "the platform rejects the message"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::tests::delivery;
    use crate::receipt::{Receipt, Timestamp};

    /// What `look` makes of an erasure that stands like this.
    pub(super) fn progress<T>(
        standing: Standing,
        outcomes: &[Outcome],
        look: impl FnOnce(&Progress<'_>) -> T,
    ) -> T {
        let deliveries = outcomes.iter().copied().map(delivery).collect();
        let receipt = Receipt::new("r", "consent", Timestamp(0), deliveries);
        let reply = Reply::default();
        look(&Progress { receipt: &receipt, standing, reply: &reply, now: Timestamp(0) })
    }

    /// What `look` makes of a webhook.
    pub(super) fn webhook<T>(
        headers: &[(&str, &str)],
        body: &[u8],
        look: impl FnOnce(&Webhook<'_>) -> T,
    ) -> T {
        let value = |(_, value): &(&str, &str)| (*value).to_owned();
        let header = |name: &str| headers.iter().find(|(known, _)| *known == name).map(value);
        look(&Webhook { header: &header, body })
    }
}
