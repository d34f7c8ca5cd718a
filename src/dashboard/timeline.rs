//! What has happened to a request: every attempt, every message to its platform, and what operators
//! decided.

use maud::{Markup, html};

use super::parts::{self, Tone, badge};
use crate::receipt::{Acknowledged, Callback, Delivery, Receipt, Timestamp};

/// Something that has happened.
struct Event {
    at: Timestamp,
    tone: Tone,
    what: Markup,
}

/// A result, as an attempt has it or as it is now.
struct Outcome<'a> {
    at: Timestamp,
    word: &'a str,
    tone: Tone,
    status: Option<u16>,
    detail: Option<&'a str>,
    trace: Option<&'a str>,
}

/// The time line, in the order of time.
pub fn time_line(receipt: &Receipt) -> Markup {
    let mut events = vec![Event {
        at: receipt.received_at,
        tone: Tone::Quiet,
        what: html! { "Received from " strong { (receipt.source) } },
    }];
    for delivery in &receipt.deliveries {
        add_delivery(&mut events, delivery);
    }
    for callback in &receipt.callbacks {
        add_callback(&mut events, callback);
    }
    if let Some(closed) = &receipt.closed {
        let words = parts::words(closed.outcome.name());
        let what = html! { "Closed by an operator: " (words) " – " (closed.note) };
        events.push(Event { at: closed.at, tone: Tone::Quiet, what });
    }
    // Past attempts are stored in whole seconds. What happened in the same second is in its usual order.
    events.sort_by_key(|event| event.at.0.div_euclid(1000));
    html! {
        h2 { "Time line" }
        ol.timeline {
            @for event in &events {
                li class=(event.tone.class()) { (parts::exact_time(event.at)) " " (event.what) }
            }
        }
    }
}

fn add_delivery(events: &mut Vec<Event>, delivery: &Delivery) {
    let who = html! {
        strong { (delivery.vendor) }
        @if let Some(call) = &delivery.call { " " code { (call) } }
        @if let Some(identifier) = &delivery.identifier { " for " (identifier) }
    };
    for past in &delivery.history {
        let word = past.outcome.name();
        let (detail, trace) = (past.detail.as_deref(), past.trace.as_deref());
        let tone = Tone::of(past.outcome.state());
        let past = Outcome { at: past.at, word, tone, status: past.status, detail, trace };
        events.push(event(&who, &past));
    }
    let (detail, trace) = (delivery.detail.as_deref(), delivery.trace.as_deref());
    let (at, status) = (delivery.updated_at, delivery.status);
    let (word, tone) = (delivery.outcome.name(), Tone::of(delivery.outcome.state()));
    // What has not been tried yet has not happened.
    if delivery.attempts > 0 || delivery.outcome.is_final() {
        events.push(event(&who, &Outcome { at, word, tone, status, detail, trace }));
    }
    acknowledge(events, delivery.acknowledged.as_ref());
}

fn add_callback(events: &mut Vec<Event>, callback: &Callback) {
    let who = html! {
        "Message " code { (callback.message) } " to the platform, “" (callback.word) "”"
    };
    for past in &callback.history {
        let (word, tone) = (past.state.name(), Tone::of_callback(past.state));
        let (detail, trace) = (past.detail.as_deref(), past.trace.as_deref());
        let past = Outcome { at: past.at, word, tone, status: past.status, detail, trace };
        events.push(event(&who, &past));
    }
    let (word, tone) = (callback.state.name(), Tone::of_callback(callback.state));
    let (at, status, detail) = (callback.updated_at, callback.status, callback.detail.as_deref());
    events.push(event(&who, &Outcome { at, word, tone, status, detail, trace: None }));
    acknowledge(events, callback.acknowledged.as_ref());
}

/// What is acknowledged for several deliveries at once is one event.
fn acknowledge(events: &mut Vec<Event>, acknowledged: Option<&Acknowledged>) {
    let Some(Acknowledged { at, note }) = acknowledged else { return };
    let (at, tone) = (*at, Tone::Quiet);
    let what = html! { "Acknowledged by an operator – " (note) };
    if !events.iter().any(|known| known.at == at && known.what.0 == what.0) {
        events.push(Event { at, tone, what });
    }
}

fn event(who: &Markup, outcome: &Outcome<'_>) -> Event {
    let what = html! {
        (who) ": " (badge(&parts::words(outcome.word), outcome.tone))
        @if let Some(status) = outcome.status { ", status " (status) }
        @if let Some(trace) = outcome.trace { ", answer " span.id { (trace) } }
        @if let Some(detail) = outcome.detail { " – " (detail) }
    };
    Event { at: outcome.at, tone: outcome.tone, what }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::tests::delivery;
    use crate::receipt::{Attempt, Outcome};

    #[test]
    fn every_attempt_is_an_event_in_the_order_of_time() {
        let seen = Acknowledged { at: Timestamp(40_000), note: "kept <by> law".into() };
        let mut tried = delivery(Outcome::Rejected);
        tried.updated_at = Timestamp(30_000);
        tried.acknowledged = Some(seen.clone());
        tried.history = vec![
            Attempt {
                at: Timestamp(10_000),
                outcome: Outcome::Scheduled,
                status: Some(503),
                detail: Some("the vendor fails".into()),
                trace: Some("ray-1".into()),
            },
            Attempt {
                at: Timestamp(20_000),
                outcome: Outcome::Uncertain,
                status: Some(200),
                detail: None,
                trace: None,
            },
        ];
        let mut other = delivery(Outcome::Exhausted);
        other.updated_at = Timestamp(25_000);
        other.acknowledged = Some(seen);
        let mut waiting = delivery(Outcome::Scheduled);
        waiting.attempts = 0;
        // It came within the second of the first attempt.
        let deliveries = vec![tried, other, waiting];
        let receipt = Receipt::new("r", "consent", Timestamp(10_500), deliveries);
        let html = time_line(&receipt).into_string();
        let mut rest = html.as_str();
        for part in [
            "Received from",
            "Scheduled",
            ", status 503, answer <span class=\"id\">ray-1</span> – the vendor fails",
            "Uncertain",
            "Exhausted",
            "Rejected",
            "Acknowledged by an operator – kept &lt;by&gt; law",
        ] {
            let at = rest.find(part).unwrap_or_else(|| panic!("{part} is not in {rest}"));
            rest = &rest[at + part.len()..];
        }
        assert_eq!(html.matches("<li").count(), 6, "{html}");
    }
}
