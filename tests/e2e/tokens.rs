//! The life of Instacart's minted tokens: one for an account, kept while it is good.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use serde_json::json;
use standin::{Answer, StandIn};
use xtask::webhook::Reply;

use crate::world::{CLIENT, Handle, Person, World, outcome_at};

/// One account for each test, each with a vendor of its own.
pub const ACCOUNTS: [&str; 9] = [
    "oauth-reuse",
    "oauth-burst",
    "oauth-expiry",
    "oauth-revoked",
    "oauth-refused-token",
    "oauth-rotation",
    "oauth-refused",
    "oauth-throttled",
    "oauth-broken",
];

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("a token is minted once and used again", reuse),
        world.trial("fifty webhooks at once mint one token", burst),
        world.trial("a token is not used beyond its life", expiry),
        world.trial("a revoked token is minted anew, within the same webhook", revoked),
        world.trial("a new token that is refused as well blocks", refused_token),
        world.trial("the second client steps in for a refused one", rotation),
        world.trial("two refused clients block", refused_clients),
        world.trial("a throttled or silent token endpoint is tried again", throttled),
        world.trial("a token endpoint that gives none blocks", broken),
    ]
}

fn vendor<'a>(world: &'a World, account: &str) -> &'a StandIn {
    &world.accounts[account]
}

/// Sends one webhook of `person` to `account`.
async fn post(world: &World, account: &str, person: &Person) -> Result<Reply> {
    let webhook = person.asks(&json!({ "user_id": person.user_id }));
    world.post_to(account, &webhook).await
}

async fn accepted(world: &World, account: &str, test: &str) -> Result<()> {
    let reply = post(world, account, &Person::new(test)).await?;
    ensure!(reply.status == 200 && outcome_at(&reply, account) == "accepted", "{reply:?}");
    Ok(())
}

async fn reuse(world: Arc<World>) -> Result<()> {
    for number in 0..3 {
        accepted(&world, "oauth-reuse", &format!("reuse-{number}")).await?;
    }
    ensure!(vendor(&world, "oauth-reuse").tokens_issued() == 1);
    Ok(())
}

async fn burst(world: Arc<World>) -> Result<()> {
    let mut running = Vec::new();
    for number in 0..50 {
        let world = world.clone();
        running.push(tokio::spawn(async move {
            accepted(&world, "oauth-burst", &format!("burst-{number}")).await
        }));
    }
    for one in running {
        one.await??;
    }
    let issued = vendor(&world, "oauth-burst").tokens_issued();
    ensure!(issued == 1, "{issued} tokens");
    Ok(())
}

async fn expiry(world: Arc<World>) -> Result<()> {
    let vendor = vendor(&world, "oauth-expiry");
    vendor.set_token_lifetime(5); // half a second is kept back
    let (started, mut webhooks) = (Instant::now(), 0);
    // The vendor refuses an expired token, and a second attempt would show that one was used.
    while vendor.tokens_issued() < 2 {
        ensure!(started.elapsed() < Duration::from_secs(60), "no token was minted anew");
        let person = Person::new(&format!("expiry-{webhooks}"));
        let reply = post(&world, "oauth-expiry", &person).await?;
        ensure!(reply.json()["deliveries"][0]["attempts"] == 1, "{reply:?}");
        ensure!(outcome_at(&reply, "oauth-expiry") == "accepted", "{reply:?}");
        webhooks += 1;
    }
    ensure!(webhooks > 3, "a token was not used again");
    Ok(())
}

async fn revoked(world: Arc<World>) -> Result<()> {
    let vendor = vendor(&world, "oauth-revoked");
    accepted(&world, "oauth-revoked", "revoked-1").await?;
    vendor.revoke_tokens();
    let reply = post(&world, "oauth-revoked", &Person::new("revoked-2")).await?;
    ensure!(outcome_at(&reply, "oauth-revoked") == "accepted", "{reply:?}");
    ensure!(reply.json()["deliveries"][0]["attempts"] == 2, "{reply:?}");
    ensure!(vendor.tokens_issued() == 2);
    Ok(())
}

async fn refused_token(world: Arc<World>) -> Result<()> {
    let (vendor, person) = (vendor(&world, "oauth-refused-token"), Person::new("refused-token"));
    vendor.script(&person.user_id, [Answer::status(401)]);
    let reply = post(&world, "oauth-refused-token", &person).await?;
    ensure!(reply.status == 503, "{reply:?}");
    ensure!(outcome_at(&reply, "oauth-refused-token") == "blocked", "{reply:?}");
    ensure!(vendor.tokens_issued() == 2 && vendor.requests_for(&person.user_id).len() == 2);
    Ok(())
}

async fn rotation(world: Arc<World>) -> Result<()> {
    let vendor = vendor(&world, "oauth-rotation");
    vendor.disable_client(CLIENT.0);
    accepted(&world, "oauth-rotation", "rotation-1").await?;
    accepted(&world, "oauth-rotation", "rotation-2").await?;
    ensure!(vendor.tokens_issued() == 1);
    Ok(())
}

async fn refused_clients(world: Arc<World>) -> Result<()> {
    let (vendor, person) = (vendor(&world, "oauth-refused"), Person::new("refused-clients"));
    for client in [CLIENT.0, crate::world::SECOND_CLIENT.0] {
        vendor.disable_client(client);
    }
    let reply = post(&world, "oauth-refused", &person).await?;
    ensure!(reply.status == 503, "{reply:?}");
    let delivery = &reply.json()["deliveries"][0];
    ensure!(delivery["outcome"] == "blocked" && delivery["attempts"] == 0, "{reply:?}");
    ensure!(delivery["detail"] == "no token: the client was refused", "{reply:?}");
    ensure!(vendor.requests_for(&person.user_id).is_empty());
    Ok(())
}

async fn throttled(world: Arc<World>) -> Result<()> {
    let vendor = vendor(&world, "oauth-throttled");
    let throttled = Answer::status(429).with_header("retry-after", "9");
    for (answer, pause) in [(throttled, "9"), (Answer::Hang, "60"), (Answer::Reset, "60")] {
        vendor.script_token_requests([answer]);
        let reply = post(&world, "oauth-throttled", &Person::new("throttled")).await?;
        ensure!(reply.status == 503 && reply.header("retry-after") == pause, "{reply:?}");
        ensure!(outcome_at(&reply, "oauth-throttled") == "scheduled", "{reply:?}");
    }
    vendor.script_token_requests([]);
    accepted(&world, "oauth-throttled", "throttled").await
}

async fn broken(world: Arc<World>) -> Result<()> {
    let vendor = vendor(&world, "oauth-broken");
    for answer in [
        Answer::html(200),
        Answer::json(200, r#"{"access_token":"","expires_in":10}"#),
        Answer::status(404),
        Answer::status(302).with_header("location", "/elsewhere"),
    ] {
        vendor.script_token_requests([answer]);
        let reply = post(&world, "oauth-broken", &Person::new("broken")).await?;
        ensure!(reply.status == 503, "{reply:?}");
        ensure!(outcome_at(&reply, "oauth-broken") == "blocked", "{reply:?}");
    }
    Ok(())
}
