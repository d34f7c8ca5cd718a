//! Durable delivery: once, paced, retried, and nothing lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use xtask::standin::insider::NO_SUCH_USER;
use xtask::standin::{Answer, InsiderAccount, InstacartAccount, StandIn};
use xtask::webhook::Reply;
use xtask::workerd::Deployment;

use crate::world::{CLIENT, Handle, Person, World, add, merge, outcomes};

/// The operator's token in these tests.
pub const ADMIN_TOKEN: &str = "admin-token-of-the-tests";
/// What receipts are signed with in these tests.
pub const RECEIPT_SECRET: &str = "whsec_cmVjZWlwdHMtb2YtdGhlLXRlc3RzLWFsb25l";

const INSIDER_TOKEN: &str = "insider-token-of-the-lanes";

/// An Insider account for each test, with what is configured beside the fast retries.
const ACCOUNTS: [(&str, &str); 16] = [
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
    ("replayed", "{}"),
    ("shut", r#"{"breaker":{"failures":2,"probe_seconds":1}}"#),
];

/// The shipped configuration, with the accounts of these tests.
pub async fn world() -> Result<World> {
    World::start(prepare).await
}

async fn prepare(deployment: &mut Deployment) -> Result<BTreeMap<&'static str, StandIn>> {
    let mut vendors = BTreeMap::new();
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
    add(deployment, "late-token", account);
    vendors.insert("minted", vendor);
    deployment.vars["SOURCES"]["once"]["vendors"] = json!(["once", "minted"]);
    deployment.vars["SOURCES"]["slow"]["vendors"] = json!(["slow", "once"]);
    for (name, value) in [
        ("ADMIN_TOKEN", ADMIN_TOKEN),
        ("RECEIPT_SECRET", RECEIPT_SECRET),
        ("LANES_TOKEN", INSIDER_TOKEN),
        ("CLIENT_ID", CLIENT.0),
        ("CLIENT_SECRET", CLIENT.1),
    ] {
        deployment.secrets.insert(name.to_owned(), value.to_owned());
    }
    Ok(vendors)
}

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("durable: fifty times the same webhook is one call at each vendor", once),
        world.trial("durable: further identifiers are added to an erasure", further),
        world.trial("durable: what a vendor does not take now is sent later", outage),
        world.trial("durable: a throttled lane rests as a whole", throttled),
        world.trial("durable: a blocked lane keeps what waits, until it is resumed", blocked),
        world.trial("durable: a blocked lane looks by itself whether it is mended", probed),
        world.trial("durable: a sole identifier escalates to the profile", escalated),
        world.trial("durable: a profile is looked for under the next name", next_name),
        world.trial("durable: a backlog flows at the pace and never above", paced),
        world.trial("durable: a slow vendor does not keep the platform waiting", slow),
        world.trial("durable: a vendor that hangs is tried again", hung),
        world.trial("durable: a vendor that fails is left alone for a while", shut),
        world.trial("durable: shards share an account", sharded),
        world.trial("durable: a request that nobody can use is told so", unusable),
        world.trial("durable: calls that waited for a token keep to the pace", late_token),
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

