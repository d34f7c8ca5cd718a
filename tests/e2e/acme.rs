//! Acme, the example of docs/adding-a-vendor.md, end to end: what it is sent, and what the platform is
//! told of each answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use serde_json::json;
use standin::acme::{AcmeAccount, QUEUED, UNKNOWN_CONTACT};
use standin::{Answer, StandIn};
use xtask::workerd::Deployment;

use crate::world::{Person, World, add, alone, outcome_at};

const TOKEN: &str = "token-of-the-acme-account";

pub fn trials() -> Vec<Trial> {
    vec![alone("Acme: what each answer means", prepare, every_answer)]
}

/// Adds the account, and a source of the same name that asks it alone.
async fn prepare(deployment: &mut Deployment) -> Result<BTreeMap<&'static str, StandIn>> {
    let vendor = StandIn::start(AcmeAccount { token: TOKEN.to_owned() }).await?;
    let auth = json!({ "token": "ACME_TOKEN" });
    let account = json!({ "api": "acme", "base_url": vendor.base_url(), "auth": auth });
    add(deployment, "acme", account);
    deployment.secrets.insert("ACME_TOKEN".to_owned(), TOKEN.to_owned());
    deployment.durable = false; // what is retried is answered at once
    Ok(BTreeMap::from([("acme", vendor)]))
}

async fn every_answer(world: Arc<World>) -> Result<()> {
    let queued_and_failed = json!({ "status": "queued", "error": "quota" });
    for (name, answer, outcome) in [
        ("queued", Answer::Success, "accepted"),
        ("queued-and-failed", Answer::json(202, queued_and_failed), "uncertain"),
        ("html", Answer::html(202), "uncertain"),
        ("another-status", Answer::json(200, QUEUED), "uncertain"),
        ("unknown", Answer::json(404, UNKNOWN_CONTACT), "already_absent"),
        ("no-route", Answer::html(404), "blocked"),
        ("unauthorized", Answer::status(401), "blocked"),
        ("forbidden", Answer::status(403), "blocked"),
        ("malformed", Answer::status(400), "rejected"),
        ("throttled", Answer::status(429), "scheduled"),
        ("down", Answer::html(503), "scheduled"),
        ("closed", Answer::Close, "scheduled"),
    ] {
        let person = Person::new(&format!("acme-{name}"));
        world.accounts["acme"].script(&person.email, [answer]);
        let reply = world.post_to("acme", &person.webhook()).await?;
        ensure!(outcome_at(&reply, "acme") == outcome, "{name}: {reply:?}");
        ensure!(world.accounts["acme"].requests_for(&person.email).len() == 1, "{name}");
    }
    let nobody = Person::new("acme-nobody").asks(&json!({ "user_id": "pii-acme-nobody" }));
    let reply = world.post_to("acme", &nobody).await?;
    ensure!(outcome_at(&reply, "acme") == "insufficient_identification", "{reply:?}");
    Ok(())
}
