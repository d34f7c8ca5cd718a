//! What a stand-in has received, and the answers that a test has scripted for it.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::answer::Answer;
use super::inspection::Verdict;

/// One request, as it arrived.
#[derive(Clone)]
pub struct Recorded {
    pub method: String,
    /// Path and query as received, still percent-encoded. (A fragment, which no HTTP client sends,
    /// is dropped by hyper.)
    pub target: String,
    /// In the order of arrival, names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Whom the request is about, if that could be read: Instacart's decoded user id, or the value
    /// of Insider's identifier.
    pub identifier: Option<String>,
    /// In what the request departs from the documentation.
    pub departures: Vec<String>,
    /// The status of the answer, once there is one.
    pub answered: Option<u16>,
    pub received_at: Instant,
}

impl Recorded {
    /// Every value of the header `name` (lower case).
    pub fn header<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// Headers whose values are secrets.
const SECRET_HEADERS: &[&str] = &["authorization", "x-request-token", "cookie"];

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(name, value): &(String, String)| {
            let secret = SECRET_HEADERS.contains(&name.as_str());
            format!("{name}: {}", if secret { "(secret)" } else { value })
        };
        f.debug_struct("Recorded")
            .field("method", &self.method)
            .field("target", &self.target)
            .field("headers", &self.headers.iter().map(shown).collect::<Vec<_>>())
            .field("body", &String::from_utf8_lossy(&self.body))
            .field("identifier", &self.identifier)
            .field("departures", &self.departures)
            .field("answered", &self.answered)
            .finish_non_exhaustive()
    }
}

/// The memory of one stand-in, shared by its connections.
#[derive(Default)]
pub(super) struct Journal(Mutex<Pages>);

#[derive(Default)]
struct Pages {
    requests: Vec<Recorded>,
    scripts: HashMap<String, VecDeque<Answer>>,
    departures: Vec<String>,
}

/// Which request of the journal is being answered.
#[derive(Clone, Copy)]
pub(super) struct Turn(usize);

impl Journal {
    pub(super) fn script(&self, identifier: &str, answers: VecDeque<Answer>) {
        self.pages().scripts.insert(identifier.to_owned(), answers);
    }

    pub(super) fn requests(&self) -> Vec<Recorded> {
        self.pages().requests.clone()
    }

    pub(super) fn departures(&self) -> Vec<String> {
        self.pages().departures.clone()
    }

    /// Enters a request and says how to answer it: the refusal, or the next answer of the script.
    pub(super) fn enter(&self, request: Recorded, verdict: Verdict) -> (Turn, Answer) {
        let mut pages = self.pages();
        let turn = pages.requests.len();
        let said = verdict.departures.iter().map(|what| format!("request {}: {what}", turn + 1));
        pages.departures.extend(said);
        let answer = verdict.refusal.unwrap_or_else(|| pages.next_answer(&verdict.identifier));
        let Verdict { identifier, departures, .. } = verdict;
        pages.requests.push(Recorded { identifier, departures, ..request });
        (Turn(turn), answer)
    }

    /// Notes the status with which a request is answered.
    pub(super) fn answered(&self, Turn(turn): Turn, status: u16) {
        if let Some(request) = self.pages().requests.get_mut(turn) {
            request.answered = Some(status);
        }
    }

    /// Enters a departure that is not a request, such as bytes that are not HTTP.
    pub(super) fn depart(&self, what: String) {
        self.pages().departures.push(what);
    }

    /// A test that panicked elsewhere does not make the journal unreadable.
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn next_answer(&mut self, identifier: &Option<String>) -> Answer {
        let script = identifier.as_ref().and_then(|identifier| self.scripts.get_mut(identifier));
        match script {
            Some(answers) if answers.len() > 1 => answers.pop_front(),
            Some(answers) => answers.front().cloned(),
            None => None,
        }
        .unwrap_or(Answer::Usual)
    }
}
