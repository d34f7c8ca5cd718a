//! `GET /openapi.json`: the description is there for everybody, whatever the deployment is.

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use xtask::demo::Vendors;
use xtask::webhook::send;
use xtask::workerd::Workerd;

use crate::world::{Handle, World};

const PATH: &str = "/openapi.json";

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("openapi: the document is served to everybody", served),
        world.trial("openapi: the document needs no configuration", unconfigured),
    ]
}

pub fn direct_trials(world: &Handle) -> Vec<Trial> {
    vec![world.trial("openapi: direct delivery serves the same document", served)]
}

async fn served(world: Arc<World>) -> Result<()> {
    let reply = world.request("GET", PATH, &[], Vec::new()).await?;
    ensure!(reply.status == 200 && reply.text == erasure_relay::openapi::document());
    ensure!(reply.header("content-type") == "application/json");
    ensure!(reply.header("access-control-allow-origin") == "*");
    let head = world.request("HEAD", PATH, &[], Vec::new()).await?;
    ensure!(head.status == 200 && head.text.is_empty());
    let other = world.request("POST", PATH, &[], Vec::new()).await?;
    ensure!(other.status == 405 && other.header("allow") == "GET, HEAD", "{other:?}");
    Ok(())
}

async fn unconfigured(world: Arc<World>) -> Result<()> {
    let mut deployment = Vendors::start().await?.deployment()?;
    deployment.secrets.clear();
    let worker = Workerd::start(&world.toolchain, &world.bundle, &deployment).await?;
    let health = send("GET", &worker.url("/healthz"), &[], "").await?;
    ensure!(health.status == 503, "{health:?}");
    let reply = send("GET", &worker.url(PATH), &[], "").await?;
    ensure!(reply.status == 200 && reply.text == erasure_relay::openapi::document());
    worker.stop().await?;
    Ok(())
}
