//! The keys of those who sign: public keys, fetched from where they are published, and shared secrets
//! as WebCrypto takes them.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use http::Method;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use wasm_bindgen::JsValue;
use web_sys::CryptoKey;

use super::key_cache::{KeyCache, Keys, TIMEOUT, Turn};
use super::webcrypto;
use crate::edge::net::background::Background;
use crate::edge::net::exchange::Session;
use crate::edge::net::single_flight::SingleFlight;
use crate::edge::now;
use crate::signature::keyring::{Freshness, KeyPlace, Keyring as Trait, Unavailable};
use crate::signature::public_key::PublicKey;
use crate::signature::scheme::Hash;
use crate::vendor::Request;

/// The keys of all places.
#[derive(Default)]
pub struct Keyring {
    places: RefCell<Vec<(String, Rc<Place>)>>,
    /// Shared secrets, as the runtime takes them.
    secrets: RefCell<Vec<(Hash, SecretSlice<u8>, CryptoKey)>>,
}

/// One place.
#[derive(Default)]
struct Place {
    cache: RefCell<KeyCache>,
    flight: Rc<SingleFlight<Option<Keys>>>,
}

impl Place {
    /// Fetches the keys.
    fn fetch(self: &Rc<Self>, at: &KeyPlace) -> LocalBoxFuture<'static, Option<Keys>> {
        let (place, at) = (self.clone(), at.clone());
        let asked_at = now();
        place.cache.borrow_mut().ask(asked_at);
        async move {
            let keys = fetch(&at).await;
            place.cache.borrow_mut().answer(asked_at, keys.clone());
            keys
        }
        .boxed_local()
    }
}

/// The keys, for one request.
pub struct RequestKeyring<'a> {
    keyring: &'a Keyring,
    /// Where keys are fetched, since others wait for them too.
    background: &'a Background,
    /// Keys that this request waited for: they are not older than its message.
    awaited: RefCell<Vec<Keys>>,
}

impl Keyring {
    /// For one request, which fetches in the `background`.
    pub fn during<'a>(&'a self, background: &'a Background) -> RequestKeyring<'a> {
        RequestKeyring { keyring: self, background, awaited: RefCell::default() }
    }

    fn place(&self, url: &str) -> Rc<Place> {
        let mut places = self.places.borrow_mut();
        if let Some((_, place)) = places.iter().find(|(known, _)| known == url) {
            return place.clone();
        }
        let place = Rc::<Place>::default();
        places.push((url.to_owned(), place.clone()));
        place
    }
}

impl Trait for RequestKeyring<'_> {
    async fn verify(&self, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
        webcrypto::verify(key, message, signature).await.unwrap_or(false)
    }

    async fn hmac(&self, hash: Hash, key: &[u8], message: &[u8]) -> Option<Vec<u8>> {
        let key = self.keyring.secret(hash, key).await.ok()?;
        webcrypto::hmac(&key, message).await.ok()
    }

    async fn keys(&self, at: &KeyPlace, freshness: Freshness) -> Result<Keys, Unavailable> {
        let place = self.keyring.place(&at.url);
        let turn = place.cache.borrow().turn(freshness, now());
        match turn {
            Turn::Use(keys) => Ok(keys),
            Turn::UseAndRenew(keys) => {
                place.flight.begin(self.background, place.fetch(at));
                Ok(keys)
            }
            Turn::Without => Err(Unavailable),
            Turn::Fetch => {
                let keys = place.flight.join(self.background, || place.fetch(at)).await;
                let keys = keys.ok_or(Unavailable)?;
                self.awaited.borrow_mut().push(keys.clone());
                Ok(keys)
            }
        }
    }

    fn renewal_in(&self, at: &KeyPlace, keys: &Keys) -> Option<Duration> {
        if self.awaited.borrow().iter().any(|awaited| Rc::ptr_eq(awaited, keys)) {
            return None;
        }
        self.keyring.place(&at.url).cache.borrow().held_back(now())
    }
}

impl Keyring {
    /// A shared secret, imported once.
    async fn secret(&self, hash: Hash, secret: &[u8]) -> Result<CryptoKey, JsValue> {
        let known = self.secrets.borrow().iter().find_map(|(of, bytes, key)| {
            (*of == hash && bytes.expose_secret() == secret).then(|| key.clone())
        });
        if let Some(key) = known {
            return Ok(key);
        }
        let key = webcrypto::hmac_key(hash, secret).await?;
        self.secrets.borrow_mut().push((hash, secret.to_vec().into(), key.clone()));
        Ok(key)
    }
}

async fn fetch(place: &KeyPlace) -> Option<Keys> {
    let bearer = place.bearer.as_ref().map(|secret| {
        let value = format!("Bearer {}", secret.expose_secret().trim());
        ("authorization", SecretString::from(value))
    });
    let headers: Vec<_> = bearer.into_iter().collect();
    let session = Session::new(&headers).ok()?;
    let request = Request::new(Method::GET, place.url.clone(), None);
    let answer = session.send(&request, TIMEOUT).await.ok()?;
    if answer.status != 200 || answer.truncated {
        return None;
    }
    let keys = PublicKey::parse_document(&answer.body);
    (!keys.is_empty()).then(|| Rc::new(keys))
}
