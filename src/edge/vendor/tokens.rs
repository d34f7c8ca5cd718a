//! Minted tokens: one for an account, requested by one caller however many wait, and kept in memory
//! alone until shortly before it expires. A token that will expire soon is used while the next one is
//! requested.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use wasm_bindgen::JsValue;

use crate::config::Account;
use crate::edge::net::background::Background;
use crate::edge::net::exchange::Session;
use crate::edge::net::single_flight::SingleFlight;
use crate::edge::now;
use crate::receipt::{Outcome, Timestamp};
use crate::vendor::{Client, ClientCredentials, Minted, Verdict};

/// How long a token that can be used is not requested again after a request.
const REST: Duration = Duration::from_secs(10);

/// The tokens of one account.
pub struct Tokens {
    account: Rc<Account>,
    credentials: ClientCredentials,
    clients: Vec<Client>,
    endpoint: Session,
    held: RefCell<Option<Rc<Held>>>,
    /// When one was last asked for while another could be used.
    asked_at: Cell<Timestamp>,
    flight: Rc<SingleFlight<Minting>>,
}

type Minting = Result<Rc<Held>, Verdict>;

/// A session with a minted token.
pub struct Held {
    /// What to send with.
    pub session: Session,
    renew_from: Timestamp,
    good_until: Timestamp,
}

impl Tokens {
    /// # Errors
    /// Where the runtime refuses a header.
    pub fn new(
        account: Rc<Account>,
        credentials: ClientCredentials,
        clients: Vec<Client>,
    ) -> Result<Self, JsValue> {
        let headers = credentials.headers().map(|(name, value)| (name, value.into()));
        let endpoint = Session::new(&headers)?;
        let (held, asked_at) = (RefCell::default(), Cell::new(Timestamp(0)));
        let flight = Rc::default();
        Ok(Self { account, credentials, clients, endpoint, held, asked_at, flight })
    }

    /// A session with a token that is good now.
    ///
    /// # Errors
    /// What it means for the call that there is none.
    pub async fn get(self: &Rc<Self>, background: &Background) -> Minting {
        let now = now();
        let held = self.held.borrow().clone().filter(|held| now < held.good_until);
        let Some(held) = held else {
            return self.flight.join(background, || self.minting()).await;
        };
        if now >= held.renew_from && now >= self.asked_at.get().after(REST) {
            self.asked_at.set(now);
            self.flight.begin(background, self.minting());
        }
        Ok(held)
    }

    /// Forgets a token that the vendor refused, unless another has taken its place.
    pub fn discard(&self, refused: &Rc<Held>) {
        self.held.borrow_mut().take_if(|held| Rc::ptr_eq(held, refused));
    }

    fn minting(self: &Rc<Self>) -> LocalBoxFuture<'static, Minting> {
        let tokens = self.clone();
        async move {
            let minted = tokens.mint().await;
            if let Ok(held) = &minted {
                tokens.held.replace(Some(held.clone()));
            }
            minted
        }
        .boxed_local()
    }

    /// Asks for a token as each client in turn, until one is not refused.
    async fn mint(&self) -> Minting {
        let Account { vendor, timeout, .. } = &*self.account;
        let mut refused = Verdict::without_answer(Outcome::Blocked, "no client is configured");
        for client in &self.clients {
            let request = self.credentials.request(client);
            let asked_at = now();
            let answer = self.endpoint.send(&request, *timeout).await.map_err(|_| {
                Verdict::without_answer(Outcome::Scheduled, "no token: its endpoint did not answer")
            })?;
            match ClientCredentials::read(&answer) {
                Minted::ClientRefused(verdict) => refused = verdict,
                Minted::Failed(verdict) => return Err(verdict),
                Minted::Grant(grant) => {
                    let session = Session::new(&vendor.headers(&grant.token)).map_err(|_| {
                        Verdict::without_answer(Outcome::Blocked, "the token is not a header")
                    })?;
                    let renew_from = asked_at.after(grant.renew_after);
                    let good_until = asked_at.after(grant.lifetime);
                    return Ok(Rc::new(Held { session, renew_from, good_until }));
                }
            }
        }
        Err(refused)
    }
}
