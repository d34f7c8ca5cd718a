//! The API for tests: starting a stand-in, scripting it, and reading what it received.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::answer::Answer;
use crate::connection;
use crate::fault_injection::{FaultInjection, FaultRates};
use crate::insider::{self, InsiderAccount};
use crate::instacart::{self, Instacart, InstacartAccount, Issuer};
use crate::journal::{Journal, ScriptKey};
use crate::outage::Outage;
use crate::rate_limit::RateLimit;
use crate::request::RecordedRequest;
use crate::server::Server;
use crate::vendor::Vendor;

/// A running stand-in. It stops, with every connection, when it is dropped.
///
/// It runs on the Tokio runtime that started it: a test that blocks a single-threaded runtime
/// blocks the stand-in as well.
pub struct StandIn {
    server: Server,
    journal: Arc<Journal>,
    issuer: Arc<Issuer>,
}

impl StandIn {
    /// Starts a vendor.
    ///
    /// # Errors
    /// Where no port is free.
    pub async fn start(vendor: impl Vendor) -> Result<Self> {
        Self::with_issuer(vendor, Arc::default()).await
    }

    /// Starts an Instacart Connect that knows one account.
    ///
    /// # Errors
    /// Where the account's language is not documented, or no port is free.
    pub async fn instacart(account: InstacartAccount) -> Result<Self> {
        let (known, language) = (instacart::LANGUAGES, account.language());
        ensure!(language.is_none_or(|l| known.contains(&l)), "Instacart's languages are {known:?}");
        let issuer = Arc::new(Issuer::default());
        Self::with_issuer(Instacart { account, issuer: issuer.clone() }, issuer).await
    }

    /// Starts an Insider that knows one account.
    ///
    /// # Errors
    /// Where the account's partner name is not lowercase, or no port is free.
    pub async fn insider(account: InsiderAccount) -> Result<Self> {
        let name = &account.partner_name;
        ensure!(*name == name.to_lowercase(), "Insider's partner names are lowercase");
        Self::start(account).await
    }

    async fn with_issuer(vendor: impl Vendor, issuer: Arc<Issuer>) -> Result<Self> {
        let vendor: Arc<dyn Vendor> = Arc::new(vendor);
        let journal = Arc::new(Journal::default());
        let shared = journal.clone();
        let serve = move |stream| connection::serve(stream, vendor.clone(), shared.clone());
        Ok(Self { server: Server::start(serve).await?, journal, issuer })
    }

    /// `http://127.0.0.1:PORT`, with a port chosen by the system.
    #[must_use]
    pub fn base_url(&self) -> String {
        self.server.base_url()
    }

    /// Scripts the answers to the next calls about `identifier` (Instacart: the decoded user id;
    /// Insider: the identifier's value), one per call; the last one repeats. Replaces an earlier
    /// script; an empty one restores [`Answer::Success`]. Only a request that matches the
    /// documentation and is authorised takes an answer from the script.
    pub fn script(&self, identifier: &str, answers: impl IntoIterator<Item = Answer>) {
        let key = ScriptKey { path: None, identifier: Some(identifier.to_owned()) };
        self.journal.script(key, answers);
    }

    /// Like [`script`](Self::script), for the calls to one path only, such as [`insider::DELETE`].
    /// As long as such a script exists, the one for every path does not answer these calls.
    pub fn script_at(
        &self,
        path: &str,
        identifier: &str,
        answers: impl IntoIterator<Item = Answer>,
    ) {
        let (path, identifier) = (Some(path.to_owned()), Some(identifier.to_owned()));
        self.journal.script(ScriptKey { path, identifier }, answers);
    }

    /// Scripts the answers to the next token requests at Instacart, by the rules of
    /// [`script`](Self::script): the last one repeats, so a script that is to end must end with
    /// [`Answer::Success`], a new token.
    pub fn script_token_requests(&self, answers: impl IntoIterator<Item = Answer>) {
        let key = ScriptKey { path: Some(instacart::TOKEN.to_owned()), identifier: None };
        self.journal.script(key, answers);
    }

