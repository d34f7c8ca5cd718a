//! The release bundle: what Cloudflare is given to run.

use std::env;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::configuration;
use crate::toolchain::{TARGET, Toolchain};

/// The variable that tells tests that the bundle in build/ is up to date.
pub const BUILT: &str = "ERASURE_RELAY_BUILT";

/// The bundle's files.
const SCRIPT: &str = "index.js";
const WASM: &str = "index_bg.wasm";

/// How cargo compiles it.
const COMPILATION: [&str; 3] = ["build", "--lib", "--release"];

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
    let [staged, bundle] = ["target/bundle", "build"].map(|folder| crate::root().join(folder));
    for folder in [&staged, &bundle] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let mut cargo = toolchain.cargo_wasm();
    step(cargo.args(COMPILATION).args(["--target", TARGET]))?;
    let mut bindgen = toolchain.wasm_bindgen();
    bindgen.arg(toolchain.compiled("erasure_relay.wasm")).arg("--out-dir").arg(&staged);
    bindgen.args(["--out-name", "index", "--target", "module", "--no-typescript"]);
    step(bindgen.arg("--force-enable-abort-handler"))?;
    let mut optimize = toolchain.node_bin("wasm-opt");
    optimize.args(["-O3", "--strip-producers"]).args(WASM_FEATURES);
    step(optimize.arg(staged.join(WASM)).arg("-o").arg(bundle.join(WASM)))?;
    let shim = staged.join("shim.js");
    fs::copy(crate::root().join("src/edge/shim.js"), &shim).context("cannot copy the shim")?;
    let mut esbuild = toolchain.node_bin("esbuild");
    esbuild.arg(shim).arg(format!("--outfile={}", bundle.join(SCRIPT).display()));
    esbuild.args(["--bundle", "--minify", "--format=esm", "--log-level=warning"]);
    step(esbuild.arg(format!("--external:./{WASM}")))?;
    toolchain.keep_dependencies("bundle", &COMPILATION)?;
    measure()
}

fn step(command: &mut Command) -> Result<()> {
    let program = command.get_program().display().to_string();
    let status = command.status().with_context(|| format!("cannot start {program}"))?;
    ensure!(status.success(), "{program} failed");
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

/// A file's size gzipped, in bytes.
///
/// # Errors
/// Where it cannot be read.
pub fn gzipped(file: &Path) -> Result<u64> {
    let read = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&read).context("cannot compress")?;
    Ok(encoder.finish().context("cannot compress")?.len() as u64)
}

fn kilobytes(bytes: u64) -> String {
    format!("{}.{} KB", bytes / 1000, bytes % 1000 / 100)
}
