//! Senders that sign with private keys: Transcend, IAB's framework, Ed25519, tokens of any kind; and
//! places of keys that are down, slow, huge or moved.

use std::sync::{Arc, OnceLock};

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use send::{Message, PrivateKey, Proof, body};
use serde_json::{Value, json};
use standin::{KeyServer, Resource};
use xtask::webhook::{Reply, now};

use crate::platforms::{SECRETS, subject};
use crate::world::{Handle, Person, World, asked};

/// The keys of all senders, made anew for each run but the RSA key, which takes long to make. That
/// one is for tests alone.
struct Keys {
    transcend: PrivateKey,
    ed25519: PrivateKey,
    es256: PrivateKey,
    rsa: PrivateKey,
}

fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| {
        let made = |algorithm| PrivateKey::generate(algorithm).expect("a key");
        let rsa = PrivateKey::parse(include_str!("../keys/rsa-2048.pem")).expect("a key");
        Keys {
            transcend: made("ES384"),
            ed25519: made("EdDSA").named("ed"),
            es256: made("ES256").named("ec"),
            rsa: rsa.named("rsa"),
        }
    })
}

const BROKEN: [&str; 4] = ["down", "huge", "slow", "moved"];

/// The sources, whose keys are at `server`.
pub fn sources(server: &KeyServer) -> Result<Vec<(String, Value)>> {
    let Keys { transcend, ed25519, es256, rsa } = keys();
    let (secret, token) = SECRETS[0];
    let document = transcend.public_pem()?;
    server.put("/transcend.pem", Resource::Protected { document, token: token.to_owned() });
    let set = json!({ "keys": [ed25519.jwk(), es256.jwk(), rsa.jwk()] }).to_string();
    server.put("/jwks.json", Resource::Public(set.clone()));
    for path in ["/burst.json", "/rotated.json", "/unknown.json"] {
        server.put(path, Resource::Public(set.clone()));
    }
    server.put("/elsewhere", Resource::Public(set));
    server.put(
        "/dsrdelete.json",
        Resource::Public(json!({ "publicKey": [es256.jwk()] }).to_string()),
    );
    let broken =
        [Resource::Status(500), Resource::Oversized, Resource::Hang, Resource::Status(302)];
    for (name, resource) in BROKEN.iter().zip(broken) {
        server.put(&format!("/{name}"), resource);
    }
    let mut sources = vec![
        (
            "k-transcend".to_owned(),
            json!({ "platform": "transcend", "signature": { "audience": "relay" },
                    "unsigned_body": "accept",
                    "keys": { "url": server.url("/transcend.pem"), "secret": secret } }),
        ),
        (
            "k-ed25519".to_owned(),
            json!({ "platform": "standard-webhooks", "signature": "standard-webhooks-ed25519",
                    "keys": [ed25519.whpk()?] }),
        ),
        (
            "k-iab-ddrf".to_owned(),
            json!({ "platform": "iab-ddrf",
                    "issuers": { "example.com": server.url("/dsrdelete.json") } }),
        ),
    ];
    let good = ["jwks.json", "burst.json", "rotated.json", "unknown.json"];
    for path in good.into_iter().chain(BROKEN) {
        let name = format!("k-{}", path.trim_end_matches(".json"));
        let source = json!({ "platform": "standard-webhooks", "unsigned_body": "accept",
            "signature": { "jwt": "authorization", "prefix": "Bearer ", "audience": "relay" },
            "keys": { "url": server.url(&format!("/{path}")) } });
        sources.push((name, source));
    }
    Ok(sources)
}

pub fn trials(world: &Handle) -> Vec<Trial> {
    let mut trials = vec![
        world.trial("public keys: Transcend", transcend),
        world.trial("public keys: Ed25519", ed25519),
        world.trial("public keys: IAB's two tokens", iab_ddrf),
        world.trial("public keys: every algorithm of a set", every_algorithm),
        world.trial("public keys: what is wrong with a token", wrong_tokens),
        world.trial("public keys: twenty at once fetch once", burst),
        world.trial("public keys: a key that is newer than those that are held", rotated),
        world.trial("public keys: a key that is not among new ones", unknown),
    ];
    for name in BROKEN {
        trials.push(world.trial(&format!("public keys: a place that is {name}"), move |world| {
            broken(world, name)
        }));
    }
    trials
}

fn canonical(person: &Person) -> Result<Vec<u8>> {
    let body = body::compose("standard-webhooks", &person.request_id, &subject(person), now())?;
    Ok(body.to_string().into_bytes())
}

fn bearer(token: &str, person: &Person) -> Result<Message> {
    let headers = vec![("authorization".to_owned(), format!("Bearer {token}"))];
    Ok(Message { headers, body: canonical(person)? })
}

fn claims() -> Value {
    json!({ "aud": "relay", "iat": now() })
}

fn is_refused(reply: &Reply) -> Result<()> {
    let one = r#"{"type":"not-authentic","title":"The request is not authentic","status":401}"#;
    ensure!(reply.status == 401 && reply.text == one, "{reply:?}");
    Ok(())
}

