//! What operators did.

use maud::{Markup, html};

use super::layout::{Frame, Section, page};
use super::parts::{cell, columns, exact_time, next_page, text, words};
use super::path;
use crate::delivery::audit::Entry;
use crate::session::Session;

/// The page. `next` is where the next page begins.
pub fn trail(session: &Session, actions: &[Entry], next: Option<&str>) -> String {
    let content = html! {
        h1 { "Audit trail" }
        @if actions.is_empty() {
            p { "No operator has done anything that is still recorded." }
        } @else {
            table {
                caption { "What operators did, newest first" }
                (columns(&["Time", "Action", "What", "By", "Note", "Result"]))
                tbody { @for entry in actions { (row(entry)) } }
            }
        }
        @if let Some(next) = next {
            (next_page(&format!("{}?before={}", path::ACTIONS, path::value(next)), "Older actions"))
        }
    };
    let (title, section) = ("Audit trail", Section::Actions);
    page(&Frame { title, section, session: Some(session), message: None }, &content)
}

fn row(entry: &Entry) -> Markup {
    let by = html! { (words(&entry.who)) " (" (entry.by) ")" };
    let action = html! {
        (words(&entry.action))
        @for detail in [&entry.to, &entry.call, &entry.outcome].into_iter().flatten() {
            " " code { (detail) }
        }
    };
    html! {
        tr {
            th scope="row" { (exact_time(entry.at)) }
            (cell("Action", &action))
            (cell("What", &what(entry)))
            (cell("By", &by))
            (cell("Note", &text(entry.note.as_deref().unwrap_or("–"))))
            (cell("Result", &text(entry.result.as_deref().unwrap_or("unknown"))))
        }
    }
}

/// What it was done to.
fn what(entry: &Entry) -> Markup {
    if let (Some(source), Some(id)) = (&entry.source, &entry.request_id) {
        return html! { (source) " " a.id href=(path::request(source, id)) { (id) } };
    }
    match &entry.lane {
        Some(lane) => html! { "lanes of " a href=(path::account(lane)) { (lane) } },
        None => text("–"),
    }
}
