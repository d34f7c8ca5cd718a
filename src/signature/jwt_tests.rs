//! Tokens with every key and everything that can be wrong with them.

use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use send::PrivateKey;
use serde_json::{Value, json};

use super::jwt::{Expected, Lifetime, Verifier};
use super::keyring::{KeyPlace, Keys};
use super::testing::{PLACE, Published, now};
use super::token::Place;
use super::*;

const NOW: i64 = 1_795_325_400;

fn rsa() -> PrivateKey {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keys/rsa-2048.pem");
    PrivateKey::parse(&std::fs::read_to_string(file).unwrap()).unwrap().named("k1")
}

fn all_keys() -> Vec<PrivateKey> {
    let made =
        ["EdDSA", "ES256", "ES384"].map(|name| PrivateKey::generate(name).unwrap().named("k1"));
    made.into_iter().chain([rsa()]).collect()
}

fn set(keys: &[&PrivateKey]) -> Option<String> {
    let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
    Some(json!({ "keys": keys }).to_string())
}

fn published(key: &PrivateKey) -> Published {
    Published { documents: [set(&[key]), set(&[key])], ..Published::default() }
}

fn claims() -> Value {
    json!({ "aud": "relay", "scope": "erase", "iss": "sender", "iat": NOW, "exp": NOW + 600 })
}

fn expected() -> Expected {
    let place = Place { header: "x-token".into(), prefix: String::new() };
    let text = |text: &str| Some(text.to_owned());
    let (scope, issuer, lifetime) = (text("erase"), text("sender"), Lifetime::IssuedAt);
    Expected { place, audience: "relay".into(), scope, issuer, lifetime }
}

fn verify_as(expected: Expected, token: &str, keyring: &Published) -> Result<Proven, Refusal> {
    let keys = Keys::Published(KeyPlace { url: PLACE.to_owned(), bearer: None });
    let verifier = Verifier::new(expected, keys, Duration::from_secs(600));
    let headers = |name: &str| (name == "x-token").then(|| token.to_owned());
    let message = Incoming { method: "POST", url: "", headers: &headers, body: b"{}" };
    now(verifier.verify(&message, NOW, keyring))
}

fn verify(token: &str, keyring: &Published) -> Result<Proven, Refusal> {
    verify_as(expected(), token, keyring)
}

#[test]
fn every_kind_of_key_proves_the_claims() {
    for key in all_keys() {
        let token = key.jwt(&claims()).unwrap();
        let proven = verify(&token, &published(&key)).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&proven.claims[0]).unwrap(), claims());
        let stranger = match key.algorithm() {
            "RS256" => continue,
            algorithm => PrivateKey::generate(algorithm).unwrap().named("k1"),
        };
        assert_eq!(verify(&token, &published(&stranger)), Err(Refusal::Mismatch));
    }
}

#[test]
fn a_key_in_pem_is_the_same_key() {
    for key in all_keys().iter().filter(|key| key.algorithm() != "RS256") {
        let pem = key.public_pem().unwrap();
        let keyring = Published { documents: [Some(pem), None], ..Published::default() };
        assert!(verify(&key.jwt(&claims()).unwrap(), &keyring).is_ok(), "{}", key.algorithm());
    }
}

