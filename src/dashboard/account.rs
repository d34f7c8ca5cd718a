//! The lanes of one account, and what is done to all that they hold.

use maud::html;

use super::layout::{Frame, Section, page};
use super::overview::{Lane, account_name, lane_table};
use super::path;
use crate::access::Access;
use crate::callback;
use crate::delivery::lane::BreakerState;
use crate::receipt::Timestamp;
use crate::session::Session;

/// What an operator can do to all that an account's lanes hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Has calls begin again.
    Resume,
    /// Sends again what can be sent again.
    Replay,
    /// Acknowledges what needs attention.
    Acknowledge,
}

impl Action {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Resume, Self::Replay, Self::Acknowledge];

    /// The last segment of its path.
    pub fn name(self) -> &'static str {
        match self {
            Self::Resume => "resume",
            Self::Replay => "replay",
            Self::Acknowledge => "acknowledge",
        }
    }

    /// What its button says.
    pub fn label(self) -> &'static str {
        match self {
            Self::Resume => "Resume",
            Self::Replay => "Replay all",
            Self::Acknowledge => "Acknowledge all",
        }
    }

    /// The action of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    /// What is said once it is done, to so many deliveries; `has_more` says whether that was not all.
    pub fn done(self, number: i64, has_more: bool) -> String {
        let number = super::parts::count(number, "delivery");
        let more = if has_more { " There are more: do it again." } else { "" };
        match self {
            Self::Resume => "Calls begin again.".to_owned(),
            Self::Replay => format!("{number} sent again.{more}"),
            Self::Acknowledge => format!("{number} acknowledged.{more}"),
        }
    }
}

/// The lists of its requests, by state.
const LISTS: [(&str, &str); 3] =
    [("attention", "Those that need attention"), ("pending", "Those that wait"), ("", "All")];

/// The page of an account.
pub struct Account<'a> {
    /// Who sees it.
    pub session: &'a Session,
    /// Its name.
    pub name: &'a str,
    /// Its lanes.
    pub lanes: &'a [Lane],
    /// What has just been done.
    pub message: Option<&'a str>,
    /// The time.
    pub now: Timestamp,
}

/// The page.
pub fn account(account: &Account<'_>) -> String {
    let Account { session, name, lanes, message, now } = account;
    let title = account_name(name);
    let mut statuses = lanes.iter().filter_map(|lane| lane.status.as_ref());
    let is_stopped = statuses.clone().any(|status| status.breaker != BreakerState::Closed);
    let is_configured = statuses.any(|status| status.orphaned.is_none());
    let is_possible = |action: &Action| match action {
        Action::Resume => is_stopped && is_configured,
        Action::Replay => is_configured,
        Action::Acknowledge => true,
    };
    let content = html! {
        p { a href="/" { "Overview" } " / Lanes" }
        h1 { (title) }
        (lane_table(session, "The account's lanes", lanes, *now))
        @if session.access() == Access::Act {
            h2 { "Everything that it holds" }
            p.actions {
                @for action in Action::ALL.into_iter().filter(is_possible) {
                    a.button href=(path::of_account(name, action.name())) { (action.label()) "…" }
                }
            }
        }
        @if callback::source_of(name).is_none() {
            h2 { "Requests" }
            ul {
                @for (state, words) in LISTS {
                    li {
                        a href={ (path::REQUESTS) "?vendor=" (path::value(name)) "&state=" (state) } {
                            (words)
                        }
                    }
                }
            }
        }
    };
    let section = Section::Overview;
    page(&Frame { title: &title, section, session: Some(session), message: *message }, &content)
}
