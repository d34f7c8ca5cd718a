//! What the Worker tells its operator: which deliveries wait, and what became of an erasure.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::time::sleep;

use crate::demo::ADMIN_TOKEN;
use crate::webhook::{Reply, send};
use crate::workerd::Workerd;

/// Between two looks at the lanes.
const PAUSE: Duration = Duration::from_millis(200);

/// How many pages a list may have.
const MOST_PAGES: usize = 10_000;

/// How many deliveries of all lanes have no final outcome yet.
///
/// # Errors
/// Where the Worker does not say.
pub async fn waiting(worker: &Workerd) -> Result<u64> {
    let reply = ask(worker, "/lanes").await?;
    let json = reply.json();
    let lanes = json["lanes"].as_array().with_context(|| format!("no lanes: {reply:?}"))?;
    let each = lanes.iter().map(|lane| lane["waiting"].as_u64());
    each.sum::<Option<u64>>().with_context(|| format!("a lane does not say what waits: {reply:?}"))
}

/// Waits until no delivery waits any more.
///
/// # Errors
/// Where some still wait after `limit`.
pub async fn drained(worker: &Workerd, limit: Duration) -> Result<()> {
    let started = Instant::now();
    loop {
        let waiting = waiting(worker).await?;
        if waiting == 0 {
            return Ok(());
        }
        if started.elapsed() > limit {
            bail!("{waiting} deliveries still wait after {} s", limit.as_secs());
        }
        sleep(PAUSE).await;
    }
}

/// The receipt of an erasure, `None` where the Worker does not know it.
///
/// # Errors
/// Where the Worker does not say.
pub async fn receipt(worker: &Workerd, source: &str, request_id: &str) -> Result<Option<Value>> {
    let reply = ask(worker, &format!("/erasures/{source}/{request_id}")).await?;
    match reply.status.as_u16() {
        200 => Ok(Some(reply.json())),
        404 => Ok(None),
        _ => bail!("no receipt: {reply:?}"),
    }
}

/// Replays an erasure.
///
/// # Errors
/// Where the Worker does not.
pub async fn replay(worker: &Workerd, source: &str, request_id: &str) -> Result<()> {
    let url = worker.url(&format!("/erasures/{source}/{request_id}/replay"));
    let reply = send("POST", &url, &authorization(), "").await?;
    ensure!(reply.status == 202, "not replayed: {reply:?}");
    Ok(())
}

/// The ids of all erasures that the Worker lists for `query` (`vendor=NAME`, say), page by page; in
/// its order, newest first.
///
/// # Errors
/// Where the Worker does not say, or its pages do not come to an end.
pub async fn listed(worker: &Workerd, query: &str) -> Result<Vec<String>> {
    let (mut ids, mut before) = (Vec::new(), String::new());
    for _ in 0..MOST_PAGES {
        let reply = ask(worker, &format!("/erasures?limit=200&before={before}&{query}")).await?;
        let json = reply.json();
        let page = json["erasures"].as_array().with_context(|| format!("no list: {reply:?}"))?;
        ids.extend(page.iter().filter_map(|one| one["request_id"].as_str().map(str::to_owned)));
        match json["next"].as_str() {
            Some(next) => next.clone_into(&mut before),
            None => return Ok(ids),
        }
    }
    bail!("a list of more than {MOST_PAGES} pages");
}

/// Asks one of the operator's routes.
///
/// # Errors
/// Where no answer comes, or the Worker does not take the token.
pub async fn ask(worker: &Workerd, path: &str) -> Result<Reply> {
    let reply = send("GET", &worker.url(path), &authorization(), "").await?;
    ensure!(reply.status != 401, "the Worker does not take the admin token: {reply:?}");
    Ok(reply)
}

fn authorization() -> [(String, String); 1] {
    [("authorization".to_owned(), format!("Bearer {ADMIN_TOKEN}"))]
}
