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

/// One line. Events and fields are documented in `docs/observability.md`, which a test checks, and
/// stable.
#[derive(Serialize)]
#[cfg_attr(test, derive(strum::EnumCount))]
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

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::Value;
    use strum::EnumCount;

    use super::*;
    use crate::receipt::{Acknowledged, Outcome, Timestamp};

    /// A delivery with every field.
    fn delivery() -> Delivery {
        Delivery {
            vendor: "insider".to_owned(),
            call: Some(Cow::Borrowed("identity")),
            identifier: Some("email".to_owned()),
            subject: Some("k4f2a:03ab77e9c21f".to_owned()),
            outcome: Outcome::Scheduled,
            status: Some(503),
            attempts: 1,
            detail: Some(Cow::Borrowed("the vendor failed")),
            trace: Some("8d1f0c9b7a6e5d4c-SIN".to_owned()),
            next_attempt_at: Some(Timestamp(1)),
            updated_at: Timestamp(0),
            acknowledged: Some(Acknowledged { at: Timestamp(0), note: "TICKET-123".to_owned() }),
            history: Vec::new(), // in receipts alone
        }
    }

    /// An action with every field.
    fn action() -> Entry {
        let text = || Some("x".to_owned());
        let [source, request_id, lane, to, call] = [(); 5].map(|()| text());
        let [outcome, note, result] = [(); 3].map(|()| text());
        let word = Cow::Borrowed("x");
        Entry {
            at: Timestamp(0),
            action: word.clone(),
            who: word.clone(),
            by: word,
            source,
            request_id,
            lane,
            to,
            call,
            outcome,
            note,
            result,
        }
    }

    fn status() -> Status {
        Status {
            vendor: "insider".to_owned(),
            shard: 0,
            jurisdiction: None,
            orphaned: None,
            waiting: 0,
            overdue: 0,
            oldest_received_at: None,
            next_attempt_at: None,
            breaker: crate::delivery::lane::BreakerState::Closed,
            failures: 0,
            reason: None,
            opened_at: None,
            open_hours: 0,
            unreadable: 0,
            rests_until: None,
            rows_written: None,
            unsendable: Vec::new(),
            pace: Vec::new(),
        }
    }

    /// The event and the fields of a line.
    fn fields(line: &Line<'_>) -> (String, BTreeSet<String>) {
        let written: Value = serde_json::from_str(&line.to_string()).unwrap();
        let members = written.as_object().unwrap();
        let names = members.keys().filter(|name| *name != "event").cloned().collect();
        (members["event"].as_str().unwrap().to_owned(), names)
    }

    /// The same of every line in the table of the documentation: what is in backticks in its last
    /// column, outside of parentheses.
    fn documented() -> BTreeMap<String, BTreeSet<String>> {
        let page = include_str!("../../docs/observability.md");
        let (_, table) = page.split_once("| `event` | level |").unwrap();
        let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
        let words = |text: &str| -> BTreeSet<String> {
            let outside = text.split('(').map(|part| part.rsplit(')').next().unwrap_or_default());
            let outside: String = outside.collect();
            outside.split('`').skip(1).step_by(2).map(str::to_owned).collect()
        };
        let row = |line: &str| {
            let columns: Vec<&str> = line.trim_matches('|').split('|').collect();
            (words(columns[0]).into_iter().next().unwrap(), words(columns[3]))
        };
        rows.map(row).collect()
    }

    #[test]
    fn the_documented_fields_are_those_that_are_written() {
        let (deliveries, status, problems) = ([delivery()], status(), []);
        let (delivery, action) = (delivery(), action());
        let (source, request_id) = ("consent", "a7551968-d5d6-44b2-9831-815ac9017798".to_owned());
        let state = State::Pending;
        let lines = [
            Line::Erasure {
                source,
                request_id: request_id.clone(),
                state,
                deliveries: &deliveries,
                more: Some(1),
            },
            Line::Delivery { source, request_id, state, delivery: &delivery },
            Line::Lane { status: &status },
            Line::Ignored { source, name: "consent.updated", count: 1 },
            Line::Operator(&action),
            Line::Refused { source, reason: "no secret matches" },
            Line::NotConfigured { problems: &problems },
            Line::Internal { place: "x" },
            #[cfg(not(feature = "development"))]
            Line::Panic { place: "x" },
        ];
        assert_eq!(lines.len(), Line::COUNT, "a line is missing in this test");
        let written: BTreeMap<_, _> = lines.iter().map(fields).collect();
        assert_eq!(documented(), written);
    }
}
