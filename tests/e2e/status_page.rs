//! The page on which a person sees the state of their request to Meta, at the relay itself.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use send::{Proof, body};
use serde_json::json;
use standin::Answer;
use tokio::time::{sleep, timeout};
use xtask::demo::Vendors;
use xtask::webhook::{Reply, now, send};
use xtask::workerd::{Storage, Workerd};

use crate::durable::{ADMIN_TOKEN, authorized};
use crate::platforms::subject;
use crate::world::{Handle, Person, World};

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("status page: Meta's answer leads to the state in words", states),
        world.trial("status page: a code that nobody has shows nothing", unknown),
    ]
}

const SECRET: &str = "app-secret-of-the-status-page";

/// A Worker with a source of Meta that has no page of its own.
struct Relay {
    vendors: Vendors,
    worker: Workerd,
    _storage: Storage,
}

impl Relay {
    async fn start(world: &World) -> Result<Self> {
        let (vendors, storage) = (Vendors::start().await?, Storage::fresh()?);
        let mut deployment = vendors.deployment()?.secret("ADMIN_TOKEN", ADMIN_TOKEN);
        deployment.vars["SOURCES"] = json!({ "meta": {
            "platform": "meta",
            "secrets": ["APP_SECRET"],
            "identifiers": { "user_id": "/user_id" },
            "vendors": ["instacart"],
        }});
        let deployment = deployment.secret("APP_SECRET", SECRET);
        let World { toolchain, bundle, .. } = world;
        let worker = Workerd::start_on(toolchain, bundle, &deployment, &storage).await?;
        Ok(Self { vendors, worker, _storage: storage })
    }

    /// Asks for the deletion of a person, and returns the page that the answer names, and its code.
    async fn post(&self, person: &Person) -> Result<(String, String)> {
        let url = self.worker.url("/webhooks/meta");
        let body = body::compose("meta", &person.request_id, &subject(person), now())?.to_string();
        let proof = Proof::SignedRequest(SECRET.to_owned());
        let message = proof.put_on("", &url, body.as_bytes(), now())?;
        let reply = send("POST", &url, &message.headers, message.body).await?;
        ensure!(reply.status == 200, "{reply:?}");
        let json = reply.json();
        let text = |name: &str| json[name].as_str().map(str::to_owned).context("a text");
        Ok((text("url")?, text("confirmation_code")?))
    }
}

/// The page, once it says this.
async fn until(url: &str, words: &str) -> Result<Reply> {
    let mut last = String::new();
    let waiting = async {
        loop {
            let reply = send("GET", url, &[], "").await?;
            if reply.status == 200 && reply.text.contains(words) {
                return anyhow::Ok(reply);
            }
            last = format!("{reply:?}");
            sleep(Duration::from_millis(20)).await;
        }
    };
    let page = timeout(Duration::from_secs(30), waiting).await;
    page.map_err(|_| anyhow::anyhow!("{words} is not in {last}"))?
}

/// A page loads and runs nothing, is kept nowhere, and names nobody.
fn is_safe(reply: &Reply, person: &Person) -> Result<()> {
    ensure!(reply.header("content-type") == "text/html; charset=utf-8", "{reply:?}");
    let policy = reply.header("content-security-policy");
    ensure!(policy.starts_with("default-src 'none';"), "{reply:?}");
    ensure!(reply.header("cache-control") == "no-store", "{reply:?}");
    ensure!(reply.header("referrer-policy") == "no-referrer", "{reply:?}");
    for part in [&person.user_id, &person.email, "<script", "src=", "href=", "instacart"] {
        ensure!(!reply.text.contains(part), "{part}: {reply:?}");
    }
    Ok(())
}

async fn states(world: Arc<World>) -> Result<()> {
    let relay = Relay::start(&world).await?;
    let person = Person::new("status-done");
    let (url, code) = relay.post(&person).await?;
    ensure!(url == relay.worker.url(&format!("/status/{code}")), "{url}");
    ensure!(code.len() == 32 && !code.contains(&person.user_id), "{code}");
    is_safe(&until(&url, "<strong>Completed</strong>").await?, &person)?;

    let person = Person::new("status-refused");
    let answers = [Answer::status(500), Answer::status(500), Answer::status(500)];
    relay.vendors.instacart.script(&person.user_id, answers);
    let (url, code) = relay.post(&person).await?;
    let page = until(&url, "<strong>In progress</strong>").await?;
    ensure!(page.text.contains("You will have an answer by"), "{page:?}");
    is_safe(&page, &person)?;
    let discard = relay.worker.url(&format!("/erasures/meta/{code}/discard"));
    let note = json!({ "note": "invoices <must> be kept by law" }).to_string();
    let reply = send("POST", &discard, &authorized(), note).await?;
    ensure!(reply.status == 200, "{reply:?}");
    let page = until(&url, "<strong>Not fulfilled</strong>").await?;
    let reason = "Reason: invoices &lt;must&gt; be kept by law";
    ensure!(page.text.contains(reason), "{page:?}");
    is_safe(&page, &person)
}

async fn unknown(world: Arc<World>) -> Result<()> {
    let relay = Relay::start(&world).await?;
    let person = Person::new("status-unknown");
    for code in ["0123456789abcdef0123456789abcdef", &person.user_id, "a%2fb", "meta"] {
        let reply = send("GET", &relay.worker.url(&format!("/status/{code}")), &[], "").await?;
        ensure!(reply.status == 404 && reply.text.contains("Not found"), "{code}: {reply:?}");
        is_safe(&reply, &person)?;
    }
    let url = relay.worker.url("/status/0123456789abcdef0123456789abcdef");
    ensure!(send("POST", &url, &[], "").await?.status == 405);
    Ok(())
}
