//! The receipt of an erasure tells of every attempt, also of those before a replay.

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use standin::Answer;
use standin::platform::{EVENT, Platform, Reaction};

use crate::callbacks_desk::Desk;
use crate::durable::{RECEIPT_SECRET, operate, post, until};
use crate::world::{Handle, Person, World};

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("history: a receipt has every attempt, and is signed with them", attempts),
        world.trial("history: what a platform was told is tried again, and kept", callbacks),
    ]
}

/// Outcome and status of each former result.
fn results(of: &Value) -> Vec<(String, u64)> {
    let text = |one: &Value| one["outcome"].as_str().or(one["state"].as_str()).map(str::to_owned);
    let result =
        |one: &Value| (text(one).unwrap_or_default(), one["status"].as_u64().unwrap_or_default());
    of["history"].as_array().map(|all| all.iter().map(result).collect()).unwrap_or_default()
}

async fn attempts(world: Arc<World>) -> Result<()> {
    let (vendor, person) = (&world.accounts["kept"], Person::new("kept"));
    let answers = [Answer::status(503), Answer::status(400), Answer::html(200), Answer::Success];
    vendor.script(&person.email, answers);
    let reply = post(&world, "kept", &person).await?;
    ensure!(reply.status == 202 && !reply.text.contains("history"), "{reply:?}");
    let is = |outcome: &str| {
        let outcome = outcome.to_owned();
        move |receipt: &Value| receipt["deliveries"][0]["outcome"] == outcome
    };
    let receipt = until(&world, "kept", &person, is("rejected")).await?;
    let delivery = &receipt["deliveries"][0];
    ensure!(results(delivery) == [("scheduled".to_owned(), 503)], "{receipt}");
    let first = &delivery["history"][0];
    ensure!(first["at"].is_string() && first["detail"].is_string(), "{receipt}");
    let path = format!("/erasures/kept/{}", person.request_id);
    for outcome in ["uncertain", "accepted"] {
        let reply = operate(&world, "POST", &format!("{path}/replay")).await?;
        ensure!(reply.status == 202 && !reply.text.contains("history"), "{reply:?}");
        until(&world, "kept", &person, is(outcome)).await?;
    }
    let reply = operate(&world, "GET", &path).await?;
    let delivery = &reply.json()["deliveries"][0];
    let expected = [("scheduled", 503), ("rejected", 400), ("uncertain", 200)];
    ensure!(results(delivery) == expected.map(|(outcome, status)| (outcome.to_owned(), status)));
    ensure!(delivery["attempts"] == 4 && delivery["history"][0] == *first, "{reply:?}");
    let times = delivery["history"].as_array().into_iter().flatten().map(|one| &one["at"]);
    ensure!(times.map(|at| at.as_str()).is_sorted(), "{reply:?}");
    let webhook = standardwebhooks::Webhook::new(RECEIPT_SECRET)?;
    webhook.verify(reply.text.as_bytes(), &reply.headers)?;
    let altered = reply.text.replace(r#""status":503"#, r#""status":200"#);
    ensure!(webhook.verify(altered.as_bytes(), &reply.headers).is_err());
    let list = operate(&world, "GET", "/erasures?vendor=kept").await?;
    ensure!(list.text.contains(&person.request_id) && !list.text.contains("history"), "{list:?}");
    Ok(())
}

async fn callbacks(world: Arc<World>) -> Result<()> {
    let platform = Platform::start(EVENT, 204).await?;
    let callback = json!({
        "url": platform.url("/events"),
        "secret": "EVENT_SECRET",
        "retry": { "first_seconds": 1, "longest_seconds": 1 },
    });
    let secret = ("EVENT_SECRET", "whsec_ZXZlbnRzLW9mLWhpc3RvcnktYWxvbmUtMTIzNDU2");
    let desk = Desk::start(&world, platform, callback, &[secret]).await?;
    desk.platform.script([Reaction::Status(503), Reaction::Status(400), Reaction::Status(400)]);
    let person = Person::new("history-told");
    desk.post("desk", &person, true).await?;
    let receipt = desk.receipt("desk", &person, 1).await?;
    ensure!(receipt["callbacks"][0]["state"] == "failed", "{receipt}");
    // What failed is acknowledged with the erasure, and not replayed with the others then.
    let path = format!("/erasures/desk/{}", person.request_id);
    let reply = desk.operate(&format!("{path}/acknowledge"), r#"{"note":"told by mail"}"#).await?;
    ensure!(reply.status == 200 && reply.json()["state"] == "done", "{reply:?}");
    let receipt = desk.receipt("desk", &person, 1).await?;
    ensure!(receipt["callbacks"][0]["acknowledged"]["note"] == "told by mail", "{receipt}");
    let reply = desk.operate("/lanes/@desk/replay", "").await?;
    ensure!(reply.status == 202 && reply.json()["replayed"] == 0, "{reply:?}");
    // A replay of the erasure is told again, and fails again; then all that failed is.
    let reply = desk.operate(&format!("{path}/replay"), "").await?;
    ensure!(reply.status == 202, "{reply:?}");
    let receipt = desk.receipt("desk", &person, 1).await?;
    let callback = &receipt["callbacks"][0];
    ensure!(callback["state"] == "failed" && callback["acknowledged"].is_null(), "{receipt}");
    let reply = desk.operate("/lanes/@desk/replay", "").await?;
    ensure!(reply.status == 202 && reply.json()["replayed"] == 1, "{reply:?}");
    let receipt = desk.receipt("desk", &person, 1).await?;
    let callback = &receipt["callbacks"][0];
    ensure!(callback["state"] == "delivered" && callback["attempts"] == 4, "{receipt}");
    let expected = [("scheduled", 503), ("failed", 400), ("failed", 400)];
    let expected = expected.map(|(state, status)| (state.to_owned(), status));
    ensure!(results(callback) == expected, "{receipt}");
    Ok(())
}
