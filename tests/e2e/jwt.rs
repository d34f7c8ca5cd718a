//! Tokens and key sets in the forms that issuers write, one source for each.

use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use send::{Message, PrivateKey, body};
use serde_json::{Value, json};
use standin::{KeyServer, Resource};
use xtask::webhook::{Reply, now};

use crate::platforms::subject;
use crate::sdk::node;
use crate::world::{Handle, Person, World, asked};

/// The keys of one issuer: more than any set that is usual.
const KEYS: usize = 60;

fn keys() -> &'static [PrivateKey] {
    static MADE: OnceLock<Vec<PrivateKey>> = OnceLock::new();
    MADE.get_or_init(|| {
        let make = |number: usize| {
            let algorithm = ["ES256", "EdDSA", "ES384"][number % 3];
            let key = PrivateKey::generate(algorithm).expect("a key");
            if number < KEYS { key.named(&format!("k{number}")) } else { key }
        };
        (0..KEYS + 3).map(make).collect()
    })
}

/// Of a set with many keys, the last one, whose tokens are ES384.
fn last() -> &'static PrivateKey {
    &keys()[KEYS - 1]
}

/// The sources, whose keys are at `server` or in the configuration.
pub fn sources(server: &KeyServer) -> Result<Vec<(String, Value)>> {
    let jwks: Vec<Value> = keys()[..KEYS].iter().map(PrivateKey::jwk).collect();
    server.put("/long.json", Resource::Public(json!({ "keys": jwks }).to_string()));
    let unnamed = keys()[KEYS..].iter().map(PrivateKey::public_pem);
    let pem = unnamed.collect::<Result<Vec<_>>>()?.join("# the next key\n");
    server.put("/keys.pem", Resource::Public(pem.clone()));
    let source = |signature: Value, keys: Value| {
        let mut signature = signature;
        signature["jwt"] = json!("authorization");
        signature["audience"] = json!("relay");
        json!({ "platform": "standard-webhooks", "signature": signature, "keys": keys,
                "unsigned_body": "accept" })
    };
    let bearer = |more: Value| {
        let mut signature = json!({ "prefix": "Bearer " });
        crate::world::merge(&mut signature, more);
        signature
    };
    let at = |path: &str| json!({ "url": server.url(path) });
    Ok([
        ("j-long", source(bearer(json!({})), at("/long.json"))),
        ("j-exp", source(bearer(json!({ "lifetime": "exp" })), at("/long.json"))),
        ("j-scope", source(bearer(json!({ "scope": "erase" })), at("/long.json"))),
        ("j-weak", source(bearer(json!({})), at("/weak.json"))),
        ("j-forms", source(bearer(json!({})), at("/forms.json"))),
        ("j-pem-url", source(bearer(json!({})), at("/keys.pem"))),
        ("j-pem", source(bearer(json!({})), json!([pem]))),
        ("j-jwk", source(bearer(json!({})), json!([last().jwk().to_string()]))),
    ]
    .into_iter()
    .map(|(name, source)| (name.to_owned(), source))
    .collect())
}

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("jwt: times with a fraction, and null", times),
        world.trial("jwt: a token that lives as long as its exp", lifetime),
        world.trial("jwt: scopes as a list of words and as an array", scopes),
        world.trial("jwt: the scheme Bearer in any case", schemes),
        world.trial("jwt: a set of many keys", many_keys),
        world.trial("jwt: PEM texts with several keys, and JWKs", several_keys),
        world.trial("jwt: coordinates without leading zeros, two names of Ed25519", forms),
        world.trial("jwt: RSA keys below 2048 bits", weak_keys),
    ]
}

fn message(value: String, person: &Person) -> Result<Message> {
    let body = body::compose("standard-webhooks", &person.request_id, &subject(person), now())?;
    let headers = vec![("authorization".to_owned(), value)];
    Ok(Message { headers, body: body.to_string().into_bytes() })
}

async fn post(world: &World, source: &str, test: &str, token: &str) -> Result<Reply> {
    let person = Person::new(test);
    let reply = world.deliver(source, &message(format!("Bearer {token}"), &person)?).await?;
    let expected = if reply.status == 200 { 2 } else { 0 };
    ensure!(asked(world, &person) == expected, "{reply:?}: {} calls", asked(world, &person));
    Ok(reply)
}

async fn accepted(world: &World, source: &str, test: &str, token: &str) -> Result<()> {
    let reply = post(world, source, test, token).await?;
    ensure!(reply.status == 200, "{test}: {reply:?}");
    Ok(())
}

async fn refused(world: &World, source: &str, test: &str, token: &str, why: &str) -> Result<()> {
    let reply = post(world, source, test, token).await?;
    ensure!(reply.status == 401, "{test}: {reply:?}");
    world.worker.logged(why).await.with_context(|| test.to_owned())?;
    Ok(())
}

