//! OpenDSR's status callbacks, and the processor's signature on them and on answers: verified with the
//! certificate that the relay publishes, by a library that is not the relay's.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use standin::Answer;
use standin::insider::{NO_SUCH_USER, SOLE_IDENTIFIER};
use standin::platform::{
    Message, OPENDSR, OPENDSR_CERTIFICATE, OPENDSR_DOMAIN, Platform, Reaction, opendsr_signature,
};
use tokio::time::{sleep, timeout};
use xtask::demo::Vendors;
use xtask::webhook::{Reply, send};
use xtask::workerd::{Storage, Workerd};

use crate::durable::{ADMIN_TOKEN, authorized};
use crate::world::{Handle, Person, World};

const TOKEN: &str = "token-of-the-controller-1";

/// The sources, and the vendor account that each asks.
const SOURCES: [(&str, &str); 3] =
    [("dsr", "insider"), ("dsr-kept", "keeps"), ("dsr-locked", "locked")];

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("opendsr: controllers hear of each end in its words", words),
        world.trial("opendsr: what a controller answers to a callback", reactions),
        world.trial("opendsr: a callback goes to configured hosts alone", foreign_hosts),
        world.trial("opendsr: errors are signed for who is authentic alone", errors),
        world.trial("opendsr: discovery and the certificate", discovery),
    ]
}

/// A Worker whose controller is a stand-in.
struct Relay {
    vendors: Vendors,
    controller: Platform,
    worker: Workerd,
    _storage: Storage,
}

impl Relay {
    async fn start(world: &World) -> Result<Self> {
        let (vendors, storage) = (Vendors::start().await?, Storage::fresh()?);
        let controller = Platform::start(OPENDSR, 202).await?;
        let mut deployment = vendors.deployment()?.secret("ADMIN_TOKEN", ADMIN_TOKEN);
        let account = &mut deployment.vars["VENDORS"]["insider"];
        account["retry"] = json!({ "first_seconds": 1, "longest_seconds": 1 });
        account["no_such_user"] = json!("already_absent");
        account["erase"] = json!("profile");
        let mut keeps = account.clone();
        keeps["erase"] = json!("identity");
        let locked = account.clone();
        deployment.vars["VENDORS"]["keeps"] = keeps;
        deployment.vars["VENDORS"]["locked"] = locked;
        deployment.vars["SOURCES"] = json!({});
        for (name, account) in SOURCES {
            deployment.vars["SOURCES"][name] = json!({
                "platform": "opendsr",
                "signature": { "token": "authorization", "prefix": "Bearer " },
                "secrets": ["CONTROLLER_TOKEN"],
                "shared_secrets": "accept",
                "vendors": [account],
                "answer_days": 45,
                "callback": {
                    "hosts": [controller.url("")],
                    "domain": OPENDSR_DOMAIN,
                    "key": "OPENDSR_KEY",
                    "certificate": OPENDSR_CERTIFICATE,
                    "retry": { "first_seconds": 1, "longest_seconds": 1 },
                },
            });
        }
        // As it is written where a secret is one line.
        let key = include_str!("../keys/rsa-2048.pem").trim().replace('\n', "\\n");
        let deployment = deployment.secret("CONTROLLER_TOKEN", TOKEN).secret("OPENDSR_KEY", &key);
        let World { toolchain, bundle, .. } = world;
        let worker = Workerd::start_on(toolchain, bundle, &deployment, &storage).await?;
        Ok(Self { vendors, controller, worker, _storage: storage })
    }

    /// Posts the erasure of a person to be told at these URLs. The answer must be signed.
    async fn post(
        &self,
        source: &str,
        person: &Person,
        is_named: bool,
        urls: Value,
    ) -> Result<Reply> {
        let identity = json!({ "identity_type": "email", "identity_value": person.email,
                               "identity_format": "raw" });
        let identities = if is_named { vec![identity] } else { Vec::new() };
        let body = json!({
            "regulation": "gdpr", "subject_request_id": id(person), "api_version": "2.0",
            "subject_request_type": "erasure", "submitted_time": "2026-11-22T05:30:00Z",
            "subject_identities": identities, "status_callback_urls": urls,
        });
        let url = self.worker.url(&format!("/webhooks/{source}/requests"));
        let reply = send("POST", &url, &token(), body.to_string()).await?;
        ensure!(reply.status == 201, "{reply:?} {}", self.worker.log());
        signed(&reply)?;
        Ok(reply)
    }

    /// What the controller is answered that asks for the status. It must be signed.
    async fn status(&self, source: &str, person: &Person) -> Result<Value> {
        let url = self.worker.url(&format!("/webhooks/{source}/requests/{}", id(person)));
        let reply = send("GET", &url, &token(), "").await?;
        ensure!(reply.status == 200, "{reply:?}");
        signed(&reply)?;
        Ok(reply.json())
    }

