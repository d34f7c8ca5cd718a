//! What an operator is alerted of: signed, without personal data, once an hour, and never lost.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use rusqlite::Connection;
use serde_json::{Value, json};
use standin::Answer;
use standin::platform::{ALERT, EVENT, Message, Platform, Reaction};
use tokio::time::{sleep, timeout};
use xtask::demo::{SECRET as CONSENT_SECRET, Vendors};
use xtask::webhook::{Reply, Webhook, send};
use xtask::workerd::{Deployment, Storage, Workerd};

use crate::durable::{ADMIN_TOKEN, authorized};
use crate::storage::databases;
use crate::world::{Handle, Person, World};

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("alerts: breakers, deliveries and callbacks, as libraries verify it", words),
        world.trial("alerts: one is sent until it is taken, also after a crash", lost),
        world.trial("alerts: what was raised before a crash is told after it", raised),
        world.trial("alerts: what is due and what is overdue, once a day", due),
        world.trial("alerts: their own lane is seen, and raises none", own_lane),
    ]
}

/// What alerts are signed with.
const SECRET: &str = "whsec_YWxlcnRzLW9mLXRoZS10ZXN0cy1hbG9uZS0xMjM0";
const EVENT_SECRET: &str = "whsec_ZXZlbnRzLW9mLXRoZS10ZXN0cy1hbG9uZS0xMjM0";

const DAY: i64 = 86_400_000;

/// A Worker whose operator and whose platform are told by stand-ins.
struct Relay {
    world: Arc<World>,
    vendors: Vendors,
    endpoint: Platform,
    platform: Platform,
    deployment: Deployment,
    storage: Storage,
}

impl Relay {
    async fn new(world: Arc<World>) -> Result<Self> {
        let (vendors, storage) = (Vendors::start().await?, Storage::fresh()?);
        let (endpoint, platform) =
            (Platform::start(ALERT, 200).await?, Platform::start(EVENT, 204).await?);
        let mut deployment = vendors
            .deployment()?
            .secret("ADMIN_TOKEN", ADMIN_TOKEN)
            .secret("ALERTS_SECRET", SECRET)
            .secret("EVENT_SECRET", EVENT_SECRET);
        let retry = || json!({ "first_seconds": 1, "longest_seconds": 1 });
        deployment.vars["VENDORS"]["insider"]["retry"] = retry();
        let consent = &mut deployment.vars["SOURCES"]["consent"];
        consent["vendors"] = json!(["insider"]);
        consent["callback"] =
            json!({ "url": platform.url("/"), "secret": "EVENT_SECRET", "retry": retry() });
        deployment.vars["ALERTS"] =
            json!({ "url": endpoint.url("/alerts"), "secret": "ALERTS_SECRET", "retry": retry() });
        Ok(Self { world, vendors, endpoint, platform, deployment, storage })
    }

    async fn start(&self) -> Result<Workerd> {
        let World { toolchain, bundle, .. } = &*self.world;
        Workerd::start_on(toolchain, bundle, &self.deployment, &self.storage).await
    }

    /// Asks for the erasure of a person, whom the vendor answers like this.
    async fn post(
        &self,
        worker: &Workerd,
        request_id: &str,
        person: &Person,
        answers: impl IntoIterator<Item = Answer>,
    ) -> Result<Reply> {
        self.vendors.insider.script(&person.email, answers);
        let webhook = Webhook::erasure(request_id, &json!({ "email": person.email }));
        let headers = webhook.headers(CONSENT_SECRET)?;
        send("POST", &worker.url("/webhooks/consent"), &headers, webhook.body).await
    }

    /// The alerts of a reason about a lane or a source, once there are so many that were taken.
    async fn alerts(
        &self,
        worker: &Workerd,
        about: &str,
        reason: &str,
        count: usize,
    ) -> Result<Vec<Value>> {
        let is_of = |body: &Value| {
            let data = &body["data"];
            data["reason"] == reason && (data["lane"] == about || data["source"] == about)
        };
        let all = || -> Vec<Value> {
            let taken = self.endpoint.messages().into_iter().filter(|one| one.status == 200);
            taken.map(|message| message.json()).filter(is_of).collect()
        };
        let waiting = async {
            while all().len() < count {
                sleep(Duration::from_millis(20)).await;
            }
        };
        let came = timeout(Duration::from_secs(30), waiting).await;
        ensure!(came.is_ok(), "{about} {reason}: {:?} {}", self.endpoint.messages(), worker.log());
        Ok(all())
    }