#[test]
fn the_key_decides_the_algorithm() {
    let (key, other) = (PrivateKey::generate("ES256").unwrap().named("k1"), rsa());
    let keyring = published(&key);
    let with = |alg: &str| key.jwt_with(&json!({ "alg": alg, "kid": "k1" }), &claims()).unwrap();
    assert!(verify(&with("ES256"), &keyring).is_ok());
    for alg in ["none", "None", "HS256", "HS512", "ES256K", "PS256", "es256", ""] {
        assert_eq!(verify(&with(alg), &keyring), Err(Refusal::WrongAlgorithm), "{alg}");
    }
    assert_eq!(keyring.asked.get(), 1, "no keys are fetched for an algorithm that no key has");
    for alg in ["ES384", "RS256", "EdDSA"] {
        assert_eq!(verify(&with(alg), &keyring), Err(Refusal::WrongAlgorithm), "{alg}");
    }
    // An HMAC keyed with the public key, and a token without a signature.
    let hs = hmac::Key::new(key.public_pem().unwrap().as_bytes()).unwrap();
    let unsigned = with("HS256");
    let unsigned = unsigned.rsplit_once('.').unwrap().0;
    let tag = hs.tag(&|take| take(unsigned.as_bytes()));
    let forged = format!("{unsigned}.{}", Encoding::Base64Url.encode(&tag));
    assert_eq!(verify(&forged, &keyring), Err(Refusal::WrongAlgorithm));
    let bare = with("ES256");
    let bare = format!("{}.", bare.rsplit_once('.').unwrap().0);
    assert_eq!(verify(&bare, &keyring), Err(Refusal::Mismatch));
    let confused = other.jwt_with(&json!({ "alg": "ES256", "kid": "k1" }), &claims()).unwrap();
    assert_eq!(verify(&confused, &keyring), Err(Refusal::Mismatch));
    assert_eq!(verify(&confused, &published(&other)), Err(Refusal::WrongAlgorithm));
}

#[test]
fn an_unknown_key_is_asked_for_once_more() {
    let [old, new] = ["k1", "k2"].map(|id| PrivateKey::generate("ES256").unwrap().named(id));
    let rotated = Published { documents: [set(&[&old]), set(&[&new])], ..Published::default() };
    assert!(verify(&old.jwt(&claims()).unwrap(), &rotated).is_ok());
    assert_eq!(rotated.asked.get(), 1);
    assert!(verify(&new.jwt(&claims()).unwrap(), &rotated).is_ok());
    assert_eq!(rotated.asked.get(), 3);
    let unchanged = published(&old);
    let refused = verify(&new.jwt(&claims()).unwrap(), &unchanged);
    assert_eq!(refused, Err(Refusal::UnknownKey));
    let down = Published::default();
    let refused = verify(&old.jwt(&claims()).unwrap(), &down);
    assert_eq!(refused, Err(Refusal::KeysUnavailable));
}

/// A key, and the refusal of its tokens whose claims are the usual ones but for one.
fn with_claim(name: &str, value: Value, lifetime: Lifetime) -> Result<(), Refusal> {
    let key = PrivateKey::generate("ES384").unwrap();
    let mut claims = claims();
    claims[name] = value;
    let expected = Expected { lifetime, ..expected() };
    verify_as(expected, &key.jwt(&claims).unwrap(), &published(&key)).map(drop)
}

#[test]
fn a_key_that_is_not_asked_for_yet_may_be_known_later() {
    let [old, new] = ["k1", "k2"].map(|id| PrivateKey::generate("ES256").unwrap().named(id));
    let keys = public_key::PublicKey::parse_document(set(&[&old]).unwrap().as_bytes());
    let held = |millis| Published {
        held: Some((keys.clone().into(), Duration::from_millis(millis))),
        ..Published::default()
    };
    for (millis, seconds) in [(1, 1), (1000, 1), (41_001, 42), (60_000, 60)] {
        let refused = verify(&new.jwt(&claims()).unwrap(), &held(millis));
        assert_eq!(refused, Err(Refusal::RenewalIn(seconds)));
    }
    assert!(verify(&old.jwt(&claims()).unwrap(), &held(60_000)).is_ok());
    let forged = PrivateKey::generate("ES256").unwrap().named("k1").jwt(&claims()).unwrap();
    assert_eq!(verify(&forged, &held(60_000)), Err(Refusal::Mismatch));
}

