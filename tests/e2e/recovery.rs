//! A Wasm instance that breaks down: what was in flight fails, and all that comes later is served.

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use serde_json::json;
use xtask::demo::SECRET;
use xtask::webhook::{Reply, send};
use xtask::workerd::Workerd;

use crate::namespace::behind;
use crate::world::{Handle, Person, World};

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![world.trial("a broken Wasm instance is replaced, lanes and all", broken)]
}

/// The bundle behind a script that lets the runtime's clock throw once: the import does not expect
/// that, so the exception ends the instance, as a trap does.
const BREAKABLE: &str = r#"
import { WorkerEntrypoint } from "cloudflare:workers";
import Relay from "./relay.js";
export { Lane } from "./relay.js";
const Clock = Date;
export default class extends WorkerEntrypoint {
  fetch(request) {
    if (!request.url.endsWith("/break")) return new Relay(this.ctx, this.env).fetch(request);
    globalThis.Date = class {
      constructor() {
        globalThis.Date = Clock;
        throw new Error("the clock is broken");
      }
    };
    return new Response();
  }
}
"#;

async fn broken(world: Arc<World>) -> Result<()> {
    let bundle = behind(&world, "breakable", BREAKABLE)?;
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
