//! Every preset and every platform that shares a secret, each with its documented sample.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use libtest_mimic::Trial;
use send::{Message, Proof, body};
use serde_json::{Value, json};
use xtask::webhook::{Reply, now};

use crate::world::{Handle, Person, World};

const SECRET: (&str, &str) = ("PLATFORM_SECRET", "secret-of-the-platform-tests");
const WHSEC: (&str, &str) = ("PLATFORM_WHSEC", "whsec_cGxhdGZvcm0tdGVzdHMtb2YtdGhlLXJlbGF5");
const TOKEN: (&str, &str) = ("PLATFORM_TOKEN", "token-of-the-platform-tests");
const SECOND: (&str, &str) = ("SECOND_PROOF", "second-proof-of-the-platform-tests");

/// By name.
pub const SECRETS: [(&str, &str); 4] = [SECRET, WHSEC, TOKEN, SECOND];

/// A sender: the source's name is `p-` and the name of the case.
struct Case {
    name: &'static str,
    /// The platform, and the settings of its source.
    platform: &'static str,
    settings: fn() -> Value,
    proof: fn() -> Proof,
    /// The status for an erasure, and for another event.
    taken: u16,
    other: u16,
    /// Whose data a vendor must hear of: Instacart of the user id, Insider of the address.
    hears: [bool; 2],
    /// What makes the body another event.
    another: (&'static str, &'static str),
}

/// A preset on a payload that the configuration describes.
fn preset(name: &'static str, settings: fn() -> Value, proof: fn() -> Proof) -> Case {
    let another = ("customer.deleted", "customer.created");
    let (taken, other, hears) = (200, 204, [true, true]);
    Case { name, platform: "custom", settings, proof, taken, other, hears, another }
}

fn described(signature: Value, secret: &str) -> Value {
    json!({ "platform": "custom", "signature": signature, "secrets": [secret],
            "request_id": "/id", "erasure": { "at": "/event", "is": ["customer.deleted"] },
            "identifiers": { "user_ids": "/customer/id", "email": "/customer/email" } })
}

pub fn signed_as(name: &str) -> Proof {
    let (_, secret) = if name == "svix" { WHSEC } else { SECRET };
    Proof::preset(name, secret).expect("a preset")
}

pub fn bearer(header: &str, prefix: &str) -> Proof {
    Proof::Token(header.to_owned(), format!("{prefix}{}", TOKEN.1))
}

fn token(platform: &str, header: &str, prefix: Option<&str>) -> Value {
    let mut signature = json!({ "token": header });
    if let Some(prefix) = prefix {
        signature["prefix"] = json!(prefix);
    }
    json!({ "platform": platform, "signature": signature, "secrets": [TOKEN.0] })
}

