//! What went wrong.

use maud::html;

use super::layout::{Frame, Section, page};
use crate::session::Session;

/// The page of a failure: its title, and what is known beside it.
pub fn failure(session: Option<&Session>, title: &str, detail: Option<&str>) -> String {
    let content = html! {
        h1 { (title) }
        @if let Some(detail) = detail { p { (detail) } }
        p { a href="/" { "To the overview" } }
    };
    page(&Frame { title, section: Section::Elsewhere, session, message: None }, &content)
}
