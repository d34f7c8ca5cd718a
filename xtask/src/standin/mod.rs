//! Stand-in vendors: small servers that play Instacart Connect and Insider on the loopback
//! interface, for the demo, the development server and the end-to-end tests.
//!
//! A stand-in knows the vendor's documentation and nothing of the relay. Whatever departs from
//! the documentation is answered with a status that no vendor documents (418), so that the relay
//! cannot take it for a good end, and is kept in [`StandIn::departures`]. A wrong token gets the
//! vendor's own 401, and is kept too; a token that was good once gets the 401 alone.
//!
//! ```text
//! server       connections: receive a request, act out an answer
//! journal      what was received, and the answers that a test has scripted
//! inspection   the rules that both vendors share: methods, headers, tokens
//! instacart    one vendor's pages as rules, its documented answers, the tokens it issues
//! insider      the other's pages and answers
//! keys         where senders publish their keys
//! json         JSON that keeps repeated members, so that they can be refused
//! answer       what a script can make a vendor do, from a status to a reset connection
//! limit        so many calls in any window, and 429 above
//! chaos        failures by chance
//! ```

mod answer;
mod chaos;
pub mod insider;
mod inspection;
pub mod instacart;
mod journal;
mod json;
mod keys;
mod limit;
mod server;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use answer::Answer;
pub use chaos::Mix;
pub use insider::InsiderAccount;
pub use instacart::InstacartAccount;
pub use journal::Recorded;
pub use keys::{KeyServer, Page};

use chaos::Chaos;
use inspection::Verdict;
use instacart::Issuer;
use journal::{Journal, Scripted};
use limit::Limit;

/// A running stand-in. It stops, with every connection, when it is dropped.
///
/// It runs on the Tokio runtime that started it: a test that blocks a single-threaded runtime
/// blocks the vendor as well.
pub struct StandIn {
    address: SocketAddr,
    journal: Arc<Journal>,
    issuer: Arc<Issuer>,
    server: JoinHandle<()>,
}

impl StandIn {
    /// Starts an Instacart Connect that knows one account.
    pub async fn instacart(expected: InstacartAccount) -> Result<Self> {
        let (known, language) = (instacart::LANGUAGES, expected.language.as_deref());
        ensure!(language.is_none_or(|l| known.contains(&l)), "Instacart's languages are {known:?}");
        let issuer = Arc::new(Issuer::default());
        Self::start(Vendor::Instacart(expected, issuer.clone()), issuer).await
    }

    /// Starts an Insider that knows one account.
    pub async fn insider(expected: InsiderAccount) -> Result<Self> {
        let name = &expected.partner_name;
        ensure!(*name == name.to_lowercase(), "Insider's partner names are lower case");
        Self::start(Vendor::Insider(expected), Arc::default()).await
    }

