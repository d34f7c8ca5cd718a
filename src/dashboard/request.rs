//! One request: what it waits for, its actions, its deliveries, and what has happened.

use maud::{Markup, html};

use super::layout::{Frame, Section, page};
use super::parts::{self, Tone, badge, cell, columns, text};
use super::{path, timeline};
use crate::access::Access;
use crate::receipt::{Callback, CallbackState, Delivery, Outcome, Receipt, State, Timestamp};
use crate::session::Session;

/// A request, and who looks at it.
pub struct Request<'a> {
    /// Who sees it.
    pub session: &'a Session,
    /// What is known of it.
    pub receipt: &'a Receipt,
    /// Whether its platform is told what became of it, so that an operator can close it.
    pub is_told: bool,
    /// What has just been done.
    pub message: Option<&'a str>,
    /// The time.
    pub now: Timestamp,
}

/// What an operator can do about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Sends again what can be sent again.
    Replay,
    /// Has what needs attention count as seen.
    Acknowledge,
    /// Has the platform told what was found out.
    Close,
    /// Ends what waits.
    Discard,
}

impl Action {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Replay, Self::Acknowledge, Self::Close, Self::Discard];

    /// The last segment of its path.
    pub fn name(self) -> &'static str {
        match self {
            Self::Replay => "replay",
            Self::Acknowledge => "acknowledge",
            Self::Close => "close",
            Self::Discard => "discard",
        }
    }

    /// What its button says.
    pub fn label(self) -> &'static str {
        match self {
            Self::Replay => "Replay",
            Self::Acknowledge => "Acknowledge",
            Self::Close => "Close",
            Self::Discard => "Discard",
        }
    }

    /// What is said once it is done.
    pub fn done(self) -> &'static str {
        match self {
            Self::Replay => "The request is due now, and sent as soon as its lanes make calls.",
            Self::Acknowledge => "What needed attention is acknowledged.",
            Self::Close => "The request is closed, and its platform is told.",
            Self::Discard => "What waited was ended.",
        }
    }

    /// The action of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    /// Whether it would change anything.
    pub fn is_possible(self, receipt: &Receipt, is_told: bool) -> bool {
        let any = |is: fn(Outcome) -> bool| receipt.deliveries.iter().any(|one| is(one.outcome));
        let is_open = |outcome: Outcome| outcome == Outcome::Blocked || outcome.can_be_replayed();
        match self {
            Self::Replay => any(is_open) || receipt.callbacks.iter().any(is_undelivered),
            Self::Acknowledge => {
                receipt.deliveries.iter().any(is_unseen)
                    || receipt.callbacks.iter().any(is_unseen_failure)
            }
            Self::Close => is_told && receipt.closed.is_none() && receipt.state == State::Attention,
            Self::Discard => any(|outcome| outcome == Outcome::Scheduled) || any(is_open),
        }
    }
}

/// Whether a message to the platform was not taken, and will not be without a person.
fn is_undelivered(callback: &Callback) -> bool {
    matches!(callback.state, CallbackState::Failed | CallbackState::Blocked)
}

/// Whether a delivery needs attention that a person has not acknowledged.
fn is_unseen(delivery: &Delivery) -> bool {
    delivery.acknowledged.is_none() && delivery.outcome.can_be_acknowledged()
}

/// Whether a message failed, and no person has acknowledged that.
fn is_unseen_failure(callback: &Callback) -> bool {
    callback.acknowledged.is_none() && callback.state == CallbackState::Failed
}

/// The page.
pub fn request(request: &Request<'_>) -> String {
    let Request { session, receipt, now, .. } = request;
    let content = html! {
        p { a href=(path::REQUESTS) { "Requests" } " / " (receipt.source) }
        h1 { "Request " span.id { (receipt.request_id) } }
        (facts(receipt, *now))
        (waits(request))
        (deliveries(receipt))
        @if !receipt.callbacks.is_empty() { (callbacks(receipt)) }
        (timeline::time_line(receipt))
        h2 { "Proof" }
        p {
            a href=(path::of_request(&receipt.source, &receipt.request_id, "proof")) {
                "Signed receipt, to print or to keep"
            }
        }
    };
    let (section, message) = (Section::Requests, request.message);
    page(&Frame { title: "Request", section, session: Some(session), message }, &content)
}

/// The request in a few facts.
pub(super) fn facts(receipt: &Receipt, now: Timestamp) -> Markup {
    html! {
        dl.facts {
            div { dt { "State" } dd { (state_of(receipt)) } }
            div { dt { "Source" } dd { (receipt.source) } }
            div {
                dt { "Received" }
                dd { (parts::time_and_distance(receipt.received_at, now)) }
            }
            div { dt { "To be answered by" } dd { (parts::due(receipt, now)) } }
            @if let Some(at) = receipt.reply_expires_at {
                div {
                    dt { "The platform takes an answer until" }
                    dd { (parts::time_and_distance(at, now)) }
                }
            }
            @if let Some(closed) = &receipt.closed {
                div {
                    dt { "Closed" }
                    dd {
                        (parts::time(closed.at)) ": "
                        (parts::words(closed.outcome.name())) " – " (closed.note)
                    }
                }
            }
        }
    }
}

