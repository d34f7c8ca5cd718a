//! `cargo xtask capacity`: what one lane stores, sends and shows, and in what time.
//!
//! Three runs on one storage. First everything may go at once, then nothing may, so that all of it
//! waits, and last the lane's alarm sends what waits.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};

use crate::bundle::{self, Bundle};
use crate::demo::{ADMIN_TOKEN, Vendors};
use crate::measure::operator;
use crate::measure::platform;
use crate::measure::statistics::{millis, percentile};
use crate::measure::{Report, at_least_one};
use crate::toolchain::Toolchain;
use crate::webhook::Webhook;
use crate::workerd::{Deployment, Storage, Workerd};

/// No limit that could be felt.
const FREE: (u32, u32) = (1_000_000, 1);
/// Next to nothing may go.
const SHUT: (u32, u32) = (1, 3600);

/// How often each of the operator's routes is asked.
const QUESTIONS: usize = 20;

/// How long a lane may take for what waits.
const LIMIT: Duration = Duration::from_secs(600);

/// How much is sent.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Options {
    /// Deliveries in each of the runs
    #[arg(long, default_value_t = 5000, value_parser = at_least_one())]
    pub deliveries: usize,
}

/// Measures.
///
/// # Errors
/// Where a webhook was not acknowledged, or what waited was not sent.
pub fn run(toolchain: &Toolchain, options: Options) -> Result<()> {
    let bundle = bundle::build(toolchain)?;
    let report = tokio::runtime::Runtime::new()?.block_on(measure(toolchain, &bundle, options))?;
    report.finish()
}

async fn measure(toolchain: &Toolchain, bundle: &Bundle, options: Options) -> Result<Report> {
    let (vendors, storage) = (Vendors::start().await?, Storage::fresh()?);
    let mut report = Report::new("capacity");
    let count = options.deliveries;
    report.figure("deliveries", "deliveries in each run", count);

    let worker = start(toolchain, bundle, &vendors, FREE, &storage).await?;
    let inline = send_all(&worker, "inline", count).await?;
    operator::drained(&worker, LIMIT).await?;
    worker.stop().await?;
    report.figure("inline_per_s", "stored, sent and settled at once (1/s)", rate(count, inline));

    let worker = start(toolchain, bundle, &vendors, SHUT, &storage).await?;
    let stored = send_all(&worker, "stored", count).await?;
    report.figure("stored_per_s", "stored to wait (1/s)", rate(count, stored));
    for (key, label, path) in [
        ("lanes_p50_ms", "GET /lanes meanwhile, p50 (ms)", "/lanes"),
        ("list_p50_ms", "GET /erasures meanwhile, p50 (ms)", "/erasures"),
        ("pending_p50_ms", "GET /erasures?state=pending, p50 (ms)", "/erasures?state=pending"),
    ] {
        report.figure(key, label, millis(ask(&worker, path).await?));
    }
    worker.stop().await?;

    let worker = start(toolchain, bundle, &vendors, FREE, &storage).await?;
    let started = Instant::now();
    operator::drained(&worker, LIMIT).await?;
    let drained = rate(count, started.elapsed());
    report.figure("drained_per_s", "sent and settled by the alarm (1/s)", drained);
    worker.stop().await?;
    let bytes = size(&storage)? / (2 * count);
    report.figure("bytes", "on disk for a delivery, the log included (bytes)", bytes);
    ensure!(vendors.insider.mismatches().is_empty(), "vendor requests were not as documented");
    Ok(report)
}

/// A Worker that asks Insider alone, at this pace.
async fn start(
    toolchain: &Toolchain,
    bundle: &Bundle,
    vendors: &Vendors,
    (calls, per_seconds): (u32, u32),
    storage: &Storage,
) -> Result<Workerd> {
    let mut deployment: Deployment = vendors.deployment()?;
    deployment.vars["SOURCES"]["consent"]["vendors"] = json!(["insider"]);
    deployment.vars["VENDORS"]["insider"]["pace"] =
        json!({ "calls": calls, "per_seconds": per_seconds });
    let deployment = deployment.secret("ADMIN_TOKEN", ADMIN_TOKEN);
    Workerd::start_on(toolchain, bundle, &deployment, storage).await
}

/// Sends so many webhooks of one delivery each, and tells how long that took.
async fn send_all(worker: &Workerd, run: &str, count: usize) -> Result<Duration> {
    let webhook = |index| {
        let subject: Value = json!({ "email": format!("p-{run}-{index}@example.com") });
        Webhook::erasure(&format!("capacity-{run}-{index}"), &subject)
    };
    let (_address, addresses) = watch::channel(Some(worker.url("")));
    let gate = Arc::new(Semaphore::new(count));
    let started = Instant::now();
    platform::send_all((0..count).map(webhook).collect(), addresses, gate).await?;
    Ok(started.elapsed())
}

/// The median time of an operator's route.
async fn ask(worker: &Workerd, path: &str) -> Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..QUESTIONS {
        let started = Instant::now();
        let reply = operator::ask(worker, path).await?;
        ensure!(reply.status == 200, "{path}: {}", reply.status);
        times.push(started.elapsed());
    }
    Ok(percentile(&times, 50))
}

/// All that the lane keeps on disk, in bytes.
fn size(storage: &Storage) -> Result<usize> {
    let mut bytes = 0;
    for file in storage.files()? {
        bytes += fs::metadata(file)?.len();
    }
    Ok(usize::try_from(bytes)?)
}

/// Per second.
fn rate(count: usize, time: Duration) -> f64 {
    (count as f64 / time.as_secs_f64()).round()
}
