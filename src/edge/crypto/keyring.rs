//! The keys of those who sign: public keys, fetched from where they are published, and shared secrets
//! as WebCrypto takes them.
//!
//! Fetched keys are kept for an hour. One caller fetches, however many wait. A message that fits no
//! key has them fetched again, at most once a minute, and a place that gave none is not asked for ten
//! seconds: strangers must not be able to make the relay send requests there.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use http::Method;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use wasm_bindgen::JsValue;
use web_sys::CryptoKey;

use super::webcrypto;
use crate::edge::net::exchange::Session;
use crate::edge::net::single_flight::SingleFlight;
use crate::edge::now;
use crate::signature::keyring::{Freshness, KeyPlace, Keyring as Trait, Unavailable};
use crate::signature::public_key::PublicKey;
use crate::signature::scheme::Hash;
use crate::vendor::Request;

/// How long fetched keys are good, in milliseconds.
const LIFETIME: i64 = 60 * 60 * 1000;
/// How long they are not fetched again for a message that fits none, in milliseconds.
const RENEWAL: i64 = 60 * 1000;
/// How long a place that gave none is not asked, in milliseconds.
const REST: i64 = 10 * 1000;
/// How long one fetch may take.
const TIMEOUT: Duration = Duration::from_secs(5);

type Keys = Rc<Vec<PublicKey>>;

/// The keys of all places.
#[derive(Default)]
pub struct Keyring {
    places: RefCell<Vec<(String, Rc<Place>)>>,
    /// Shared secrets, as the runtime takes them.
    secrets: RefCell<Vec<(Hash, SecretSlice<u8>, CryptoKey)>>,
}

/// One place.
#[derive(Default)]
struct Place(RefCell<State>);

#[derive(Default)]
struct State {
    /// The keys, and until when they are good.
    held: Option<(Keys, i64)>,
    /// When they were last asked for, and whether they came.
    asked: Option<(i64, bool)>,
    flight: Option<Rc<SingleFlight<Result<Keys, Unavailable>>>>,
}

/// What a caller who needs keys does.
enum Turn {
    Use(Keys),
    GoWithout,
    Wait(Rc<SingleFlight<Result<Keys, Unavailable>>>),
    Fetch,
}

impl Place {
    fn turn(&self, freshness: Freshness) -> Turn {
        let (state, now) = (self.0.borrow(), now().0);
        let held = state.held.as_ref().filter(|(_, good_until)| now < *good_until);
        if let (Some((keys, _)), Freshness::Cached) = (held, freshness) {
            return Turn::Use(keys.clone());
        }
        if let Some(flight) = state.flight.as_ref().filter(|flight| flight.is_running()) {
            return Turn::Wait(flight.clone());
        }
        match (held, state.asked) {
            (Some((keys, _)), Some((at, true))) if now.saturating_sub(at) < RENEWAL => {
                Turn::Use(keys.clone())
            }
            (Some(_), Some((at, false))) if now.saturating_sub(at) < RENEWAL => Turn::GoWithout,
            (_, Some((at, false))) if now.saturating_sub(at) < REST => Turn::GoWithout,
            _ => Turn::Fetch,
        }
    }

    async fn fetch(&self, place: &KeyPlace) -> Result<Keys, Unavailable> {
        let flight = Rc::new(SingleFlight::start(TIMEOUT.saturating_add(Duration::from_secs(1))));
        {
            let mut state = self.0.borrow_mut();
            state.flight = Some(flight.clone());
            // It counts even if this request is cancelled.
            state.asked = Some((now().0, true));
        }
        let fetched = fetch(place).await;
        let now = now().0;
        {
            let mut state = self.0.borrow_mut();
            state.asked = Some((now, fetched.is_ok()));
            if let Ok(keys) = &fetched {
                state.held = Some((keys.clone(), now.saturating_add(LIFETIME)));
            }
            if state.flight.as_ref().is_some_and(|other| Rc::ptr_eq(other, &flight)) {
                state.flight = None;
            }
        }
        flight.finish(fetched.clone());
        fetched
    }
}

impl Keyring {
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

impl Trait for Keyring {
    async fn verify(&self, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
        webcrypto::verify(key, message, signature).await.unwrap_or(false)
    }

    async fn hmac(&self, hash: Hash, key: &[u8], message: &[u8]) -> Option<Vec<u8>> {
        let key = self.secret(hash, key).await.ok()?;
        webcrypto::hmac(&key, message).await.ok()
    }

    async fn keys(&self, place: &KeyPlace, freshness: Freshness) -> Result<Keys, Unavailable> {
        let cache = self.place(&place.url);
        loop {
            match cache.turn(freshness) {
                Turn::Use(keys) => return Ok(keys),
                Turn::GoWithout => return Err(Unavailable),
                Turn::Fetch => return cache.fetch(place).await,
                Turn::Wait(flight) => {
                    if let Some(result) = flight.wait().await {
                        return result;
                    }
                }
            }
        }
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

async fn fetch(place: &KeyPlace) -> Result<Keys, Unavailable> {
    let bearer = place.bearer.as_ref().map(|secret| {
        let value = format!("Bearer {}", secret.expose_secret().trim());
        ("authorization", SecretString::from(value))
    });
    let headers: Vec<_> = bearer.into_iter().collect();
    let session = Session::new(&headers).map_err(|_| Unavailable)?;
    let request = Request { method: Method::GET, url: place.url.clone(), body: None };
    let answer = session.send(&request, TIMEOUT).await.map_err(|_| Unavailable)?;
    if answer.status != 200 || answer.truncated {
        return Err(Unavailable);
    }
    let keys = PublicKey::parse_document(&answer.body);
    if keys.is_empty() { Err(Unavailable) } else { Ok(Rc::new(keys)) }
}