async fn transcend(world: Arc<World>) -> Result<()> {
    let person = Person::new("transcend");
    let body = body::compose("transcend", &person.request_id, &subject(&person), now())?;
    let claims = json!({ "value": person.user_id, "scope": "coreIdentifier", "aud": "relay",
                         "iat": now(), "jti": "j-1" });
    let post = async |claims: &Value, body: &Value| {
        let message = Message {
            headers: vec![("x-sombra-token".to_owned(), keys().transcend.jwt(claims)?)],
            body: body.to_string().into_bytes(),
        };
        world.deliver("k-transcend", &message).await
    };
    let mut victim = body.clone();
    victim["coreIdentifier"]["value"] = json!("pii-victim");
    is_refused(&post(&claims, &victim).await?)?;
    world.worker.logged("the token is about somebody else").await?;
    let mut other = claims.clone();
    other["scope"] = json!("other");
    is_refused(&post(&other, &body).await?)?;
    let mut old = claims.clone();
    old["iat"] = json!(now() - 700);
    is_refused(&post(&old, &body).await?)?;
    let mut access = body.clone();
    access["type"] = json!("ACCESS");
    ensure!(post(&claims, &access).await?.status == 204);
    ensure!(asked(&world, &person) == 0, "a vendor was asked");
    let reply = post(&claims, &body).await?;
    ensure!(reply.status == 200 && asked(&world, &person) == 1, "{reply:?}");
    ensure!(reply.json()["request_id"] == json!(person.request_id), "{reply:?}");
    Ok(())
}

async fn ed25519(world: Arc<World>) -> Result<()> {
    let person = Person::new("ed25519");
    let key = PrivateKey::generate("EdDSA")?;
    let stranger = Proof::Ed25519(key).put_on("msg_1", "", &canonical(&person)?, now())?;
    is_refused(&world.deliver("k-ed25519", &stranger).await?)?;
    let Keys { ed25519, .. } = keys();
    let body = canonical(&person)?;
    let text = [format!("msg_1.{}.", now()).as_bytes(), &body].concat();
    let encoded = base64(&ed25519.sign(&text)?);
    let mut headers = vec![
        ("webhook-id".to_owned(), "msg_1".to_owned()),
        ("webhook-timestamp".to_owned(), now().to_string()),
        ("webhook-signature".to_owned(), format!("v1a,{encoded}")),
    ];
    let mut changed = Message { headers: headers.clone(), body: body.clone() };
    changed.body.push(b' ');
    is_refused(&world.deliver("k-ed25519", &changed).await?)?;
    let good = Message { headers: headers.clone(), body: body.clone() };
    let reply = world.deliver("k-ed25519", &good).await?;
    ensure!(reply.status == 200 && asked(&world, &person) == 2, "{reply:?}");
    headers[2].1 = headers[2].1.replace("v1a,", "v1,");
    is_refused(&world.deliver("k-ed25519", &Message { headers, body }).await?)
}

fn base64(bytes: &[u8]) -> String {
    erasure_relay::signature::Encoding::Base64.encode(bytes)
}

async fn iab_ddrf(world: Arc<World>) -> Result<()> {
    let person = Person::new("iab-ddrf");
    let mut claims = body::compose("iab-ddrf", &person.request_id, &subject(&person), now())?;
    let key = &keys().es256;
    let inner = json!({ "version": "1.0", "jti": "i", "iss": "example.com", "iat": now(),
                        "sub": claims["sub"] });
    let mut post = async |inner: &Value, issuer: &str| {
        claims["idJWT"] = json!(key.jwt(inner)?);
        claims["iss"] = json!(issuer);
        let message = Message { headers: Vec::new(), body: key.jwt(&claims)?.into_bytes() };
        world.deliver("k-iab-ddrf", &message).await
    };
    is_refused(&post(&inner, "stranger.example").await?)?;
    let mut about_another = inner.clone();
    about_another["sub"]["identifierValue"] = json!("pii-another@example.com");
    is_refused(&post(&about_another, "example.com").await?)?;
    let reply = post(&inner, "example.com").await?;
    ensure!(reply.status == 202 && reply.json()["raResultCode"] == 0, "{reply:?}");
    ensure!(asked(&world, &person) == 1);
    Ok(())
}

async fn every_algorithm(world: Arc<World>) -> Result<()> {
    let Keys { ed25519, es256, rsa, .. } = keys();
    for key in [ed25519, es256, rsa] {
        let person = Person::new(&format!("algorithm-{}", key.algorithm()));
        let message = bearer(&key.jwt(&claims())?, &person)?;
        let reply = world.deliver("k-jwks", &message).await?;
        ensure!(reply.status == 200 && asked(&world, &person) == 2, "{reply:?}");
    }
    Ok(())
}

