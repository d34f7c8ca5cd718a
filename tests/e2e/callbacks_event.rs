//! The relay's own event: its words, its data, and its signature as libraries of others verify it.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use standin::Answer;
use standin::platform::{EVENT, Message, Platform, Reaction};

use crate::callbacks_desk::{Desk, Words, cases};
use crate::sdk;
use crate::world::{Handle, Person, World};

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("callbacks: an event bears the receipt, and libraries verify it", words),
        world.trial("callbacks: an event is settled where nothing can be replayed", at_once),
    ]
}

/// What events are signed with.
const SECRET: &str = "whsec_ZXZlbnRzLW9mLXRoZS10ZXN0cy1hbG9uZS0xMjM0";

async fn desk(world: &World, replay_days: u32) -> Result<Desk> {
    let platform = Platform::start(EVENT, 204).await?;
    let callback = json!({
        "url": platform.url("/events"),
        "secret": "EVENT_SECRET",
        "replay_days": replay_days,
        "retry": { "first_seconds": 1, "longest_seconds": 1 },
    });
    Desk::start(world, platform, callback, &[("EVENT_SECRET", SECRET)]).await
}

async fn words(world: Arc<World>) -> Result<()> {
    let desk = desk(&world, 30).await?;
    let words = Words {
        done: &["privacy.erasure.settled"],
        absent: &["privacy.erasure.settled"],
        later: &["privacy.erasure.settled"],
        attention: &["privacy.erasure.attention"],
        nobody: &["privacy.erasure.settled"],
        kept: &["privacy.erasure.attention"],
        blocked: &[],
        failed: ("failed", "privacy.erasure.settled"),
        not_erased: ("failed", "privacy.erasure.settled"),
        completed: ("completed", "privacy.erasure.settled"),
        not_found: ("not_found", "privacy.erasure.settled"),
    };
    // A repetition is the same event.
    desk.platform.script([Reaction::Status(503)]);
    let person = Person::new("desk-repeated");
    desk.post("desk", &person, true).await?;
    desk.receipt("desk", &person, 1).await?;
    let ids: Vec<_> =
        desk.about(&person).iter().map(|one| one.header("webhook-id").map(str::to_owned)).collect();
    ensure!(ids.len() == 2 && ids[0].is_some() && ids[0] == ids[1], "{ids:?}");
    for case in cases(&words) {
        desk.play(case, |message| message.json()["type"].as_str().unwrap_or_default().to_owned())
            .await?;
    }
    // The data of an event is the receipt.
    let person = Person::new("desk-rejected");
    let receipt = desk.receipt("desk", &person, 2).await?;
    let messages = desk.about(&person);
    let data = &messages.last().context("an event")?.json()["data"];
    for member in ["request_id", "source", "state", "received_at", "due_by", "deliveries", "closed"]
    {
        ensure!(data[member] == receipt[member] && !data[member].is_null(), "{member}: {data}");
    }
    ensure!(data["closed"]["note"] == "kept by law" && data.get("callbacks").is_none(), "{data}");
    verified(&world, &desk.platform.messages())
}

/// Libraries of others take every event, and none that was changed.
fn verified(world: &World, messages: &[Message]) -> Result<()> {
    let webhook = standardwebhooks::Webhook::new(SECRET)?;
    let mut requests = Vec::new();
    for message in messages {
        let mut headers = http::HeaderMap::new();
        for (name, value) in &message.headers {
            headers.insert(http::HeaderName::from_bytes(name.as_bytes())?, value.parse()?);
        }
        webhook.verify(&message.body, &headers)?;
        let text = String::from_utf8(message.body.clone())?;
        let headers: serde_json::Map<String, Value> =
            message.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        for library in ["svix", "standardwebhooks"] {
            for body in [text.clone(), text.replace("desk", "disk")] {
                requests.push(json!({ "sdk": format!("verify-{library}"), "secret": SECRET,
                                      "headers": headers, "body": body }));
            }
        }
    }
    let answers = sdk::node(world, &requests)?;
    for pair in answers.chunks(2) {
        let verified = pair.iter().map(|answer| &answer["verified"]);
        ensure!(verified.eq([&json!(true), &json!(false)]), "{pair:?}");
    }
    ensure!(!answers.is_empty());
    Ok(())
}

async fn at_once(world: Arc<World>) -> Result<()> {
    let desk = desk(&world, 0).await?;
    let person = Person::new("desk-settled");
    desk.vendors.insider.script(&person.email, [Answer::status(422)]);
    desk.post("desk", &person, true).await?;
    let receipt = desk.receipt("desk", &person, 1).await?;
    ensure!(receipt["callbacks"][0]["word"] == "settled", "{receipt}");
    let message = desk.about(&person).pop().context("an event")?;
    ensure!(message.json()["type"] == "privacy.erasure.settled", "{message:?}");
    ensure!(message.json()["data"]["state"] == "attention", "{message:?}");
    Ok(())
}
