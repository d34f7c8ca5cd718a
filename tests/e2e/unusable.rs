//! Durable delivery of requests that not every vendor, or none, can use.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use send::{Proof, body};
use serde_json::{Value, json};
use xtask::webhook::{Reply, now};

use crate::durable::{operate, settled};
use crate::platforms::{bearer, signed_as};
use crate::world::{Handle, Person, World, outcome_at};

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("durable: who is not at a vendor is not applicable there", not_applicable),
        world.trial("durable: an identifier that comes later makes the call", later),
        world.trial("durable: nobody is not applicable everywhere", nobody),
        world.trial("durable: who cannot act on a 422 is told that it was taken", taken),
    ]
}

async fn listed(world: &World, query: &str, person: &Person) -> Result<bool> {
    let reply = operate(world, "GET", &format!("/erasures?limit=200&{query}")).await?;
    ensure!(reply.status == 200, "{reply:?}");
    Ok(reply.text.contains(&person.request_id))
}

async fn not_applicable(world: Arc<World>) -> Result<()> {
    let person = Person::new("not-applicable");
    let reply = world.post(&person.asks(&json!({ "email": person.email }))).await?;
    ensure!(reply.status == 200 || reply.status == 202, "{reply:?}");
    ensure!(outcome_at(&reply, "instacart") == "not_applicable", "{reply:?}");
    let receipt = settled(&world, "consent", &person).await?;
    ensure!(receipt["state"] == "done", "{receipt}");
    let delivery = &receipt["deliveries"][0];
    ensure!(delivery["outcome"] == "not_applicable" && delivery["attempts"] == 0, "{receipt}");
    ensure!(delivery["detail"].is_string() && delivery["next_attempt_at"].is_null(), "{receipt}");
    for vendor in ["", "&vendor=instacart", "&vendor=insider"] {
        ensure!(listed(&world, &format!("state=done{vendor}"), &person).await?, "{vendor}");
        ensure!(!listed(&world, &format!("state=attention{vendor}"), &person).await?, "{vendor}");
    }
    // An account that does not say so needs a person.
    let person = Person::new("not-applicable-attention");
    let reply = world.post_to("strict", &person.asks(&json!({ "email": person.email }))).await?;
    ensure!(reply.status == 200 || reply.status == 202, "{reply:?}");
    ensure!(outcome_at(&reply, "strict") == "insufficient_identification", "{reply:?}");
    let receipt = settled(&world, "strict", &person).await?;
    ensure!(receipt["state"] == "attention", "{receipt}");
    Ok(())
}

async fn later(world: Arc<World>) -> Result<()> {
    let person = Person::new("not-applicable-later");
    let reply = world.post(&person.asks(&json!({ "email": person.email }))).await?;
    ensure!(outcome_at(&reply, "instacart") == "not_applicable", "{reply:?}");
    let reply = world.post(&person.asks(&json!({ "user_id": person.user_id }))).await?;
    ensure!(reply.status == 200 || reply.status == 202, "{reply:?}");
    let receipt = settled(&world, "consent", &person).await?;
    let outcomes: Vec<&Value> = receipt["deliveries"]
        .as_array()
        .context("deliveries")?
        .iter()
        .map(|one| &one["outcome"])
        .collect();
    ensure!(receipt["state"] == "done" && outcomes == ["accepted", "accepted"], "{receipt}");
    ensure!(world.vendors.instacart.requests_for(&person.user_id).len() == 1);
    ensure!(world.vendors.insider.requests_for(&person.email).len() == 1);
    Ok(())
}

/// What nobody could use stays so until a webhook reaches somebody.
async fn nobody(world: Arc<World>) -> Result<()> {
    let person = Person::new("not-applicable-nobody");
    let reply = world.post(&person.asks(&json!({}))).await?;
    ensure!(reply.status == 422, "{reply:?}");
    for vendor in ["instacart", "insider"] {
        ensure!(outcome_at(&reply, vendor) == "insufficient_identification", "{reply:?}");
    }
    let reply = world.post(&person.asks(&json!({ "email": person.email }))).await?;
    ensure!(outcome_at(&reply, "instacart") == "not_applicable", "{reply:?}");
    let receipt = settled(&world, "consent", &person).await?;
    ensure!(receipt["state"] == "done", "{receipt}");
    Ok(())
}

async fn post(world: &World, source: &str, proof: Proof, body: &Value) -> Result<Reply> {
    let url = world.worker.url(&format!("/webhooks/{source}"));
    let message = proof.put_on("msg_1", &url, body.to_string().as_bytes(), now())?;
    world.deliver(source, &message).await
}

async fn taken(world: Arc<World>) -> Result<()> {
    let person = Person::new("taken");
    let id = &person.request_id;
    let token = |prefix| bearer("authorization", prefix);
    let mut shopify = body::compose("shopify", id, &send::Person::default(), now())?;
    shopify["customer"] = json!({ "id": null, "email": null, "phone": "555-625-1199" });
    let ketch = body::compose("ketch", id, &send::Person::default(), now())?;
    let fides = body::compose("fides", id, &send::Person::default(), now())?;
    let opendsr = body::compose("opendsr", id, &send::Person::default(), now())?;
    let mut drop = body::compose(
        "datagrail-drop",
        id,
        &send::Person { email: Some(person.email.clone()), ..Default::default() },
        now(),
    )?;
    drop["remote_identifier_kind"] = json!("row_uuid");
    for (source, proof, body, status) in [
        ("p-shopify", signed_as("shopify"), &shopify, 200),
        ("p-ketch", token("Bearer "), &ketch, 200),
        ("p-fides", token(""), &fides, 200),
        ("p-opendsr", token("Bearer "), &opendsr, 201),
        ("p-datagrail-drop", signed_as("datagrail"), &drop, 200),
    ] {
        let reply = post(&world, source, proof, body).await?;
        ensure!(reply.status == status, "{source}: {reply:?}");
        let json = reply.json();
        match source {
            "p-ketch" => ensure!(json["response"]["status"] == "in_progress", "{reply:?}"),
            "p-fides" => ensure!(json == json!({ "halt": false }), "{reply:?}"),
            "p-opendsr" => ensure!(json["subject_request_id"] == json!(id), "{reply:?}"),
            _ => ensure!(json["state"] == "attention", "{reply:?}"),
        }
        let id = if source == "p-shopify" { json["request_id"].as_str() } else { Some(&**id) };
        let path = format!("/erasures/{source}/{}", id.context("an id")?);
        let receipt = operate(&world, "GET", &path).await?;
        ensure!(receipt.json()["state"] == "attention", "{source}: {receipt:?}");
    }
    // A sender of one's own can correct its request.
    let nothing = json!({ "event": "customer.deleted", "id": id });
    let reply = post(&world, "p-stripe", signed_as("stripe"), &nothing).await?;
    ensure!(reply.status == 422 && reply.json()["state"] == "attention", "{reply:?}");
    Ok(())
}