    /// The messages about a person.
    fn about(&self, person: &Person) -> Vec<Message> {
        let is_about = |message: &Message| message.json()["subject_request_id"] == id(person);
        self.controller.messages().into_iter().filter(is_about).collect()
    }

    async fn receipt(&self, source: &str, person: &Person) -> Result<Value> {
        let url = self.worker.url(&format!("/erasures/{source}/{}", id(person)));
        Ok(send("GET", &url, &authorized(), "").await?.json())
    }

    /// The receipt once this holds of it.
    async fn until(
        &self,
        source: &str,
        person: &Person,
        holds: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let mut last = Value::Null;
        let waiting = async {
            loop {
                last = self.receipt(source, person).await?;
                if holds(&last) {
                    return anyhow::Ok(());
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        let came = timeout(Duration::from_secs(30), waiting).await;
        let mismatches = self.controller.mismatches();
        ensure!(mismatches.is_empty(), "{mismatches:?}");
        ensure!(matches!(came, Ok(Ok(()))), "{last} {}", self.worker.log());
        Ok(last)
    }

    async fn close(&self, source: &str, person: &Person, outcome: &str) -> Result<u16> {
        let url = self.worker.url(&format!("/erasures/{source}/{}/close", id(person)));
        let body = json!({ "outcome": outcome, "note": "kept by law" }).to_string();
        Ok(send("POST", &url, &authorized(), body).await?.status.as_u16())
    }
}

/// The id of a person's request, a UUID.
fn id(person: &Person) -> String {
    let id = &person.request_id;
    [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]].join("-")
}

fn token() -> [(String, String); 2] {
    [
        ("content-type".to_owned(), "application/json".to_owned()),
        ("authorization".to_owned(), format!("Bearer {TOKEN}")),
    ]
}

/// Whether an answer bears the processor's signature.
fn signed(reply: &Reply) -> Result<()> {
    let header = |name: &str| Some(reply.header(name).to_owned());
    let departs = opendsr_signature(&header, reply.text.as_bytes());
    ensure!(departs.is_none(), "{departs:?} {reply:?}");
    Ok(())
}

/// The words of messages to one target.
fn told(messages: &[Message], target: &str) -> Vec<String> {
    let to = messages.iter().filter(|message| message.target == target);
    let text = |message: &Message| message.json()["request_status"].as_str().map(str::to_owned);
    to.filter_map(text).collect()
}

/// Whether the last of the callbacks in a receipt bears this word, and none waits.
fn has_ended(receipt: &Value, word: &str) -> bool {
    let callbacks = receipt["callbacks"].as_array().cloned().unwrap_or_default();
    let waits = callbacks.iter().any(|one| one["state"] == "scheduled");
    let is_last = callbacks.last().is_some_and(|one| one["word"] == word);
    let outcome = receipt["deliveries"][0]["outcome"].as_str().unwrap_or("scheduled");
    is_last && !waits && outcome != "scheduled"
}

/// An erasure, what the vendor answers, and what the controller is told.
struct Case {
    name: &'static str,
    source: &'static str,
    answers: Vec<Answer>,
    /// The last word, and its `results_count`.
    last: (&'static str, Option<u64>),
    /// How an operator closes it, and the last word then.
    closed: Option<(&'static str, &'static str, Option<u64>)>,
}

fn cases() -> Vec<Case> {
    let case = |name, source, answers, last, closed| Case { name, source, answers, last, closed };
    let waits = ("in_progress", None);
    let failures = vec![Answer::status(500), Answer::status(500), Answer::Success];
    let sole = Answer::json(400, SOLE_IDENTIFIER);
    let uncertain = Answer::json(200, r#"{"success":false}"#);
    let absent = Answer::json(404, NO_SUCH_USER);
    vec![
        case("dsr-accepted", "dsr", vec![], ("completed", None), None),
        case("dsr-absent", "dsr", vec![absent], ("completed", Some(0)), None),
        case("dsr-later", "dsr", failures, ("completed", None), None),
        case(
            "dsr-rejected",
            "dsr",
            vec![Answer::status(422)],
            waits,
            Some(("completed", "completed", None)),
        ),
        case("dsr-not-erased", "dsr", vec![sole], waits, Some(("failed", "in_progress", None))),
        case(
            "dsr-uncertain",
            "dsr",
            vec![uncertain],
            waits,
            Some(("not_found", "completed", Some(0))),
        ),
        case("dsr-nobody", "dsr", vec![], waits, Some(("failed", "in_progress", None))),
        case("dsr-partial", "dsr-kept", vec![], waits, None),
        case("dsr-blocked", "dsr-locked", vec![Answer::status(401)], waits, None),
    ]
}

async fn words(world: Arc<World>) -> Result<()> {
    let relay = Relay::start(&world).await?;
    for Case { name, source, answers, last, closed } in cases() {
        let person = Person::new(name);
        relay.vendors.insider.script(&person.email, answers);
        let targets = ["/one?id=1", "/two"];
        let urls = targets.map(|path| relay.controller.url(path));
        let reply = relay.post(source, &person, name != "dsr-nobody", json!(urls)).await?;
        let (answered, received) = (reply.json(), reply.json()["received_time"].clone());
        ensure!(answered["controller_id"] == source, "{reply:?}");
        let check = async |(word, count): (&str, Option<u64>)| {
            let receipt = relay.until(source, &person, |receipt| has_ended(receipt, word)).await?;
            let messages = relay.about(&person);
            for target in targets {
                let told = told(&messages, target);
                // The first one may be overtaken by the end.
                let of_two = word == "completed" && told == ["in_progress", "completed"];
                ensure!(of_two || told == [word], "{name} {target}: {told:?}");
            }
            let body = messages.last().map(Message::json).unwrap_or_default();
            ensure!(body.get("results_count").and_then(Value::as_u64) == count, "{name}: {body}");
            ensure!(body["controller_id"] == source, "{name}: {body}");
            if word == "in_progress" {
                ensure!(body["expected_completion_time"] == receipt["due_by"], "{body} {receipt}");
            }
            let status = relay.status(source, &person).await?;
            ensure!(status["request_status"] == word, "{name}: {status}");
            ensure!(
                status.get("results_count").and_then(Value::as_u64) == count,
                "{name}: {status}"
            );
            if word == "in_progress" {
                let expected = &status["expected_completion_time"];
                ensure!(*expected == receipt["due_by"], "{name}: {status}");
                ensure!(*expected == answered["expected_completion_time"], "{name}: {answered}");
            }
            ensure!(received.is_string(), "{answered}");
            anyhow::Ok(())
        };
        check(last).await?;
        if name == "dsr-later" {
            let told = told(&relay.about(&person), "/two");
            ensure!(told == ["in_progress", "completed"], "every change is told: {told:?}");
        }
        if let Some((outcome, word, count)) = closed {
            ensure!(relay.close(source, &person, outcome).await? == 200, "{name}");
            check((word, count)).await?;
        }
    }
    Ok(())
}

async fn reactions(world: Arc<World>) -> Result<()> {
    let relay = Relay::start(&world).await?;
    for (name, reactions, state, attempts) in [
        ("dsr-204", vec![Reaction::Status(204)], "delivered", 1),
        ("dsr-503", vec![Reaction::Status(503), Reaction::Status(202)], "delivered", 2),
        ("dsr-400", vec![Reaction::Status(400)], "failed", 1),
        ("dsr-409", vec![Reaction::Status(409)], "failed", 1),
        ("dsr-403", vec![Reaction::Status(403)], "blocked", 1),
    ] {
        let person = Person::new(name);
        relay.vendors.insider.script(&person.email, [Answer::status(422)]);
        relay.controller.script(reactions);
        let url = relay.controller.url("/one");
        relay.post("dsr", &person, true, json!([url])).await?;
        let is_it = |receipt: &Value| {
            let callback = &receipt["callbacks"][0];
            callback["state"] == state && callback["attempts"] == attempts
        };
        let receipt = relay.until("dsr", &person, is_it).await?;
        ensure!(receipt["callbacks"].as_array().is_some_and(|all| all.len() == 1), "{receipt}");
        let bodies: Vec<_> = relay.about(&person).into_iter().map(|one| one.body).collect();
        ensure!(bodies.len() == attempts && bodies.iter().all(|body| *body == bodies[0]));
        // A callback that fails changes no delivery's outcome.
        let receipt = relay.until("dsr", &person, |one| one["state"] == "attention").await?;
        ensure!(receipt["deliveries"][0]["outcome"] == "rejected", "{receipt}");
    }
    Ok(())
}

async fn foreign_hosts(world: Arc<World>) -> Result<()> {
    let relay = Relay::start(&world).await?;
    let person = Person::new("dsr-foreign");
    let elsewhere = Platform::start(OPENDSR, 202).await?;
    let right = relay.controller.url("/right");
    let urls = json!([
        elsewhere.url("/"),
        relay.controller.url("/").replace("127.0.0.1", "localhost"),
        relay.controller.url("/").replace("http://", "http://user@"),
        relay.controller.url("/").replace("http://", "https://"),
        format!("{}@{}", relay.controller.url(""), "evil.example/"),
        "https://169.254.169.254/latest",
        "https://[::1]/",
        "file:///etc/passwd",
        format!("{right}#fragment"),
        format!("{right}\r\nX-Header: 1"),
        right,
        right,
    ]);
    relay.post("dsr", &person, true, urls).await?;
    relay.until("dsr", &person, |receipt| has_ended(receipt, "completed")).await?;
    let messages = relay.controller.messages();
    ensure!(messages.iter().all(|message| message.target == "/right"), "{messages:?}");
    ensure!(told(&messages, "/right").last().is_some_and(|word| word == "completed"));
    ensure!(elsewhere.messages().is_empty(), "another host was called");
    // A request without a URL that is allowed is taken, and can be asked about.
    let person = Person::new("dsr-nowhere");
    relay.post("dsr", &person, true, json!([elsewhere.url("/")])).await?;
    let done = |receipt: &Value| receipt["state"] == "done";
    let receipt = relay.until("dsr", &person, done).await?;
    ensure!(receipt.get("callbacks").is_none(), "{receipt}");
    ensure!(relay.status("dsr", &person).await?["request_status"] == "completed");
    Ok(())
}

async fn errors(world: Arc<World>) -> Result<()> {
    let relay = Relay::start(&world).await?;
    let person = Person::new("dsr-errors");
    relay.post("dsr", &person, true, json!([])).await?;
    let status = format!("/webhooks/dsr/requests/{}", id(&person));
    for (method, path, body) in [
        ("DELETE", status.as_str(), ""),
        ("GET", "/webhooks/dsr/requests/unknown", ""),
        ("POST", "/webhooks/dsr/requests", r#"{"subject_request_type":"erasure"}"#),
        ("POST", "/webhooks/dsr", "no JSON"),
    ] {
        let url = relay.worker.url(path);
        let reply = send(method, &url, &token(), body).await?;
        ensure!(reply.status == 400 && reply.json()["error"]["code"] == 400, "{reply:?}");
        signed(&reply)?;
        let reply = send(method, &url, &[], body).await?;
        ensure!(reply.status == 401, "{reply:?}");
        ensure!(reply.header("x-opendsr-signature").is_empty(), "{reply:?}");
    }
    Ok(())
}

async fn discovery(world: Arc<World>) -> Result<()> {
    let relay = Relay::start(&world).await?;
    let get = async |path: &str, host: Option<&str>| {
        let host = host.map(|host| ("host".to_owned(), host.to_owned()));
        let headers: Vec<_> = host.into_iter().collect();
        send("GET", &relay.worker.url(path), &headers, "").await
    };
    let reply = get("/webhooks/dsr-kept/discovery", None).await?;
    ensure!(reply.status == 200 && reply.header("content-type") == "application/json", "{reply:?}");
    let found = reply.json();
    ensure!(found["api_version"] == "2.0", "{reply:?}");
    ensure!(found["supported_subject_request_types"] == json!(["erasure"]), "{reply:?}");
    let email = json!({ "identity_type": "email", "identity_format": "raw" });
    let identities = found["supported_identities"].as_array().cloned().unwrap_or_default();
    ensure!(identities.contains(&email) && identities.len() == 3, "{reply:?}");
    let url = found["processor_certificate"].as_str().unwrap_or_default();
    let path = url.strip_prefix(&format!("https://{OPENDSR_DOMAIN}"));
    ensure!(path == Some("/webhooks/dsr-kept/certificate.pem"), "{reply:?}");
    let reply = get(path.unwrap_or_default(), None).await?;
    let kind = reply.header("content-type");
    ensure!(reply.status == 200 && kind == "application/pem-certificate-chain", "{reply:?}");
    ensure!(reply.text == OPENDSR_CERTIFICATE, "{reply:?}");
    // Who got a signed message knows the domain alone.
    let reply = get("/discovery", Some(OPENDSR_DOMAIN)).await?;
    ensure!(reply.status == 200 && reply.json()["processor_certificate"].is_string(), "{reply:?}");
    for (path, host) in [
        ("/discovery", None),
        ("/discovery", Some("evil.example")),
        ("/webhooks/unknown/discovery", None),
        ("/webhooks/unknown/certificate.pem", None),
    ] {
        let reply = get(path, host).await?;
        ensure!(reply.status == 404, "{path}: {reply:?}");
    }
    // A source without the processor's key publishes nothing, and signs nothing.
    for path in ["/webhooks/p-opendsr/discovery", "/webhooks/p-opendsr/certificate.pem"] {
        let reply = send("GET", &world.worker.url(path), &[], "").await?;
        ensure!(reply.status == 404, "{path}: {reply:?}");
    }
    Ok(())
}
