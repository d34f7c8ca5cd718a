//! The list of requests with its filters, and the search.

use maud::{Markup, html};

use super::layout::{Frame, Section, csrf, page};
use super::{parts, path};
use crate::receipt::{Receipt, Timestamp};
use crate::session::Session;

/// The list.
pub struct List<'a> {
    /// Who sees it.
    pub session: &'a Session,
    /// The filter.
    pub filter: &'a Filter,
    /// The sources that are configured.
    pub sources: &'a [&'a str],
    /// The vendor accounts that are configured.
    pub vendors: &'a [&'a str],
    /// What was found.
    pub found: Found<'a>,
    /// The time.
    pub now: Timestamp,
}

/// What a list shows.
pub enum Found<'a> {
    /// These requests, and where the next page begins.
    Page(&'a [Receipt], Option<&'a str>),
    /// The filter cannot be read: why.
    Wrong(&'a str),
}

/// The values of the filter's fields, as they were chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter(Vec<(String, String)>);

/// The fields of the filter; each is a parameter of `GET /erasures`.
const FIELDS: [&str; 6] = ["state", "source", "vendor", "due_within_days", "from", "to"];

impl Filter {
    /// Reads the query of a URL.
    pub fn parse(query: &str) -> Self {
        let pairs = form_urlencoded::parse(query.as_bytes());
        let known = pairs.filter(|(name, value)| FIELDS.contains(&&**name) && !value.is_empty());
        Self(known.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// The value of a field; empty where nothing was chosen.
    fn value(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The path of the list from this position on.
    fn path(&self, before: &str) -> String {
        let mut path = format!("{}?", path::REQUESTS);
        for (name, value) in &self.0 {
            path.push_str(&format!("{name}={}&", path::value(value)));
        }
        path.push_str(&format!("before={}", path::value(before)));
        path
    }
}

const STATES: [(&str, &str); 6] = [
    ("", "Any"),
    ("attention", "Needs attention"),
    ("pending", "Pending"),
    ("done", "Done"),
    ("acknowledged", "Acknowledged"),
    ("discarded", "Discarded"),
];

const DUE: [(&str, &str); 6] = [
    ("", "Any time"),
    ("0", "Overdue"),
    ("1", "Within 1 day"),
    ("5", "Within 5 days"),
    ("14", "Within 14 days"),
    ("30", "Within 30 days"),
];

/// The page of a list.
pub fn list(list: &List<'_>) -> String {
    let content = html! {
        h1 { "Requests" }
        (search_form(list.session))
        (filter_form(list))
        (found(list))
    };
    let (title, session) = ("Requests", Some(list.session));
    page(&Frame { title, section: Section::Requests, session, message: None }, &content)
}

fn found(list: &List<'_>) -> Markup {
    match &list.found {
        Found::Wrong(why) => html! { p.error role="alert" { "The filter cannot be used: " (why) } },
        Found::Page([], None) => html! { p { "No request is like that." } },
        Found::Page(receipts, next) => html! {
            @if receipts.is_empty() { p { "No request on this page is like that." } }
            @else { (parts::requests("Requests, newest first", receipts, list.now)) }
            @if let Some(next) = next {
                (parts::next_page(&list.filter.path(next), "Older requests"))
            }
        },
    }
}

fn filter_form(list: &List<'_>) -> Markup {
    let filter = list.filter;
    html! {
        form.filter method="get" action=(path::REQUESTS) aria-label="Filter" {
            (parts::select("state", "State", &STATES, filter.value("state")))
            (parts::select_name("source", "Source", list.sources, filter.value("source")))
            (parts::select_name("vendor", "Vendor", list.vendors, filter.value("vendor")))
            (parts::select("due_within_days", "Due", &DUE, filter.value("due_within_days")))
            (parts::day("from", "Received from", filter.value("from")))
            (parts::day("to", "Received until", filter.value("to")))
            button type="submit" { "Filter" }
            @if !filter.0.is_empty() { a href=(path::REQUESTS) { "Show all" } }
        }
    }
}

/// What the search looks for, and the words for it. The kinds of identifiers have the API's names.
const WANTED: [(&str, &str); 8] = [
    ("request_id", "Request id, or id in an alert"),
    ("email", "Person: e-mail address"),
    ("phone_number", "Person: phone number"),
    ("user_id", "Person: user id"),
    ("uuid", "Person: UUID"),
    ("insider_id", "Person: Insider id"),
    ("custom", "Person: custom, as name:value"),
    ("trace", "Vendor's id of an answer"),
];

fn search_form(session: &Session) -> Markup {
    html! {
        form.filter method="post" action=(path::SEARCH) role="search" {
            (csrf(session))
            (parts::select("by", "Find by", &WANTED, "request_id"))
            div.field.wide {
                label for="text" { "Value" }
                input id="text" name="text" required autocomplete="off" spellcheck="false"
                    maxlength="1000" aria-describedby="text-hint";
            }
            button type="submit" { "Find" }
            p.hint #text-hint {
                "The value is sent in the body of the form. It is in no address, log or page, and a \
                 person's identifier is turned into its pseudonym at once."
            }
        }
    }
}

/// The page of what a search has found; `has_more` says whether that is not all.
pub fn results(session: &Session, receipts: &[Receipt], has_more: bool, now: Timestamp) -> String {
    let content = html! {
        h1 { "Search" }
        @if receipts.is_empty() {
            p role="status" {
                "Nothing was found. An identifier must be as the platform has sent it, and receipts are \
                 kept for a limited time."
            }
        } @else {
            (parts::requests("Requests that were found, newest first", receipts, now))
        }
        @if has_more { p { "There are older ones, which the API lists." } }
        (search_form(session))
        p { a href=(path::REQUESTS) { "All requests" } }
    };
    let (title, session) = ("Search", Some(session));
    page(&Frame { title, section: Section::Requests, session, message: None }, &content)
}