/// A token of the last key, with these claims beside the audience.
fn token(claims: &Value) -> Result<String> {
    let mut all = json!({ "aud": "relay" });
    crate::world::merge(&mut all, claims.clone());
    last().jwt(&all)
}

fn fraction(seconds: i64) -> f64 {
    (now() + seconds) as f64 + 0.734_512
}

async fn times(world: Arc<World>) -> Result<()> {
    for (number, claims) in [
        json!({ "iat": fraction(0), "exp": fraction(60), "nbf": fraction(-1) }),
        json!({ "iat": fraction(-290), "exp": null, "nbf": null }),
        json!({ "iat": now(), "exp": fraction(1) }),
    ]
    .iter()
    .enumerate()
    {
        accepted(&world, "j-long", &format!("jwt-times-{number}"), &token(claims)?).await?;
    }
    for (number, (claims, why)) in [
        (json!({}), "the token has no iat"),
        (json!({ "iat": null, "exp": now() + 60 }), "the token has no iat"),
        (json!({ "iat": fraction(-400) }), "the timestamp is too old"),
        (json!({ "iat": now(), "exp": fraction(-70) }), "the timestamp is too old"),
        (json!({ "iat": now(), "nbf": fraction(70) }), "the timestamp is in the future"),
        (json!({ "iat": now().to_string() }), "the timestamp is not a number"),
    ]
    .iter()
    .enumerate()
    {
        let test = format!("jwt-wrong-times-{number}");
        refused(&world, "j-long", &test, &token(claims)?, why).await?;
    }
    Ok(())
}

async fn lifetime(world: Arc<World>) -> Result<()> {
    for (number, claims) in [
        json!({ "iat": now() - 3500, "exp": now() + 100 }),
        json!({ "exp": fraction(3600) }),
        json!({ "iat": null, "exp": now() + 5 }),
    ]
    .iter()
    .enumerate()
    {
        let token = token(claims)?;
        accepted(&world, "j-exp", &format!("jwt-lifetime-{number}"), &token).await?;
        // By default, a token is as new as a message must be.
        let reply = post(&world, "j-long", &format!("jwt-lifetime-long-{number}"), &token).await?;
        ensure!(reply.status == 401, "{reply:?}");
    }
    for (number, (claims, why)) in [
        (json!({ "iat": now() }), "the token has no exp"),
        (json!({ "iat": now(), "exp": null }), "the token has no exp"),
        (json!({ "iat": now() - 3700, "exp": now() - 100 }), "the timestamp is too old"),
        (json!({ "iat": now() + 400, "exp": now() + 4000 }), "the timestamp is in the future"),
    ]
    .iter()
    .enumerate()
    {
        let test = format!("jwt-wrong-lifetime-{number}");
        refused(&world, "j-exp", &test, &token(claims)?, why).await?;
    }
    Ok(())
}

async fn scopes(world: Arc<World>) -> Result<()> {
    for (number, claims) in [
        json!({ "scope": "erase" }),
        json!({ "scope": "openid erase profile" }),
        json!({ "scope": ["openid", "erase"] }),
        json!({ "scp": ["erase"] }),
        json!({ "scp": "openid erase" }),
    ]
    .into_iter()
    .enumerate()
    {
        let mut claims = claims;
        claims["iat"] = json!(now());
        accepted(&world, "j-scope", &format!("jwt-scope-{number}"), &token(&claims)?).await?;
    }
    for (number, claims) in [
        json!({}),
        json!({ "scope": "eraser erase:all" }),
        json!({ "scope": ["openid erase"] }),
        json!({ "scope": "openid", "scp": "erase" }),
    ]
    .into_iter()
    .enumerate()
    {
        let mut claims = claims;
        claims["iat"] = json!(now());
        let (test, why) = (format!("jwt-wrong-scope-{number}"), "the token has another scope");
        refused(&world, "j-scope", &test, &token(&claims)?, why).await?;
    }
    Ok(())
}

async fn schemes(world: Arc<World>) -> Result<()> {
    let token = token(&json!({ "iat": now() }))?;
    for (number, scheme) in ["Bearer ", "bearer ", "BEARER ", "bEARER    "].iter().enumerate() {
        let person = Person::new(&format!("jwt-scheme-{number}"));
        let reply = world.deliver("j-long", &message(format!("{scheme}{token}"), &person)?).await?;
        ensure!(reply.status == 200 && asked(&world, &person) == 2, "{scheme}: {reply:?}");
    }
    for scheme in ["", "Bearer", "Bearer\t", "Basic ", "Bearer Bearer "] {
        let person = Person::new("jwt-wrong-scheme");
        let reply = world.deliver("j-long", &message(format!("{scheme}{token}"), &person)?).await?;
        ensure!(reply.status == 401 && asked(&world, &person) == 0, "{scheme}: {reply:?}");
    }
    Ok(())
}

