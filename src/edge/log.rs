//! The Worker's log: one JSON line for each thing that happened, without personal data.

use serde::Serialize;
use worker::{console_error, console_log, console_warn};

use crate::erasure::RequestId;
use crate::receipt::{Receipt, State};

#[derive(Serialize)]
struct Line<'a, T: Serialize> {
    event: &'a str,
    #[serde(flatten)]
    fields: T,
}

fn line(event: &str, fields: impl Serialize) -> String {
    serde_json::to_string(&Line { event, fields }).unwrap_or_default()
}

/// An erasure was handled.
pub fn erasure(id: &RequestId, receipt: &Receipt) {
    #[derive(Serialize)]
    struct Fields<'a> {
        source: &'a str,
        request_id: &'a str,
        state: State,
        deliveries: &'a [crate::receipt::Delivery],
    }
    let fields = Fields {
        source: &receipt.source,
        request_id: id.loggable(),
        state: receipt.state,
        deliveries: &receipt.deliveries,
    };
    let line = line("erasure", fields);
    match receipt.state {
        State::Done => console_log!("{line}"),
        State::Pending | State::Attention => console_warn!("{line}"),
    }
}

/// A message was refused; `reason` names the check and nothing that was sent.
pub fn refused(source: &str, reason: &str) {
    #[derive(Serialize)]
    struct Fields<'a> {
        source: &'a str,
        reason: &'a str,
    }
    console_warn!("{}", line("refused", Fields { source, reason }));
}

/// The relay cannot work as configured.
pub fn not_configured(problems: &[crate::settings::Problem]) {
    #[derive(Serialize)]
    struct Fields {
        problems: Vec<String>,
    }
    let problems = problems.iter().map(ToString::to_string).collect();
    console_error!("{}", line("not_configured", Fields { problems }));
}

/// A fault of the relay itself; `place` names it.
pub fn internal(place: &str) {
    #[derive(Serialize)]
    struct Fields<'a> {
        place: &'a str,
    }
    console_error!("{}", line("internal", Fields { place }));
}