fn cases() -> Vec<Case> {
    let platform = |name, settings, proof, hears, another| Case {
        name,
        platform: name,
        settings,
        proof,
        taken: 200,
        other: 204,
        hears,
        another,
    };
    vec![
        preset("github", || described(json!("github"), SECRET.0), || signed_as("github")),
        preset("stripe", || described(json!("stripe"), SECRET.0), || signed_as("stripe")),
        preset("slack", || described(json!("slack"), SECRET.0), || signed_as("slack")),
        preset("hubspot", || described(json!("hubspot"), SECRET.0), || signed_as("hubspot")),
        preset("svix", || described(json!("svix"), WHSEC.0), || signed_as("svix")),
        preset(
            "own-scheme",
            || {
                let own = json!({ "hmac": "sha512", "header": "X-Hub-Signature-512",
                                  "prefix": "sha512=" });
                described(own, SECRET.0)
            },
            || {
                let Proof::Hmac(mut scheme, secret) = signed_as("github") else { unreachable!() };
                scheme.hash = erasure_relay::signature::scheme::Hash::Sha512;
                scheme.layout.names.signature = "x-hub-signature-512".into();
                scheme.layout.prefix = "sha512=".into();
                Proof::Hmac(scheme, secret)
            },
        ),
        preset(
            "bearer",
            || described(json!({ "token": "authorization", "prefix": "Bearer " }), TOKEN.0),
            || bearer("authorization", "Bearer "),
        ),
        platform(
            "datagrail-drop",
            || json!({ "platform": "datagrail-drop", "secrets": [SECRET.0] }),
            || signed_as("datagrail"),
            [false, true],
            ("drop.deletion", "drop.status"),
        ),
        platform(
            "shopify",
            || json!({ "platform": "shopify", "secrets": [SECRET.0] }),
            || signed_as("shopify"),
            [true, true],
            ("orders_to_redact", "orders_requested"),
        ),
        platform(
            "segment",
            || json!({ "platform": "segment", "secrets": [SECRET.0] }),
            || signed_as("segment"),
            [true, false],
            ("delete", "identify"),
        ),
        Case {
            other: 200,
            ..platform(
                "ketch",
                || {
                    let mut source = token("ketch", "Authorization", Some("Bearer "));
                    source["identity_types"] = json!({ "account_id": "user_id" });
                    source["partial_erasure"] = json!("accept");
                    source
                },
                || bearer("authorization", "Bearer "),
                [true, true],
                ("DeleteRequest", "AccessRequest"),
            )
        },
        Case {
            other: 200,
            ..platform(
                "fides",
                || token("fides", "Authorization", None),
                || bearer("authorization", ""),
                [true, true],
                ("erasure", "access"),
            )
        },
        platform(
            "kertos",
            || token("kertos", "X-API-KEY", None),
            || bearer("x-api-key", ""),
            [false, true],
            ("delete", "read"),
        ),
        Case {
            other: 400,
            ..platform(
                "meta",
                || {
                    json!({ "platform": "meta", "secrets": [SECRET.0],
                        "identifiers": { "user_id": "/user_id" },
                        "status_url": "https://shop.example/deletion/{code}" })
                },
                || Proof::SignedRequest(SECRET.1.to_owned()),
                [true, false],
                ("user_id", "instant_game_id"),
            )
        },
        Case {
            taken: 201,
            ..platform(
                "opendsr",
                || token("opendsr", "Authorization", Some("Bearer ")),
                || bearer("authorization", "Bearer "),
                [true, true],
                ("erasure", "portability"),
            )
        },
    ]
}

pub fn sources() -> Vec<(String, Value)> {
    let mut sources: Vec<_> =
        cases().iter().map(|case| (format!("p-{}", case.name), (case.settings)())).collect();
    let mut strict = token("ketch", "Authorization", Some("Bearer "));
    strict["identity_types"] = json!({ "account_id": "user_id" });
    sources.push(("p-strict".to_owned(), strict));
    let both = json!({ "platform": "shopify", "secrets": [SECRET.0],
                       "also": { "token": "x-relay-key", "secrets": [SECOND.0] } });
    sources.push(("p-both".to_owned(), both));
    let mut batch = described(json!("hubspot"), SECRET.0);
    batch["events"] = json!("body");
    sources.push(("p-batch".to_owned(), batch));
    let mut policy = token("fides", "Authorization", None);
    policy["erasure"] = json!("always");
    sources.push(("p-policy".to_owned(), policy));
    sources
}

pub fn trials(world: &Handle) -> Vec<Trial> {
    let mut trials = vec![
        world.trial("two proofs are both needed", two_proofs),
        world.trial("cargo xtask send plays every platform", sent_by_command),
    ];
    for (number, case) in cases().iter().enumerate() {
        trials.push(world.trial(&format!("platform: {}", case.name), move |world| async move {
            let cases = cases();
            let case = &cases[number];
            erasure(&world, case).await?;
            refused(&world, case).await?;
            another(&world, case).await
        }));
    }
    trials
}