async fn many_keys(world: Arc<World>) -> Result<()> {
    let claims = json!({ "aud": "relay", "iat": now() });
    for number in [0, 19, 20, 21, KEYS - 1] {
        let key = &keys()[number];
        accepted(&world, "j-long", &format!("jwt-many-{number}"), &key.jwt(&claims)?).await?;
        let unnamed = key.jwt_with(&json!({ "alg": key.algorithm() }), &claims)?;
        accepted(&world, "j-long", &format!("jwt-many-unnamed-{number}"), &unnamed).await?;
    }
    Ok(())
}

async fn several_keys(world: Arc<World>) -> Result<()> {
    let claims = json!({ "aud": "relay", "iat": now() });
    for source in ["j-pem", "j-pem-url"] {
        for (number, key) in keys()[KEYS..].iter().enumerate() {
            let test = format!("jwt-{source}-{number}");
            accepted(&world, source, &test, &key.jwt(&claims)?).await?;
        }
    }
    accepted(&world, "j-jwk", "jwt-j-jwk", &last().jwt(&claims)?).await?;
    let stranger = PrivateKey::generate("ES384")?.jwt(&claims)?;
    refused(&world, "j-pem", "jwt-j-pem-stranger", &stranger, "no signature matches").await
}

/// An EC key of which a coordinate begins with a zero byte.
fn short_coordinate(algorithm: &str, id: &str) -> Result<(PrivateKey, Value)> {
    for _ in 0..100_000 {
        let key = PrivateKey::generate(algorithm)?.named(id);
        let mut jwk = key.jwk();
        let y = jwk["y"].as_str().context("a coordinate")?;
        let encoding = erasure_relay::signature::Encoding::Base64Url;
        let bytes = encoding.decode(y).context("base64url")?;
        if let Some(rest) = bytes.strip_prefix(b"\0") {
            jwk["y"] = json!(encoding.encode(rest));
            return Ok((key, jwk));
        }
    }
    anyhow::bail!("no key with a short coordinate")
}

async fn forms(world: Arc<World>) -> Result<()> {
    let (p256, short256) = short_coordinate("ES256", "p256")?;
    let (p384, short384) = short_coordinate("ES384", "p384")?;
    let ed25519 = ["a", "b", "c"].map(|id| PrivateKey::generate("EdDSA").map(|key| key.named(id)));
    let [one, other, third] = ed25519;
    let (one, other, third) = (one?, other?, third?);
    let (mut named, mut renamed) = (one.jwk(), other.jwk());
    named["alg"] = json!("EdDSA");
    renamed["alg"] = json!("Ed25519");
    renamed["key_ops"] = json!(["verify"]);
    renamed["ext"] = json!(true);
    let set = json!({ "keys": [short256, short384, named, renamed, third.jwk()] });
    world.keys.put("/forms.json", Resource::Public(set.to_string()));
    let claims = json!({ "aud": "relay", "iat": now() });
    for (key, id, alg) in [
        (&p256, "p256", "ES256"),
        (&p384, "p384", "ES384"),
        (&one, "a", "EdDSA"),
        (&one, "a", "Ed25519"),
        (&other, "b", "EdDSA"),
        (&other, "b", "Ed25519"),
        (&third, "c", "Ed25519"),
    ] {
        let token = key.jwt_with(&json!({ "alg": alg, "kid": id }), &claims)?;
        accepted(&world, "j-forms", &format!("jwt-forms-{id}-{alg}"), &token).await?;
    }
    let wrong = p256.jwt_with(&json!({ "alg": "Ed25519", "kid": "p256" }), &claims)?;
    refused(&world, "j-forms", "jwt-forms-wrong", &wrong, "the algorithm is not the key's").await
}

/// A weak key is no key; what else is in its set is good.
async fn weak_keys(world: Arc<World>) -> Result<()> {
    let claims = json!({ "aud": "relay", "iat": now() });
    let request =
        |bits: u32, kid: &str| json!({ "sdk": "rsa", "bits": bits, "kid": kid, "claims": claims });
    let requests = [request(1024, "weak"), request(1024, "padded"), request(2048, "zero")];
    let mut answers = node(&world, &requests)?;
    for answer in &mut answers[1..] {
        answer["jwk"]["n"] = answer["padded"].take();
    }
    let mut keys: Vec<&Value> = answers.iter().map(|answer| &answer["jwk"]).collect();
    let good = last().jwk();
    keys.push(&good);
    world.keys.put("/weak.json", Resource::Public(json!({ "keys": keys }).to_string()));
    for (answer, number) in answers[..2].iter().zip(0..) {
        let token = answer["token"].as_str().context("a token")?;
        let reply = post(&world, "j-weak", &format!("jwt-weak-{number}"), token).await?;
        ensure!(!reply.status.is_success(), "{reply:?}");
    }
    let padded = answers[2]["token"].as_str().context("a token")?;
    accepted(&world, "j-weak", "jwt-padded", padded).await?;
    accepted(&world, "j-weak", "jwt-beside-weak", &last().jwt(&claims)?).await
}
