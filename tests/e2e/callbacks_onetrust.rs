//! What OneTrust is told: the status of a subtask.

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use serde_json::json;
use standin::platform::{
    ONETRUST, ONETRUST_CLIENT, ONETRUST_TOKEN, Platform, Reaction, onetrust_body,
};

use crate::callbacks_desk::{Desk, SOURCES, Words, cases};
use crate::world::{Handle, Person, World};

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("callbacks: OneTrust's subtask has the status of each end", words),
        world.trial("callbacks: every shard of an account tells the platform", shards),
        world.trial("callbacks: a token that OneTrust rejects is minted anew", token),
    ]
}

/// The resolution of the tenant for a person who is not found.
const RESOLUTION: &str = "0d6fbb0e-5a8c-4c4c-9d55-7a3f5f1f8b11";

async fn desk(world: &World) -> Result<Desk> {
    let platform = Platform::start_with(ONETRUST, 200, onetrust_body).await?;
    let callback = json!({
        "kind": "onetrust",
        "base_url": platform.url(""),
        "auth": { "client_id": "CLIENT_ID", "client_secret": "CLIENT_SECRET" },
        "subtask_id": "/task",
        "resolutions": { "not_found": RESOLUTION },
        "retry": { "first_seconds": 1, "longest_seconds": 1 },
    });
    let (id, secret) = ONETRUST_CLIENT;
    let secrets = [("CLIENT_ID", id), ("CLIENT_SECRET", secret)];
    Desk::start(world, platform, callback, &secrets).await
}

async fn words(world: Arc<World>) -> Result<()> {
    let desk = desk(&world).await?;
    let words = Words {
        done: &["COMPLETED"],
        absent: &["COMPLETED resolved"],
        later: &["COMPLETED"],
        attention: &["IN_PROGRESS"],
        nobody: &["FAILED"],
        kept: &["IN_PROGRESS"],
        blocked: &["IN_PROGRESS"],
        failed: ("failed", "FAILED"),
        not_erased: ("failed", "REJECTED"),
        completed: ("completed", "COMPLETED"),
        not_found: ("not_found", "COMPLETED resolved"),
    };
    for case in cases(&words) {
        desk.play(case, |message| {
            let body = message.json();
            let resolved = if body["resolutionId"] == RESOLUTION { " resolved" } else { "" };
            format!("{}{resolved}", body["status"].as_str().unwrap_or_default())
        })
        .await?;
    }
    let tokens = desk.platform.messages().into_iter().filter(|one| one.target == ONETRUST_TOKEN);
    // One of the sources is not asked here.
    ensure!(tokens.count() == SOURCES.len() - 1, "one token for each source");
    Ok(())
}

async fn token(world: Arc<World>) -> Result<()> {
    let desk = desk(&world).await?;
    let (one, other) = (Person::new("desk-token-1"), Person::new("desk-token-2"));
    desk.post("desk", &one, true).await?;
    desk.receipt("desk", &one, 1).await?;
    desk.platform.script([Reaction::Status(401)]);
    desk.post("desk", &other, true).await?;
    let receipt = desk.receipt("desk", &other, 1).await?;
    ensure!(receipt["callbacks"][0]["state"] == "delivered", "{receipt}");
    let messages = desk.platform.messages();
    let tokens = messages.iter().filter(|message| message.target == ONETRUST_TOKEN).count();
    ensure!(tokens == 2 && desk.about(&other).len() == 2, "{messages:?}");
    Ok(())
}

/// The erasures of one account are in several lanes.
async fn shards(world: Arc<World>) -> Result<()> {
    let desk = desk(&world).await?;
    for number in 0..6 {
        let person = Person::new(&format!("desk-shard-{number}"));
        desk.post("desk-sharded", &person, true).await?;
        let receipt = desk.receipt("desk-sharded", &person, 1).await?;
        ensure!(receipt["callbacks"][0]["word"] == "COMPLETED", "{receipt}");
    }
    Ok(())
}
