//! What a stand-in has received, and the answers that a test has scripted for it.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::answer::Answer;
use super::chaos::Chaos;
use super::inspection::Verdict;
use super::instacart;
use super::limit::Limit;

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
    /// of Insider's identifier. A token request is about nobody.
    pub identifier: Option<String>,
    /// In what the request departs from the documentation.
    pub departures: Vec<String>,
    /// The status of the answer, once there is one.
    pub answered: Option<u16>,
    /// When it was given.
    pub answered_at: Option<Instant>,
    pub received_at: Instant,
}

impl Recorded {
    /// The target without a query.
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// Every value of the header `name` (lower case).
    pub fn header<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// Headers whose values are secrets.
const SECRET_HEADERS: &[&str] = &["authorization", "x-request-token", "cookie"];

/// Paths of requests whose bodies, and by mistake queries, are secrets.
const SECRET_PATHS: &[&str] = &[instacart::TOKEN];

const SECRET: &str = "(secret)";

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(name, value): &(String, String)| {
            let secret = SECRET_HEADERS.contains(&name.as_str());
            format!("{name}: {}", if secret { SECRET } else { value })
        };
        let (target, body) = if SECRET_PATHS.contains(&self.path()) {
            (self.path(), SECRET.into())
        } else {
            (self.target.as_str(), String::from_utf8_lossy(&self.body))
        };
        f.debug_struct("Recorded")
            .field("method", &self.method)
            .field("target", &target)
            .field("headers", &self.headers.iter().map(shown).collect::<Vec<_>>())
            .field("body", &body)
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
    scripts: HashMap<Scripted, VecDeque<Answer>>,
    departures: Vec<String>,
    limit: Option<Limit>,
    chaos: Option<Chaos>,
}

/// Which requests a script is for: those to a path, about an identifier, or both.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct Scripted {
    pub(super) path: Option<String>,
    pub(super) identifier: Option<String>,
}

/// Which request of the journal is being answered.
#[derive(Clone, Copy)]
pub(super) struct Turn(usize);

impl Journal {
    pub(super) fn script(&self, scripted: Scripted, answers: impl IntoIterator<Item = Answer>) {
        let answers: VecDeque<Answer> = answers.into_iter().collect();
        let scripts = &mut self.pages().scripts;
        match answers.is_empty() {
            true => scripts.remove(&scripted),
            false => scripts.insert(scripted, answers),
        };
    }

    pub(super) fn limit(&self, limit: Limit) {
        self.pages().limit = Some(limit);
    }

    pub(super) fn chaos(&self, chaos: Chaos) {
        self.pages().chaos = Some(chaos);
    }

    pub(super) fn requests(&self) -> Vec<Recorded> {
        self.pages().requests.clone()
    }

    pub(super) fn departures(&self) -> Vec<String> {
        self.pages().departures.clone()
    }

    /// Enters a request and says how to answer it: the refusal, or the next answer.
    pub(super) fn enter(&self, request: Recorded, verdict: Verdict) -> (Turn, Answer) {
        let mut pages = self.pages();
        let turn = pages.requests.len();
        let said = verdict.departures.iter().map(|what| format!("request {}: {what}", turn + 1));
        pages.departures.extend(said);
        let Verdict { identifier, departures, refusal } = verdict;
        let answer = refusal.unwrap_or_else(|| pages.next_answer(request.path(), &identifier));
        pages.requests.push(Recorded { identifier, departures, ..request });
        (Turn(turn), answer)
    }

    /// Notes the status with which a request is answered.
    pub(super) fn answered(&self, Turn(turn): Turn, status: u16) {
        if let Some(request) = self.pages().requests.get_mut(turn) {
            (request.answered, request.answered_at) = (Some(status), Some(Instant::now()));
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
    /// The limit's refusal, or else the script's answer, or else what chance draws.
    fn next_answer(&mut self, path: &str, identifier: &Option<String>) -> Answer {
        let refused = self.limit.as_mut().and_then(|limit| limit.refuse(Instant::now()));
        refused
            .or_else(|| self.scripted(path, identifier))
            .or_else(|| self.chaos.as_mut().map(Chaos::answer))
            .unwrap_or(Answer::Usual)
    }

    /// The next answer of the script for this path and identifier, or else of the one for this
    /// identifier at any path.
    fn scripted(&mut self, path: &str, identifier: &Option<String>) -> Option<Answer> {
        let scripted = |path: Option<&str>| Scripted {
            path: path.map(str::to_owned),
            identifier: identifier.clone(),
        };
        let candidates = [scripted(Some(path)), scripted(None)];
        let chosen = candidates.iter().find(|scripted| self.scripts.contains_key(scripted));
        match chosen.and_then(|scripted| self.scripts.get_mut(scripted)) {
            Some(answers) if answers.len() > 1 => answers.pop_front(),
            Some(answers) => answers.front().cloned(),
            None => None,
        }
    }
}
