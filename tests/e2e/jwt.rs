//! Tokens as issuers write them: their times, scopes and place. See `jwks` for their keys.

use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use send::{Message, PrivateKey, body};
use serde_json::{Value, json};
use standin::{KeyServer, Resource};
use xtask::webhook::{Reply, now};

use crate::platforms::subject;
use crate::world::{Handle, Person, World, asked};

/// The keys of one issuer: more than any set that is usual.
pub const KEYS: usize = 60;

pub fn keys() -> &'static [PrivateKey] {
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
pub fn last() -> &'static PrivateKey {
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
    ]
}

fn message(value: String, person: &Person) -> Result<Message> {
    let body = body::compose("standard-webhooks", &person.request_id, &subject(person), now())?;
    let headers = vec![("authorization".to_owned(), value)];
    Ok(Message { headers, body: body.to_string().into_bytes() })
}

pub async fn post(world: &World, source: &str, test: &str, token: &str) -> Result<Reply> {
    let person = Person::new(test);
    let reply = world.deliver(source, &message(format!("Bearer {token}"), &person)?).await?;
    let expected = if reply.status == 200 { 2 } else { 0 };
    ensure!(asked(world, &person) == expected, "{reply:?}: {} calls", asked(world, &person));
    Ok(reply)
}

pub async fn accepted(world: &World, source: &str, test: &str, token: &str) -> Result<()> {
    let reply = post(world, source, test, token).await?;
    ensure!(reply.status == 200, "{test}: {reply:?}");
    Ok(())
}

pub async fn refused(
    world: &World,
    source: &str,
    test: &str,
    token: &str,
    why: &str,
) -> Result<()> {
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
