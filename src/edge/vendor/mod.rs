//! The calls of one vendor account: each request with the account's token, each answer judged.

mod tokens;

use std::rc::Rc;

use secrecy::SecretString;
use wasm_bindgen::JsValue;

use super::crypto::webcrypto::Signer;
use super::net::background::Background;
use super::net::exchange::Session;
use super::now;
use crate::config::Account;
use crate::delivery::direct::Sent;
use crate::relay::Credential;
use crate::vendor::{Answer, Call, Failure, Verdict};
use tokens::Tokens;

/// A vendor account, and the way to it.
pub struct VendorClient {
    /// What is configured.
    pub account: Rc<Account>,
    access: Access,
}

enum Access {
    Stored(Session, SecretString),
    Signed(Session, Rc<Signer>),
    Minted(Rc<Tokens>),
}

impl VendorClient {
    /// # Errors
    /// Where the runtime refuses a header.
    pub fn new(account: Account, credential: Credential) -> Result<Self, JsValue> {
        let account = Rc::new(account);
        let access = match credential {
            Credential::Token(token) => {
                Access::Stored(Session::new(&account.vendor.headers(&token))?, token)
            }
            Credential::TokenAndHeader(token, name, value) => {
                let mut headers = account.vendor.headers(&token);
                headers.push((name, value));
                Access::Stored(Session::new(&headers)?, token)
            }
            Credential::PrivateKey(key) => {
                let session = Session::new(&account.vendor.headers(&SecretString::default()))?;
                Access::Signed(session, Rc::new(Signer::new(key)))
            }
            Credential::Clients(credentials, clients) => {
                Access::Minted(Rc::new(Tokens::new(account.clone(), credentials, clients)?))
            }
        };
        Ok(Self { account, access })
    }

    /// Makes sure that a call can be made without waiting for a token. What has to be requested for
    /// others too is requested in the `background`.
    ///
    /// # Errors
    /// What it means for the calls that there is none.
    pub async fn prepare(&self, background: &Background) -> Result<(), Verdict> {
        match &self.access {
            Access::Stored(..) | Access::Signed(..) => Ok(()),
            Access::Minted(tokens) => tokens.get(background).await.map(drop),
        }
    }

    /// Asks the vendor, and has it judge its answer.
    pub async fn send(&self, call: &Call, background: &Background) -> Sent {
        let (verdict, attempts) = match &self.access {
            Access::Stored(session, token) => {
                (self.judge(call, self.ask(session, token, None, call).await), 1)
            }
            Access::Signed(session, signer) => {
                let token = SecretString::default();
                (self.judge(call, self.ask(session, &token, Some(signer), call).await), 1)
            }
            Access::Minted(tokens) => self.send_minted(tokens, call, background).await,
        };
        Sent { verdict, attempts, at: now() }
    }

    /// What signs, where the account has a private key.
    pub fn signer(&self) -> Option<&Rc<Signer>> {
        match &self.access {
            Access::Signed(_, signer) => Some(signer),
            Access::Stored(..) | Access::Minted(_) => None,
        }
    }

    /// The headers with the signature of `body`, where the account signs with a private key; none where
    /// it has no such key.
    ///
    /// # Errors
    /// Where the runtime does not sign.
    pub async fn signed_headers(
        &self,
        body: &[u8],
    ) -> Result<Vec<(&'static str, String)>, JsValue> {
        let Some(signer) = self.signer() else { return Ok(Vec::new()) };
        Ok(self.account.vendor.signed_headers(&signer.sign(body).await?))
    }

    /// A token that is refused may have been revoked: a new one is minted, and tried once.
    async fn send_minted(
        &self,
        tokens: &Rc<Tokens>,
        call: &Call,
        background: &Background,
    ) -> (Verdict, u32) {
        let mut attempts = 0;
        loop {
            let held = match tokens.get(background).await {
                Ok(held) => held,
                Err(verdict) => return (verdict, attempts),
            };
            let answer = self.ask(&held.session, &SecretString::default(), None, call).await;
            attempts = u32::saturating_add(attempts, 1);
            let refused = matches!(&answer, Ok(answer) if answer.status == 401);
            if refused {
                tokens.discard(&held);
            }
            if !refused || attempts > 1 {
                return (self.judge(call, answer), attempts);
            }
        }
    }

    async fn ask(
        &self,
        session: &Session,
        token: &SecretString,
        signer: Option<&Rc<Signer>>,
        call: &Call,
    ) -> Result<Answer, Failure> {
        let mut request = self.account.vendor.request(call);
        self.account.vendor.sign(call, &mut request, token, now());
        if let Some(signer) = signer {
            let body = request.body.as_deref().unwrap_or_default().as_bytes();
            // The runtime took the key, so it signs; where it does not, the call is made again.
            let signature = signer.sign(body).await.map_err(|_| Failure::Network)?;
            let headers = self.account.vendor.signed_headers(&signature).into_iter();
            request.headers.extend(headers.map(|(name, value)| (name.to_owned(), value.into())));
        }
        let mut answer = session.send(&request, self.account.timeout).await?;
        answer.trace = answer.trace.and_then(|trace| Answer::parse_trace(&trace, call));
        Ok(answer)
    }

    fn judge(&self, call: &Call, answer: Result<Answer, Failure>) -> Verdict {
        match answer {
            Ok(answer) => self.account.vendor.judge(call, &answer),
            Err(failure) => Verdict::from(failure),
        }
    }
}
