//! `cargo xtask send`, `verify-receipt` and `release`. What they need takes a while to compile, so they
//! are programs of their own, built when they are first used.

use std::process::Command;

use anyhow::{Context, Result};

/// Runs the program of this package with these arguments; ends with its exit code.
///
/// # Errors
/// Where it cannot be started.
pub fn run(package: &str, arguments: &[String]) -> Result<()> {
    let mut cargo = Command::new("cargo");
    let manifest = crate::root().join("Cargo.toml");
    cargo.args(["run", "--quiet", "--package", package, "--manifest-path"]).arg(manifest);
    let status = cargo.arg("--").args(arguments).status().context("cannot start cargo")?;
    std::process::exit(status.code().unwrap_or(1));
}
