//! `cargo xtask bench`: what one webhook costs, beside peers that do the same job.
//!
//! ```text
//! peer         who is measured: the relay, and the Workers in benches/peers
//! conformity   whether they do the same job
//! runtime      one peer in workerd, with its CPU time and its memory
//! load         the signed webhooks; vendor: who takes what comes of them
//! rounds       every peer in turns
//! figures      medians, spread, and the goals
//! chart        a picture for the README
//! ```

mod chart;
mod conformity;
mod figures;
mod load;
mod peer;
mod rounds;
mod runtime;
mod vendor;

use std::env;
use std::process::Command;

use anyhow::{Context, Result};

use crate::bundle;
use crate::toolchain::Toolchain;

/// How much is measured.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// How often each peer has its turn
    #[arg(long, default_value_t = 7)]
    pub rounds: usize,
    /// Webhooks in the longest run of a turn; the other runs have a part of it
    #[arg(long, default_value_t = 4000)]
    pub webhooks: usize,
    /// Measure these peers alone, such as direct,handwritten
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<String>,
    /// Webhooks to one process, over whose second half the memory must not grow; 0 leaves this out
    #[arg(long, default_value_t = 200_000)]
    pub endurance: usize,
}

/// Measures.
///
/// # Errors
/// Where the peers do not do the same job, or a webhook is not answered.
pub fn run(toolchain: &Toolchain, options: Options) -> Result<()> {
    if cfg!(debug_assertions) {
        return optimized();
    }
    let bundle = bundle::build(toolchain)?;
    let mut peers = peer::all(toolchain, &bundle)?;
    peers.retain(|peer| options.only.is_empty() || options.only.iter().any(|key| key == peer.key));
    let (turns, memory) = tokio::runtime::Runtime::new()?.block_on(async {
        conformity::check(toolchain, &peers).await?;
        let turns = rounds::play(toolchain, &peers, &options).await?;
        let memory = rounds::endure(toolchain, &peers, &options).await?;
        anyhow::Ok((turns, memory))
    })?;
    let figures = figures::Figures::new(toolchain, &peers, turns)?;
    figures.show();
    chart::draw(&figures)?;
    figures.report(&memory).show().map(drop)
}

/// Runs this command again, compiled so that the load does not take the processor from those who
/// are measured.
fn optimized() -> Result<()> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(crate::root()).args(["run", "--quiet", "--profile", "bench-load"]);
    cargo.args(["--package", "xtask", "--"]).args(env::args_os().skip(1));
    let status = cargo.status().context("cannot start cargo")?;
    std::process::exit(status.code().unwrap_or(1));
}
