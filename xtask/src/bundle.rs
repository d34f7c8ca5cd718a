//! The release bundle: what Cloudflare is given to run.

use std::env;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::configuration;
use crate::toolchain::Toolchain;

/// The variable that tells tests that the bundle in build/ is up to date.
pub const BUILT: &str = "ERASURE_RELAY_BUILT";

/// What rustc's Wasm uses, and workerd knows.
const WASM_FEATURES: [&str; 7] = [
    "--enable-bulk-memory",
    "--enable-exception-handling",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// A Worker, ready to run or to deploy.
pub struct Bundle {
    /// Holds index.js and the Wasm that it imports.
    pub dir: PathBuf,
    pub wasm_bytes: u64,
    /// Wasm and JavaScript, each gzipped: what is uploaded.
    pub gzipped_bytes: u64,
}

/// Builds the release bundle into build/, and prints its size.
///
/// # Errors
/// Where wrangler.toml would be refused by the Worker, or a tool fails.
pub fn build(toolchain: &Toolchain) -> Result<Bundle> {
    configuration::check(&configuration::shipped()?["vars"])?;
    let status = toolchain.worker_build().arg("--release").status();
    if !status.context("cannot start worker-build")?.success() {
        bail!("worker-build failed");
    }
    optimize(toolchain)?;
    toolchain.keep_dependencies("bundle", &["build", "--lib", "--release"])?;
    measure()
}

/// worker-build's own step, which Cargo.toml turns off, would keep the names of all functions: a
/// seventh of what is uploaded.
fn optimize(toolchain: &Toolchain) -> Result<()> {
    let wasm = crate::root().join("build/index_bg.wasm");
    let mut command = toolchain.node_bin("wasm-opt");
    command.arg("-Os").args(WASM_FEATURES).arg(&wasm).arg("-o").arg(&wasm);
    let status = command.status().context("cannot start wasm-opt")?;
    ensure!(status.success(), "wasm-opt failed");
    Ok(())
}

/// The bundle in build/ where [`BUILT`] is set, a new one otherwise.
///
/// # Errors
/// As [`build`].
pub fn built_or_build(toolchain: &Toolchain) -> Result<Bundle> {
    if env::var_os(BUILT).is_some() { measure() } else { build(toolchain) }
}

fn measure() -> Result<Bundle> {
    let dir = crate::root().join("build");
    let (wasm, script) = (dir.join("index_bg.wasm"), dir.join("index.js"));
    let wasm_bytes = size(&wasm)?;
    let gzipped_bytes = gzipped(&wasm)? + gzipped(&script)?;
    println!(
        "Bundle: build/index.js {}, build/index_bg.wasm {}; gzipped together {}",
        kilobytes(size(&script)?),
        kilobytes(wasm_bytes),
        kilobytes(gzipped_bytes)
    );
    Ok(Bundle { dir, wasm_bytes, gzipped_bytes })
}

fn size(file: &Path) -> Result<u64> {
    Ok(fs::metadata(file).with_context(|| format!("there is no {}", file.display()))?.len())
}

fn gzipped(file: &Path) -> Result<u64> {
    let read = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&read).context("cannot compress")?;
    Ok(encoder.finish().context("cannot compress")?.len() as u64)
}

fn kilobytes(bytes: u64) -> String {
    format!("{}.{} KB", bytes / 1000, bytes % 1000 / 100)
}
