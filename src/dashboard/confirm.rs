//! What an action will do, before it is done.

use maud::{Markup, html};

use super::account;
use super::layout::{Frame, Section, csrf, page};
use super::overview::account_name;
use super::parts::{self, count};
use super::path;
use super::request::Action;
use crate::receipt::{Outcome, Receipt};
use crate::session::Session;

/// The page that asks whether an action on a request is meant, or says that it would change nothing.
/// `is_told` says whether the request's platform is told what became of it, `wrong` what was wrong with the
/// form when it was sent.
pub fn of_request(
    session: &Session,
    receipt: &Receipt,
    is_told: bool,
    action: Action,
    wrong: Option<&str>,
) -> String {
    let is_possible = action.is_possible(receipt, is_told);
    let fields = match action {
        Action::Replay => super::layout::empty(),
        Action::Acknowledge | Action::Discard => parts::note(),
        Action::Close => {
            html! { (parts::select("outcome", "Outcome", &OUTCOMES, "")) (parts::note()) }
        }
    };
    let (source, request_id) = (&receipt.source, &receipt.request_id);
    question(
        session,
        &Question {
            title: &format!("{} this request?", action.label()),
            section: Section::Requests,
            about: &html! {
                p { "Request " span.id { (request_id) } " of " strong { (source) } }
                (effect(receipt, action))
            },
            action: &path::of_request(source, request_id, action.name()),
            back: &path::request(source, request_id),
            button: action.label(),
            fields: &fields,
            is_possible,
            wrong,
        },
    )
}

/// The page that asks whether an action on the lanes of an account is meant, in which so many deliveries
/// wait.
pub fn of_account(
    session: &Session,
    account: &str,
    waiting: i64,
    action: account::Action,
    wrong: Option<&str>,
) -> String {
    let name = account_name(account);
    let about = match action {
        account::Action::Resume => html! {
            p {
                "Calls begin again at once, at the account's pace: " (count(waiting, "delivery"))
                " waiting. If the account is still rejected, it is blocked again after the first call, \
                and nothing is lost."
            }
        },
        account::Action::Replay => html! {
            p {
                "Everything in these lanes that was rejected, or is uncertain, exhausted or blocked will \
                be sent again, as far as the identifiers are still stored. Earlier results stay in the \
                time lines."
            }
        },
        account::Action::Acknowledge => html! {
            p {
                "Everything in these lanes that needs attention will count as seen. No vendor and no \
                platform is told anything, and what can be replayed can still be replayed."
            }
        },
    };
    let fields = match action {
        account::Action::Acknowledge => parts::note(),
        _ => super::layout::empty(),
    };
    question(
        session,
        &Question {
            title: &format!("{} – {name}?", action.label()),
            section: Section::Overview,
            about: &about,
            action: &path::of_account(account, action.name()),
            back: &path::account(account),
            button: action.label(),
            fields: &fields,
            is_possible: true,
            wrong,
        },
    )
}

/// What an operator can close a request with.
const OUTCOMES: [(&str, &str); 3] = [
    ("completed", "Completed: the data was erased by other means"),
    ("not_found", "Not found: there is no data of the person"),
    ("failed", "Failed: the data was not erased, and will not be"),
];

/// What will happen.
fn effect(receipt: &Receipt, action: Action) -> Markup {
    let number = |is: fn(Outcome) -> bool| {
        let all = receipt.deliveries.iter().filter(|one| is(one.outcome)).count();
        count(i64::try_from(all).unwrap_or(i64::MAX), "delivery")
    };
    let is_again = |outcome: Outcome| outcome == Outcome::Blocked || outcome.can_be_replayed();
    let is_ended = |outcome: Outcome| !outcome.is_final() || outcome.can_be_replayed();
    match action {
        Action::Replay => html! {
            p {
                "What failed or is blocked will be due now, and sent as soon as their lanes make calls (" (number(is_again)) "), as far as the \
                identifiers are still stored, and so will messages that the platform did not take. What \
                was accepted is not sent again. Earlier attempts stay in the time line."
            }
        },
        Action::Discard => html! {
            p {
                (number(is_ended)) " will be ended without the vendor's confirmation. The identifiers \
                that are stored for them are erased. " strong { "This cannot be undone" } ", and the \
                request cannot be replayed afterwards."
            }
        },
        Action::Acknowledge => html! {
            p {
                "What needs attention will count as seen, so that the request needs nobody any more. No \
                vendor and no platform is told anything, and it can still be replayed."
            }
        },
        Action::Close => html! {
            p {
                "The platform is told the outcome that you choose, as the last word about this request. "
                strong { "This cannot be undone." }
            }
        },
    }
}

struct Question<'a> {
    title: &'a str,
    section: Section,
    /// What will happen, to what.
    about: &'a Markup,
    action: &'a str,
    back: &'a str,
    button: &'a str,
    fields: &'a Markup,
    /// Whether it would change anything.
    is_possible: bool,
    wrong: Option<&'a str>,
}

fn question(session: &Session, question: &Question<'_>) -> String {
    let Question { title, section, about, action, back, button, fields, is_possible, wrong } =
        question;
    let content = html! {
        h1 { (title) }
        (about)
        @if let Some(wrong) = wrong { p.error role="alert" { (wrong) } }
        @if !is_possible { p.card { "This would change nothing now." } }
        @if *is_possible { form.narrow method="post" action=(action) {
            (csrf(session))
            (fields)
            p.actions {
                button type="submit" { (button) }
                a href=(back) { "Cancel" }
            }
        } } @else { p { a.button href=(back) { "Back" } } }
    };
    page(&Frame { title, section: *section, session: Some(session), message: None }, &content)
}
