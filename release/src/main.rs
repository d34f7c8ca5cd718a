//! `cargo xtask release`: packs the bundle in build/.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Parser;

/// Pack the release: an archive that wrangler deploys without Rust
#[derive(Parser)]
#[command(name = "release", bin_name = "cargo xtask release")]
struct Arguments {
    /// The folder of the archive
    #[arg(long, value_name = "FOLDER", default_value = "target/release-archive")]
    out: PathBuf,
}

fn main() -> Result<()> {
    let Arguments { out } = Arguments::parse();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("there is no project")?;
    let archive = release::pack(root, &root.join(out))?;
    if !archive.uncommitted.is_empty() {
        eprintln!(
            "warning: the archive is not that of the commit, since these files are not committed: {}",
            archive.uncommitted.join(", ")
        );
    }
    println!("{}  {}", archive.sha256, archive.path.display());
    Ok(())
}