#[test]
fn a_token_must_say_what_is_expected() {
    let with = |name: &str, value: Value| with_claim(name, value, Lifetime::IssuedAt);
    for (name, value) in [
        ("aud", json!(["other", "relay"])),
        ("scope", json!("read erase write")),
        ("scope", json!(["read", "erase"])),
        ("iat", json!(NOW - 600)),
        ("iat", json!(NOW + 60)),
        ("exp", json!(NOW - 59)),
        ("exp", json!(null)),
        ("nbf", json!(NOW + 60)),
        ("nbf", json!(null)),
    ] {
        assert_eq!(with(name, value.clone()), Ok(()), "{name} {value}");
    }
    for (name, value, refusal) in [
        ("aud", json!("other"), Refusal::WrongAudience),
        ("aud", json!(["other"]), Refusal::WrongAudience),
        ("aud", json!(null), Refusal::WrongAudience),
        ("scope", json!("read"), Refusal::WrongScope),
        ("scope", json!("erased"), Refusal::WrongScope),
        ("scope", json!("Erase"), Refusal::WrongScope),
        ("scope", json!(["read erase"]), Refusal::WrongScope),
        ("scope", json!([["erase"]]), Refusal::WrongScope),
        ("scope", json!({ "erase": true }), Refusal::WrongScope),
        ("scope", json!(null), Refusal::WrongScope),
        ("iss", json!("other"), Refusal::UnknownIssuer),
        ("iat", json!(NOW - 601), Refusal::TooOld),
        ("iat", json!(NOW + 61), Refusal::InTheFuture),
        ("iat", json!(null), Refusal::MissingClaim("iat")),
        ("iat", json!("soon"), Refusal::MalformedTimestamp),
        ("iat", json!("1795325400"), Refusal::MalformedTimestamp),
        ("exp", json!(NOW - 60), Refusal::TooOld),
        ("exp", json!("never"), Refusal::MalformedTimestamp),
        ("exp", json!(true), Refusal::MalformedTimestamp),
        ("nbf", json!(NOW + 61), Refusal::InTheFuture),
    ] {
        assert_eq!(with(name, value.clone()), Err(refusal), "{name} {value}");
    }
    assert_eq!(Refusal::MissingClaim("iat").to_string(), "the token has no iat");
}

/// RFC 7519: "non-integer values can be represented".
#[test]
fn a_time_may_have_a_fraction() {
    let time = |offset: f64| json!(1_795_325_400.0 + offset);
    for lifetime in [Lifetime::IssuedAt, Lifetime::Expiry] {
        let with = |name: &str, value: Value| with_claim(name, value, lifetime);
        for (name, value) in [
            ("iat", time(-0.734_512)),
            ("iat", time(60.9)),
            ("exp", time(-58.25)),
            ("exp", json!(1.8e12)),
            ("exp", json!(1e300)),
            ("exp", json!(u64::MAX)),
            ("nbf", time(60.5)),
            ("nbf", time(-0.5)),
        ] {
            assert_eq!(with(name, value.clone()), Ok(()), "{name} {value}");
        }
        for (name, value, refusal) in [
            ("iat", time(61.5), Refusal::InTheFuture),
            ("iat", json!(1e300), Refusal::InTheFuture),
            ("exp", time(-60.25), Refusal::TooOld),
            ("exp", json!(-1.5), Refusal::TooOld),
            ("nbf", time(61.25), Refusal::InTheFuture),
        ] {
            assert_eq!(with(name, value.clone()), Err(refusal), "{name} {value}");
        }
    }
    let old = with_claim("iat", time(-600.25), Lifetime::IssuedAt);
    assert_eq!(old, Err(Refusal::TooOld));
}

