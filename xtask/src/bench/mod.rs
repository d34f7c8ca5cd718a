//! `cargo xtask bench`: what one webhook costs, beside peers that do the same job.
//!
//! ```text
//! peer         who is measured: the relay, and the Workers in benches/peers
//! conformity   whether they do the same job
//! load         the signed webhooks; vendor: who takes what comes of them
//! runs         the loads of a turn; rounds: every peer in turns
//! figures      what was measured, by peer; spread: medians and quartiles
//! goals        ratios within a round, and the goals
//! chart        a picture for docs/performance.md
//! ```

mod chart;
mod conformity;
mod figures;
mod goals;
mod load;
mod peer;
mod rounds;
mod runs;
mod spread;
mod vendor;

use std::env;

use anyhow::{Context, Result};
use clap::builder::PossibleValuesParser;

use self::peer::ExtraBundle;
use crate::bundle;
use crate::measure::at_least_one;
use crate::toolchain::Toolchain;

/// How much is measured.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// How often each peer is measured; those with lanes at most four times
    #[arg(long, default_value_t = 5, value_parser = at_least_one())]
    pub rounds: usize,
    /// Webhooks of 1 KiB over 32 connections that are measured in one round; the other loads have a
    /// part of it. Below 20,000 a garbage collection or two decide the result
    #[arg(long, default_value_t = 20_000, value_parser = at_least_one())]
    pub webhooks: usize,
    /// Measure these peers alone, such as direct,handwritten
    #[arg(long, value_delimiter = ',', value_parser = PossibleValuesParser::new(peer::KEYS))]
    pub only: Vec<String>,
    /// A bundle of another commit as a further peer, with lanes and one vendor: NAME=DIR, a folder
    /// with index.js and index_bg.wasm. Goals are set against the one named "before"
    #[arg(long)]
    pub bundle: Vec<ExtraBundle>,
    /// Decides the order of the peers in each round
    #[arg(long, default_value_t = 1)]
    pub seed: u128,
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
    let mut keys: Vec<&str> = peer::KEYS.to_vec();
    if !options.only.is_empty() {
        keys = options.only.iter().map(String::as_str).collect();
    }
    let built = keys.iter().any(|key| peer::is_relay(key));
    let bundle = built.then(|| bundle::build(toolchain)).transpose()?;
    let bundle = bundle.as_ref().map(|bundle| bundle.dir.as_path());
    let mut peers = Vec::new();
    for key in keys {
        peers.push(peer::named(toolchain, key, bundle)?);
    }
    for extra in &options.bundle {
        peers.push(peer::other_commit(extra)?);
    }
    let (turns, memory) = tokio::runtime::Runtime::new()?.block_on(async {
        conformity::check(toolchain, &peers).await?;
        let turns = rounds::play(toolchain, &peers, &options).await?;
        let memory = rounds::endure(toolchain, &peers, &options).await?;
        anyhow::Ok((turns, memory))
    })?;
    let figures = figures::Figures::new(&peers, turns)?;
    figures.show()?;
    chart::draw(&figures)?;
    goals::report(&figures, &memory).show().map(drop)
}

/// Runs this command again, compiled so that the load does not take the processor from those who
/// are measured.
fn optimized() -> Result<()> {
    let mut cargo = crate::cargo();
    cargo.args(["run", "--quiet", "--profile", "bench-load"]);
    cargo.args(["--package", "xtask", "--"]).args(env::args_os().skip(1));
    let status = cargo.status().context("cannot start cargo")?;
    std::process::exit(status.code().unwrap_or(1));
}
