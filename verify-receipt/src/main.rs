//! `cargo xtask verify-receipt`: verifies a receipt that was kept, and prints it.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use chrono::DateTime;
use clap::Parser;
use verify_receipt::{KeptReceipt, keys};

/// Verify a receipt that was kept, with the public key alone
///
/// The receipt is what `curl --include` wrote of GET /erasures/{source}/{request_id}. If it is verified,
/// it is printed.
#[derive(Parser)]
#[command(name = "verify-receipt", bin_name = "cargo xtask verify-receipt")]
struct Arguments {
    /// The public key: whpk_…, the URL of /.well-known/erasure-relay.json, or a file with either
    #[arg(long)]
    key: String,
    /// The file with the receipt's headers and body
    receipt: PathBuf,
}

fn main() -> Result<()> {
    let Arguments { key, receipt } = Arguments::parse();
    let keys = keys(&key)?;
    let kept = fs::read(&receipt).with_context(|| format!("cannot read {}", receipt.display()))?;
    let kept = KeptReceipt::parse(&kept)?;
    let (by, at) = kept.verify(&keys)?;
    let at = DateTime::from_timestamp(at, 0).map(|at| at.to_rfc3339()).unwrap_or_default();
    eprintln!("Verified: signed at {at} with the key {}", by.id);
    println!("{}", String::from_utf8_lossy(kept.body()));
    Ok(())
}