    async fn start(vendor: Vendor, issuer: Arc<Issuer>) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("no port for a stand-in vendor")?;
        let address = listener.local_addr()?;
        let journal = Arc::new(Journal::default());
        let server = tokio::spawn(server::serve(listener, Arc::new(vendor), journal.clone()));
        Ok(Self { address, journal, issuer, server })
    }

    /// `http://127.0.0.1:PORT`, with a port chosen by the system.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The answers to the next calls about `identifier` (Instacart: the decoded user id; Insider:
    /// the identifier's value), in order; the last one repeats for ever. Replaces an earlier
    /// script; an empty one brings back [`Answer::Usual`]. Only a request that keeps to the
    /// documentation and is authorised takes an answer from the script.
    pub fn script(&self, identifier: &str, answers: impl IntoIterator<Item = Answer>) {
        let scripted = Scripted { path: None, identifier: Some(identifier.to_owned()) };
        self.journal.script(scripted, answers);
    }

    /// Like [`script`](Self::script), for the calls to one path only, such as [`insider::DELETE`].
    /// As long as there is such a script, the one for every path does not answer these calls.
    pub fn script_at(
        &self,
        path: &str,
        identifier: &str,
        answers: impl IntoIterator<Item = Answer>,
    ) {
        let (path, identifier) = (Some(path.to_owned()), Some(identifier.to_owned()));
        self.journal.script(Scripted { path, identifier }, answers);
    }

    /// Makes `user_id` unknown to Instacart: the page's only documented error, for every call.
    pub fn unknown(&self, user_id: &str) {
        self.script(user_id, [Answer::json(400, instacart::USER_NOT_FOUND)]);
    }

    /// Makes `identifier` the only one of its Insider profile, which Insider refuses to remove
    /// from it; the profile as a whole can still be deleted or anonymized. A
    /// [`script_at`](Self::script_at) [`insider::IDENTITY`].
    pub fn sole(&self, identifier: &str) {
        let refusal = Answer::json(400, insider::SOLE_IDENTIFIER);
        self.script_at(insider::IDENTITY, identifier, [refusal]);
    }

    /// The answers to the next token requests at Instacart, by the rules of
    /// [`script`](Self::script): the last one repeats for ever, so that a script which is to end
    /// ends with [`Answer::Usual`], a new token.
    pub fn script_token_requests(&self, answers: impl IntoIterator<Item = Answer>) {
        let scripted = Scripted { path: Some(instacart::TOKEN.to_owned()), identifier: None };
        self.journal.script(scripted, answers);
    }

    /// Lets through so many calls in any `window`, and answers 429 to those above, whatever a script
    /// says: [`insider::TOO_MANY_REQUESTS`] with a `Retry-After`.
    pub fn limit(&self, calls: usize, window: Duration) {
        self.journal.limit(Limit::new(calls, window));
    }

    /// Answers by chance to what is in order and has no script. The same seed makes the same
    /// answers in the order of the calls.
    pub fn fail_by_chance(&self, mix: Mix, seed: u64) {
        self.journal.chaos(Chaos::new(mix, seed));
    }

    /// How many tokens Instacart has issued; no two are the same.
    pub fn tokens_issued(&self) -> usize {
        self.issuer.issued()
    }

    /// Lets every token that Instacart issues from now on live for so many seconds and then get
    /// a 401. Without this they live for a day.
    pub fn set_token_life(&self, seconds: u64) {
        self.issuer.set_life(seconds);
    }

    /// Ends every token that Instacart has issued so far: from now on they get a 401.
    pub fn revoke_tokens(&self) {
        self.issuer.revoke();
    }

    /// Disables one of Instacart's clients, known or not: from now on its token requests get
    /// [`instacart::INVALID_CLIENT`] (401), which is no departure. The tokens that it was issued
    /// before stay good, as Instacart's page on OAuth applications has it.
    pub fn refuse_client(&self, id: &str) {
        self.issuer.refuse_client(id);
    }

    /// Everything received so far, in order.
    pub fn requests(&self) -> Vec<Recorded> {
        self.journal.requests()
    }

    /// Everything received so far about `identifier`, in order.
    pub fn requests_for(&self, identifier: &str) -> Vec<Recorded> {
        let about = |request: &Recorded| request.identifier.as_deref() == Some(identifier);
        self.requests().into_iter().filter(about).collect()
    }

    /// Everything received so far at `path`, in order: [`insider::DELETE`], say, or
    /// [`instacart::TOKEN`].
    pub fn requests_to(&self, path: &str) -> Vec<Recorded> {
        self.requests().into_iter().filter(|request| request.path() == path).collect()
    }

    /// Every departure from the documentation so far, in words and without personal data or
    /// secrets. Empty after a good run.
    pub fn departures(&self) -> Vec<String> {
        self.journal.departures()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.server.abort(); // its connections are its own tasks and end with it
    }
}

/// Which vendor a stand-in plays.
enum Vendor {
    Instacart(InstacartAccount, Arc<Issuer>),
    Insider(InsiderAccount),
}

impl Vendor {
    /// Holds a request against the vendor's documentation.
    fn inspect(&self, request: &Recorded) -> Verdict {
        match self {
            Self::Instacart(account, issuer) => instacart::inspect(account, issuer, request),
            Self::Insider(account) => insider::inspect(account, request),
        }
    }

    /// The answer to a request in order, unless the test has scripted another.
    fn usual(&self, path: &str) -> Answer {
        match self {
            Self::Instacart(_, issuer) => instacart::usual(issuer, path),
            Self::Insider(_) => Answer::json(200, insider::SUCCESS),
        }
    }
}
