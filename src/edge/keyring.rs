//! The runtime's WebCrypto, which costs no Wasm: it verifies with public keys, and has the hashes
//! that few senders use. Public keys are fetched from where they are published.
//!
//! Fetched keys are kept for an hour. One caller fetches, however many wait. A message that fits no
//! key has them fetched again, at most once a minute, and a place that gave none is left alone for
//! ten seconds: strangers must not be able to make the relay press on it.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use http::Method;
use js_sys::{Array, JSON, Promise, Uint8Array};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use super::flight::Flight;
use super::now;
use super::settled::settled;
use super::transport::Session;
use crate::signature::keyring::{Freshness, KeyPlace, Keyring as Trait, Unavailable};
use crate::signature::public_key::{Algorithm, PublicKey};
use crate::signature::scheme::Hash;
use crate::vendor::Request;

/// How long fetched keys are good, in milliseconds.
const LIFETIME: i64 = 60 * 60 * 1000;
/// How long they are not fetched again for a message that fits none, in milliseconds.
const RENEWAL: i64 = 60 * 1000;
/// How long a place that gave none is left alone, in milliseconds.
const REST: i64 = 10 * 1000;
/// How long one fetch may take.
const TIMEOUT: Duration = Duration::from_secs(5);

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = ["crypto", "subtle"], js_name = importKey)]
    fn import_key(
        format: &str,
        key: &Uint8Array,
        algorithm: &JsValue,
        extractable: bool,
        usages: &Array,
    ) -> Result<Promise, JsValue>;
    #[wasm_bindgen(catch, js_namespace = ["crypto", "subtle"], js_name = verify)]
    fn verify(
        algorithm: &JsValue,
        key: &JsValue,
        signature: &Uint8Array,
        message: &Uint8Array,
    ) -> Result<Promise, JsValue>;
    #[wasm_bindgen(catch, js_namespace = ["crypto", "subtle"], js_name = sign)]
    fn sign(algorithm: &str, key: &JsValue, message: &Uint8Array) -> Result<Promise, JsValue>;
}

type Keys = Rc<Vec<PublicKey>>;

/// The keys of all places.
#[derive(Default)]
pub struct Keyring {
    places: RefCell<Vec<(String, Rc<Place>)>>,
    /// Shared secrets, as the runtime takes them.
    shared: RefCell<Vec<(Hash, SecretSlice<u8>, JsValue)>>,
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
    flight: Option<Rc<Flight<Result<Keys, Unavailable>>>>,
}

/// What a caller who needs keys does.
enum Turn {
    Use(Keys),
    GoWithout,
    Wait(Rc<Flight<Result<Keys, Unavailable>>>),
    Fetch,
}

impl Place {
    fn turn(&self, freshness: Freshness) -> Turn {
        let (state, now) = (self.0.borrow(), now().0);
        let held = state.held.as_ref().filter(|(_, good_until)| now < *good_until);
        if let (Some((keys, _)), Freshness::Cached) = (held, freshness) {
            return Turn::Use(keys.clone());
        }
        if let Some(flight) = state.flight.as_ref().filter(|flight| flight.is_awaited()) {
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
        let flight = Rc::new(Flight::start(TIMEOUT.saturating_add(Duration::from_secs(1))));
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
        let verified = verify_with(key, message, signature).await;
        verified.is_ok_and(|verified| verified.is_truthy())
    }

    async fn hmac(&self, hash: Hash, key: &[u8], message: &[u8]) -> Option<Vec<u8>> {
        let tag = self.hmac_with(hash, key, message).await;
        tag.ok().map(|tag| Uint8Array::new(&tag).to_vec())
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

/// Resolves to JavaScript's truth.
async fn verify_with(
    key: &PublicKey,
    message: &[u8],
    signature: &[u8],
) -> Result<JsValue, JsValue> {
    // What importing needs and what verifying needs, in one object.
    let algorithm = JSON::parse(match key.algorithm {
        Algorithm::Ed25519 => r#"{"name":"Ed25519"}"#,
        Algorithm::Es256 => r#"{"name":"ECDSA","namedCurve":"P-256","hash":"SHA-256"}"#,
        Algorithm::Es384 => r#"{"name":"ECDSA","namedCurve":"P-384","hash":"SHA-384"}"#,
        Algorithm::Rs256 => r#"{"name":"RSASSA-PKCS1-v1_5","hash":"SHA-256"}"#,
    })?;
    let key = import("spki", &key.spki, &algorithm, "verify").await?;
    let (signature, message) = (Uint8Array::from(signature), Uint8Array::from(message));
    settled(&verify(&algorithm, &key, &signature, &message)?).await
}

impl Keyring {
    /// Resolves to an `ArrayBuffer`.
    async fn hmac_with(
        &self,
        hash: Hash,
        secret: &[u8],
        message: &[u8],
    ) -> Result<JsValue, JsValue> {
        let known = self.shared.borrow().iter().find_map(|(of, bytes, key)| {
            (*of == hash && bytes.expose_secret() == secret).then(|| key.clone())
        });
        let key = match known {
            Some(key) => key,
            None => {
                let key = import("raw", secret, &JSON::parse(hmac_of(hash))?, "sign").await?;
                let kept = (hash, secret.to_vec().into(), key.clone());
                self.shared.borrow_mut().push(kept);
                key
            }
        };
        settled(&sign("HMAC", &key, &Uint8Array::from(message))?).await
    }
}

fn hmac_of(hash: Hash) -> &'static str {
    match hash {
        Hash::Sha1 => r#"{"name":"HMAC","hash":"SHA-1"}"#,
        Hash::Sha256 => r#"{"name":"HMAC","hash":"SHA-256"}"#,
        Hash::Sha512 => r#"{"name":"HMAC","hash":"SHA-512"}"#,
    }
}

async fn import(
    format: &str,
    key: &[u8],
    algorithm: &JsValue,
    usage: &str,
) -> Result<JsValue, JsValue> {
    let usages = Array::of1(&JsValue::from_str(usage));
    settled(&import_key(format, &Uint8Array::from(key), algorithm, false, &usages)?).await
}