async fn wrong_tokens(world: Arc<World>) -> Result<()> {
    let person = Person::new("wrong-tokens");
    let Keys { es256, rsa, .. } = keys();
    let header = |alg: &str, kid: &str| json!({ "alg": alg, "kid": kid });
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        es256.jwt(&claims)
    };
    let good = es256.jwt(&claims())?;
    let half = good.rsplit_once('.').map(|(message, _)| message).unwrap_or_default();
    for (token, reason) in [
        (es256.jwt_with(&header("none", "ec"), &claims())?, "the algorithm is not the key's"),
        (es256.jwt_with(&header("HS256", "ec"), &claims())?, "the algorithm is not the key's"),
        (es256.jwt_with(&header("ES256", "rsa"), &claims())?, "the algorithm is not the key's"),
        (rsa.jwt_with(&header("ES256", "ec"), &claims())?, "no signature matches"),
        (format!("{half}."), "no signature matches"),
        (half.to_owned(), "the token is malformed"),
        (format!("{good}, Bearer {good}"), "the token is malformed"),
        (with("aud", json!("another"))?, "another audience"),
        (with("exp", json!(now() - 100))?, "too old"),
        (with("iat", json!(now() - 400))?, "too old"),
        (with("iat", json!(now() + 400))?, "in the future"),
        (with("nbf", json!(now() + 400))?, "in the future"),
    ] {
        is_refused(&world.deliver("k-jwks", &bearer(&token, &person)?).await?)?;
        world.worker.logged(reason).await?;
    }
    ensure!(asked(&world, &person) == 0, "a vendor was asked");
    // Unknown keys do not make the relay press on the place of the keys.
    ensure!(
        world.keys.request_count("/jwks.json") <= 2,
        "{}",
        world.keys.request_count("/jwks.json")
    );
    Ok(())
}

async fn burst(world: Arc<World>) -> Result<()> {
    let mut running = Vec::new();
    for number in 0..20 {
        let world = world.clone();
        running.push(tokio::spawn(async move {
            let person = Person::new(&format!("keys-burst-{number}"));
            let message = bearer(&keys().es256.jwt(&claims())?, &person)?;
            let reply = world.deliver("k-burst", &message).await?;
            ensure!(reply.status == 200, "{reply:?}");
            Ok(())
        }));
    }
    for one in running {
        one.await??;
    }
    ensure!(
        world.keys.request_count("/burst.json") == 1,
        "{}",
        world.keys.request_count("/burst.json")
    );
    Ok(())
}

/// The platform has begun to sign with a new key, a moment after its keys were fetched.
async fn rotated(world: Arc<World>) -> Result<()> {
    let (before, after) = (&keys().es256, PrivateKey::generate("ES256")?.named("after"));
    let deliver = async |key: &PrivateKey, name: &str| {
        let message = bearer(&key.jwt(&claims())?, &Person::new(name))?;
        world.deliver("k-rotated", &message).await
    };
    ensure!(deliver(before, "rotated-before").await?.status == 200);
    let set = json!({ "keys": [before.jwk(), after.jwk()] }).to_string();
    world.keys.put("/rotated.json", Resource::Public(set));
    for _ in 0..2 {
        let reply = deliver(&after, "rotated-after").await?;
        ensure!(reply.status == 503 && reply.json()["type"] == "cannot-verify", "{reply:?}");
        let pause: u64 = reply.header("retry-after").parse()?;
        ensure!((1..=60).contains(&pause), "{reply:?}");
    }
    world.worker.logged("the key is not known, and the sender's keys were fetched").await?;
    // A known key is not held up, and one that signs for another is not genuine.
    ensure!(deliver(before, "rotated-meanwhile").await?.status == 200);
    is_refused(&deliver(&PrivateKey::generate("ES256")?.named("ec"), "rotated-forged").await?)?;
    ensure!(world.keys.request_count("/rotated.json") == 1, "it was pressed on");
    ensure!(asked(&world, &Person::new("rotated-after")) == 0, "a vendor was asked");
    Ok(())
}

/// Keys that were fetched for a message are not older than it.
async fn unknown(world: Arc<World>) -> Result<()> {
    let nobody = PrivateKey::generate("ES256")?.named("nobody");
    let message = bearer(&nobody.jwt(&claims())?, &Person::new("unknown-key"))?;
    is_refused(&world.deliver("k-unknown", &message).await?)?;
    world.worker.logged("the key is not known").await?;
    let reply = world.deliver("k-unknown", &message).await?;
    ensure!(reply.status == 503 && world.keys.request_count("/unknown.json") == 1, "{reply:?}");
    Ok(())
}

/// The sender must send again what may well be genuine; a vendor hears nothing.
async fn broken(world: Arc<World>, name: &'static str) -> Result<()> {
    let person = Person::new(&format!("keys-{name}"));
    let message = bearer(&keys().es256.jwt(&claims())?, &person)?;
    for _ in 0..2 {
        let reply = world.deliver(&format!("k-{name}"), &message).await?;
        ensure!(reply.status == 503 && reply.json()["type"] == "cannot-verify", "{reply:?}");
        ensure!(reply.header("retry-after") == "60", "{reply:?}");
    }
    ensure!(asked(&world, &person) == 0, "a vendor was asked");
    ensure!(world.keys.request_count(&format!("/{name}")) == 1, "it was pressed on");
    world.worker.logged("the sender's keys cannot be fetched").await?;
    Ok(())
}
