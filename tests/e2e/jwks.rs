//! Key sets as issuers write them: long ones, several keys in one text, other spellings, and keys that
//! are too weak. The sources are those of `jwt`.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use send::PrivateKey;
use serde_json::{Value, json};
use standin::Resource;
use xtask::webhook::now;

use crate::jwt::{KEYS, accepted, keys, last, post, refused};
use crate::sdk::node;
use crate::world::{Handle, World};

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("jwks: a set of many keys", many_keys),
        world.trial("jwks: PEM texts with several keys, and JWKs", several_keys),
        world.trial("jwks: coordinates without leading zeros, two names of Ed25519", forms),
        world.trial("jwks: RSA keys below 2048 bits", weak_keys),
    ]
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