impl Case {
    fn body(&self, person: &Person) -> Result<Value> {
        if self.platform == "custom" {
            return Ok(json!({ "event": "customer.deleted", "id": person.request_id,
                              "customer": { "id": person.user_id, "email": person.email } }));
        }
        body::compose(self.platform, &person.request_id, &subject(person), now())
    }

    fn message(&self, world: &World, body: &[u8]) -> Result<Message> {
        let url = world.worker.url(&format!("/webhooks/p-{}", self.name));
        (self.proof)().put_on("msg_1", &url, body, now())
    }

    async fn post(&self, world: &World, body: &[u8]) -> Result<Reply> {
        world.deliver(&format!("p-{}", self.name), &self.message(world, body)?).await
    }
}

pub fn subject(person: &Person) -> body::Person {
    let text = |text: &str| Some(text.to_owned());
    let (user_id, email) = (text(&person.user_id), text(&person.email));
    body::Person { user_id, email, ..Default::default() }
}

pub fn heard(world: &World, person: &Person) -> [usize; 2] {
    [
        world.vendors.instacart.requests_for(&person.user_id).len(),
        world.vendors.insider.requests_for(&person.email).len(),
    ]
}

async fn erasure(world: &World, case: &Case) -> Result<()> {
    let person = Person::new(&format!("platform-{}", case.name));
    let reply = case.post(world, case.body(&person)?.to_string().as_bytes()).await?;
    ensure!(reply.status == case.taken, "{reply:?}");
    ensure!(reply.header("content-type") == "application/json", "{reply:?}");
    ensure!(heard(world, &person) == case.hears.map(usize::from), "{:?}", heard(world, &person));
    let json = reply.json();
    match case.name {
        "ketch" => {
            ensure!(json["kind"] == "DeleteResponse", "{reply:?}");
            ensure!(json["metadata"]["uid"] == json!(person.request_id), "{reply:?}");
            ensure!(json["response"]["status"] == "completed", "{reply:?}");
            // Without the operator's word an erasure that leaves the profile is not completed.
            let strict = Person::new("platform-ketch-strict");
            let body = case.body(&strict)?.to_string();
            let reply = world.deliver("p-strict", &case.message(world, body.as_bytes())?).await?;
            let json = reply.json();
            ensure!(json["response"]["status"] == "in_progress", "{reply:?}");
            ensure!(json["response"]["reason"] == "unknown", "{reply:?}");
        }
        "fides" => ensure!(json == json!({ "halt": false }), "{reply:?}"),
        "meta" => {
            let code = json["confirmation_code"].as_str().context("a code")?;
            let url = format!("https://shop.example/deletion/{code}");
            ensure!(code.len() == 32 && json["url"] == json!(url), "{reply:?}");
        }
        "opendsr" => {
            ensure!(json["subject_request_id"] == json!(person.request_id), "{reply:?}");
            ensure!(json["encoded_request"].is_string(), "{reply:?}");
        }
        "shopify" | "segment" | "kertos" => {
            let id = json["request_id"].as_str().context("an id")?;
            ensure!(id.len() == 32 && json["state"].is_string(), "{reply:?}");
        }
        _ => ensure!(json["request_id"] == json!(person.request_id), "{reply:?}"),
    }
    Ok(())
}

/// Without its proof, with another's, and with a changed body, it is nobody's.
async fn refused(world: &World, case: &Case) -> Result<()> {
    let person = Person::new(&format!("platform-refused-{}", case.name));
    let text = case.body(&person)?.to_string();
    let good = case.message(world, text.as_bytes())?;
    let mut spoilt = vec![Message { headers: Vec::new(), body: good.body.clone() }];
    if matches!((case.proof)(), Proof::SignedRequest(_)) {
        spoilt[0].body = text.into_bytes();
    }
    let mut changed = good.clone();
    match (case.proof)() {
        Proof::Token(header, _) => {
            changed.headers.retain(|(name, _)| *name != header);
            changed.headers.push((header, "another-token-of-some-length".to_owned()));
        }
        _ => changed.body.push(b'0'),
    }
    spoilt.push(changed);
    for (number, message) in spoilt.iter().enumerate() {
        let reply = world.deliver(&format!("p-{}", case.name), message).await?;
        ensure!(reply.status == 401, "{number}: {reply:?}");
        ensure!(reply.json()["type"] == "not-authentic", "{number}: {reply:?}");
    }
    ensure!(heard(world, &person) == [0, 0], "a vendor was asked");
    Ok(())
}