    /// Ends the Worker, and checks what must hold of everything that was sent.
    async fn finish(self, worker: Workerd) -> Result<()> {
        let log = worker.stop().await?;
        let mismatches = self.endpoint.mismatches();
        ensure!(mismatches.is_empty(), "{mismatches:?}");
        let messages = self.endpoint.messages();
        let webhook = standardwebhooks::Webhook::new(SECRET)?;
        let mut taken = BTreeSet::new();
        for message in &messages {
            let mut headers = http::HeaderMap::new();
            for (name, value) in &message.headers {
                headers.insert(http::HeaderName::from_bytes(name.as_bytes())?, value.parse()?);
            }
            webhook.verify(&message.body, &headers)?;
            let changed = [&message.body[..], b" "].concat();
            ensure!(webhook.verify(&changed, &headers).is_err(), "it is not signed");
            let id = message.header("webhook-id").context("an id")?;
            let is_first = message.status != 200 || taken.insert(id.to_owned());
            ensure!(is_first, "{id} was taken twice");
        }
        let text = messages.iter().map(|one| String::from_utf8_lossy(&one.body).into_owned());
        for text in text.chain([log]) {
            for personal in ["pii", "@example.com", SECRET, CONSENT_SECRET, ADMIN_TOKEN] {
                ensure!(!text.contains(personal), "{personal}: {text}");
            }
        }
        Ok(())
    }
}

/// Runs the cron trigger.
async fn cron(worker: &Workerd) -> Result<()> {
    let reply = send("GET", &worker.url("/cdn-cgi/handler/scheduled"), &[], "").await?;
    ensure!(reply.status == 200, "{reply:?}");
    Ok(())
}

async fn operate(worker: &Workerd, method: &str, path: &str) -> Result<Reply> {
    send(method, &worker.url(path), &authorized(), "").await
}

async fn words(world: Arc<World>) -> Result<()> {
    let relay = Relay::new(world).await?;
    let worker = relay.start().await?;
    let hour = || std::time::SystemTime::UNIX_EPOCH.elapsed().map(|it| it.as_secs() / 3600);
    let began = hour()?;

    let rejected = Person::new("alerts-rejected");
    let id = &rejected.request_id;
    relay.post(&worker, id, &rejected, [Answer::status(422)]).await?;
    let alert = relay.alerts(&worker, "insider", "delivery_attention", 1).await?.remove(0);
    ensure!(alert["type"] == "relay.delivery.attention", "{alert}");
    ensure!(alert["data"]["request_id"] == **id && alert["data"]["source"] == "consent", "{alert}");
    ensure!(alert["data"]["count"] == 1, "{alert}");
    let detail = alert["data"]["detail"].as_str().unwrap_or_default();
    ensure!(detail.starts_with("rejected: "), "{alert}");
    let text = alert["text"].as_str().unwrap_or_default();
    ensure!(text.starts_with("Erasure Relay, insider: a delivery needs attention"), "{alert}");

    // The platform does not take what it is told of the next, whose id may be personal.
    relay.platform.script([Reaction::Status(404)]);
    let person = Person::new("alerts-callback");
    relay.post(&worker, "pii-request@example.com", &person, []).await?;
    let alert = relay.alerts(&worker, "@consent", "callback_failed", 1).await?.remove(0);
    let shown = alert["data"]["request_id"].as_str().unwrap_or_default();
    ensure!(shown.starts_with('k') && shown.len() == 18, "{alert}");

    // A second of the same reason is told in the next hour.
    let second = Person::new("alerts-rejected-2");
    relay.post(&worker, &second.request_id, &second, [Answer::status(422)]).await?;

    let blocked = Person::new("alerts-blocked");
    let refusal = [Answer::status(401), Answer::Success];
    relay.post(&worker, &blocked.request_id, &blocked, refusal).await?;
    let alert = relay.alerts(&worker, "insider", "account_blocked", 1).await?.remove(0);
    ensure!(alert["data"]["detail"] == "the token was refused", "{alert}");
    ensure!(alert["data"]["since"].is_string(), "{alert}");
    let reply = operate(&worker, "POST", "/lanes/insider/resume").await?;
    ensure!(reply.status == 202, "{reply:?}");
    let closed = relay.alerts(&worker, "insider", "breaker_closed", 1).await?.remove(0);
    ensure!(closed["data"]["since"] == alert["data"]["since"], "{closed}");

    let hours = hour()? - began + 1;
    let told = relay.alerts(&worker, "insider", "delivery_attention", 1).await?.len();
    ensure!(u64::try_from(told)? <= hours, "{told} in {hours} hours");
    let list = operate(&worker, "GET", "/erasures").await?.json();
    let sources = list["erasures"].as_array().context("a list")?;
    ensure!(sources.len() == 4 && sources.iter().all(|one| one["source"] == "consent"), "{list}");
    let reply = operate(&worker, "GET", "/erasures?vendor=@@alerts").await?;
    ensure!(reply.status == 404, "{reply:?}");
    relay.finish(worker).await
}

