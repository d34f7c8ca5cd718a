//! One person's rejection, and a changed key, in workerd: nobody else is held up, and nothing is lost.

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use standin::Answer;
use standin::insider::NO_SUCH_USER;
use xtask::demo::{ADMIN_TOKEN, SECRET, Vendors};
use xtask::webhook::{Reply, send};
use xtask::workerd::{Deployment, Storage, Workerd};

use crate::world::{Handle, Person, World, health};

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("evidence: one person's rejection delays nobody else", rejected_alone),
        world.trial("evidence: a rejection of the account holds all, and one call tells", account),
        world.trial("evidence: in direct delivery a person's other ids are asked about", direct),
        world.trial("evidence: a changed key is told at once, and the previous one opens", rotated),
        world.trial("evidence: further names are asked about, and nothing is taken back", names),
    ]
}

const NOT_ACTIVE: &str = r#"{"error":{"message":"User Not Active","code":null}}"#;

struct Site {
    worker: Workerd,
    vendors: Vendors,
}

impl Site {
    async fn start(world: &World, configure: impl FnOnce(&mut Value)) -> Result<Self> {
        let vendors = Vendors::start().await?;
        let mut deployment = vendors.deployment()?;
        configure(&mut deployment.vars);
        let worker = Workerd::start(&world.toolchain, &world.bundle, &deployment).await?;
        Ok(Self { worker, vendors })
    }

    async fn post(&self, person: &Person, subject: &Value) -> Result<Reply> {
        post(&self.worker, person, subject).await
    }

    async fn get(&self, path: &str) -> Result<Value> {
        get(&self.worker, path).await
    }
}

async fn post(worker: &Workerd, person: &Person, subject: &Value) -> Result<Reply> {
    let webhook = person.asks(subject);
    let headers = webhook.headers(SECRET)?;
    send("POST", &worker.url("/webhooks/consent"), &headers, webhook.body).await
}

async fn get(worker: &Workerd, path: &str) -> Result<Value> {
    let headers = [("authorization".to_owned(), format!("Bearer {ADMIN_TOKEN}"))];
    Ok(send("GET", &worker.url(path), &headers, "").await?.json())
}

fn lane<'a>(lanes: &'a Value, vendor: &str) -> &'a Value {
    let mut all = lanes["lanes"].as_array().into_iter().flatten();
    all.find(|lane| lane["vendor"] == vendor).unwrap_or(&Value::Null)
}

