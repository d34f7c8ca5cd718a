//! A Wasm instance that breaks down: what was in flight fails, and all that comes later is served.

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use serde_json::json;
use xtask::demo::SECRET;
use xtask::webhook::{Reply, send};
use xtask::workerd::Workerd;

use crate::durable::{ADMIN_TOKEN, authorized};
use crate::namespace::behind;
use crate::world::{Handle, Person, World};

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![world.trial("a broken Wasm instance is replaced, lanes and all", broken)]
}

/// The bundle behind a script whose requests can be made to throw when their headers are read: that
/// import does not expect an exception, so it ends the instance, as a trap does. It is bound to one
/// request, so that no timer of a lane can meet it first.
const BREAKABLE: &str = r#"
import { WorkerEntrypoint } from "cloudflare:workers";
import Relay from "./relay.js";
export { Lane } from "./relay.js";
export default class extends WorkerEntrypoint {
  fetch(request) {
    if (request.headers.has("break")) {
      Object.defineProperty(request, "headers", {
        get() {
          throw new Error("the headers are broken");
        },
      });
    }
    return new Relay(this.ctx, this.env).fetch(request);
  }
}
"#;

async fn broken(world: Arc<World>) -> Result<()> {
    let bundle = behind(&world, "breakable", BREAKABLE)?;
    let deployment = world.vendors.deployment()?.secret("ADMIN_TOKEN", ADMIN_TOKEN);
    let worker = Workerd::start(&world.toolchain, &bundle, &deployment).await?;
    let before = post(&worker, "before-the-break", &[]).await?;
    ensure!(before.status == 200, "{before:?}");
    // Whoever reads a receipt has the lane record what it has answered. A break before that repeats
    // the call, as it may.
    let path = format!("/erasures/consent/{}", Person::new("before-the-break").request_id);
    send("GET", &worker.url(&path), &authorized(), "").await?;
    let during = post(&worker, "in-the-break", &[("break", "now")]).await?;
    ensure!(during.status == 500, "{during:?}");
    for person in ["in-the-break", "after-the-break"] {
        let after = post(&worker, person, &[]).await?;
        ensure!(after.status == 200, "{after:?}");
    }
    // What was there before is still known.
    let repeated = post(&worker, "before-the-break", &[]).await?;
    ensure!(repeated.json()["deliveries"] == before.json()["deliveries"], "{repeated:?}");
    worker.stop().await?;
    Ok(())
}

/// Sends a webhook for the vendor whose pace lets all of these calls go at once.
async fn post(worker: &Workerd, person: &str, further: &[(&str, &str)]) -> Result<Reply> {
    let person = Person::new(person);
    let webhook = person.asks(&json!({ "email": person.email }));
    let mut headers = webhook.headers(SECRET)?;
    headers.extend(further.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    send("POST", &worker.url("/webhooks/consent"), &headers, webhook.body).await
}