fn id(message: &Message) -> Option<String> {
    message.header("webhook-id").map(str::to_owned)
}

/// Waits until so many messages came, taken or not.
async fn came(relay: &Relay, count: usize, worker: &Workerd) -> Result<Vec<Message>> {
    let waiting = async {
        while relay.endpoint.messages().len() < count {
            sleep(Duration::from_millis(20)).await;
        }
    };
    let messages = timeout(Duration::from_secs(30), waiting).await;
    messages.with_context(|| format!("{:?} {}", relay.endpoint.messages(), worker.log()))?;
    Ok(relay.endpoint.messages())
}

async fn lost(world: Arc<World>) -> Result<()> {
    let relay = Relay::new(world).await?;
    let worker = relay.start().await?;
    let down = || Reaction::Status(503);
    relay.endpoint.script([down(), down(), Reaction::Silence]);
    let person = Person::new("alerts-lost");
    relay.post(&worker, &person.request_id, &person, [Answer::status(422)]).await?;
    came(&relay, 3, &worker).await?;
    worker.kill().await?;
    let worker = relay.start().await?;
    operate(&worker, "GET", "/lanes").await?; // whoever asks has the lane woken
    relay.alerts(&worker, "insider", "delivery_attention", 1).await?;
    let ids: BTreeSet<_> = relay.endpoint.messages().iter().map(id).collect();
    ensure!(ids.len() == 1, "one alert has one id: {ids:?}");
    relay.finish(worker).await
}

async fn raised(world: Arc<World>) -> Result<()> {
    let relay = Relay::new(world).await?;
    let worker = relay.start().await?;
    let person = Person::new("alerts-raised");
    relay.post(&worker, &person.request_id, &person, []).await?;
    operate(&worker, "GET", "/lanes").await?; // its outcome is recorded
    worker.kill().await?;
    // As if the crash had come between the change and the lane of the alerts.
    for lane in databases(&relay.storage)? {
        let database = Connection::open(lane)?;
        let account: String =
            database.query_row("SELECT account FROM lane", [], |row| row.get(0))?;
        if account == "insider" {
            let row = "INSERT INTO alert VALUES ('breaker_opened', 1, 7, NULL, NULL, NULL, NULL)";
            database.execute(row, [])?;
        }
    }
    let worker = relay.start().await?;
    ensure!(relay.endpoint.messages().is_empty());
    operate(&worker, "GET", "/lanes").await?;
    relay.alerts(&worker, "insider", "breaker_opened", 1).await?;
    relay.finish(worker).await
}

