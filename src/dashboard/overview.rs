//! What needs a person, what is due, how the lanes are, and what came.

use maud::{Markup, html};

use super::chart;
use super::layout::{Frame, Section, page};
use super::parts::{self, Tone, badge, cell, columns, count, text};
use super::path;
use crate::access::Access;
use crate::activity::Hour;
use crate::callback;
use crate::delivery::alert;
use crate::delivery::directory::Orphaned;
use crate::delivery::lane::{BreakerState, Status};
use crate::receipt::{Receipt, Timestamp};
use crate::session::Session;

/// All that the page shows.
pub struct Overview<'a> {
    /// Who sees it.
    pub session: &'a Session,
    /// Each lane.
    pub lanes: &'a [Lane],
    /// The newest requests that need a person, and whether there are more.
    pub attention: &'a Beginning,
    /// The newest requests whose platform could not be told.
    pub undelivered: &'a Beginning,
    /// Those that are overdue.
    pub overdue: &'a Beginning,
    /// Those that are due within [`SOON_DAYS`].
    pub soon: &'a Beginning,
    /// What each source sent.
    pub sources: &'a [Source],
    /// The time.
    pub now: Timestamp,
}

/// Within how many days a request is due soon.
pub const SOON_DAYS: u32 = 5;

/// The beginning of a list.
#[derive(Debug, Default)]
pub struct Beginning {
    /// Its first elements.
    pub first: Vec<Receipt>,
    /// Whether there are more.
    pub has_more: bool,
    /// Whether it cannot be read, since a lane does not answer.
    pub is_unknown: bool,
}

/// A lane.
#[derive(Debug)]
pub struct Lane {
    /// The name of its account.
    pub account: String,
    /// Its status; `None` where it does not answer.
    pub status: Option<Status>,
    /// What came in each of the last 24 hours, the newest last; empty where that is not known.
    pub day: Vec<Hour>,
}

/// What a source sent.
#[derive(Debug)]
pub struct Source {
    /// The source.
    pub name: String,
    /// Events that were no erasures.
    pub ignored: Vec<Ignored>,
}

/// Events of one name that were no erasures.
#[derive(Debug)]
pub struct Ignored {
    /// The event's name.
    pub event: String,
    /// How many came.
    pub count: i64,
    /// When the last one came.
    pub last_at: Timestamp,
}

/// The page.
pub fn overview(overview: &Overview<'_>) -> String {
    let Overview { session, lanes, attention, undelivered, overdue, soon, now, .. } = overview;
    let is_calm =
        [attention, undelivered].iter().all(|all| all.first.is_empty() && !all.is_unknown)
            && !lanes.iter().any(|lane| trouble(lane).is_some());
    let content = html! {
        h1 { "Overview" }
        section aria-labelledby="person" {
            h2 #person { "Needs a person" }
            (troubles(session, lanes))
            (list("Requests that need attention", "state=attention", attention, *now))
            (list("Requests whose platform could not be told", "", undelivered, *now))
            @if is_calm {
                p.card.calm { "Nothing needs a person." }
            }
        }
        @if !overdue.first.is_empty() || !soon.first.is_empty() {
            section aria-labelledby="due" {
                h2 #due { "Due" }
                (list("Overdue requests", "due_within_days=0", overdue, *now))
                (list("Requests that are due within 5 days", "due_within_days=5", soon, *now))
            }
        }
        section aria-labelledby="lanes" {
            h2 #lanes { "Lanes" }
            (lane_table(session, "Of each vendor account, and of those who are told something", lanes, *now))
        }
        section aria-labelledby="sources" {
            h2 #sources { "Sources" }
            (source_table(overview.sources, *now))
        }
    };
    let (section, session, message) = (Section::Overview, Some(*session), None);
    page(&Frame { title: "Overview", section, session, message }, &content)
}

fn list(caption: &str, query: &str, beginning: &Beginning, now: Timestamp) -> Markup {
    if beginning.is_unknown {
        return html! { p.error { (caption) " cannot be listed: a lane does not answer." } };
    }
    if beginning.first.is_empty() {
        return super::layout::empty();
    }
    html! {
        (parts::requests(caption, &beginning.first, now))
        @if beginning.has_more {
            p { a href={ (path::REQUESTS) "?" (query) } { "All: " (caption) } }
        }
    }
}

