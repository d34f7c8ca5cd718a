//! `cargo xtask demo`: what the Worker does, as `wrangler.toml` configures it, shown on the release
//! bundle in workerd.
//!
//! ```text
//! cases     the webhooks, for any configuration
//! play      sends one, and compares what became of it with what must
//! ticket    whether the platform's ticket closes by itself
//! show      the same for people
//! fixture   what tests and measurements share: the shipped configuration's vendors and secrets
//! ```

mod cases;
mod fixture;
mod play;
mod show;
mod ticket;

use anyhow::{Result, ensure};
use send::output::line;
use serde_json::json;

use crate::bundle::{self, Bundle};
use crate::configuration;
use crate::local::{self, Local};
use crate::toolchain::Toolchain;
use crate::workerd::Workerd;

pub use fixture::{ADMIN_TOKEN, PREVIOUS_SECRET, SECRET, Vendors};
pub(crate) use fixture::{INSIDER_TOKEN, INSTACART_TOKEN, PSEUDONYM_KEY};
pub(crate) use show::TRANSPORT;

use play::Stage;

/// Runs the demo.
///
/// # Errors
/// Where anything was not as it must be.
pub fn run(toolchain: &Toolchain) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let (mut vars, durable) = (configuration::variables()?, local::is_durable()?);
        let note = if durable { ticket::add(&mut vars)? } else { None };
        let mut local = Local::of(vars, durable).await?;
        local.notes.splice(..0, note);
        let bundle = bundle::built_or_build(toolchain)?;
        eprintln!("Worker: starting wrangler");
        let all = show_all(toolchain, &bundle, local, &|block| line(block)).await?;
        let all = format!(
            "All {all} webhooks were handled as they must be, and every vendor request was as \
             documented."
        );
        line(show::wrapped(&all, show::width()))
    })
}

/// Hands what the Worker does with this configuration to `show`, webhook by webhook; returns how many
/// there were.
///
/// # Errors
/// Where anything was not as it must be.
pub async fn show_all(
    toolchain: &Toolchain,
    bundle: &Bundle,
    mut local: Local,
    show: &dyn Fn(String) -> Result<()>,
) -> Result<usize> {
    hurry(&mut local);
    let worker = Workerd::start(toolchain, bundle, &local.deployment()).await?;
    let played = play(&local, &worker, show).await;
    worker.stop().await?;
    let (all, failures) = played?;
    ensure!(failures == 0, "{failures} of {all} webhooks were not handled as they must be");
    Ok(all)
}

/// Somebody is watching: what failed is tried again after a second, whatever the configuration says.
fn hurry(local: &mut Local) {
    for vendor in &local.vendors {
        let table = &mut local.vars["VENDORS"][&vendor.name];
        table["retry"] = json!({ "first_seconds": 1, "longest_seconds": 1 });
        table["pace"] = json!({ "calls": 600, "per_seconds": 60 });
    }
    for recipient in &local.recipients {
        let Some(source) = &recipient.source else { continue };
        let table = &mut local.vars["SOURCES"][source]["callback"];
        table["retry"] = json!({ "first_seconds": 1, "longest_seconds": 1 });
        table["pace"] = json!({ "calls": 600, "per_seconds": 60 });
    }
}

/// Plays every case, shows what became of it, and counts all and those that went wrong.
async fn play(
    local: &Local,
    worker: &Workerd,
    show: &dyn Fn(String) -> Result<()>,
) -> Result<(usize, usize)> {
    let width = show::width();
    for note in &local.notes {
        show(show::wrapped(note, width))?;
    }
    let mut stage = Stage::new(local, worker)?;
    let cases = cases::cases(local)?;
    let mut failures = 0;
    for (index, case) in cases.iter().enumerate() {
        let played = stage.play(case).await?;
        failures += usize::from(!played.faults.is_empty());
        show(show::played(index + 1, &played, width))?;
    }
    Ok((cases.len(), failures))
}
