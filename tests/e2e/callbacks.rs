//! What platforms are told, and by which messages.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use standin::Answer;
use standin::platform::{KETCH, Message, Platform, Reaction};
use tokio::time::{sleep, timeout};
use xtask::demo::Vendors;
use xtask::webhook::{Reply, send};
use xtask::workerd::{Deployment, Storage, Workerd};

use crate::durable::{ADMIN_TOKEN, authorized};
use crate::world::{Handle, Person, World};

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("callbacks: Ketch hears of each end in its own words", ketch_words),
        world.trial(
            "callbacks: a message outlives a crash, and is repeated until it is taken",
            lost,
        ),
        world.trial("callbacks: a message goes to configured hosts alone", foreign_hosts),
        world.trial("callbacks: an operator closes what the vendors did not", closed),
    ]
}

const TOKEN: &str = "token-of-ketch-1";

/// A Worker whose Ketch is told by a stand-in.
struct Relay {
    world: Arc<World>,
    vendors: Vendors,
    platform: Platform,
    deployment: Deployment,
    storage: Storage,
}

impl Relay {
    async fn new(world: Arc<World>) -> Result<Self> {
        let (vendors, storage) = (Vendors::start().await?, Storage::fresh()?);
        let platform = Platform::start(KETCH, 200).await?;
        let mut deployment = vendors.deployment()?.secret("ADMIN_TOKEN", ADMIN_TOKEN);
        for vendor in ["instacart", "insider"] {
            let retry = json!({ "first_seconds": 1, "longest_seconds": 1 });
            deployment.vars["VENDORS"][vendor]["retry"] = retry;
        }
        deployment.vars["SOURCES"] = json!({ "ketch": {
            "platform": "ketch",
            "signature": { "token": "x-ketch-key" },
            "secrets": ["KETCH_TOKEN"],
            "vendors": ["insider"],
            "partial_erasure": "accept",
            "callback": {
                "hosts": [platform.url("")],
                "retry": { "first_seconds": 1, "longest_seconds": 1 },
            },
        }});
        let deployment = deployment.secret("KETCH_TOKEN", TOKEN);
        Ok(Self { world, vendors, platform, deployment, storage })
    }

    async fn start(&self) -> Result<Workerd> {
        let World { toolchain, bundle, .. } = &*self.world;
        Workerd::start_on(toolchain, bundle, &self.deployment, &self.storage).await
    }

    /// Posts a request of Ketch with these callbacks.
    async fn post(&self, worker: &Workerd, person: &Person, callbacks: Value) -> Result<Reply> {
        let body = json!({
            "apiVersion": "dsr/v1",
            "kind": "DeleteRequest",
            "metadata": { "uid": person.request_id, "tenant": "acme" },
            "request": { "subject": { "email": person.email }, "callbacks": callbacks },
        });
        let headers = [
            ("content-type".to_owned(), "application/json".to_owned()),
            ("x-ketch-key".to_owned(), TOKEN.to_owned()),
        ];
        send("POST", &worker.url("/webhooks/ketch"), &headers, body.to_string()).await
    }

    /// A callback of Ketch at `path`.
    fn callback(&self, path: &str) -> Value {
        let credential = format!("Bearer {path}");
        json!({ "url": self.platform.url(path), "headers": { "Authorization": credential } })
    }

    /// The messages about a person, once there are so many.
    async fn messages(
        &self,
        person: &Person,
        count: usize,
        worker: &Workerd,
    ) -> Result<Vec<Message>> {
        let is_about = |message: &Message| message.json()["metadata"]["uid"] == *person.request_id;
        let all = || -> Vec<Message> {
            self.platform.messages().into_iter().filter(|one| is_about(one)).collect()
        };
        let waiting = async {
            while all().len() < count {
                sleep(Duration::from_millis(20)).await;
            }
        };
        let came = timeout(Duration::from_secs(30), waiting).await;
        let (all, mismatches) = (all(), self.platform.mismatches());
        ensure!(came.is_ok(), "{all:?} {}", worker.log());
        ensure!(mismatches.is_empty(), "{mismatches:?}");
        Ok(all)
    }
}

async fn receipt(worker: &Workerd, person: &Person) -> Result<Value> {
    let url = worker.url(&format!("/erasures/ketch/{}", person.request_id));
    let reply = send("GET", &url, &authorized(), "").await?;
    ensure!(reply.status == 200, "{reply:?}");
    Ok(reply.json())
}