/// The state, where no operator has closed what would need attention.
fn state_of(receipt: &Receipt) -> Markup {
    if receipt.closed.is_some() && receipt.state == State::Attention {
        badge("Closed", Tone::Quiet)
    } else {
        parts::state(receipt.state)
    }
}

/// What the request waits for, and what can be done.
fn waits(request: &Request<'_>) -> Markup {
    let Request { session, receipt, is_told, now, .. } = request;
    let mut reasons: Vec<Markup> = Vec::new();
    // What was closed waits for nothing but what is yet to be sent.
    let is_open = |one: &&Delivery| receipt.closed.is_none() || !one.outcome.is_final();
    for delivery in receipt.deliveries.iter().filter(is_open) {
        let reason = waits_for(delivery, *now);
        if let Some(reason) = reason.filter(|one| !reasons.iter().any(|known| known.0 == one.0)) {
            reasons.push(reason);
        }
    }
    let untold = |one: &&Callback| is_undelivered(one) && one.acknowledged.is_none();
    for callback in receipt.callbacks.iter().filter(untold) {
        reasons.push(html! {
            "The message " code { (callback.message) } " did not reach the platform"
            @if let Some(detail) = &callback.detail { ": " (detail) } "."
        });
    }
    let is_possible =
        |action: &Action| session.access() == Access::Act && action.is_possible(receipt, *is_told);
    let possible: Vec<Action> = Action::ALL.into_iter().filter(is_possible).collect();
    if reasons.is_empty() && possible.is_empty() {
        return super::layout::empty();
    }
    html! {
        section.card aria-labelledby="waits" {
            h2 #waits { "What it waits for" }
            @if reasons.is_empty() { p { "Nothing." } }
            ul { @for reason in &reasons { li { (reason) } } }
            @if !possible.is_empty() {
                p.actions {
                    @for action in possible {
                        a.button href=(path::of_request(
                            &receipt.source, &receipt.request_id, action.name()
                        )) { (action.label()) "…" }
                    }
                }
            }
        }
    }
}

/// What a delivery waits for; `None` where it needs nothing.
fn waits_for(delivery: &Delivery, now: Timestamp) -> Option<Markup> {
    if delivery.acknowledged.is_some() {
        return None;
    }
    let vendor = html! { strong { (delivery.vendor) } };
    let then = match delivery.outcome {
        Outcome::Accepted
        | Outcome::AlreadyAbsent
        | Outcome::NotApplicable
        | Outcome::Discarded => return None,
        Outcome::Scheduled => {
            return Some(html! {
                (vendor) " will be asked"
                @if let Some(at) = delivery.next_attempt_at {
                    @if at > now { " again, not before " (parts::time_and_distance(at, now)) }
                    @else { " as soon as its pace allows" }
                }
                "."
            });
        }
        Outcome::Blocked => {
            return Some(html! {
                (vendor) " rejects its account. Correct the credentials or the configuration, and resume "
                a href=(path::account(&delivery.vendor)) { "the account" } "."
                @if let Some(at) = delivery.next_attempt_at {
                    " Otherwise it is tried again, not before " (parts::time_and_distance(at, now)) "."
                }
            });
        }
        Outcome::Rejected => " has rejected the request. Replay it once the reason is gone",
        Outcome::Uncertain => {
            " gave no answer that confirms anything. Find out what it did, then replay or discard"
        }
        Outcome::Exhausted => " could not be reached until the deadline. Replay it once it answers",
        Outcome::NotErased => " does not delete this identifier. Erase it there by other means",
        Outcome::InsufficientIdentification => {
            " takes none of the identifiers of the request. Ask the person for another one"
        }
    };
    Some(html! { (vendor) (then) "." })
}

/// The deliveries as a table.
pub(super) fn deliveries(receipt: &Receipt) -> Markup {
    html! {
        table {
            caption { "Deliveries to vendors" }
            (columns(&["Vendor", "Call", "Identifier", "Outcome", "Status", "Attempts", "Recorded"]))
            tbody { @for delivery in &receipt.deliveries { (delivery_row(delivery)) } }
        }
    }
}

