//! Minted tokens: one for an account, requested by one caller however many wait, and kept in memory
//! alone until shortly before it expires.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use wasm_bindgen::JsValue;

use crate::edge::net::exchange::Session;
use crate::edge::net::single_flight::{SingleFlight, from_now};
use crate::edge::now;
use crate::receipt::Outcome;
use crate::vendor::{Client, ClientCredentials, Minted, Vendor, Verdict};

/// The tokens of one account.
pub struct Tokens {
    credentials: ClientCredentials,
    clients: Vec<Client>,
    endpoint: Session,
    timeout: Duration,
    state: RefCell<State>,
}

enum State {
    Empty,
    Minting(Rc<Mint>),
    Held(Rc<Held>),
}

/// What a caller who needs a token does.
enum Turn {
    Use(Rc<Held>),
    Wait(Rc<Mint>),
    Mint,
}

/// A session with a minted token.
pub struct Held {
    /// What to send with.
    pub session: Session,
    /// In milliseconds since the Unix epoch.
    good_until: i64,
}

type Mint = SingleFlight<Result<Rc<Held>, Verdict>>;

impl Tokens {
    /// # Errors
    /// Where the runtime refuses a header.
    pub fn new(
        credentials: ClientCredentials,
        clients: Vec<Client>,
        timeout: Duration,
    ) -> Result<Self, JsValue> {
        let headers = ClientCredentials::HEADERS.map(|(name, value)| (name, value.into()));
        let endpoint = Session::new(&headers)?;
        Ok(Self { credentials, clients, endpoint, timeout, state: RefCell::new(State::Empty) })
    }

    /// A session with a token that is good now.
    ///
    /// # Errors
    /// What it means for the call that there is none.
    pub async fn get(&self, vendor: &dyn Vendor) -> Result<Rc<Held>, Verdict> {
        loop {
            match self.turn() {
                Turn::Use(held) => return Ok(held),
                Turn::Mint => break,
                Turn::Wait(flight) => {
                    if let Some(result) = flight.wait().await {
                        return result;
                    }
                    // The request that minted was cancelled: another caller takes over.
                }
            }
        }
        let flight = Rc::new(SingleFlight::start(self.mint_limit()));
        self.state.replace(State::Minting(flight.clone()));
        let result = self.mint(vendor).await;
        if self.is_under_way(&flight) {
            self.state.replace(match &result {
                Ok(held) => State::Held(held.clone()),
                Err(_) => State::Empty,
            });
        }
        flight.finish(result.clone());
        result
    }

    /// Whether no other mint has taken the place of this one.
    fn is_under_way(&self, flight: &Rc<Mint>) -> bool {
        matches!(&*self.state.borrow(), State::Minting(other) if Rc::ptr_eq(other, flight))
    }

    /// Forgets a token that the vendor refused, unless another has taken its place.
    pub fn discard(&self, refused: &Rc<Held>) {
        let mut state = self.state.borrow_mut();
        if matches!(&*state, State::Held(held) if Rc::ptr_eq(held, refused)) {
            *state = State::Empty;
        }
    }

    fn turn(&self) -> Turn {
        let now = now().0;
        match &*self.state.borrow() {
            State::Held(held) if now < held.good_until => Turn::Use(held.clone()),
            State::Minting(flight) if flight.is_running() => Turn::Wait(flight.clone()),
            _ => Turn::Mint,
        }
    }

    /// Longer than the attempts of all clients take.
    fn mint_limit(&self) -> Duration {
        let turns = u32::try_from(self.clients.len()).unwrap_or(1);
        self.timeout.saturating_mul(turns).saturating_add(Duration::from_secs(1))
    }

    /// Asks for a token as each client in turn, until one is not refused.
    async fn mint(&self, vendor: &dyn Vendor) -> Result<Rc<Held>, Verdict> {
        let mut refused = Verdict::without_answer(Outcome::Blocked, "no client is configured");
        for client in &self.clients {
            let request = self.credentials.request(client);
            let answer = self.endpoint.send(&request, self.timeout).await.map_err(|_| {
                Verdict::without_answer(Outcome::Scheduled, "no token: its endpoint did not answer")
            })?;
            match ClientCredentials::read(&answer) {
                Minted::ClientRefused(verdict) => refused = verdict,
                Minted::Failed(verdict) => return Err(verdict),
                Minted::Grant(grant) => {
                    let session = Session::new(&vendor.headers(&grant.token)).map_err(|_| {
                        Verdict::without_answer(Outcome::Blocked, "the token is not a header")
                    })?;
                    let good_until = from_now(grant.lifetime);
                    return Ok(Rc::new(Held { session, good_until }));
                }
            }
        }
        Err(refused)
    }
}