/// The receipt, once this holds of its callbacks.
async fn until(worker: &Workerd, person: &Person, holds: impl Fn(&Value) -> bool) -> Result<Value> {
    let mut last = Value::Null;
    let waiting = async {
        loop {
            last = receipt(worker, person).await?;
            if holds(&last["callbacks"]) {
                return anyhow::Ok(());
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let came = timeout(Duration::from_secs(30), waiting).await;
    ensure!(matches!(came, Ok(Ok(()))), "{last} {}", worker.log());
    Ok(last)
}

fn word(message: &Message) -> (String, String) {
    let event = &message.json()["event"];
    let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    (text("status"), text("reason"))
}

async fn ketch_words(world: Arc<World>) -> Result<()> {
    let relay = Relay::new(world).await?;
    let worker = relay.start().await?;
    for (name, answers, expected) in [
        ("ketch-accepted", vec![], ("completed", "requested")),
        ("ketch-later", vec![Answer::status(500), Answer::Success], ("completed", "requested")),
        ("ketch-rejected", vec![Answer::status(422)], ("in_progress", "unknown")),
    ] {
        let person = Person::new(name);
        relay.vendors.insider.script(&person.email, answers);
        let callbacks = json!([relay.callback("/one"), relay.callback("/two?id=2")]);
        let reply = relay.post(&worker, &person, callbacks).await?;
        ensure!(reply.status == 200, "{reply:?}");
        let messages = relay.messages(&person, 2, &worker).await?;
        for message in &messages {
            let (status, reason) = word(message);
            ensure!((status.as_str(), reason.as_str()) == expected, "{name} {message:?}");
        }
        let receipt = until(&worker, &person, |all| {
            all.as_array().is_some_and(|all| {
                all.len() == 2 && all.iter().all(|one| one["state"] == "delivered")
            })
        })
        .await?;
        ensure!(receipt["due_by"].is_string(), "{receipt}");
        ensure!(receipt["deliveries"].as_array().is_some_and(|all| all.len() == 1), "{receipt}");
    }
    Ok(())
}

async fn lost(world: Arc<World>) -> Result<()> {
    let relay = Relay::new(world).await?;
    let person = Person::new("ketch-crash");
    let worker = relay.start().await?;
    relay.platform.script([Reaction::Status(503), Reaction::Silence]);
    relay.post(&worker, &person, json!([relay.callback("/one")])).await?;
    relay.messages(&person, 2, &worker).await?;
    worker.kill().await?;
    let worker = relay.start().await?;
    receipt(&worker, &person).await?; // whoever asks has the lane woken
    let messages = relay.messages(&person, 3, &worker).await?;
    let first = word(&messages[0]);
    ensure!(messages.iter().all(|message| word(message) == first), "{messages:?}");
    until(&worker, &person, |all| all[0]["state"] == "delivered").await?;
    ensure!(relay.vendors.insider.requests().len() == 1, "the vendor is not asked again");
    Ok(())
}

async fn foreign_hosts(world: Arc<World>) -> Result<()> {
    let relay = Relay::new(world).await?;
    let worker = relay.start().await?;
    let person = Person::new("ketch-foreign");
    let elsewhere = Platform::start(KETCH, 200).await?;
    let foreign = |url: String| json!({ "url": url, "headers": { "Authorization": "Bearer /" } });
    let callbacks = json!([
        foreign(elsewhere.url("/")),
        foreign(elsewhere.url("/").replace("127.0.0.1", "localhost")),
        json!({ "url": relay.platform.url("/h"), "headers": { "Host": "evil.example" } }),
        relay.callback("/right"),
    ]);
    relay.post(&worker, &person, callbacks).await?;
    let messages = relay.messages(&person, 1, &worker).await?;
    ensure!(messages[0].target == "/right", "{messages:?}");
    until(&worker, &person, |all| all.as_array().is_some_and(|all| all.len() == 1)).await?;
    ensure!(elsewhere.messages().is_empty() && relay.platform.messages().len() == 1);
    Ok(())
}

async fn closed(world: Arc<World>) -> Result<()> {
    let relay = Relay::new(world).await?;
    let worker = relay.start().await?;
    let person = Person::new("ketch-closed");
    relay.vendors.insider.script(&person.email, [Answer::status(422)]);
    relay.post(&worker, &person, json!([relay.callback("/one")])).await?;
    relay.messages(&person, 1, &worker).await?;
    let url = worker.url(&format!("/erasures/ketch/{}/close", person.request_id));
    let close = async |body: &str| send("POST", &url, &authorized(), body.to_owned()).await;
    for bad in [r"{}", r#"{"outcome":"done","note":"x"}"#, r#"{"outcome":"completed"}"#] {
        ensure!(close(bad).await?.status == 400);
    }
    let due = async || {
        let url = worker.url("/erasures?due_within_days=30");
        let reply = send("GET", &url, &authorized(), "").await?;
        anyhow::Ok(reply.json()["erasures"].as_array().map(Vec::len))
    };
    ensure!(due().await? == Some(1), "what needs a person is due");
    let body = r#"{"outcome":"completed","note":"erased in the vendor's dashboard"}"#;
    let reply = close(body).await?;
    ensure!(due().await? == Some(0), "what is closed is not due");
    ensure!(reply.status == 200 && reply.json()["closed"]["outcome"] == "completed", "{reply:?}");
    let messages = relay.messages(&person, 2, &worker).await?;
    ensure!(word(&messages[1]) == ("completed".to_owned(), "requested".to_owned()));
    ensure!(close(body).await?.status == 409, "a final word cannot be taken back");
    Ok(())
}
