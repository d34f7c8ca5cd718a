//! What Transcend and Fides are told: each webhook waits for a word of its own.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use send::PrivateKey;
use serde_json::{Value, json};
use standin::Answer;
use standin::insider::NO_SUCH_USER;
use standin::platform::{FIDES, Message, Platform, Reaction, SOMBRA_KEY, TRANSCEND, TRANSCEND_KEY};
use tokio::time::{sleep, timeout};
use xtask::demo::Vendors;
use xtask::webhook::{Reply, now, send};
use xtask::workerd::{Storage, Workerd};

use crate::durable::{ADMIN_TOKEN, authorized};
use crate::world::{Handle, Person, World};

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("callbacks: Transcend hears of each end in its own words", transcend_words),
        world.trial("callbacks: Transcend hears a word for every nonce", every_nonce),
        world.trial("callbacks: Transcend has closed the request", closed_there),
        world.trial("callbacks: Fides is halted, and resumed when all is well", fides_resumed),
        world.trial("callbacks: Fides is not resumed on a negative end", fides_negative),
        world.trial("callbacks: a connector of Fides hears of the end", fides_task),
    ]
}

const TOKEN: &str = "token-of-fides-and-others";

fn key() -> &'static PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(|| PrivateKey::generate("ES384").expect("a key"))
}

/// A Worker whose platform is told by a stand-in.
struct Relay {
    vendors: Vendors,
    platform: Platform,
    worker: Workerd,
    _storage: Storage,
}

impl Relay {
    /// The platform's sources are `accepting` (of partial erasures) and `strict`.
    async fn start(world: &World, name: &str) -> Result<Self> {
        let (vendors, storage) = (Vendors::start().await?, Storage::fresh()?);
        let is_transcend = name == "transcend";
        let contract = if is_transcend { TRANSCEND } else { FIDES };
        let platform = Platform::start(contract, 200).await?;
        let mut deployment = vendors.deployment()?;
        let retry = json!({ "first_seconds": 1, "longest_seconds": 1 });
        let insider = &mut deployment.vars["VENDORS"]["insider"];
        insider["retry"] = retry.clone();
        insider["breaker"] = json!({ "probe_seconds": 1 });
        insider["no_such_user"] = json!("already_absent");
        let mut source = if is_transcend {
            json!({
                "platform": "transcend", "signature": { "audience": "relay" },
                "keys": [key().public_pem()?], "unsigned_body": "accept",
                "callback": { "key": "TRANSCEND_KEY" },
            })
        } else {
            json!({
                "platform": "fides", "signature": { "token": "authorization" },
                "secrets": ["FIDES_TOKEN"], "callback": {},
            })
        };
        source["vendors"] = json!(["insider"]);
        source["callback"]["base_url"] = json!(platform.url(""));
        source["callback"]["retry"] = retry;
        let mut accepting = source.clone();
        accepting["partial_erasure"] = json!("accept");
        accepting["shared_secrets"] = json!("accept");
        source["shared_secrets"] = json!("accept");
        if is_transcend {
            source["callback"]["sombra_key"] = json!("SOMBRA_KEY");
        }
        let mut sources = json!({ "accepting": accepting, "strict": source });
        if !is_transcend {
            sources["connector"] = json!({
                "platform": "custom", "signature": { "token": "x-key" }, "secrets": ["TASK_TOKEN"],
                "erasure": "always", "request_id": "/id", "identifiers": { "email": "/email" },
                "vendors": ["insider"], "partial_erasure": "accept",
                "callback": sources["accepting"]["callback"].clone(),
            });
            sources["connector"]["callback"]["kind"] = json!("fides");
        }
        deployment.vars["SOURCES"] = sources;
        let deployment = deployment
            .secret("ADMIN_TOKEN", ADMIN_TOKEN)
            .secret("TRANSCEND_KEY", TRANSCEND_KEY)
            .secret("SOMBRA_KEY", SOMBRA_KEY)
            .secret("FIDES_TOKEN", TOKEN)
            .secret("TASK_TOKEN", &format!("{TOKEN}-2"));
        let World { toolchain, bundle, .. } = world;
        let worker = Workerd::start_on(toolchain, bundle, &deployment, &storage).await?;
        Ok(Self { vendors, platform, worker, _storage: storage })
    }