async fn post(world: &World, source: &str, person: &Person) -> Result<Reply> {
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
    vendor.script(&person.email, [Answer::status(503), Answer::Reset, Answer::Usual]);
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

async fn throttled(world: Arc<World>) -> Result<()> {
    let vendor = &world.accounts["throttled"];
    let (first, second) = (Person::new("throttled-1"), Person::new("throttled-2"));
    let throttle = Answer::status(429).with_header("retry-after", "2");
    vendor.script(&first.email, [throttle, Answer::Usual]);
    ensure!(post(&world, "throttled", &first).await?.status == 202);
    let answered = Instant::now();
    let reply = post(&world, "throttled", &second).await?;
    ensure!(reply.status == 202, "{reply:?}");
    ensure!(vendor.requests_for(&second.email).is_empty(), "the lane does not rest");
    for person in [&first, &second] {
        ensure!(settled(&world, "throttled", person).await?["state"] == "done");
    }
    ensure!(answered.elapsed() > Duration::from_millis(1500), "the lane did not rest long enough");
    ensure!(vendor.requests_for(&second.email).len() == 1);
    Ok(())
}

async fn blocked(world: Arc<World>) -> Result<()> {
    let vendor = &world.accounts["blocked"];
    let (first, second) = (Person::new("blocked-1"), Person::new("blocked-2"));
    vendor.script(&first.email, [Answer::status(401), Answer::Usual]);
    for (person, attempts) in [(&first, 1), (&second, 0)] {
        let reply = post(&world, "blocked", person).await?;
        ensure!(reply.status == 202 && reply.json()["state"] == "attention", "{reply:?}");
        let delivery = &reply.json()["deliveries"][0];
        ensure!(delivery["outcome"] == "blocked", "{reply:?}");
        ensure!(delivery["attempts"] == attempts, "{reply:?}");
        ensure!(delivery["detail"] == "the token was refused", "{reply:?}");
    }
    let lanes = operate(&world, "GET", "/lanes").await?.json();
    let lane = lanes["lanes"].as_array().into_iter().flatten();
    let lane = lane.into_iter().find(|lane| lane["vendor"] == "blocked").cloned();
    let lane = lane.unwrap_or_default();
    ensure!(lane["breaker"] == "blocked" && lane["waiting"] == 2, "{lane}");
    ensure!(lane["reason"] == "the token was refused", "{lane}");
    let reply = operate(&world, "POST", "/lanes/blocked/resume").await?;
    ensure!(reply.status == 202 && reply.json()["lanes"][0]["breaker"] == "closed", "{reply:?}");
    for person in [&first, &second] {
        let done = |receipt: &Value| receipt["state"] == "done";
        until(&world, "blocked", person, done).await?;
    }
    ensure!(vendor.requests_for(&second.email).len() == 1);
    Ok(())
}

async fn probed(world: Arc<World>) -> Result<()> {
    let person = Person::new("probed");
    let refusals = [Answer::status(403), Answer::status(403), Answer::Usual];
    world.accounts["probed"].script(&person.email, refusals);
    ensure!(post(&world, "probed", &person).await?.json()["state"] == "attention");
    let receipt = until(&world, "probed", &person, |receipt| receipt["state"] == "done").await?;
    ensure!(receipt["deliveries"][0]["attempts"] == 3, "{receipt}");
    Ok(())
}

async fn escalated(world: Arc<World>) -> Result<()> {
    let person = Person::new("escalated");
    world.accounts["escalated"].sole(&person.email);
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
    vendor.script(&person.email, [Answer::status(500), Answer::Usual]);
    let subject = json!({ "email": person.email, "uuid": "pii-next-name-uuid" });
    let reply = world.post_to("next-name", &person.asks(&subject)).await?;
    ensure!(reply.status == 202, "{reply:?}");
    let receipt = settled(&world, "next-name", &person).await?;
    let delivery = &receipt["deliveries"][0];
    ensure!(delivery["outcome"] == "accepted" && delivery["identifier"] == "email", "{receipt}");
    ensure!(delivery["attempts"] == 3, "{receipt}");
    Ok(())
}

async fn paced(world: Arc<World>) -> Result<()> {
    let people: Vec<Person> = (0..30).map(|n| Person::new(&format!("paced-{n}"))).collect();
    for person in &people {
        let reply = post(&world, "paced", person).await?;
        ensure!(reply.status == 200 || reply.status == 202, "{reply:?}");
    }
    for person in &people {
        ensure!(settled(&world, "paced", person).await?["state"] == "done");
    }
    let requests = world.accounts["paced"].requests();
    ten_in_two_seconds(requests.iter().map(|request| request.received_at).collect(), 30)
}

/// So many calls, and never more than ten in two seconds.
fn ten_in_two_seconds(times: Vec<Instant>, count: usize) -> Result<()> {
    ensure!(times.len() == count, "{} calls", times.len());
    for window in times.windows(11) {
        let span = window[10] - window[0];
        ensure!(span > Duration::from_secs(2), "11 calls within {span:?}");
    }
    Ok(())
}

async fn late_token(world: Arc<World>) -> Result<()> {
    let vendor = &world.accounts["late-token"];
    vendor.script_token_requests([Answer::Usual.after(Duration::from_secs(3))]);
    let people: Vec<Person> = (0..20).map(|n| Person::new(&format!("late-token-{n}"))).collect();
    let people = Arc::new(people);
    let mut running = Vec::new();
    for index in 0..people.len() {
        let (world, people) = (world.clone(), people.clone());
        running.push(tokio::spawn(async move {
            // One by one, as the pace would let them go.
            sleep(Duration::from_millis(250 * index as u64)).await;
            let person = &people[index];
            let webhook = person.asks(&json!({ "user_id": person.user_id }));
            world.post_to("late-token", &webhook).await
        }));
    }
    for reply in running {
        let reply = reply.await??;
        ensure!(reply.status == 200 || reply.status == 202, "{reply:?}");
    }
    for person in people.iter() {
        ensure!(settled(&world, "late-token", person).await?["state"] == "done");
    }
    let calls = people.iter().flat_map(|person| vendor.requests_for(&person.user_id));
    let mut times: Vec<Instant> = calls.map(|request| request.received_at).collect();
    times.sort();
    ten_in_two_seconds(times, people.len())
}

async fn slow(world: Arc<World>) -> Result<()> {
    let person = Person::new("slow");
    let late = Answer::Usual.after(Duration::from_secs(5));
    world.accounts["slow"].script(&person.email, [late]);
    let started = Instant::now();
    let reply = post(&world, "slow", &person).await?;
    ensure!(reply.status == 202 && started.elapsed() < Duration::from_secs(5), "{reply:?}");
    let outcomes: Vec<_> = outcomes(&reply).into_iter().map(|(_, _, outcome)| outcome).collect();
    ensure!(outcomes == ["scheduled", "accepted"], "{reply:?}");
    let receipt = settled(&world, "slow", &person).await?;
    ensure!(receipt["state"] == "done", "{receipt}");
    ensure!(receipt["deliveries"][0]["attempts"] == 1, "{receipt}");
    Ok(())
}

async fn hung(world: Arc<World>) -> Result<()> {
    let person = Person::new("hung");
    world.accounts["hung"].script(&person.email, [Answer::Hang, Answer::Usual]);
    let reply = post(&world, "hung", &person).await?;
    let delivery = &reply.json()["deliveries"][0];
    ensure!(reply.status == 202 && delivery["detail"] == "no answer in time", "{reply:?}");
    ensure!(settled(&world, "hung", &person).await?["state"] == "done");
    Ok(())
}

async fn shut(world: Arc<World>) -> Result<()> {
    let vendor = &world.accounts["shut"];
    let people: Vec<Person> = (0..4).map(|n| Person::new(&format!("shut-{n}"))).collect();
    for person in &people {
        vendor.script(&person.email, [Answer::status(500), Answer::Usual]);
        ensure!(post(&world, "shut", person).await?.status == 202);
    }
    let last = vendor.requests_for(&people[3].email);
    ensure!(last.len() <= 1, "the lane pressed on");
    for person in &people {
        ensure!(settled(&world, "shut", person).await?["state"] == "done");
    }
    Ok(())
}

async fn sharded(world: Arc<World>) -> Result<()> {
    let people: Vec<Person> = (0..9).map(|n| Person::new(&format!("sharded-{n}"))).collect();
    for person in &people {
        ensure!(post(&world, "sharded", person).await?.status == 200);
        ensure!(settled(&world, "sharded", person).await?["state"] == "done");
    }
    let lanes = operate(&world, "GET", "/lanes").await?.json();
    let lanes = lanes["lanes"].as_array().cloned().unwrap_or_default();
    let shards: Vec<&Value> = lanes.iter().filter(|lane| lane["vendor"] == "sharded").collect();
    ensure!(shards.len() == 3 && shards[0]["pace"][0]["calls"] == 333, "{shards:?}");
    let listed = operate(&world, "GET", "/erasures?vendor=sharded&limit=200").await?.json();
    let listed = listed["erasures"].as_array().cloned().unwrap_or_default();
    ensure!(listed.len() == 9, "{} are listed", listed.len());
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
