//! What a stand-in has received, and which answer comes next.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::answer::Answer;
use crate::fault_injection::FaultInjection;
use crate::inspection::Findings;
use crate::outage::Outage;
use crate::rate_limit::RateLimit;
use crate::request::RecordedRequest;

/// The state of one stand-in, shared by its connections.
#[derive(Default)]
pub(crate) struct Journal(Mutex<State>);

#[derive(Default)]
struct State {
    requests: Vec<RecordedRequest>,
    mismatches: Vec<String>,
    scripts: HashMap<ScriptKey, VecDeque<Answer>>,
    rate_limit: Option<RateLimit>,
    faults: Option<FaultInjection>,
    outage: Option<Outage>,
}

/// Which requests a script is for: those to a path, about an identifier, or both.
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct ScriptKey {
    pub(crate) path: Option<String>,
    pub(crate) identifier: Option<String>,
}

/// The position of a request in the journal.
#[derive(Clone, Copy)]
pub(crate) struct RequestIndex(usize);

impl Journal {
    pub(crate) fn script(&self, key: ScriptKey, answers: impl IntoIterator<Item = Answer>) {
        let answers: VecDeque<Answer> = answers.into_iter().collect();
        let scripts = &mut self.state().scripts;
        match answers.is_empty() {
            true => scripts.remove(&key),
            false => scripts.insert(key, answers),
        };
    }

    pub(crate) fn set_rate_limit(&self, limit: RateLimit) {
        self.state().rate_limit = Some(limit);
    }

    pub(crate) fn inject_faults(&self, faults: FaultInjection) {
        self.state().faults = Some(faults);
    }

    pub(crate) fn set_outage(&self, outage: Option<Outage>) {
        self.state().outage = outage;
    }

    pub(crate) fn outage(&self) -> Option<Outage> {
        self.state().outage
    }

    pub(crate) fn requests(&self) -> Vec<RecordedRequest> {
        self.state().requests.clone()
    }

    pub(crate) fn mismatches(&self) -> Vec<String> {
        self.state().mismatches.clone()
    }

    /// Records a request and returns how to answer it: the refusal, or the next answer.
    pub(crate) fn record(
        &self,
        request: RecordedRequest,
        findings: Findings,
    ) -> (RequestIndex, Answer) {
        let mut state = self.state();
        let index = state.requests.len();
        let number = index.saturating_add(1);
        let numbered = findings.mismatches.iter().map(|what| format!("request {number}: {what}"));
        state.mismatches.extend(numbered);
        let Findings { identifier, mismatches, refusal } = findings;
        let answer = refusal.unwrap_or_else(|| state.next_answer(request.path(), &identifier));
        state.requests.push(RecordedRequest { identifier, mismatches, ..request });
        (RequestIndex(index), answer)
    }

    /// Records the status of the response to a request.
    pub(crate) fn responded(&self, RequestIndex(index): RequestIndex, status: u16) {
        if let Some(request) = self.state().requests.get_mut(index) {
            (request.response_status, request.responded_at) = (Some(status), Some(Instant::now()));
        }
    }

    /// Records a mismatch outside of any request, such as bytes that are not HTTP.
    pub(crate) fn mismatch(&self, what: String) {
        self.state().mismatches.push(what);
    }

    /// A test that panics elsewhere does not make the journal unreadable.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The rate limit's refusal, otherwise the script's answer, otherwise an injected fault.
    fn next_answer(&mut self, path: &str, identifier: &Option<String>) -> Answer {
        let refused = self.rate_limit.as_mut().and_then(|limit| limit.check(Instant::now()));
        refused
            .or_else(|| self.scripted(path, identifier))
            .or_else(|| self.faults.as_mut().map(FaultInjection::next))
            .unwrap_or(Answer::Success)
    }

    /// The next answer of the script for this path and identifier, otherwise of the one for this
    /// identifier at any path.
    fn scripted(&mut self, path: &str, identifier: &Option<String>) -> Option<Answer> {
        let key = |path: Option<&str>| ScriptKey {
            path: path.map(str::to_owned),
            identifier: identifier.clone(),
        };
        let candidates = [key(Some(path)), key(None)];
        let chosen = candidates.iter().find(|key| self.scripts.contains_key(key));
        match chosen.and_then(|key| self.scripts.get_mut(key)) {
            Some(answers) if answers.len() > 1 => answers.pop_front(),
            Some(answers) => answers.front().cloned(),
            None => None,
        }
    }
}
