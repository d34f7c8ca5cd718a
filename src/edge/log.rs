//! The Worker's log: one JSON line for each event, without personal data.

use std::fmt;

use serde::Serialize;
use worker::{console_error, console_log, console_warn};

use crate::delivery::audit::Entry;
use crate::delivery::lane::Status;
use crate::erasure::RequestId;
use crate::pseudonym::Pseudonyms;
use crate::receipt::{Delivery, Receipt, State};
use crate::settings::Misconfiguration;

/// How many deliveries the line of an erasure shows. Each repetition of a webhook writes such a line.
const MOST_DELIVERIES: usize = 20;

/// What stands in the place of what may not be shown.
pub const WITHHELD: &str = "(withheld)";

/// One line.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line<'a> {
    /// An erasure was handled.
    Erasure {
        source: &'a str,
        request_id: String,
        state: State,
        deliveries: &'a [Delivery],
        /// How many deliveries are not shown.
        #[serde(skip_serializing_if = "Option::is_none")]
        more: Option<usize>,
    },
    /// A call came to something.
    Delivery {
        source: &'a str,
        request_id: String,
        state: State,
        #[serde(flatten)]
        delivery: &'a Delivery,
    },
    /// A lane holds what it cannot send; its status says what and why.
    Lane { status: &'a Status },
    /// Events that are no erasures came.
    Ignored { source: &'a str, name: &'a str, count: u32 },
    /// An operator did something.
    Operator(&'a Entry),
    /// A message was rejected.
    Refused { source: &'a str, reason: &'a str },
    /// The relay cannot work as configured.
    NotConfigured { problems: &'a [Misconfiguration] },
    /// A fault of the relay itself.
    Internal { place: &'a str },
    /// The Wasm instance broke down.
    #[cfg(not(feature = "development"))]
    Panic { place: &'a str },
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&serde_json::to_string(self).unwrap_or_default())
    }
}

/// An erasure was handled. An id that may be personal is named by its pseudonym, or withheld.
pub fn erasure(id: &RequestId, receipt: &Receipt, pseudonyms: Option<&Pseudonyms>) {
    let Receipt { source, state, deliveries, .. } = receipt;
    let request_id = name(id, pseudonyms);
    let (deliveries, others) = deliveries.split_at(deliveries.len().min(MOST_DELIVERIES));
    let more = Some(others.len()).filter(|count| *count > 0);
    let line = Line::Erasure { source, request_id, state: *state, deliveries, more };
    if *state == State::Attention { console_warn!("{line}") } else { console_log!("{line}") }
}

/// A call came to something. `request_id` is as [`name`] has it.
pub fn delivery(source: &str, request_id: String, delivery: &Delivery) {
    let state = delivery.state();
    let line = Line::Delivery { source, request_id, state, delivery };
    if state == State::Attention { console_warn!("{line}") } else { console_log!("{line}") }
}

/// An id as a log may show it: one that may be personal by its pseudonym, or not at all.
pub fn name(id: &RequestId, pseudonyms: Option<&Pseudonyms>) -> String {
    let opaque = id.is_opaque().then(|| id.as_str().to_owned());
    let pseudonym = || pseudonyms.map(|names| names.of_request(id.as_str()));
    opaque.or_else(pseudonym).unwrap_or_else(|| WITHHELD.to_owned())
}

/// The same of an id that was stored.
pub fn name_of(id: &str, pseudonyms: Option<&Pseudonyms>) -> String {
    RequestId::parse(id).map(|id| name(&id, pseudonyms)).unwrap_or_default()
}

/// A lane holds what it cannot send; `status` is what `GET /lanes` shows.
pub fn unsendable(status: &Status) {
    console_warn!("{}", Line::Lane { status });
}

/// Events of this name, which are no erasures, came.
pub fn ignored(source: &str, name: &str, count: u32) {
    console_log!("{}", Line::Ignored { source, name, count });
}

/// An operator did something, as the audit trail has it.
pub fn operator(entry: &Entry) {
    console_log!("{}", Line::Operator(entry));
}

/// A message was rejected; `reason` names the check and nothing that was sent.
pub fn refused(source: &str, reason: &str) {
    console_warn!("{}", Line::Refused { source, reason });
}

/// The relay cannot work as configured.
pub fn not_configured(problems: &[Misconfiguration]) {
    console_error!("{}", Line::NotConfigured { problems });
}

/// A fault of the relay itself; `place` names it.
pub fn internal(place: &str) {
    console_error!("{}", Line::Internal { place });
}

/// The Wasm instance broke down at a place in the source.
#[cfg(not(feature = "development"))]
pub fn panic(place: &str) {
    console_error!("{}", Line::Panic { place });
}
