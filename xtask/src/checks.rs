//! `cargo xtask test` and `cargo xtask ci`: everything that must hold.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use send::output::line;

use crate::toolchain::Toolchain;
use crate::{api_test, bundle};

/// The most that the release bundle may weigh, Wasm and JavaScript gzipped, in bytes.
///
/// Cloudflare allows far more: 3 MB gzipped on the free plan, and since September 2026 64 MiB
/// uncompressed on all plans (Workers changelog, 2026-09-04). This limit shows growth that nobody
/// intended, and keeps an isolate's start short.
pub(crate) const BUNDLE_LIMIT: u64 = 640 * 1024;

/// The Wasm tests, in the bundle's profile: its dependencies are compiled already.
const WASM_TESTS: [&str; 6] = ["test", "--release", "--package", "erasure-relay", "--test", "wasm"];

/// Every test: native, Wasm, end to end.
///
/// # Errors
/// Where one fails.
pub fn test(toolchain: &Toolchain) -> Result<()> {
    toolchain.python()?;
    toolchain.schemathesis()?;
    let bundle = bundle::build(toolchain)?;
    ensure!(
        bundle.gzipped_bytes <= BUNDLE_LIMIT,
        "the bundle has {} bytes gzipped; at most {BUNDLE_LIMIT} are allowed",
        bundle.gzipped_bytes
    );
    bundle::with_example_vendor(toolchain)?;
    let mut wasm = toolchain.cargo_wasm();
    wasm.args(WASM_TESTS).args(["--target", "wasm32-unknown-unknown"]);
    step("Wasm tests on Node", &mut wasm)?;
    toolchain.keep_dependencies("tests", &[&WASM_TESTS[..], &["--no-run"]].concat())?;
    step("Examples in the documentation", &mut cargo(&["test", "--workspace", "--doc"]))?;
    let mut native = cargo(&["test", "--workspace", "--lib", "--tests"]);
    step("Native and end-to-end tests", native.env(bundle::BUILT, "1"))?;
    api_test::run(toolchain, api_test::Options::default())
}

/// Format, lints and every test.
///
/// # Errors
/// Where anything departs.
pub fn ci(toolchain: &Toolchain) -> Result<()> {
    step("Format", &mut cargo(&["fmt", "--all", "--check"]))?;
    let lints = ["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"];
    step("Lints", &mut cargo(&lints))?;
    let mut docs = cargo(&["doc", "--workspace", "--no-deps", "--document-private-items"]);
    step("Documentation", docs.env("RUSTDOCFLAGS", "--deny warnings"))?;
    test(toolchain)
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = crate::cargo();
    command.args(arguments);
    command
}

fn step(name: &str, command: &mut Command) -> Result<()> {
    line(format_args!("== {name}"))?;
    let started = Instant::now();
    let status = command.status().with_context(|| format!("{name}: cannot be started"))?;
    ensure!(status.success(), "{name}: failed");
    line(format_args!("== {name}: {} s", started.elapsed().as_secs()))?;
    Ok(())
}