async fn rejected_alone(world: Arc<World>) -> Result<()> {
    let site = Site::start(&world, |vars| {
        vars["VENDORS"]["instacart"]["pace"] = json!({ "calls": 1000, "per_seconds": 1 });
    });
    let site = site.await?;
    let rejections = [
        (Answer::json(403, NOT_ACTIVE), "rejected"),
        (Answer::json(403, r#"{"error":{"message":"Forbidden","code":7}}"#), "blocked"),
        (Answer::status(404), "blocked"),
    ];
    for (number, (answer, outcome)) in rejections.into_iter().enumerate() {
        let rejected = Person::new(&format!("evidence-{number}"));
        site.vendors.instacart.script(&rejected.user_id, [answer]);
        let reply = site.post(&rejected, &json!({ "user_id": rejected.user_id })).await?;
        ensure!(reply.json()["deliveries"][0]["outcome"] == outcome, "{reply:?}");
        for other in 0..5 {
            let other = Person::new(&format!("evidence-{number}-{other}"));
            let reply = site.post(&other, &json!({ "user_id": other.user_id })).await?;
            let delivery = &reply.json()["deliveries"][0];
            ensure!(delivery["outcome"] == "accepted", "{number}: {reply:?}");
        }
        let lanes = site.get("/lanes").await?;
        ensure!(lane(&lanes, "instacart")["breaker"] == "closed", "{lanes}");
    }
    site.worker.stop().await?;
    Ok(())
}

async fn account(world: Arc<World>) -> Result<()> {
    let site = Site::start(&world, |_| ()).await?;
    let people: Vec<Person> = (0..5).map(|n| Person::new(&format!("account-{n}"))).collect();
    for person in &people {
        site.vendors.instacart.script(&person.user_id, [Answer::status(401)]);
        let reply = site.post(person, &json!({ "user_id": person.user_id })).await?;
        ensure!(reply.json()["deliveries"][0]["outcome"] == "blocked", "{reply:?}");
    }
    let calls = site.vendors.instacart.requests().len();
    ensure!(calls == 2, "{calls} calls: the rejected one, and another erasure's at once");
    let lanes = site.get("/lanes").await?;
    let instacart = lane(&lanes, "instacart");
    ensure!(instacart["breaker"] == "blocked" && instacart["waiting"] == 5, "{lanes}");
    let public = send("GET", &site.worker.url("/healthz"), &[], "").await?;
    let told = json!({ "status": "attention", "version": env!("CARGO_PKG_VERSION"),
                       "delivery": "durable", "attention": 1 });
    ensure!(public.status == 503 && public.json() == told, "{public:?}");
    let health = health(&site.worker).await?;
    ensure!(health.status == 503 && health.json()["status"] == "attention", "{health:?}");
    ensure!(health.json()["lanes"][0]["vendor"] == "instacart", "{health:?}");
    site.worker.stop().await?;
    Ok(())
}

async fn direct(world: Arc<World>) -> Result<()> {
    let vendors = Vendors::start().await?;
    let deployment = vendors.deployment()?.direct();
    let worker = Workerd::start(&world.toolchain, &world.bundle, &deployment).await?;
    let person = Person::new("evidence-direct");
    let other = format!("{}-other", person.user_id);
    vendors.instacart.script(&person.user_id, [Answer::json(403, NOT_ACTIVE)]);
    let reply = post(&worker, &person, &json!({ "user_ids": [person.user_id, other] })).await?;
    let outcomes = [0, 1].map(|at| reply.json()["deliveries"][at]["outcome"].clone());
    ensure!(outcomes == ["rejected", "accepted"], "{reply:?}");
    worker.stop().await?;
    Ok(())
}

const NEW_KEY: &str = "a-new-key-for-the-tests-only";

async fn rotated(world: Arc<World>) -> Result<()> {
    let (vendors, storage) = (Vendors::start().await?, Storage::fresh()?);
    let mut before = vendors.deployment()?;
    let retry = json!({ "first_seconds": 1, "longest_seconds": 1 });
    before.vars["VENDORS"]["insider"]["retry"] = retry;
    let old_key = before.secrets["PSEUDONYM_KEY"].clone();
    let lost = before.clone().secret("PSEUDONYM_KEY", NEW_KEY);
    let after = lost.clone().secret("PSEUDONYM_KEY_PREVIOUS", &old_key);
    let start = async |deployment: &Deployment| {
        Workerd::start_on(&world.toolchain, &world.bundle, deployment, &storage).await
    };
    let person = Person::new("evidence-rotated");
    let email = json!({ "email": person.email });
    vendors.insider.script(&person.email, [Answer::status(503)]);

    let worker = start(&before).await?;
    let reply = post(&worker, &person, &email).await?;
    ensure!(reply.status == 202, "{reply:?}");
    let subject = reply.json()["deliveries"][1]["subject"].clone();
    worker.stop().await?;
    vendors.insider.script(&person.email, [Answer::Success]);
    let asked = vendors.insider.requests_for(&person.email).len();

    let worker = start(&lost).await?;
    let lanes = get(&worker, "/lanes").await?;
    ensure!(lane(&lanes, "insider")["unreadable"] == 1, "{lanes}");
    let blind = health(&worker).await?;
    ensure!(blind.status == 503 && blind.text.contains("PSEUDONYM_KEY"), "{blind:?}");
    let other = Person::new("evidence-rotated-other");
    let reply = post(&worker, &other, &json!({ "email": other.email })).await?;
    ensure!(reply.json()["deliveries"][1]["outcome"] == "accepted", "{reply:?}");
    worker.stop().await?;
    ensure!(vendors.insider.requests_for(&person.email).len() == asked);

    let worker = start(&after).await?;
    let path = format!("/erasures/consent/{}", person.request_id);
    let receipt = loop {
        let receipt = get(&worker, &path).await?;
        if receipt["deliveries"][1]["outcome"] == "accepted" {
            break receipt;
        }
        // A row that could not be opened looks again after its longest pause, here a second.
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
    };
    ensure!(receipt["deliveries"][1]["subject"] == subject, "{receipt}");
    let again = post(&worker, &person, &email).await?;
    ensure!(again.json()["deliveries"].as_array().map(Vec::len) == Some(2), "{again:?}");
    ensure!(vendors.insider.requests_for(&person.email).len() == asked + 1);
    let health = health(&worker).await?;
    ensure!(health.status == 200, "{health:?}");
    worker.stop().await?;
    Ok(())
}

async fn names(world: Arc<World>) -> Result<()> {
    for (erase, unknown) in [("profile", "rejected"), ("anonymize", "already_absent")] {
        let site = Site::start(&world, |vars| {
            vars["SOURCES"]["consent"]["vendors"] = json!(["insider"]);
            vars["VENDORS"]["insider"]["erase"] = json!(erase);
        });
        let site = site.await?;
        let person = Person::new(&format!("names-{erase}"));
        let (uuid, phone) = (format!("pii-uuid-{erase}"), "+6598765432");
        site.vendors.insider.script(&uuid, [Answer::json(404, NO_SUCH_USER)]);
        site.vendors.insider.script(phone, [Answer::json(404, NO_SUCH_USER)]);
        let outcomes = |reply: &Reply| -> Vec<String> {
            let deliveries = reply.json()["deliveries"].as_array().cloned().unwrap_or_default();
            let outcome = |one: &Value| one["outcome"].as_str().unwrap_or_default().to_owned();
            deliveries.iter().map(outcome).collect()
        };
        let reply = site.post(&person, &json!({ "uuid": uuid })).await?;
        ensure!(outcomes(&reply) == [unknown], "{reply:?}");
        let both = json!({ "uuid": uuid, "email": person.email });
        let reply = site.post(&person, &both).await?;
        ensure!(outcomes(&reply) == ["already_absent", "accepted"], "{reply:?}");
        ensure!(reply.status == 200 && reply.json()["state"] == "done", "{reply:?}");
        let reply = site.post(&person, &json!({ "phone_number": phone })).await?;
        let all = ["already_absent", "accepted", "already_absent"];
        ensure!(outcomes(&reply) == all, "{reply:?}");
        ensure!(site.vendors.insider.requests().len() == 3, "each name once");
        site.worker.stop().await?;
    }
    Ok(())
}
