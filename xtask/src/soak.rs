//! `cargo xtask soak`: a backlog flows at a vendor's limit, and never above it.
//!
//! The vendor is an Insider that counts a sliding window and answers 429 above its limit; the pace
//! is the lane's own default for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use send::output::line;
use serde_json::json;
use standin::{FaultRates, RecordedRequest};
use tokio::sync::{Semaphore, watch};

use crate::bundle::{self, Bundle};
use crate::demo::Vendors;
use crate::measure::operator;
use crate::measure::platform::{self, Try};
use crate::measure::statistics::{count_between, fullest_window, millis, percentile, seconds};
use crate::measure::vendors::confirm;
use crate::measure::{Report, at_least_one, keep};
use crate::toolchain::Toolchain;
use crate::webhook::Webhook;
use crate::workerd::{Deployment, Workerd};

/// Insider's documented limit: so many calls in any window.
const LIMIT: usize = 1000;
/// The window's length.
const WINDOW: Duration = Duration::from_secs(60);

/// The share of the limit that a backlog must use.
const GOAL_PERCENT: f64 = 95.0;

/// How long it may take besides the time that the limit makes necessary.
const SPARE: Duration = Duration::from_secs(60);

/// How long, after the last confirmation, it may take until the Worker says that nothing waits.
const DRAIN_LIMIT: Duration = Duration::from_secs(30);

/// How much is sent.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Options {
    /// Deliveries to make, each for a webhook of its own; 1,000 a minute are allowed
    #[arg(long, default_value_t = 3000, value_parser = at_least_one())]
    pub deliveries: usize,
    /// How long the vendor takes for an answer, at the most, in milliseconds
    #[arg(long, default_value_t = 200)]
    pub vendor_ms: u64,
}

/// Measures.
///
/// # Errors
/// Where the limit was exceeded, or not used.
pub fn run(toolchain: &Toolchain, options: Options) -> Result<()> {
    let bundle = bundle::build(toolchain)?;
    let soak = tokio::runtime::Runtime::new()?.block_on(Soak::of(toolchain, &bundle, options))?;
    keep("soak.log", soak.log.as_bytes())?;
    soak.report()?.finish()
}

/// What was seen.
struct Soak {
    tries: Vec<Vec<Try>>,
    calls: Vec<RecordedRequest>,
    mismatches: Vec<String>,
    /// From the first webhook until nothing waited.
    total: Duration,
    log: String,
}

impl Soak {
    async fn of(toolchain: &Toolchain, bundle: &Bundle, options: Options) -> Result<Self> {
        let vendors = Vendors::start().await?;
        vendors.insider.set_rate_limit(LIMIT, WINDOW);
        let max_delay = Duration::from_millis(options.vendor_ms);
        let rates =
            FaultRates { errors: 0.0, throttled: 0.0, resets: 0.0, delayed: 1.0, max_delay };
        vendors.insider.inject_faults(rates, 1);
        let worker = Workerd::start(toolchain, bundle, &deployment(&vendors)?).await?;

        let webhooks = (0..options.deliveries).map(webhook).collect();
        let (_address, addresses) = watch::channel(Some(worker.url("")));
        let gate = Arc::new(Semaphore::new(options.deliveries));
        let started = Instant::now();
        let tries = platform::send_all(webhooks, addresses, gate).await?;
        line(format_args!(
            "All webhooks are acknowledged after {} s; {} deliveries wait.",
            started.elapsed().as_secs(),
            operator::waiting(&worker).await?
        ))?;
        let needed = WINDOW.mul_f64(options.deliveries as f64 / LIMIT as f64);
        if !confirm(&vendors.insider, options.deliveries, needed + SPARE).await {
            line(format_args!(
                "Not everything is confirmed after {} s.",
                started.elapsed().as_secs()
            ))?;
        }
        if let Err(error) = operator::drained(&worker, DRAIN_LIMIT).await {
            line(format_args!("{error:#}"))?;
        }
        let total = started.elapsed();
        let log = worker.stop().await?;
        let mismatches = vendors.insider.mismatches();
        Ok(Self { tries, calls: vendors.insider.requests(), mismatches, total, log })
    }

