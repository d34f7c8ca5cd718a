//! What Osano is told: the status of an action item, or a note.

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use serde_json::json;
use standin::platform::{OSANO, OSANO_KEY, Platform, Reaction};

use crate::callbacks_desk::{Desk, Words, cases};
use crate::world::{Handle, Person, World};

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("callbacks: Osano's action item has the status of each end", words),
        world.trial("callbacks: an action item that was completed there is left alone", conflict),
    ]
}

async fn desk(world: &World) -> Result<Desk> {
    let platform = Platform::start(OSANO, 200).await?;
    let callback = json!({
        "kind": "osano",
        "base_url": platform.url(""),
        "secret": "OSANO_API_KEY",
        "action_item_id": "/item",
        "retry": { "first_seconds": 1, "longest_seconds": 1 },
    });
    Desk::start(world, platform, callback, &[("OSANO_API_KEY", OSANO_KEY)]).await
}

async fn words(world: Arc<World>) -> Result<()> {
    let desk = desk(&world).await?;
    let words = Words {
        done: &["COMPLETED true"],
        absent: &["COMPLETED false"],
        later: &["COMPLETED true"],
        attention: &["note"],
        nobody: &["note"],
        kept: &["note"],
        blocked: &["IN_PROGRESS"],
        failed: ("failed", "note"),
        not_erased: ("failed", "note"),
        completed: ("completed", "COMPLETED true"),
        not_found: ("not_found", "COMPLETED false"),
    };
    for case in cases(&words) {
        desk.play(case, |message| {
            let body = message.json();
            let status = body["status"].as_str().unwrap_or("note");
            body["resultsFound"]
                .as_bool()
                .map_or(status.to_owned(), |found| format!("{status} {found}"))
        })
        .await?;
    }
    Ok(())
}

async fn conflict(world: Arc<World>) -> Result<()> {
    let desk = desk(&world).await?;
    let person = Person::new("desk-409");
    desk.platform.script([Reaction::Status(409)]);
    desk.post("desk", &person, true).await?;
    let receipt = desk.receipt("desk", &person, 1).await?;
    ensure!(receipt["callbacks"][0]["state"] == "closed_there", "{receipt}");
    ensure!(receipt["state"] == "done" && desk.about(&person).len() == 1, "{receipt}");
    Ok(())
}
