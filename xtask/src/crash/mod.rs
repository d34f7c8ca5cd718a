//! `cargo xtask crash`: the Worker is killed again and again while webhooks come in and vendors
//! fail, and nothing that was acknowledged may be lost.
//!
//! ```text
//! plan    what is sent, how vendors fail, when the Worker is killed: drawn from one seed
//! victim  the Worker that dies, and goes on with what it has stored
//! run     the sending, the killing, and what was seen of it
//! audit   what became of every delivery
//! tickets what Ketch sends, and was told of the end
//! ```

mod audit;
mod plan;
mod run;
mod tickets;
mod victim;

use anyhow::Result;
use send::output::line;
use serde_json::json;

use crate::bundle;
use crate::measure::statistics::{millis, seconds};
use crate::measure::{Report, at_least_one, keep, platform};
use crate::toolchain::Toolchain;

use audit::{Evidence, Findings};
use plan::Plan;
use run::Run;
use tickets::Told;

/// How many faults are printed.
const SHOWN_FAULTS: usize = 20;

/// How much is sent, and how often the Worker dies.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Options {
    /// Webhooks to send; each makes two or three deliveries
    #[arg(long, default_value_t = 1000, value_parser = at_least_one())]
    pub webhooks: usize,
    /// How often to kill the Worker, at least 2
    #[arg(long, default_value_t = 20)]
    pub kills: usize,
    /// Repeats the plan of an earlier run [default: a new one]
    #[arg(long)]
    pub seed: Option<u64>,
}

/// Measures.
///
/// # Errors
/// Where a delivery was lost, or made twice without a crash that explains it.
pub fn run(toolchain: &Toolchain, options: Options) -> Result<()> {
    let bundle = bundle::build(toolchain)?;
    let seed = options.seed.unwrap_or_else(new_seed);
    line(format_args!("Seed: {seed}"))?;
    let plan = Plan::new(seed, options.webhooks, options.kills);
    let run = tokio::runtime::Runtime::new()?.block_on(Run::of(toolchain, &bundle, &plan))?;
    keep("crash.log", run.life.log.as_bytes())?;
    let findings = Findings::of(&Evidence {
        erasures: &plan.erasures,
        receipts: &run.receipts,
        confirmations: &run.confirmations(),
        kills: &run.life.kills,
    });
    let erasures = plan.erasures.iter().zip(&run.receipts);
    let tickets = erasures.filter_map(|(erasure, receipt)| {
        Some((erasure.request_id.as_str(), erasure.ticket()?, receipt.as_ref()))
    });
    let told = Told::of(tickets, &run.messages);
    let faults = [&findings.faults[..], &told.faults].concat();
    for fault in faults.iter().take(SHOWN_FAULTS) {
        line(fault)?;
    }
    if faults.len() > SHOWN_FAULTS {
        line(format_args!("and {} more, in crash.json", faults.len() - SHOWN_FAULTS))?;
    }
    let mut report = report(seed, &run, &findings);
    report_told(&mut report, &told);
    report.detail("faults", json!(faults));
    report.finish()
}

/// Any number short enough to be typed again.
fn new_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::from(now.unwrap_or_default().subsec_nanos())
}

fn report(seed: u64, run: &Run, findings: &Findings) -> Report {
    let mut report = Report::new("crash");
    let tries: Vec<_> = run.tries.iter().flatten().collect();
    let acknowledged = run.tries.iter().flatten().filter(|one| one.acknowledged()).count();
    report.figure("seed", "seed", seed);
    report.figure("kills", "kills (SIGKILL to the whole process group)", run.life.kills.len());
    report.figure(
        "kills_under_way",
        "kills while webhooks were on their way",
        run.kills_under_way(),
    );
    report.figure("webhooks", "webhooks", run.tries.len());
    report.goal(
        "webhooks_acknowledged",
        "webhooks acknowledged (200 or 202)",
        acknowledged,
        "all",
        acknowledged == run.tries.len(),
    );
    let answers = platform::answers(&run.tries);
    report.figure("tries", "webhooks sent, repeats counted", tries.len());
    report.figure("answers", "answers", json!(answers));
    report.figure("deliveries", "deliveries acknowledged", findings.deliveries);
    report.figure("outcomes", "outcomes in the receipts", json!(findings.outcomes));
    for (query, count) in &run.listed {
        let key = format!("listed_{}", query.replace('=', "_"));
        let label = format!("erasures that GET /erasures?{query} lists");
        report.goal(key.trim_end_matches('_'), &label, *count, "all", *count == run.tries.len());
    }
    for (vendor, calls) in &run.calls {
        let key = format!("{vendor}_calls");
        report.figure(&key, &format!("calls to {vendor}"), calls.len());
        let answers = run::answers(calls);
        report.figure(&format!("{vendor}_answers"), "its answers", json!(answers));
    }
    report.figure("confirmations", "deliveries by confirmations", json!(findings.confirmed));
    report.none("lost", "LOST deliveries", findings.lost);
    report.figure("falsely_accepted", "of them called accepted", findings.falsely_accepted);
    report.figure("duplicated", "DUPLICATED deliveries", findings.duplicated);
    report.none("unexplained", "of them without a kill", findings.unexplained);
    let settlement = millis(findings.longest_settlement);
    report.figure("longest_settlement_ms", "longest from confirmation to kill (ms)", settlement);
    report.figure("settlement_limit_ms", "which explains up to (ms)", millis(audit::SETTLEMENT));
    report.none(
        "mismatches",
        "vendor requests and messages not as documented",
        run.mismatches.len(),
    );
    report.none("panics", "panics in the log", run.life.log.matches("panicked at").count());
    report.figure("restart_ms", "median restart (ms)", millis(run.median_restart()));
    let left = "waiting at the last kill, then left to the alarms";
    report.figure("left_alone", left, run.left_alone);
    let drain = "from the last restart until all is confirmed (s)";
    report.figure("drain_s", drain, seconds(run.drained));
    report.figure("total_s", "total (s)", seconds(run.total));
    report.detail("kill_times_s", run.kill_times());
    report
}

fn report_told(report: &mut Report, told: &Told) {
    report.figure("callbacks", "callbacks of Ketch", told.callbacks);
    report.figure("messages", "messages to them, repeats counted", told.messages);
    report.none("callbacks_lost", "LOST last words", told.lost);
    report.none("callbacks_contradicted", "CONTRADICTED callbacks", told.contradicted);
    report.none("callbacks_differing", "callbacks told other than the receipt", told.differing);
    report.figure("callbacks_repeated", "callbacks that took a word twice", told.repeated);
}
