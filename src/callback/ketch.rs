//! Ketch: a `DeleteStatusEvent` to every callback that the request names, with its headers
//! (<https://github.com/ketch-com/ketch-forwarder>, `api/dsr/v1/Status.md`). The host is not published,
//! and the message is not signed: it must be one of `hosts`.
//!
//! | the erasure | `status` | `reason` |
//! |---|---|---|
//! | is done | `completed` | `requested` |
//! | no vendor has the person | `completed` | `no_match` |
//! | names nobody whom a vendor takes | `completed` | `insufficient_identification` |
//! | is done, and leaves a profile (`partial_erasure`) | `in_progress` | `unknown`, with a message |
//! | needs a person, or has failed | `in_progress` | `unknown`, with a message |
//! | waits | `in_progress`, as the answer to the webhook said | |
//!
//! There is no word for a failure, and nothing is accepted after `completed`.

use serde::Serialize;

use super::hosts::{Hosts, allowed_headers};
use super::note::summary;
use super::{Callback, Progress, Reply, Standing, Target, Webhook, Word};
use crate::json::{self, Json};
use crate::settings::Settings;
use crate::vendor::{Auth, CallKind, Pace};

const STATUS: &[CallKind] = &[CallKind {
    name: "delete_status_event",
    pace: Pace { calls: 600, per_seconds: 60 },
    reaches_person: false,
}];

struct Ketch {
    hosts: Hosts,
}

/// Reads `hosts`.
pub(super) fn configure(settings: &mut Settings<'_>) -> Option<Box<dyn Callback>> {
    Some(Box::new(Ketch { hosts: Hosts::configure(settings)? }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusEvent<'a> {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata<'a>,
    event: Event<'a>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    uid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a str>,
}

/// `subject`, `identities` and `context` would change the request, and `messages` are shown to the
/// person: they are never set.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    status: &'static str,
    reason: &'static str,
    result_message: String,
    #[serde(rename = "requestID")]
    request_id: &'a str,
    /// In seconds since the Unix epoch: optional in the specification, required in Ketch's own types.
    expected_completion_timestamp: i64,
}

impl Callback for Ketch {
    /// The credential comes with each request.
    fn auth(&self) -> &Auth {
        &Auth::None
    }

    fn message(&self) -> &'static [CallKind] {
        STATUS
    }

    fn reply(&self, webhook: &Webhook<'_>) -> Reply {
        let json = webhook.json();
        let text = |value: Option<&Json<'_>>| value.and_then(Json::as_text).map(str::to_owned);
        let callbacks = json.get("request").and_then(|request| request.get("callbacks"));
        let Some(Json::Array(callbacks)) = callbacks else { return Reply::default() };
        let targets = callbacks.iter().filter_map(|callback| self.target(callback)).collect();
        let context = text(json.get("metadata").and_then(|metadata| metadata.get("tenant")));
        Reply { targets, context }
    }

    fn word(&self, progress: &Progress<'_>) -> Option<Word> {
        let Progress { receipt, standing, reply, now } = progress;
        let (status, reason) = match standing {
            Standing::UnderWay => return None,
            Standing::Done => ("completed", "requested"),
            Standing::Absent => ("completed", "no_match"),
            Standing::Unidentified => ("completed", "insufficient_identification"),
            Standing::Partial | Standing::Attention | Standing::Failed => {
                ("in_progress", "unknown")
            }
        };
        let is_last = status == "completed";
        let by = if is_last { Some(*now) } else { receipt.due_by };
        let event = Event {
            status,
            reason,
            result_message: summary(receipt),
            request_id: &receipt.request_id,
            expected_completion_timestamp: by.unwrap_or(*now).0.div_euclid(1000),
        };
        let metadata = Metadata { uid: &receipt.request_id, tenant: reply.context.as_deref() };
        let kind = "DeleteStatusEvent";
        let body = json::to_string(&StatusEvent { api_version: "dsr/v1", kind, metadata, event });
        Some(Word { text: format!("{status} {reason}"), is_last, method: "POST", body })
    }
}

impl Ketch {
    /// A recipient, where its URL and its headers are allowed.
    fn target(&self, callback: &Json<'_>) -> Option<Target> {
        let url = callback.get("url")?.as_text().filter(|url| self.hosts.allow(url))?.to_owned();
        let named = match callback.get("headers") {
            Some(Json::Object(headers)) => headers
                .iter()
                .map(|(name, value)| Some((name, value.as_text()?)))
                .collect::<Option<Vec<_>>>()?,
            _ => Vec::new(),
        };
        let mut headers = allowed_headers(named.into_iter())?;
        for name in ["content-type", "accept"] {
            headers.push((name.to_owned(), "application/json".to_owned()));
        }
        Some(Target { url, headers })
    }
}