fn delivery_row(delivery: &Delivery) -> Markup {
    let identifier = html! {
        (delivery.identifier.as_deref().unwrap_or("none"))
        @if let Some(subject) = &delivery.subject { br; span.id.muted { (subject) } }
    };
    let outcome = html! {
        (parts::outcome(delivery.outcome, delivery.state()))
        @if let Some(detail) = &delivery.detail { br; span.muted { (detail) } }
        @if let Some(seen) = &delivery.acknowledged {
            br; span.muted { "Acknowledged: " (seen.note) }
        }
    };
    let status = html! {
        (status_of(delivery.status))
        @if let Some(trace) = &delivery.trace { br; span.id.muted { (trace) } }
    };
    html! {
        tr {
            th scope="row" { (delivery.vendor) }
            (cell("Call", &text(delivery.call.as_deref().unwrap_or("–"))))
            (cell("Identifier", &identifier))
            (cell("Outcome", &outcome))
            (cell("Status", &status))
            (cell("Attempts", &html! { (delivery.attempts) }))
            (cell("Recorded", &parts::time(delivery.updated_at)))
        }
    }
}

fn status_of(status: Option<u16>) -> Markup {
    match status {
        Some(status) => html! { (status) },
        None => text("–"),
    }
}

/// What the platform was told, as a table.
pub(super) fn callbacks(receipt: &Receipt) -> Markup {
    html! {
        table {
            caption { "Messages to the platform" }
            (columns(&["Message", "Word", "State", "Status", "Attempts", "Recorded"]))
            tbody { @for callback in &receipt.callbacks { (callback_row(callback)) } }
        }
    }
}

fn callback_row(callback: &Callback) -> Markup {
    let state = html! {
        (badge(&parts::words(callback.state.name()), Tone::of_callback(callback.state)))
        @if let Some(detail) = &callback.detail { br; span.muted { (detail) } }
    };
    html! {
        tr {
            th scope="row" { (callback.message) }
            (cell("Word", &text(&callback.word)))
            (cell("State", &state))
            (cell("Status", &status_of(callback.status)))
            (cell("Attempts", &html! { (callback.attempts) }))
            (cell("Recorded", &parts::time(callback.updated_at)))
        }
    }
}

#[cfg(test)]
mod tests {
    use Outcome::*;

    use super::*;
    use crate::access::Token;
    use crate::receipt::tests::delivery;
    use crate::receipt::{Acknowledged, Closed, ClosureOutcome};

    fn receipt(outcomes: &[Outcome]) -> Receipt {
        let deliveries = outcomes.iter().copied().map(delivery).collect();
        Receipt::new("r-1", "consent", Timestamp(0), deliveries)
    }

    fn possible(receipt: &Receipt, is_told: bool) -> Vec<&'static str> {
        let all = Action::ALL.into_iter();
        all.filter(|one| one.is_possible(receipt, is_told)).map(Action::name).collect()
    }

    #[test]
    fn an_action_is_offered_where_it_would_change_something() {
        for (outcomes, expected) in [
            (&[Accepted, AlreadyAbsent][..], &[][..]),
            (&[Scheduled], &["discard"]),
            (&[Blocked], &["replay", "close", "discard"]),
            (&[Rejected], &["replay", "acknowledge", "close", "discard"]),
            (&[NotErased], &["acknowledge", "close"]),
            (&[Discarded], &[]),
        ] {
            assert_eq!(possible(&receipt(outcomes), true), expected, "{outcomes:?}");
            let untold: Vec<_> = expected.iter().copied().filter(|name| *name != "close").collect();
            assert_eq!(possible(&receipt(outcomes), false), untold, "{outcomes:?}");
        }
        let mut closed = receipt(&[NotErased]);
        let outcome = ClosureOutcome::Failed;
        closed.closed = Some(Closed { outcome, note: "kept by law".into(), at: Timestamp(1) });
        assert_eq!(possible(&closed, true), ["acknowledge"]);
        let mut seen = receipt(&[NotErased]);
        let acknowledged = Acknowledged { at: Timestamp(1), note: "seen".into() };
        seen.deliveries[0].acknowledged = Some(acknowledged);
        assert_eq!(possible(&seen, false), [""; 0]);
    }

    #[test]
    fn what_a_request_waits_for_is_said_once_and_buttons_are_for_those_who_may_act() {
        let mut receipt = receipt(&[Rejected, Rejected, Blocked]);
        receipt.deliveries[0].detail = Some("<i>refused</i>".into());
        for (token, has_buttons) in [(Token::AdminToken, true), (Token::ReadToken, false)] {
            let session = Session { token, csrf: "csrf".into() };
            let html = request(&Request {
                session: &session,
                receipt: &receipt,
                is_told: false,
                message: None,
                now: Timestamp(0),
            });
            assert_eq!(html.matches("has rejected the request").count(), 1, "{html}");
            assert!(html.contains("rejects its account"), "{html}");
            assert!(html.contains("&lt;i&gt;refused&lt;/i&gt;") && !html.contains("<i>"), "{html}");
            assert_eq!(html.contains("/replay\""), has_buttons, "{html}");
        }
    }
}
