//! A Wasm instance that breaks down: what was in flight fails, and all that comes later is served.

use std::fs;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use serde_json::json;
use xtask::bundle::Bundle;
use xtask::demo::SECRET;
use xtask::webhook::{Reply, send};
use xtask::workerd::Workerd;

use crate::world::{Handle, Person, World};

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![world.trial("a broken Wasm instance is replaced, lanes and all", broken)]
}

/// The bundle behind a script that lets the runtime's clock throw once: no import may throw, so the
/// exception ends the instance, as a trap does.
const BREAKABLE: &str = r#"
import relay from "./relay.js";
export { Lane } from "./relay.js";
const now = Date.now;
export default {
  ...relay,
  fetch(request, env, context) {
    if (!request.url.endsWith("/break")) return relay.fetch(request, env, context);
    Date.now = () => {
      Date.now = now;
      throw new Error("the clock is broken");
    };
    return new Response();
  },
};
"#;

async fn broken(world: Arc<World>) -> Result<()> {
    let dir = xtask::root().join("target/breakable");
    fs::create_dir_all(&dir).context("cannot make a folder")?;
    fs::copy(world.bundle.dir.join("index.js"), dir.join("relay.js"))?;
    fs::copy(world.bundle.dir.join("index_bg.wasm"), dir.join("index_bg.wasm"))?;
    fs::write(dir.join("index.js"), BREAKABLE)?;
    let bundle = Bundle { dir, ..world.bundle };
    let deployment = world.vendors.deployment()?;
    let worker = Workerd::start(&world.toolchain, &bundle, &deployment).await?;
    let before = post(&worker, "before-the-break").await?;
    ensure!(before.status == 200, "{before:?}");
    send("GET", &worker.url("/break"), &[], "").await?;
    let during = post(&worker, "in-the-break").await?;
    ensure!(during.status == 500, "{during:?}");
    for person in ["in-the-break", "after-the-break"] {
        let after = post(&worker, person).await?;
        ensure!(after.status == 200, "{after:?}");
    }
    // It is known still what was there before.
    let repeated = post(&worker, "before-the-break").await?;
    ensure!(repeated.json()["deliveries"] == before.json()["deliveries"], "{repeated:?}");
    worker.stop().await?;
    Ok(())
}

/// Sends a webhook for the vendor whose pace lets all of these calls go at once.
async fn post(worker: &Workerd, person: &str) -> Result<Reply> {
    let person = Person::new(person);
    let webhook = person.asks(&json!({ "email": person.email }));
    let headers = webhook.headers(SECRET)?;
    send("POST", &worker.url("/webhooks/consent"), &headers, webhook.body).await
}
