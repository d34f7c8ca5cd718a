//! What is on disk: it outlives a crash, names nobody, and is not touched by a Worker that does not
//! know it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use rusqlite::Connection;
use serde_json::{Value, json};
use standin::Answer;
use tokio::time::{sleep, timeout};
use xtask::demo::{SECRET, Vendors};
use xtask::webhook::{Reply, send};
use xtask::workerd::{Deployment, Storage, Workerd};

use crate::durable::{ADMIN_TOKEN, authorized};
use crate::world::{Handle, Person, World};

pub fn trials(world: &Handle) -> Vec<Trial> {
    vec![
        world.trial("storage: what waits survives a crash, and names nobody", crash),
        world.trial("storage: that of a later version is left as it is", later_version),
    ]
}

fn deployment(vendors: &Vendors) -> Result<Deployment> {
    let mut deployment = vendors.deployment()?.secret("ADMIN_TOKEN", ADMIN_TOKEN);
    for vendor in ["instacart", "insider"] {
        let retry = json!({ "first_seconds": 1, "longest_seconds": 1 });
        deployment.vars["VENDORS"][vendor]["retry"] = retry;
    }
    Ok(deployment)
}

pub async fn post(worker: &Workerd, person: &Person) -> Result<Reply> {
    let webhook = person.webhook();
    let headers = webhook.headers(SECRET)?;
    send("POST", &worker.url("/webhooks/consent"), &headers, webhook.body).await
}

/// The receipt, once it is in `state`.
pub async fn until(worker: &Workerd, person: &Person, state: &str) -> Result<Value> {
    let url = worker.url(&format!("/erasures/consent/{}", person.request_id));
    let waiting = async {
        loop {
            let reply = send("GET", &url, &authorized(), "").await?;
            ensure!(reply.status == 200, "{reply:?}");
            if reply.json()["state"] == state {
                return Ok(reply.json());
            }
            sleep(Duration::from_millis(30)).await;
        }
    };
    timeout(Duration::from_secs(60), waiting).await.with_context(|| {
        format!("{} did not come to {state}: {}", person.request_id, worker.log())
    })?
}

/// Whether any file holds `text`.
fn holds(storage: &Storage, text: &str) -> Result<bool> {
    for file in storage.files()? {
        let bytes = std::fs::read(file)?;
        if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn crash(world: Arc<World>) -> Result<()> {
    let (vendors, storage) = (Vendors::start().await?, Storage::fresh()?);
    let deployment = deployment(&vendors)?;
    let start = || Workerd::start_on(&world.toolchain, &world.bundle, &deployment, &storage);
    let person = Person::new("crash");
    vendors.insider.script(&person.email, [Answer::status(503)]);
    let names_nobody = || -> Result<()> {
        ensure!(holds(&storage, &person.request_id)?, "nothing is stored");
        for secret in [&person.email, &person.user_id] {
            ensure!(!holds(&storage, secret)?, "an identifier is on disk");
        }
        Ok(())
    };

    let worker = start().await?;
    let reply = post(&worker, &person).await?;
    ensure!(reply.status == 202 && reply.json()["state"] == "pending", "{reply:?}");
    // Whoever asks a lane is told what it has recorded: the call that went well is not made again.
    until(&worker, &person, "pending").await?;
    worker.kill().await?;
    names_nobody()?;

    vendors.insider.script(&person.email, [Answer::Success]);
    let worker = start().await?;
    let receipt = until(&worker, &person, "done").await?;
    ensure!(vendors.instacart.requests_for(&person.user_id).len() == 1, "{receipt}");
    worker.stop().await?;
    names_nobody()
}

/// The lanes' databases.
pub fn databases(storage: &Storage) -> Result<Vec<PathBuf>> {
    let is_lane = |file: &PathBuf| {
        let database = file.extension().is_some_and(|extension| extension == "sqlite");
        database
            && Connection::open(file).is_ok_and(|database| {
                database.query_row("SELECT account FROM lane", [], |_| Ok(())).is_ok()
            })
    };
    Ok(storage.files()?.into_iter().filter(is_lane).collect())
}

/// Everything that a lane has stored.
fn content(database: &PathBuf) -> Result<Vec<String>> {
    let database = Connection::open(database)?;
    let mut all = Vec::new();
    for table in ["schema", "lane", "flow", "delivery"] {
        let mut statement = database.prepare(&format!("SELECT * FROM {table}"))?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let values = (0..columns).map(|at| row.get::<_, rusqlite::types::Value>(at));
            let values = values.collect::<Result<Vec<_>, _>>()?;
            all.push(format!("{table} {values:?}"));
        }
    }
    Ok(all)
}

async fn later_version(world: Arc<World>) -> Result<()> {
    let (vendors, storage) = (Vendors::start().await?, Storage::fresh()?);
    let deployment = deployment(&vendors)?;
    let start = || Workerd::start_on(&world.toolchain, &world.bundle, &deployment, &storage);
    let person = Person::new("later-version");
    let worker = start().await?;
    ensure!(post(&worker, &person).await?.status == 200);
    until(&worker, &person, "done").await?;
    worker.stop().await?;

    let lanes = databases(&storage)?;
    ensure!(lanes.len() == 2, "{} lanes", lanes.len());
    for lane in &lanes {
        Connection::open(lane)?.execute("UPDATE schema SET version = 99", [])?;
    }
    let before = lanes.iter().map(content).collect::<Result<Vec<_>>>()?;
    let worker = start().await?;
    let reply = post(&worker, &Person::new("later-version-2")).await?;
    ensure!(reply.status == 503 && reply.json()["type"] == "not-stored", "{reply:?}");
    ensure!(!reply.header("retry-after").is_empty(), "{reply:?}");
    worker.logged("of a later version, and is left as it is").await?;
    worker.stop().await?;
    let after = lanes.iter().map(content).collect::<Result<Vec<_>>>()?;
    ensure!(before == after, "the storage was changed");
    Ok(())
}