    fn report(&self) -> Result<Report> {
        let arrivals: Vec<Instant> = self.calls.iter().map(|call| call.received_at).collect();
        let tries: Vec<&Try> = self.tries.iter().flatten().collect();
        let answers: Vec<Duration> = tries.iter().map(|one| one.ended - one.started).collect();
        let answered =
            |status| self.calls.iter().filter(|call| call.response_status == Some(status)).count();
        let most = fullest_window(&arrivals, WINDOW);
        let (throttled, confirmed) = (answered(429), answered(200));
        let backlog = backlog(&tries, &arrivals)?;

        let mut report = Report::new("soak");
        let deliveries = self.tries.len();
        report.figure("deliveries", "deliveries", deliveries);
        report.goal(
            "confirmed",
            "calls that the vendor confirmed",
            confirmed,
            "one for each",
            confirmed == deliveries,
        );
        report.goal(
            "fullest_window",
            "most calls in any 60 s",
            most,
            "1000 at the most",
            most <= LIMIT,
        );
        report.none("throttled", "429s from the vendor", throttled);
        report.goal(
            "use_percent",
            "use of the allowance while a backlog existed (%)",
            backlog.use_percent,
            "95 or more",
            backlog.use_percent >= GOAL_PERCENT,
        );
        report.figure("backlog_s", "a backlog existed for (s)", seconds(backlog.duration));
        report.figure("total_s", "total (s)", seconds(self.total));
        report.figure("answers", "webhook answers", json!(platform::answers(&self.tries)));
        report.figure(
            "answer_p50_ms",
            "webhook answer, p50 (ms)",
            millis(percentile(&answers, 50)),
        );
        report.figure(
            "answer_p99_ms",
            "webhook answer, p99 (ms)",
            millis(percentile(&answers, 99)),
        );
        report.none("mismatches", "vendor requests not as documented", self.mismatches.len());
        Ok(report)
    }
}

/// The time in which something waited for the pace.
struct Backlog {
    duration: Duration,
    use_percent: f64,
}

/// A backlog exists from the first webhook that had to wait until the last call.
fn backlog(tries: &[&Try], arrivals: &[Instant]) -> Result<Backlog> {
    let waiting = tries.iter().filter(|one| one.status == Some(202)).map(|one| one.ended).min();
    let from = waiting.context("no webhook had to wait: send more of them")?;
    let to = arrivals.iter().copied().max().unwrap_or(from);
    ensure!(to > from, "nothing was sent while a backlog existed");
    let duration = to - from;
    let allowed = LIMIT as f64 * duration.as_secs_f64() / WINDOW.as_secs_f64();
    let share = count_between(arrivals, from, to) as f64 / allowed;
    Ok(Backlog { duration, use_percent: (share * 10_000.0).round() / 100.0 })
}

fn webhook(index: usize) -> Webhook {
    let subject = json!({ "email": format!("p-{index:05}@example.com") });
    Webhook::erasure(&format!("soak-{index:05}"), &subject)
}

/// The shipped configuration, with Insider alone to be asked, at its default pace.
fn deployment(vendors: &Vendors) -> Result<Deployment> {
    let mut deployment = vendors.deployment()?;
    deployment.vars["SOURCES"]["consent"]["vendors"] = json!(["insider"]);
    ensure!(
        deployment.vars["VENDORS"]["insider"]["pace"].is_null(),
        "wrangler.toml sets a pace for Insider: the soak measures the default"
    );
    Ok(deployment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_lasts_from_the_first_that_waits_until_the_last_call() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let try_of = |ended, status| Try { started: start, ended: at(ended), status: Some(status) };
        let tries = [try_of(1, 200), try_of(10, 202), try_of(20, 202)];
        let arrivals: Vec<Instant> = (0..=70).map(at).collect();
        let backlog = backlog(&tries.each_ref(), &arrivals).unwrap();
        assert_eq!(backlog.duration, Duration::from_secs(60));
        assert_eq!(backlog.use_percent, 6.0);
        assert!(super::backlog(&[&tries[0]], &arrivals).is_err());
    }
}
