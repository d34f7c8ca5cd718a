//! What all pages have in common.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::path;
use crate::access::Access;
use crate::session::{CSRF_FIELD, Session};

/// The part of the dashboard that a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// The first page.
    Overview,
    /// Requests, and what is done about them.
    Requests,
    /// Exports and statistics.
    Records,
    /// What operators did.
    Actions,
    /// None of them.
    Elsewhere,
}

/// What surrounds a page.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// The page's title.
    pub title: &'a str,
    /// Where it is.
    pub section: Section,
    /// Who sees it; `None` before the login.
    pub session: Option<&'a Session>,
    /// What has been done, shown above the page.
    pub message: Option<&'a str>,
}

const SECTIONS: [(Section, &str, &str); 4] = [
    (Section::Overview, "/", "Overview"),
    (Section::Requests, path::REQUESTS, "Requests"),
    (Section::Records, path::RECORDS, "Records"),
    (Section::Actions, path::ACTIONS, "Audit trail"),
];

/// A page with this content.
pub fn page(frame: &Frame<'_>, content: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head(frame.title, Some("/dashboard.css")))
            body {
                a.skip href="#main" { "Skip to the content" }
                header { (banner(frame)) }
                main #main tabindex="-1" {
                    @if let Some(message) = frame.message {
                        p.message role="status" { (message) }
                    }
                    (content)
                }
                footer { p { "Erasure Relay. All times are UTC." } }
            }
        }
    };
    page.into_string()
}

/// The head of a page, which loads this style sheet.
pub fn head(title: &str, style: Option<&str>) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) @if style.is_some() { " · Erasure Relay" } }
            @if let Some(style) = style { link rel="stylesheet" href=(style); }
        }
    }
}

fn banner(frame: &Frame<'_>) -> Markup {
    let Some(session) = frame.session else {
        return html! { p.brand { "Erasure Relay" } };
    };
    html! {
        p.brand { a href="/" { "Erasure Relay" } }
        nav aria-label="Main" {
            ul {
                @for (section, href, name) in SECTIONS {
                    @let current = (section == frame.section).then_some("page");
                    li { a href=(href) aria-current=[current] { (name) } }
                }
            }
        }
        @if session.access() == Access::Read { p.muted { "Read only" } }
        form method="post" action="/logout" {
            (csrf(session))
            button.quiet type="submit" { "Log out" }
        }
    }
}

/// The field that shows that a form is of this session.
pub fn csrf(session: &Session) -> Markup {
    html! { input type="hidden" name=(CSRF_FIELD) value=(session.csrf); }
}

/// Nothing.
pub fn empty() -> Markup {
    PreEscaped(String::new())
}