/// Why a lane needs a person.
fn trouble(lane: &Lane) -> Option<String> {
    let Some(status) = &lane.status else { return Some("It does not answer.".to_owned()) };
    if let Some(orphaned) = status.orphaned.filter(|_| status.waiting > 0) {
        let why = match orphaned {
            Orphaned::AccountUnknown => "there is no account of its name",
            Orphaned::JurisdictionChanged => "its account is in another jurisdiction",
            Orphaned::ShardUnknown => "its account has fewer shards",
        };
        return Some(format!(
            "It is not configured any more: {why}. Move or discard what waits by the API."
        ));
    }
    if status.unreadable > 0 {
        let why = "What waits was sealed with a PSEUDONYM_KEY that is not configured. Set that key as \
                   PSEUDONYM_KEY_PREVIOUS.";
        return Some(why.to_owned());
    }
    if !status.unsendable.is_empty() {
        let calls: Vec<&str> = status.unsendable.iter().map(|one| one.call.as_str()).collect();
        let calls = calls.join(", ");
        return Some(format!(
            "What waits for {calls} cannot be sent: move or discard it by the API."
        ));
    }
    if status.breaker == BreakerState::Blocked {
        let why = status.reason.as_deref().unwrap_or("the account is rejected");
        return Some(format!("Blocked: {why}."));
    }
    (status.open_hours >= LONG_OUTAGE_HOURS && status.waiting > 0)
        .then(|| format!("The other side has failed for {}.", count(status.open_hours, "hour")))
}

/// After so many hours a failure is no passing one.
const LONG_OUTAGE_HOURS: i64 = 24;

/// The name of an account for people.
pub(super) fn account_name(account: &str) -> String {
    match callback::source_of(account) {
        _ if account == alert::ACCOUNT => "alerts".to_owned(),
        Some(source) => format!("messages to the platform of {source}"),
        None => account.to_owned(),
    }
}

/// The name of a lane for people.
fn name(lane: &Lane) -> String {
    let account = account_name(&lane.account);
    match &lane.status {
        Some(status) if status.shard > 0 => format!("{account}, shard {}", status.shard),
        _ => account,
    }
}

fn troubles(session: &Session, lanes: &[Lane]) -> Markup {
    let all: Vec<(&Lane, String)> =
        lanes.iter().filter_map(|lane| Some((lane, trouble(lane)?))).collect();
    if all.is_empty() {
        return super::layout::empty();
    }
    html! {
        ul.cards {
            @for (lane, trouble) in &all {
                li.card.bad {
                    h3 { "Lane: " (name(lane)) }
                    p {
                        (trouble)
                        @if let Some(status) = &lane.status {
                            " Waiting: " (count(status.waiting, "delivery")) "."
                        }
                    }
                    @if can_resume(session, lane) { p.actions { (resume(lane)) } }
                }
            }
        }
    }
}

fn can_resume(session: &Session, lane: &Lane) -> bool {
    let is_stopped =
        |status: &Status| status.breaker != BreakerState::Closed && status.orphaned.is_none();
    session.access() == Access::Act && lane.status.as_ref().is_some_and(is_stopped)
}

fn resume(lane: &Lane) -> Markup {
    html! {
        a.button href=(path::of_account(&lane.account, "resume")) {
            "Resume" span.hidden { " " (name(lane)) } "…"
        }
    }
}

/// Lanes as a table.
pub(super) fn lane_table(
    session: &Session,
    caption: &str,
    lanes: &[Lane],
    now: Timestamp,
) -> Markup {
    html! {
        table {
            caption { (caption) }
            (columns(&["Lane", "State", "Waiting", "Oldest", "Pace used", "Last 24 hours", "Action"]))
            tbody { @for lane in lanes { (lane_row(session, lane, now)) } }
        }
    }
}

fn lane_row(session: &Session, lane: &Lane, now: Timestamp) -> Markup {
    let link = html! {
        th scope="row" { a href=(path::account(&lane.account)) { (name(lane)) } }
    };
    let Some(status) = &lane.status else {
        let state = badge("No answer", Tone::Bad);
        return html! { tr { (link) td data-label="State" colspan="6" { (state) } } };
    };
    let oldest = match status.oldest_received_at {
        Some(at) => parts::time_and_distance(at, now),
        None => text("–"),
    };
    let pace = html! {
        ul.plain {
            @for pace in &status.pace {
                li {
                    code { (pace.call) } " " (pace.used) " of " (pace.calls) " in "
                    (pace.per_seconds) " s"
                }
            }
        }
    };
    let action = if can_resume(session, lane) { resume(lane) } else { text("–") };
    html! {
        tr {
            (link)
            (cell("State", &breaker(status, now)))
            (cell("Waiting", &waiting(status)))
            (cell("Oldest", &oldest))
            (cell("Pace used", &pace))
            (cell("Last 24 hours", &chart::day(&lane.day)))
            (cell("Action", &action))
        }
    }
}

fn waiting(status: &Status) -> Markup {
    html! {
        (status.waiting)
        @if status.overdue > 0 { " " (badge(&format!("{} overdue", status.overdue), Tone::Bad)) }
    }
}

