//! What an action will do, before it is done.

use maud::{Markup, html};

use super::layout::{Frame, Section, csrf, page};
use super::parts::{self, count};
use super::path;
use super::request::Action;
use crate::receipt::{Outcome, Receipt};
use crate::session::Session;

/// The page that asks whether an action on a request is meant. `wrong` says what was wrong with the form
/// when it was sent.
pub fn of_request(
    session: &Session,
    receipt: &Receipt,
    action: Action,
    wrong: Option<&str>,
) -> String {
    let fields = match action {
        Action::Replay => super::layout::empty(),
        Action::Discard => parts::note(),
        Action::Close => {
            html! { (parts::select("outcome", "Outcome", &OUTCOMES, "")) (parts::note()) }
        }
    };
    let (source, request_id) = (&receipt.source, &receipt.request_id);
    let title = format!("{} this request?", action.label());
    let content = html! {
        h1 { (title) }
        p { "Request " span.id { (request_id) } " of " strong { (source) } }
        (effect(receipt, action))
        (form(session, &Form {
            action: &path::of_request(source, request_id, action.name()),
            back: &path::request(source, request_id),
            button: action.label(),
            fields: &fields,
            wrong,
        }))
    };
    let (section, session) = (Section::Requests, Some(session));
    page(&Frame { title: &title, section, session, message: None }, &content)
}

/// The page that asks whether an action on the lanes of an account is meant.
pub fn resume(session: &Session, account: &str, waiting: i64) -> String {
    let title = format!("Resume {account}?");
    let content = html! {
        h1 { (title) }
        p {
            "Calls to " strong { (account) } " begin again at once, at its pace: "
            (count(waiting, "delivery")) " wait. If the vendor still rejects the account, it is blocked \
            again after the first call, and nothing is lost."
        }
        (form(session, &Form {
            action: &path::of_account(account, "resume"),
            back: "/",
            button: "Resume",
            fields: &super::layout::empty(),
            wrong: None,
        }))
    };
    let (section, session) = (Section::Overview, Some(session));
    page(&Frame { title: &title, section, session, message: None }, &content)
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
                (number(is_again)) " that failed or are blocked will be sent again now, as far as the \
                identifiers are still stored, and messages that the platform did not take as well. What \
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
        Action::Close => html! {
            p {
                "The platform is told the outcome that you choose, as the last word about this request. "
                strong { "This cannot be undone." }
            }
        },
    }
}

struct Form<'a> {
    action: &'a str,
    back: &'a str,
    button: &'a str,
    fields: &'a Markup,
    wrong: Option<&'a str>,
}

fn form(session: &Session, form: &Form<'_>) -> Markup {
    html! {
        @if let Some(wrong) = form.wrong { p.error role="alert" { (wrong) } }
        form.narrow method="post" action=(form.action) {
            (csrf(session))
            (form.fields)
            p.actions {
                button type="submit" { (form.button) }
                a href=(form.back) { "Cancel" }
            }
        }
    }
}
