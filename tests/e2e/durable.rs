//! Durable delivery: once, retried, and nothing lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use standin::insider::NO_SUCH_USER;
use standin::{Answer, InsiderAccount, InstacartAccount, StandIn};
use tokio::time::{sleep, timeout};
use xtask::webhook::Reply;
use xtask::workerd::Deployment;

use crate::access;
use crate::world::{CLIENT, Handle, Person, World, add, merge, outcomes};

/// The operator's token in these tests.
pub const ADMIN_TOKEN: &str = "admin-token-of-the-tests";
/// What receipts are signed with in these tests.
pub const RECEIPT_SECRET: &str = "whsec_cmVjZWlwdHMtb2YtdGhlLXRlc3RzLWFsb25l";
const RECEIPT_SIGNING_KEY: &str = "whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=";
const RECEIPT_SIGNING_KEY_PREVIOUS: &str = "whsk_cHJldmlvdXMta2V5LW9mLXRoZS10ZXN0cy1hbG9uZSE=";

const INSIDER_TOKEN: &str = "insider-token-of-the-lanes";

/// An Insider account for each test, with what is configured beside the fast retries.
const ACCOUNTS: [(&str, &str); 25] = [
    ("once", "{}"),
    ("further", "{}"),
    ("outage", "{}"),
    ("throttled", "{}"),
    ("blocked", r#"{"breaker":{"probe_seconds":3600}}"#),
    ("probed", r#"{"breaker":{"probe_seconds":1}}"#),
    ("escalated", r#"{"sole_identifier":"erase_profile"}"#),
    ("next-name", r#"{"erase":"profile"}"#),
    ("paced", r#"{"pace":{"calls":10,"per_seconds":2}}"#),
    ("slow", r#"{"timeout_seconds":8}"#),
    ("hung", r#"{"timeout_seconds":1}"#),
    ("sharded", r#"{"shards":3}"#),
    ("listed", "{}"),
    ("signed", "{}"),
    ("alerted", "{}"),
    ("replayed", "{}"),
    ("discarded", r#"{"retry":{"first_seconds":3600,"longest_seconds":3600}}"#),
    ("ignored", "{}"),
    ("metrics", "{}"),
    ("kept", "{}"),
    ("audited", "{}"),
    ("bulk", "{}"),
    ("read", "{}"),
    ("former", "{}"),
    ("shut", r#"{"breaker":{"failures":2,"probe_seconds":1}}"#),
];

/// The shipped configuration, with the accounts of these tests.
pub async fn world() -> Result<World> {
    World::start(prepare).await
}

async fn prepare(deployment: &mut Deployment) -> Result<BTreeMap<&'static str, StandIn>> {
    let mut vendors = BTreeMap::new();
    // The local runtime's drops what it is given.
    deployment.analytics = true;
    for (name, settings) in ACCOUNTS {
        let (partner_name, token) = ("mybrand".to_owned(), INSIDER_TOKEN.to_owned());
        let vendor = StandIn::insider(InsiderAccount { partner_name, token }).await?;
        let mut account = deployment.vars["VENDORS"]["insider"].clone();
        merge(
            &mut account,
            json!({ "base_url": vendor.base_url(), "auth": { "token": "LANES_TOKEN" },
                    "retry": { "first_seconds": 1, "longest_seconds": 1 } }),
        );
        merge(&mut account, serde_json::from_str(settings)?);
        add(deployment, name, account);
        vendors.insert(name, vendor);
    }
    let account = InstacartAccount::with_clients(&[CLIENT], Some("connect:fulfillment"));
    let vendor = StandIn::instacart(account).await?;
    let account = InstacartAccount::with_clients(&[CLIENT], Some("connect:fulfillment"));
    vendors.insert("late-token", StandIn::instacart(account).await?);
    let mut account = deployment.vars["VENDORS"]["instacart"].clone();
    let auth = json!({ "client_id": "CLIENT_ID", "client_secret": "CLIENT_SECRET" });
    merge(
        &mut account,
        json!({ "base_url": vendor.base_url(), "auth": auth,
                "pace": { "calls": 1000, "per_seconds": 1 } }),
    );
    add(deployment, "minted", account.clone());
    let slow = json!({ "base_url": vendors["late-token"].base_url(), "timeout_seconds": 10,
                       "pace": { "calls": 10, "per_seconds": 2 } });
    merge(&mut account, slow);
    add(deployment, "late-token", account.clone());
    vendors.insert("minted", vendor);
    let strict = json!({ "without_identifier": "attention" });
    merge(&mut account, strict);
    add(deployment, "strict", account);
    deployment.vars["SOURCES"]["strict"]["vendors"] = json!(["strict", "insider"]);
    deployment.vars["SOURCES"]["once"]["vendors"] = json!(["once", "minted"]);
    deployment.vars["SOURCES"]["slow"]["vendors"] = json!(["slow", "once"]);
    for (name, value) in [
        ("ADMIN_TOKEN", ADMIN_TOKEN),
        ("RECEIPT_SECRET", RECEIPT_SECRET),
        ("RECEIPT_SIGNING_KEY", RECEIPT_SIGNING_KEY),
        ("RECEIPT_SIGNING_KEY_PREVIOUS", RECEIPT_SIGNING_KEY_PREVIOUS),
        ("LANES_TOKEN", INSIDER_TOKEN),
        ("CLIENT_ID", CLIENT.0),
        ("CLIENT_SECRET", CLIENT.1),
    ] {
        deployment.secrets.insert(name.to_owned(), value.to_owned());
    }
    for (name, token) in access::TOKENS {
        deployment.secrets.insert(name.to_owned(), token.to_owned());
    }
    Ok(vendors)
}

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("durable: fifty times the same webhook is one call at each vendor", once),
        world.trial("durable: further identifiers are added to an erasure", further),
        world.trial("durable: what a vendor does not take now is sent later", outage),
        world.trial("durable: a sole identifier escalates to the profile", escalated),
        world.trial("durable: a profile is looked for under the next name", next_name),
        world.trial("durable: a request that nobody can use is told so", unusable),
        world.trial("durable: every identifier that cannot be sent is shown", every_unusable),
    ]
}

/// `Authorization` as the operator sends it.
pub fn authorized() -> Vec<(String, String)> {
    vec![("authorization".to_owned(), format!("Bearer {ADMIN_TOKEN}"))]
}

/// A request of the operator's.
pub async fn operate(world: &World, method: &str, path: &str) -> Result<Reply> {
    world.request(method, path, &authorized(), Vec::new()).await
}

/// The receipt of a person's erasure, once `wanted` holds of it.
pub async fn until(
    world: &World,
    source: &str,
    person: &Person,
    wanted: impl Fn(&Value) -> bool,
) -> Result<Value> {
    let path = format!("/erasures/{source}/{}", person.request_id);
    let mut last = Value::Null;
    let waiting = async {
        loop {
            let reply = operate(world, "GET", &path).await?;
            ensure!(reply.status == 200, "{reply:?}");
            last = reply.json();
            if wanted(&last) {
                return Ok(last.clone());
            }
            sleep(Duration::from_millis(30)).await;
        }
    };
    match timeout(Duration::from_secs(30), waiting).await {
        Ok(receipt) => receipt,
        Err(_) => anyhow::bail!("it did not come to that: {last}"),
    }
}

/// Until nothing waits any more.
pub async fn settled(world: &World, source: &str, person: &Person) -> Result<Value> {
    until(world, source, person, |receipt| receipt["state"] != "pending").await
}

fn email(person: &Person) -> Value {
    json!({ "email": person.email })
}

/// Sends the webhook of a person with an address to the account of this name.
pub async fn post(world: &World, source: &str, person: &Person) -> Result<Reply> {
    world.post_to(source, &person.asks(&email(person))).await
}

async fn once(world: Arc<World>) -> Result<()> {
    let person = Arc::new(Person::new("once"));
    let mut running = Vec::new();
    for _ in 0..50 {
        let (world, person) = (world.clone(), person.clone());
        running.push(tokio::spawn(async move { world.post_to("once", &person.webhook()).await }));
    }
    for reply in running {
        let reply = reply.await??;
        ensure!(reply.status == 200 || reply.status == 202, "{reply:?}");
    }
    let receipt = settled(&world, "once", &person).await?;
    ensure!(receipt["state"] == "done", "{receipt}");
    ensure!(receipt["deliveries"].as_array().is_some_and(|all| all.len() == 2), "{receipt}");
    ensure!(world.accounts["once"].requests_for(&person.email).len() == 1);
    ensure!(world.accounts["minted"].requests_for(&person.user_id).len() == 1);
    for vendor in ["once", "minted"] {
        let listed = operate(&world, "GET", &format!("/erasures?vendor={vendor}")).await?.text;
        ensure!(listed.contains(&person.request_id), "{vendor} does not list it");
    }
    Ok(())
}

async fn further(world: Arc<World>) -> Result<()> {
    let person = Person::new("further");
    let nobody = person.asks(&json!({ "user_id": person.user_id }));
    let reply = world.post_to("further", &nobody).await?;
    ensure!(reply.status == 422, "{reply:?}");
    let reply = post(&world, "further", &person).await?;
    ensure!(reply.status == 200 && outcomes(&reply).len() == 1, "{reply:?}");
    let both = json!({ "email": person.email, "uuid": "pii-further-uuid" });
    let reply = world.post_to("further", &person.asks(&both)).await?;
    ensure!(reply.status == 200 && outcomes(&reply).len() == 2, "{reply:?}");
    ensure!(world.accounts["further"].requests_for(&person.email).len() == 1);
    ensure!(world.accounts["further"].requests_for("pii-further-uuid").len() == 1);
    Ok(())
}

async fn outage(world: Arc<World>) -> Result<()> {
    let (vendor, person) = (&world.accounts["outage"], Person::new("outage"));
    vendor.script(&person.email, [Answer::status(503), Answer::Reset, Answer::Success]);
    let reply = post(&world, "outage", &person).await?;
    ensure!(reply.status == 202, "{reply:?}");
    let delivery = &reply.json()["deliveries"][0];
    ensure!(delivery["outcome"] == "scheduled" && delivery["status"] == 503, "{reply:?}");
    ensure!(delivery["next_attempt_at"].is_string(), "{reply:?}");
    let receipt = settled(&world, "outage", &person).await?;
    let delivery = &receipt["deliveries"][0];
    ensure!(delivery["outcome"] == "accepted" && delivery["attempts"] == 3, "{receipt}");
    ensure!(delivery["next_attempt_at"].is_null(), "{receipt}");
    // The lane's own calls are in the log.
    let told = format!(r#""request_id":"{}","state":"done""#, person.request_id);
    world.worker.logged(&told).await?;
    Ok(())
}

async fn escalated(world: Arc<World>) -> Result<()> {
    let person = Person::new("escalated");
    world.accounts["escalated"].set_sole_identifier(&person.email);
    let reply = post(&world, "escalated", &person).await?;
    ensure!(reply.status == 200, "{reply:?}");
    let delivery = &reply.json()["deliveries"][0];
    ensure!(delivery["call"] == "profile" && delivery["outcome"] == "accepted", "{reply:?}");
    ensure!(delivery["attempts"] == 2, "{reply:?}");
    let later = settled(&world, "escalated", &person).await?;
    ensure!(later["deliveries"][0]["call"] == "profile", "{later}");
    Ok(())
}

async fn next_name(world: Arc<World>) -> Result<()> {
    let person = Person::new("next-name");
    let vendor = &world.accounts["next-name"];
    let unknown = Answer::json(404, NO_SUCH_USER);
    vendor.script("pii-next-name-uuid", [unknown]);
    vendor.script(&person.email, [Answer::status(500), Answer::Success]);
    let subject = json!({ "email": person.email, "uuid": "pii-next-name-uuid" });
    let reply = world.post_to("next-name", &person.asks(&subject)).await?;
    ensure!(reply.status == 202, "{reply:?}");
    let receipt = settled(&world, "next-name", &person).await?;
    let delivery = &receipt["deliveries"][0];
    ensure!(delivery["outcome"] == "accepted" && delivery["identifier"] == "email", "{receipt}");
    ensure!(delivery["attempts"] == 3, "{receipt}");
    Ok(())
}

async fn unusable(world: Arc<World>) -> Result<()> {
    let person = Person::new("durable-unusable");
    let reply = world.post(&person.asks(&json!({}))).await?;
    ensure!(reply.status == 422, "{reply:?}");
    let receipt = settled(&world, "consent", &person).await?;
    ensure!(receipt["state"] == "attention", "{receipt}");
    Ok(())
}

async fn every_unusable(world: Arc<World>) -> Result<()> {
    let person = Person::new("every-unusable");
    let subject = json!({ "user_ids": [".", person.user_id, ".."], "phone_number": "pii 555" });
    let mut known = Value::Null;
    for _ in 0..2 {
        let reply = world.post(&person.asks(&subject)).await?;
        ensure!(reply.status == 200, "{reply:?}");
        let deliveries = reply.json()["deliveries"].clone();
        let mut subjects: Vec<_> = outcomes(&reply)
            .iter()
            .zip(deliveries.as_array().into_iter().flatten())
            .filter(|((.., outcome), _)| outcome == "insufficient_identification")
            .map(|(_, delivery)| delivery["subject"].as_str().unwrap_or_default().to_owned())
            .collect();
        subjects.sort();
        subjects.dedup();
        ensure!(subjects.len() == 3 && subjects[0].starts_with('k'), "{reply:?}");
        ensure!(known.is_null() || known == deliveries, "{reply:?}");
        known = deliveries;
    }
    Ok(())
}