async fn due(world: Arc<World>) -> Result<()> {
    let mut relay = Relay::new(world).await?;
    relay.deployment.vars["SOURCES"]["consent"]["answer_days"] = json!(1);
    let worker = relay.start().await?;
    for (name, answers) in [
        ("alerts-done", vec![]),
        ("alerts-later", vec![Answer::status(503)]),
        ("alerts-uncertain", vec![Answer::json(200, r#"{"success":false}"#)]),
    ] {
        let person = Person::new(name);
        relay.post(&worker, &person.request_id, &person, answers).await?;
    }
    relay.alerts(&worker, "insider", "delivery_attention", 1).await?;
    let today = || std::time::SystemTime::UNIX_EPOCH.elapsed().map(|it| it.as_secs() / 86_400);
    let began = today()?;
    cron(&worker).await?;
    let alert = relay.alerts(&worker, "consent", "erasure_due", 1).await?.remove(0);
    ensure!(alert["data"]["count"] == 2 && alert["data"]["due_by"].is_string(), "{alert}");
    let ids = ["alerts-later", "alerts-uncertain"].map(|name| Person::new(name).request_id);
    let shown = alert["data"]["request_id"].as_str().unwrap_or_default();
    ensure!(ids.iter().any(|id| id == shown), "{alert}");
    operate(&worker, "GET", "/lanes").await?; // that it was taken is recorded
    worker.stop().await?;
    for lane in databases(&relay.storage)? {
        let shift = format!("UPDATE delivery SET received_at = received_at - {}", 2 * DAY);
        Connection::open(lane)?.execute(&shift, [])?;
    }
    let worker = relay.start().await?;
    cron(&worker).await?;
    let alert = relay.alerts(&worker, "consent", "erasure_overdue", 1).await?.remove(0);
    ensure!(alert["data"]["count"] == 2, "{alert}");
    for id in ids {
        let note = r#"{"note":"TICKET-1"}"#;
        let url = worker.url(&format!("/erasures/consent/{id}/discard"));
        ensure!(send("POST", &url, &authorized(), note).await?.status == 200);
        cron(&worker).await?;
    }
    // Another alert comes after what those have raised.
    let person = Person::new("alerts-after");
    let refusal = [Answer::status(401), Answer::Success];
    relay.post(&worker, &person.request_id, &person, refusal).await?;
    relay.alerts(&worker, "insider", "account_blocked", 1).await?;
    let told = relay.alerts(&worker, "consent", "erasure_overdue", 1).await?.len();
    ensure!(u64::try_from(told)? <= today()? - began + 1, "{told} in a day");
    relay.finish(worker).await
}

async fn own_lane(world: Arc<World>) -> Result<()> {
    let mut relay = Relay::new(world).await?;
    // As Slack is told: the URL is a secret, and there is no signature.
    let url = relay.endpoint.url("/services/T0/B0/secret-of-the-url");
    relay.deployment = relay.deployment.secret("ALERTS_URL", &url);
    let breaker = json!({ "probe_seconds": 3600 });
    relay.deployment.vars["ALERTS"] = json!({ "url_secret": "ALERTS_URL", "breaker": breaker });
    let worker = relay.start().await?;
    relay.endpoint.script([Reaction::Status(404)]);
    let person = Person::new("alerts-own");
    relay.post(&worker, &person.request_id, &person, [Answer::status(422)]).await?;
    came(&relay, 1, &worker).await?;
    let of_alerts = async || {
        let lanes = operate(&worker, "GET", "/lanes").await?.json();
        let lane = lanes["lanes"].as_array().into_iter().flatten();
        let lane = lane.into_iter().find(|lane| lane["vendor"] == "@@alerts").cloned();
        lane.with_context(|| format!("{lanes}"))
    };
    let waiting = async {
        while of_alerts().await?["breaker"] != "blocked" {
            sleep(Duration::from_millis(20)).await;
        }
        anyhow::Ok(())
    };
    timeout(Duration::from_secs(30), waiting).await??;
    let lane = of_alerts().await?;
    ensure!(lane["reason"] == "the endpoint rejects the alert" && lane["waiting"] == 1, "{lane}");
    let health = operate(&worker, "GET", "/healthz").await?;
    let trouble = &health.json()["lanes"][0];
    ensure!(health.status == 503 && trouble["vendor"] == "@@alerts", "{health:?}");
    let reply = operate(&worker, "POST", "/lanes/@@alerts/resume").await?;
    ensure!(reply.status == 202, "{reply:?}");
    relay.alerts(&worker, "insider", "delivery_attention", 1).await?;
    let messages = relay.endpoint.messages();
    ensure!(messages.len() == 2, "its own lane raises none: {messages:?}");
    ensure!(messages.iter().all(|one| one.target == "/services/T0/B0/secret-of-the-url"));
    ensure!(messages.iter().all(|message| id(message).is_none()), "there is no signature");
    ensure!(relay.endpoint.mismatches().is_empty(), "{:?}", relay.endpoint.mismatches());
    let log = worker.stop().await?;
    ensure!(!log.contains("secret-of-the-url") && !log.contains("pii"), "{log}");
    Ok(())
}
