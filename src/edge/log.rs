//! The Worker's log: one JSON line for each thing that happened, without personal data.

use serde::Serialize;
use wasm_bindgen::JsValue;
use web_sys::console;

use crate::erasure::RequestId;
use crate::pseudonym::Pseudonyms;
use crate::receipt::{Delivery, Receipt, State};

#[derive(Serialize)]
struct Line<'a, T: Serialize> {
    event: &'a str,
    #[serde(flatten)]
    fields: T,
}

fn line(event: &str, fields: impl Serialize) -> JsValue {
    serde_json::to_string(&Line { event, fields }).unwrap_or_default().into()
}

/// An erasure was handled. An id that may be personal is named by its pseudonym, or withheld.
pub fn erasure(id: &RequestId, receipt: &Receipt, pseudonyms: Option<&Pseudonyms>) {
    #[derive(Serialize)]
    struct Fields<'a> {
        source: &'a str,
        request_id: String,
        state: State,
        deliveries: &'a [Delivery],
    }
    let fields = Fields {
        source: &receipt.source,
        request_id: name(id, pseudonyms),
        state: receipt.state,
        deliveries: &receipt.deliveries,
    };
    let line = line("erasure", fields);
    match receipt.state {
        State::Done => console::log_1(&line),
        State::Pending | State::Attention => console::warn_1(&line),
    }
}

/// A call came to something. `request_id` is as [`name`] has it.
pub fn delivery(source: &str, request_id: String, delivery: Delivery) {
    #[derive(Serialize)]
    struct Fields<'a> {
        source: &'a str,
        request_id: String,
        state: State,
        #[serde(flatten)]
        delivery: Delivery,
    }
    let state = delivery.outcome.state();
    let line = line("delivery", Fields { source, request_id, state, delivery });
    if state == State::Attention { console::warn_1(&line) } else { console::log_1(&line) }
}

/// An id as a log may show it: one that may be personal by its pseudonym, or not at all.
pub fn name(id: &RequestId, pseudonyms: Option<&Pseudonyms>) -> String {
    let opaque = id.is_opaque().then(|| id.as_str().to_owned());
    let pseudonym = || pseudonyms.map(|names| names.of_request(id.as_str()));
    opaque.or_else(pseudonym).unwrap_or_else(|| "(withheld)".to_owned())
}

/// A message was refused; `reason` names the check and nothing that was sent.
pub fn refused(source: &str, reason: &str) {
    #[derive(Serialize)]
    struct Fields<'a> {
        source: &'a str,
        reason: &'a str,
    }
    console::warn_1(&line("refused", Fields { source, reason }));
}

/// The relay cannot work as configured.
pub fn not_configured(problems: &[crate::settings::Misconfiguration]) {
    #[derive(Serialize)]
    struct Fields {
        problems: Vec<String>,
    }
    let problems = problems.iter().map(ToString::to_string).collect();
    console::error_1(&line("not_configured", Fields { problems }));
}

/// A fault of the relay itself; `place` names it.
pub fn internal(place: &str) {
    #[derive(Serialize)]
    struct Fields<'a> {
        place: &'a str,
    }
    console::error_1(&line("internal", Fields { place }));
}