    async fn post(&self, source: &str, headers: &[(&str, &str)], body: &Value) -> Result<Reply> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let headers: Vec<_> = headers.iter().map(owned).collect();
        let url = self.worker.url(&format!("/webhooks/{source}"));
        send("POST", &url, &headers, body.to_string()).await
    }

    /// A webhook of Transcend for one identifier, with a nonce.
    async fn transcend(
        &self,
        source: &str,
        person: &Person,
        (kind, value): (&str, &str),
        nonce: &str,
    ) -> Result<Reply> {
        let claims = json!({ "value": person.user_id, "scope": "coreIdentifier", "aud": "relay",
                             "iat": now(), "jti": nonce });
        let body = json!({
            "type": "ERASURE", "dataSubject": { "type": "customer" }, "isTest": false,
            "coreIdentifier": { "value": person.user_id },
            "extras": { "profile": { "identifier": value, "type": kind },
                        "request": { "id": person.request_id, "details": "", "locale": "en" } } });
        let token = key().jwt(&claims)?;
        let headers = [("x-sombra-token", token.as_str()), ("x-transcend-nonce", nonce)];
        self.post(source, &headers, &body).await
    }

    /// A two-way webhook of Fides before the policy.
    async fn fides(&self, source: &str, person: &Person, reply_to: &str) -> Result<Reply> {
        let id = &person.request_id;
        let body = json!({
            "privacy_request_id": id, "privacy_request_status": "in_processing",
            "direction": "two_way", "callback_type": "pre", "policy_action": "erasure",
            "identity": { "email": person.email, "phone_number": null, "external_id": null } });
        let token = format!("token-of-{id}");
        let headers =
            [("authorization", TOKEN), ("reply-to", reply_to), ("reply-to-token", token.as_str())];
        self.post(source, &headers, &body).await
    }

    /// The messages of which this holds, once there are so many.
    async fn messages(
        &self,
        count: usize,
        is_meant: impl Fn(&Message) -> bool,
    ) -> Result<Vec<Message>> {
        let all = || -> Vec<Message> {
            self.platform.messages().into_iter().filter(|one| is_meant(one)).collect()
        };
        let waiting = async {
            while all().len() < count {
                sleep(Duration::from_millis(20)).await;
            }
        };
        let came = timeout(Duration::from_secs(30), waiting).await;
        let (all, mismatches) = (all(), self.platform.mismatches());
        ensure!(mismatches.is_empty(), "{mismatches:?}");
        ensure!(came.is_ok(), "{all:?} {}", self.worker.log());
        Ok(all)
    }

    /// The bodies that came with a nonce, once there are so many.
    async fn told(&self, nonce: &str, count: usize) -> Result<Vec<Value>> {
        let is_meant = |message: &Message| message.header("x-transcend-nonce") == Some(nonce);
        Ok(self.messages(count, is_meant).await?.iter().map(Message::json).collect())
    }

    /// The receipt, once this holds of it.
    async fn receipt(
        &self,
        source: &str,
        person: &Person,
        holds: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let url = self.worker.url(&format!("/erasures/{source}/{}", person.request_id));
        let mut last = Value::Null;
        let waiting = async {
            loop {
                last = send("GET", &url, &authorized(), "").await?.json();
                if holds(&last) {
                    return anyhow::Ok(());
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        let came = timeout(Duration::from_secs(30), waiting).await;
        ensure!(matches!(came, Ok(Ok(()))), "{last} {}", self.worker.log());
        Ok(last)
    }

    /// Closes the erasure as completed, as an operator does.
    async fn close(&self, source: &str, person: &Person) -> Result<Reply> {
        let url = self.worker.url(&format!("/erasures/{source}/{}/close", person.request_id));
        let body = r#"{"outcome":"completed","note":"erased in the vendor's dashboard"}"#;
        send("POST", &url, &authorized(), body).await
    }
}

/// Whether every message has ended like this, and there are so many.
fn all_are(state: &'static str, count: usize) -> impl Fn(&Value) -> bool {
    move |receipt| {
        receipt["callbacks"]
            .as_array()
            .is_some_and(|all| all.len() == count && all.iter().all(|one| one["state"] == state))
    }
}

fn absent() -> Answer {
    Answer::json(404, NO_SUCH_USER)
}

async fn transcend_words(world: Arc<World>) -> Result<()> {
    let relay = Relay::start(&world, "transcend").await?;
    let action = json!({ "status": "ACTION_REQUIRED" });
    let skipped = json!({ "profileStatus": "SKIPPED" });
    let retried = || Answer::status(500);
    for (name, source, answers, expected) in [
        ("t-accepted", "accepting", vec![], json!({})),
        ("t-later", "accepting", vec![retried(), Answer::Success], json!({})),
        ("t-absent-later", "accepting", vec![retried(), absent()], skipped),
        ("t-rejected", "accepting", vec![Answer::status(422)], action.clone()),
        ("t-uncertain", "accepting", vec![Answer::status(202)], action.clone()),
        ("t-not-erased", "accepting", vec![], action.clone()),
        ("t-partial", "strict", vec![], action.clone()),
    ] {
        let person = Person::new(name);
        relay.vendors.insider.script(&person.email, answers);
        if name == "t-not-erased" {
            relay.vendors.insider.set_sole_identifier(&person.email);
        }
        let reply = relay.transcend(source, &person, ("email", &person.email), name).await?;
        ensure!(reply.status == 200 && reply.json()["request_id"] == *person.request_id);
        ensure!(relay.told(name, 1).await? == [expected], "{name}");
        let receipt = relay.receipt(source, &person, all_are("delivered", 1)).await?;
        ensure!(receipt["callbacks"][0]["message"] == "data_silo", "{receipt}");
        let messages = relay.messages(1, |one| one.header("x-transcend-nonce") == Some(name));
        let gateway = messages.await?[0].header("x-sombra-authorization").map(str::to_owned);
        ensure!(gateway.is_some() == (source == "strict"), "{name}");
        ensure!(receipt.get("reply_expires_at").is_none(), "{receipt}");
    }
    let person = Person::new("t-nobody");
    relay.transcend("accepting", &person, ("loyaltyCard", "pii-card"), "t-nobody").await?;
    ensure!(relay.told("t-nobody", 1).await?.first() == Some(&action));

    // What the answer says needs no message.
    let person = Person::new("t-absent");
    relay.vendors.insider.script(&person.email, [absent()]);
    let email = ("email", person.email.as_str());
    let reply = relay.transcend("accepting", &person, email, "t-absent").await?;
    ensure!(reply.status == 204 && reply.text.is_empty(), "{reply:?}");
    let receipt = relay.receipt("accepting", &person, |one| one["state"] == "done").await?;
    ensure!(receipt.get("callbacks").is_none(), "{receipt}");

    // What needs a person, and then does not.
    let person = Person::new("t-blocked");
    relay.vendors.insider.script(&person.email, [Answer::status(401), Answer::Success]);
    let email = ("email", person.email.as_str());
    relay.transcend("accepting", &person, email, "t-blocked").await?;
    ensure!(relay.told("t-blocked", 2).await? == [action, json!({})]);
    ensure!(relay.told("t-absent", 0).await?.is_empty());
    Ok(())
}

async fn every_nonce(world: Arc<World>) -> Result<()> {
    let relay = Relay::start(&world, "transcend").await?;
    let source = "accepting";
    let person = Person::new("t-nonces");
    let [email, phone, other] = [
        ("email", person.email.as_str()),
        ("phone", "+14155550100"),
        ("email", "pii-t-nonces-2@example.com"),
    ];
    // Two identifiers while the first waits: both hear of the end.
    relay.vendors.insider.script(&person.email, [Answer::status(500), Answer::Success]);
    let (one, two) = tokio::join!(
        relay.transcend(source, &person, email, "n-email"),
        relay.transcend(source, &person, phone, "n-phone"),
    );
    ensure!(one?.status == 200 && two?.status == 200);
    for nonce in ["n-email", "n-phone"] {
        ensure!(relay.told(nonce, 1).await? == [json!({})], "{nonce}");
    }
    relay.receipt(source, &person, all_are("delivered", 2)).await?;
    // The same webhook again, after the last word.
    relay.transcend(source, &person, email, "n-email-again").await?;
    ensure!(relay.told("n-email-again", 1).await? == [json!({})]);
    // A new identifier after the last word: its webhook hears what comes of it, and no other does.
    relay.vendors.insider.script(other.1, [Answer::status(422)]);
    relay.transcend(source, &person, other, "n-other").await?;
    ensure!(relay.told("n-other", 1).await? == [json!({ "status": "ACTION_REQUIRED" })]);
    let repeated = relay.transcend(source, &person, other, "n-other-again").await?;
    ensure!(repeated.status == 200, "{repeated:?}");
    ensure!(relay.told("n-other-again", 1).await? == [json!({ "status": "ACTION_REQUIRED" })]);
    relay.receipt(source, &person, all_are("delivered", 5)).await?;
    ensure!(relay.close(source, &person).await?.status == 200);
    for nonce in ["n-other", "n-other-again"] {
        ensure!(relay.told(nonce, 2).await?[1] == json!({}), "{nonce}");
    }
    // An operator's word holds for a webhook that comes again.
    relay.transcend(source, &person, other, "n-closed").await?;
    ensure!(relay.told("n-closed", 1).await? == [json!({})]);
    relay.receipt(source, &person, all_are("delivered", 8)).await?;
    ensure!(relay.platform.messages().len() == 8);

    // The last word to one webhook still waits when another one comes, and is not lost for that.
    let person = Person::new("t-waits");
    let (email, other) = (("email", person.email.as_str()), ("email", "pii-t-waits-2@example.com"));
    relay.vendors.insider.script(other.1, [Answer::status(422)]);
    relay.platform.script([Reaction::Status(503); 3]);
    relay.transcend(source, &person, email, "w-email").await?;
    relay.transcend(source, &person, other, "w-other").await?;
    let told = async |nonce: &str| {
        let is_taken =
            |one: &Message| one.header("x-transcend-nonce") == Some(nonce) && one.status == 200;
        anyhow::Ok(relay.messages(1, is_taken).await?.last().map(Message::json))
    };
    ensure!(told("w-email").await? == Some(json!({})));
    ensure!(told("w-other").await? == Some(json!({ "status": "ACTION_REQUIRED" })));
    relay.receipt(source, &person, all_are("delivered", 2)).await?;
    Ok(())
}

async fn closed_there(world: Arc<World>) -> Result<()> {
    let relay = Relay::start(&world, "transcend").await?;
    let person = Person::new("t-409");
    relay.platform.script([Reaction::Status(503), Reaction::Status(409)]);
    relay.transcend("accepting", &person, ("email", &person.email), "t-409").await?;
    let receipt = relay.receipt("accepting", &person, all_are("closed_there", 1)).await?;
    ensure!(receipt["callbacks"][0]["attempts"] == 2, "{receipt}");
    ensure!(relay.platform.messages().len() == 2);
    let log = relay.worker.log();
    ensure!(!log.contains("t-409") && !log.contains(TRANSCEND_KEY), "{log}");
    Ok(())
}

fn halt(reply: &Reply) -> Option<bool> {
    reply.json()["halt"].as_bool().filter(|_| reply.status == 200)
}

fn resume(person: &Person) -> String {
    format!("/privacy-request/{}/resume", person.request_id)
}

/// Whether a message is about a person's request.
fn is_about(person: &Person) -> impl Fn(&Message) -> bool {
    let target = format!("/api/v1{}", resume(person));
    move |message| message.target == target
}

async fn fides_resumed(world: Arc<World>) -> Result<()> {
    let relay = Relay::start(&world, "fides").await?;
    for (name, answers) in [
        ("f-later", vec![Answer::status(500), Answer::Success]),
        ("f-absent", vec![Answer::status(500), absent()]),
    ] {
        let person = Person::new(name);
        relay.vendors.insider.script(&person.email, answers);
        // Fides has not read the answer yet.
        relay.platform.script([Reaction::Status(400)]);
        let reply = relay.fides("accepting", &person, &resume(&person)).await?;
        ensure!(halt(&reply) == Some(true), "{reply:?}");
        relay.messages(2, is_about(&person)).await?;
        let receipt = relay.receipt("accepting", &person, all_are("delivered", 1)).await?;
        ensure!(receipt["callbacks"][0]["word"] == "resume", "{receipt}");
        ensure!(receipt.get("reply_expires_at").is_none(), "{receipt}");
        ensure!(relay.messages(2, is_about(&person)).await?.len() == 2);
    }
    // What is done when the webhook is answered is neither halted nor resumed.
    let person = Person::new("f-done");
    let reply = relay.fides("accepting", &person, &resume(&person)).await?;
    ensure!(halt(&reply) == Some(false), "{reply:?}");
    // Nor is what Fides gives no usable way back for.
    let other = Person::new("f-other");
    for reply_to in [resume(&person), "/api/v1/user".to_owned()] {
        relay.vendors.insider.script(&other.email, [Answer::status(422)]);
        let reply = relay.fides("accepting", &other, &reply_to).await?;
        ensure!(halt(&reply) == Some(false), "{reply:?}");
    }
    // The token has expired.
    let person = Person::new("f-expired");
    relay.vendors.insider.script(&person.email, [Answer::status(500), Answer::Success]);
    relay.platform.script([Reaction::Status(403)]);
    relay.fides("accepting", &person, &resume(&person)).await?;
    let receipt = relay.receipt("accepting", &person, all_are("failed", 1)).await?;
    ensure!(receipt["callbacks"][0]["attempts"] == 1, "{receipt}");
    ensure!(relay.platform.messages().len() == 5, "{:?}", relay.platform.messages());
    ensure!(!relay.worker.log().contains("token-of-"));
    Ok(())
}

async fn fides_negative(world: Arc<World>) -> Result<()> {
    let relay = Relay::start(&world, "fides").await?;
    for (name, source, answers) in
        [("f-rejected", "accepting", vec![Answer::status(422)]), ("f-partial", "strict", vec![])]
    {
        let person = Person::new(name);
        relay.vendors.insider.script(&person.email, answers);
        let reply = relay.fides(source, &person, &resume(&person)).await?;
        ensure!(halt(&reply) == Some(true), "{reply:?}");
        let waits = |receipt: &Value| receipt["reply_expires_at"].is_string();
        let receipt = relay.receipt(source, &person, waits).await?;
        ensure!(receipt.get("callbacks").is_none(), "{receipt}");
        // The operator ends it.
        ensure!(relay.platform.messages().iter().all(|one| !is_about(&person)(one)));
        ensure!(relay.close(source, &person).await?.status == 200);
        relay.messages(1, is_about(&person)).await?;
        relay.receipt(source, &person, all_are("delivered", 1)).await?;
    }
    Ok(())
}

async fn fides_task(world: Arc<World>) -> Result<()> {
    let relay = Relay::start(&world, "fides").await?;
    let path = "/api/v1/request-task/callback";
    for (name, answers) in
        [("f-task", vec![]), ("f-task-later", vec![Answer::status(500), Answer::Success])]
    {
        let person = Person::new(name);
        relay.vendors.insider.script(&person.email, answers);
        let token = format!("{TOKEN}-2");
        let headers = [("x-key", token.as_str()), ("reply-to", path), ("reply-to-token", name)];
        let body = json!({ "id": person.request_id, "email": person.email });
        relay.post("connector", &headers, &body).await?;
        let bearer = format!("Bearer {name}");
        let is_meant = |one: &Message| one.header("authorization") == Some(bearer.as_str());
        let messages = relay.messages(1, is_meant).await?;
        ensure!(messages[0].json() == json!({}) && messages[0].target == path);
        relay.receipt("connector", &person, all_are("delivered", 1)).await?;
    }
    ensure!(relay.platform.messages().len() == 2);
    Ok(())
}