async fn another(world: &World, case: &Case) -> Result<()> {
    let person = Person::new(&format!("platform-another-{}", case.name));
    let text = case.body(&person)?.to_string();
    let (from, to) = case.another;
    let reply = case.post(world, text.replacen(from, to, 1).as_bytes()).await?;
    ensure!(reply.status == case.other, "{reply:?}");
    ensure!(heard(world, &person) == [0, 0], "a vendor was asked");
    Ok(())
}

async fn two_proofs(world: Arc<World>) -> Result<()> {
    let person = Person::new("two-proofs");
    let text = body::compose("shopify", "", &subject(&person), now())?.to_string();
    let mut message = signed_as("shopify").put_on("", "", text.as_bytes(), now())?;
    ensure!(world.deliver("p-both", &message).await?.status == 401);
    message.headers.push(("x-relay-key".to_owned(), SECOND.1.to_owned()));
    let mut token_alone = message.clone();
    token_alone.headers.retain(|(name, _)| name == "x-relay-key");
    ensure!(world.deliver("p-both", &token_alone).await?.status == 401);
    ensure!(heard(&world, &person) == [0, 0], "a vendor was asked");
    let reply = world.deliver("p-both", &message).await?;
    ensure!(reply.status == 200 && heard(&world, &person) == [1, 1], "{reply:?}");
    world.worker.logged("the header x-relay-key is missing").await?;
    Ok(())
}

/// The command's own way from its arguments to a message, for every platform with its usual proof
/// and for every preset.
async fn sent_by_command(world: Arc<World>) -> Result<()> {
    let environment = |name: &str| {
        let mut known = SECRETS.iter().filter(|(known, _)| *known == name);
        known.next().map(|(_, value)| (*value).to_owned())
    };
    for case in cases().iter().filter(|case| !["own-scheme", "bearer"].contains(&case.name)) {
        let person = Person::new(&format!("command-{}", case.name));
        let url = world.worker.url(&format!("/webhooks/p-{}", case.name));
        let secret = match (case.proof)() {
            Proof::Token(..) => TOKEN.0,
            _ if case.name == "svix" => WHSEC.0,
            _ => SECRET.0,
        };
        let mut arguments = vec!["send", "--platform", case.platform, "--url", &url];
        arguments.extend(["--secret-env", secret, "--request-id", &person.request_id]);
        arguments.extend(["--user-id", &person.user_id, "--email", &person.email]);
        let file = std::env::temp_dir().join(format!("{}.json", person.request_id));
        let path = file.to_string_lossy().into_owned();
        if case.platform == "custom" {
            std::fs::write(&file, case.body(&person)?.to_string())?;
            arguments.extend(["--signature", case.name, "--body-file", &path]);
        }
        if case.name == "fides" {
            arguments.extend(["--header", "authorization"]);
        }
        let arguments = send::cli::Arguments::try_parse_from(arguments)?;
        let since = std::time::SystemTime::UNIX_EPOCH.elapsed()?;
        let message = send::cli::message(&arguments, since, &environment)?;
        let _ = std::fs::remove_file(&file);
        let reply = world.deliver(&format!("p-{}", case.name), &message).await?;
        ensure!(reply.status == case.taken, "{}: {reply:?}", case.name);
        ensure!(heard(&world, &person) == case.hears.map(usize::from), "{}", case.name);
    }
    Ok(())
}