#[test]
fn a_token_may_live_as_long_as_it_says() {
    let with = |name: &str, value: Value| with_claim(name, value, Lifetime::Expiry);
    for (name, value) in
        [("iat", json!(NOW - 86_400)), ("iat", json!(null)), ("exp", json!(NOW + 3_600))]
    {
        assert_eq!(with(name, value.clone()), Ok(()), "{name} {value}");
    }
    for (name, value, refusal) in [
        ("exp", json!(null), Refusal::MissingClaim("exp")),
        ("exp", json!(NOW - 60), Refusal::TooOld),
        ("iat", json!(NOW + 61), Refusal::InTheFuture),
        ("iat", json!("now"), Refusal::MalformedTimestamp),
    ] {
        assert_eq!(with(name, value.clone()), Err(refusal), "{name} {value}");
    }
}

#[test]
fn several_scopes_are_all_needed_and_scp_is_another_name() {
    let key = PrivateKey::generate("ES256").unwrap();
    let with = |scopes: &str, name: &str, value: Value| {
        let mut claims = claims();
        claims["scope"].take();
        claims.as_object_mut().unwrap().remove("scope");
        claims[name] = value;
        let expected = Expected { scope: Some(scopes.to_owned()), ..expected() };
        verify_as(expected, &key.jwt(&claims).unwrap(), &published(&key)).is_ok()
    };
    for name in ["scope", "scp"] {
        assert!(with("erase read", name, json!("read write erase")));
        assert!(with("erase read", name, json!(["read", "erase"])));
        assert!(!with("erase read", name, json!("erase")));
        assert!(!with("erase", name, json!("")));
        assert!(!with("erase", name, json!(null)));
    }
}

#[test]
fn what_is_no_token_is_refused() {
    let key = PrivateKey::generate("ES384").unwrap();
    let keyring = published(&key);
    let good = key.jwt(&claims()).unwrap();
    for token in ["x", "a.b", "a.b.c", "..", &format!("{good}, {good}"), &good.replace('.', " ")] {
        assert_eq!(verify(token, &keyring), Err(Refusal::MalformedToken), "{token}");
    }
    let missing = Refusal::MissingHeader("x-token".into());
    assert_eq!(verify("", &keyring), Err(missing));
    let critical = json!({ "alg": "ES384", "crit": ["b64"], "b64": false });
    let critical = key.jwt_with(&critical, &claims()).unwrap();
    assert_eq!(verify(&critical, &keyring), Err(Refusal::MalformedToken));
    assert_eq!(keyring.asked.get(), 0, "no keys are fetched for what is no token");
}

/// IAB's two tokens, signed by the keys of two parties.
mod nested {
    use super::*;

    fn request(outer: &Value, inner: &Value, keys: [&PrivateKey; 2]) -> String {
        let mut outer = outer.clone();
        outer["idJWT"] = json!(keys[1].jwt(inner).unwrap());
        keys[0].jwt(&outer).unwrap()
    }

    fn verify(body: &str, key: &PrivateKey) -> Result<usize, Refusal> {
        let place = |name: &str| (name.to_owned(), KeyPlace { url: PLACE.into(), bearer: None });
        let issuers = ["vendor1.com", "first.example"].map(place);
        let verifier = nested_jwt::Verifier::new(&issuers, Duration::from_secs(600));
        let headers = |_: &str| None;
        let body = body.as_bytes();
        let message = Incoming { method: "POST", url: "", headers: &headers, body };
        now(verifier.verify(&message, NOW, &published(key))).map(|proven| proven.claims.len())
    }

    fn claims(issuer: &str, person: &str) -> Value {
        json!({ "version": "1.0", "jti": "j-1", "iss": issuer, "iat": NOW,
                "sub": { "identifierValue": person, "identifierType": "email" } })
    }