fn breaker(status: &Status, now: Timestamp) -> Markup {
    let (name, tone) = match status.breaker {
        BreakerState::Closed => ("Open for calls", Tone::Good),
        BreakerState::Resting => ("Pausing", Tone::Waiting),
        BreakerState::Probing => ("Failing: one call at a time", Tone::Waiting),
        BreakerState::Blocked => ("Blocked", Tone::Bad),
    };
    html! {
        (badge(name, tone))
        @if let Some(reason) = &status.reason { div.muted { (reason) } }
        @if let Some(at) = status.opened_at {
            div.muted { "since " (parts::time(at)) ", " (count(status.failures.into(), "failure")) }
        }
        @if let Some(at) = status.rests_until {
            div.muted { "until " (parts::time(at)) " (" (parts::distance(at, now)) ")" }
        }
    }
}

fn source_table(sources: &[Source], now: Timestamp) -> Markup {
    html! {
        table {
            caption { "Events of each source that were no erasures, and were ignored" }
            (columns(&["Source", "Requests", "Event", "Ignored", "Last"]))
            tbody {
                @for source in sources {
                    @if source.ignored.is_empty() {
                        tr {
                            th scope="row" { (source.name) }
                            (cell("Requests", &to_requests(source)))
                            (cell("Event", &text("none")))
                            (cell("Ignored", &text("0")))
                            (cell("Last", &text("–")))
                        }
                    }
                    @for event in &source.ignored {
                        tr {
                            th scope="row" { (source.name) }
                            (cell("Requests", &to_requests(source)))
                            (cell("Event", &html! { code { (event.event) } }))
                            (cell("Ignored", &html! { (event.count) }))
                            (cell("Last", &parts::time_and_distance(event.last_at, now)))
                        }
                    }
                }
            }
        }
    }
}

fn to_requests(source: &Source) -> Markup {
    html! {
        a href={ (path::REQUESTS) "?source=" (path::value(&source.name)) } {
            "Requests" span.hidden { " of " (source.name) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::lane::Unsendable;

    fn status() -> Status {
        let text = r#"{"vendor":"insider","shard":0,"waiting":0,"breaker":"closed","failures":0,
            "pace":[{"call":"identity","calls":1000,"per_seconds":60,"used":12}]}"#;
        serde_json::from_str(text).unwrap()
    }

    fn lane(change: impl FnOnce(&mut Status)) -> Lane {
        let mut status = status();
        change(&mut status);
        Lane { account: "insider".to_owned(), status: Some(status), day: Vec::new() }
    }

    #[test]
    fn a_lane_that_needs_a_person_says_why() {
        assert_eq!(trouble(&lane(|_| {})), None);
        assert_eq!(trouble(&lane(|status| status.breaker = BreakerState::Probing)), None);
        let silent = Lane { account: "insider".to_owned(), status: None, day: Vec::new() };
        for (lane, why) in [
            (silent, "It does not answer."),
            (
                lane(|status| {
                    status.breaker = BreakerState::Blocked;
                    status.reason = Some("the token was refused".to_owned());
                }),
                "Blocked: the token was refused.",
            ),
            (lane(|status| status.unreadable = 1), "PSEUDONYM_KEY_PREVIOUS"),
            (
                lane(|status| {
                    status.unsendable = vec![Unsendable { call: "gone".to_owned(), waiting: 2 }];
                }),
                "What waits for gone cannot be sent",
            ),
            (
                lane(|status| {
                    (status.open_hours, status.waiting) = (24, 1);
                }),
                "has failed for 24 hours",
            ),
            (
                lane(|status| {
                    (status.orphaned, status.waiting) = (Some(Orphaned::AccountUnknown), 1);
                }),
                "there is no account of its name",
            ),
        ] {
            let found = trouble(&lane).unwrap_or_default();
            assert!(found.contains(why), "{why}: {found}");
        }
    }

    #[test]
    fn a_quiet_relay_says_so_and_one_that_cannot_be_read_does_not() {
        let session = Session { token: crate::access::Token::AdminToken, csrf: "csrf".to_owned() };
        let (lanes, none) = ([lane(|_| {})], Beginning::default());
        let unknown = Beginning { is_unknown: true, ..Beginning::default() };
        for (attention, is_calm) in [(&none, true), (&unknown, false)] {
            let html = overview(&Overview {
                session: &session,
                lanes: &lanes,
                attention,
                undelivered: &none,
                overdue: &none,
                soon: &none,
                sources: &[],
                now: Timestamp(0),
            });
            assert_eq!(html.contains("Nothing needs a person."), is_calm, "{html}");
            assert_eq!(html.contains("cannot be listed"), !is_calm, "{html}");
        }
    }
}