    /// Makes `user_id` unknown to Instacart: every call gets the page's only documented error,
    /// [`instacart::USER_NOT_FOUND`].
    pub fn set_unknown_user(&self, user_id: &str) {
        self.script(user_id, [Answer::json(400, instacart::USER_NOT_FOUND)]);
    }

    /// Makes `identifier` the only one of its Insider profile, which Insider refuses to remove from
    /// it; the profile as a whole can still be deleted or anonymized. A
    /// [`script_at`](Self::script_at) [`insider::IDENTITY`].
    pub fn set_sole_identifier(&self, identifier: &str) {
        let refusal = Answer::json(400, insider::SOLE_IDENTIFIER);
        self.script_at(insider::IDENTITY, identifier, [refusal]);
    }

    /// Admits `calls` calls in any `window`, and answers those over the limit with 429,
    /// [`insider::TOO_MANY_REQUESTS`] and a `Retry-After`, whatever a script says. (Instacart
    /// documents no limit, so the answer is Insider's at both.)
    pub fn set_rate_limit(&self, calls: usize, window: Duration) {
        let refusal = Answer::json(429, insider::TOO_MANY_REQUESTS);
        self.journal.set_rate_limit(RateLimit::new(calls, window, refusal));
    }

    /// Makes every request that is as documented fail in the same way, whatever a rate limit or a
    /// script says; `None` ends it. Requests that already hang get no answer.
    pub fn set_outage(&self, outage: Option<Outage>) {
        self.journal.set_outage(outage);
    }

    /// How it fails as a whole at this time, if it does.
    #[must_use]
    pub fn outage(&self) -> Option<Outage> {
        self.journal.outage()
    }

    /// Injects random faults into the answers to calls that no script answers. The same seed gives
    /// the same answers in the order of the calls.
    pub fn inject_faults(&self, rates: FaultRates, seed: u64) {
        self.journal.inject_faults(FaultInjection::new(rates, seed));
    }

    /// How many tokens Instacart has issued; no two are equal.
    #[must_use]
    pub fn tokens_issued(&self) -> usize {
        self.issuer.issued()
    }

    /// Makes every token that Instacart issues from now on expire after `seconds`, whereupon it gets
    /// a 401. The default is a day.
    pub fn set_token_lifetime(&self, seconds: u64) {
        self.issuer.set_lifetime(seconds);
    }

    /// Revokes every token that Instacart has issued so far: from now on they get a 401.
    pub fn revoke_tokens(&self) {
        self.issuer.revoke_all();
    }

    /// Disables one of Instacart's clients, known or not: from now on its token requests get
    /// [`instacart::INVALID_CLIENT`] (401), which is no mismatch. The tokens that it was issued
    /// before stay valid, as Instacart's page on OAuth applications says.
    pub fn disable_client(&self, id: &str) {
        self.issuer.disable_client(id);
    }

    /// Everything received so far, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.journal.requests()
    }

    /// Everything received so far about `identifier`, in order.
    #[must_use]
    pub fn requests_for(&self, identifier: &str) -> Vec<RecordedRequest> {
        let about = |request: &RecordedRequest| request.identifier.as_deref() == Some(identifier);
        self.requests().into_iter().filter(about).collect()
    }

    /// Everything received so far at `path`, in order; for example [`insider::DELETE`] or
    /// [`instacart::TOKEN`].
    #[must_use]
    pub fn requests_to(&self, path: &str) -> Vec<RecordedRequest> {
        self.requests().into_iter().filter(|request| request.path() == path).collect()
    }

    /// Every mismatch with the documentation so far, in words and without personal data or secrets.
    /// Empty after a run without faults.
    #[must_use]
    pub fn mismatches(&self) -> Vec<String> {
        self.journal.mismatches()
    }
}