    #[test]
    fn both_must_be_signed_by_known_issuers_and_about_one_person() {
        let key = PrivateKey::generate("ES256").unwrap();
        let stranger = PrivateKey::generate("ES256").unwrap();
        let (outer, inner) = (claims("vendor1.com", "a"), claims("first.example", "a"));
        let good = request(&outer, &inner, [&key, &key]);
        assert_eq!(verify(&good, &key), Ok(2));
        assert_eq!(verify(&json!({ "rqJWT": good }).to_string(), &key), Ok(2));
        let old = {
            let mut old = inner.clone();
            old["iat"] = json!(NOW - 90_000);
            old
        };
        assert_eq!(verify(&request(&outer, &old, [&key, &key]), &key), Ok(2));
        let refused = |outer: &Value, inner: &Value, keys| {
            verify(&request(outer, inner, keys), &key).unwrap_err()
        };
        assert_eq!(refused(&outer, &inner, [&stranger, &key]), Refusal::Mismatch);
        assert_eq!(refused(&outer, &inner, [&key, &stranger]), Refusal::Mismatch);
        let unknown = claims("evil.example", "a");
        assert_eq!(refused(&unknown, &inner, [&key, &key]), Refusal::UnknownIssuer);
        assert_eq!(refused(&outer, &unknown, [&key, &key]), Refusal::UnknownIssuer);
        let victim = claims("vendor1.com", "b");
        assert_eq!(refused(&victim, &inner, [&key, &key]), Refusal::IdentityMismatch);
        for (one, other) in [
            (json!({ "identifierValue": 42 }), json!({ "identifierValue": 43 })),
            (Value::Null, json!({ "identifierValue": 43 })),
            (json!("a"), json!("a")),
            (
                json!({ "identifierValue": "42", "identifierType": "cookie" }),
                json!({ "identifierValue": "42", "identifierType": "user_id" }),
            ),
        ] {
            let with = |claims: &Value, sub: &Value| {
                let mut claims = claims.clone();
                claims["sub"] = sub.clone();
                claims
            };
            let (outer, inner) = (with(&outer, &other), with(&inner, &one));
            assert_eq!(refused(&outer, &inner, [&key, &key]), Refusal::IdentityMismatch, "{one}");
        }
        // Whose time is wrong is told so only where both signatures match.
        let mut future = outer.clone();
        future["iat"] = json!(NOW + 61);
        for (outer, inner) in [(&old, &inner), (&future, &inner), (&outer, &future)] {
            let mut outer = outer.clone();
            outer["iss"] = json!("vendor1.com");
            assert_eq!(refused(&outer, inner, [&key, &key]), Refusal::Stale);
            assert_eq!(refused(&outer, inner, [&stranger, &key]), Refusal::Mismatch);
            assert_eq!(refused(&outer, inner, [&key, &stranger]), Refusal::Mismatch);
        }
        let mut timeless = outer.clone();
        timeless["iat"] = Value::Null;
        assert_eq!(refused(&timeless, &inner, [&key, &key]), Refusal::MissingClaim("iat"));
        assert_eq!(verify(&key.jwt(&outer).unwrap(), &key), Err(Refusal::MalformedToken));
        assert_eq!(verify("{}", &key), Err(Refusal::MalformedToken));
    }
}

proptest! {
    #[test]
    fn any_changed_character_is_refused(at: prop::sample::Index, other in "[A-Za-z0-9_-]") {
        let key = PrivateKey::generate("ES256").unwrap();
        let token = key.jwt(&claims()).unwrap();
        let signature = token.rfind('.').unwrap();
        // Of the last character of a signature some bits mean nothing.
        let index = at.index(token.len() - 1);
        prop_assume!(index != signature && &token[index..=index] != "." );
        prop_assume!(token[index..=index] != other);
        let changed = format!("{}{other}{}", &token[..index], &token[index + 1..]);
        let decode = |token: &str| token.split('.').map(|part| Encoding::Base64Url.decode(part))
            .collect::<Vec<_>>();
        prop_assume!(decode(&changed) != decode(&token));
        prop_assert!(verify(&changed, &published(&key)).is_err());
    }

    #[test]
    fn no_token_panics(token: String, document: Vec<u8>) {
        let _ = verify(&token, &Published::default());
        let _ = public_key::PublicKey::parse_document(&document);
    }
}
