//! What the Worker does with the namespace of its lanes: the runtime's, behind one that plays what the
//! local runtime does not have.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use serde_json::json;
use xtask::bundle::Bundle;
use xtask::demo::Vendors;
use xtask::webhook::send;
use xtask::workerd::Workerd;

use crate::storage::post;
use crate::world::{Handle, Person, World};

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("namespace: lanes are in their account's jurisdiction", jurisdiction),
        world.trial("namespace: a lane that hangs is given up", hanging),
    ]
}

/// The bundle behind `script`, which imports it as `./relay.js`.
pub fn behind(world: &World, name: &str, script: &str) -> Result<Bundle> {
    let dir = xtask::root().join("target").join(name);
    fs::create_dir_all(&dir).context("cannot make a folder")?;
    fs::copy(world.bundle.dir.join("index.js"), dir.join("relay.js"))?;
    fs::copy(world.bundle.dir.join("index_bg.wasm"), dir.join("index_bg.wasm"))?;
    fs::write(dir.join("index.js"), script)?;
    Ok(Bundle { dir, ..world.bundle })
}

/// Locally there are no jurisdictions: this one notes which was asked for.
const RECORDING: &str = r#"
import { WorkerEntrypoint } from "cloudflare:workers";
import Relay from "./relay.js";
export { Lane } from "./relay.js";
const asked = [];
class DurableObjectNamespace {
  constructor(lanes, within) {
    this.lanes = lanes;
    this.within = within;
  }
  jurisdiction(name) {
    return new DurableObjectNamespace(this.lanes, name);
  }
  getByName(name) {
    asked.push(`${name} in ${this.within}`);
    return this.lanes.getByName(name);
  }
}
export default class extends WorkerEntrypoint {
  fetch(request) {
    if (request.url.endsWith("/asked")) return Response.json(asked);
    const LANES = new DurableObjectNamespace(this.env.LANES, "any");
    return new Relay(this.ctx, { ...this.env, LANES }).fetch(request);
  }
}
"#;

async fn jurisdiction(world: Arc<World>) -> Result<()> {
    let bundle = behind(&world, "recording", RECORDING)?;
    let vendors = Vendors::start().await?;
    let mut deployment = vendors.deployment()?;
    deployment.vars["VENDORS"]["insider"]["jurisdiction"] = json!("eu");
    let worker = Workerd::start(&world.toolchain, &bundle, &deployment).await?;
    let reply = post(&worker, &Person::new("jurisdiction")).await?;
    ensure!(reply.status == 200, "{reply:?}");
    let asked = send("GET", &worker.url("/asked"), &[], "").await?.json();
    ensure!(asked == json!(["instacart in any", "insider in eu", ".directory in any"]), "{asked}");
    worker.stop().await?;
    Ok(())
}

/// A namespace whose objects never answer.
const HANGING: &str = r#"
import { WorkerEntrypoint } from "cloudflare:workers";
import Relay from "./relay.js";
export { Lane } from "./relay.js";
class DurableObjectNamespace {
  getByName() {
    return { fetch: () => new Promise(() => {}) };
  }
}
export default class extends WorkerEntrypoint {
  fetch(request) {
    const LANES = new DurableObjectNamespace();
    return new Relay(this.ctx, { ...this.env, LANES }).fetch(request);
  }
}
"#;

async fn hanging(world: Arc<World>) -> Result<()> {
    let bundle = behind(&world, "hanging", HANGING)?;
    let vendors = Vendors::start().await?;
    let worker = Workerd::start(&world.toolchain, &bundle, &vendors.deployment()?).await?;
    let sent = Instant::now();
    let reply = post(&worker, &Person::new("hanging")).await?;
    ensure!(reply.status == 503 && reply.json()["type"] == "not-stored", "{reply:?}");
    ensure!(sent.elapsed() > Duration::from_secs(5), "it was not waited for");
    worker.stop().await?;
    Ok(())
}
