//! `cargo xtask send`, `verify-receipt` and `release`. What they need takes a while to compile, so they
//! are programs of their own, built when they are first used.

use std::env;

use anyhow::{Context, Result};

/// Runs the program of this package with these arguments; ends with its exit code.
///
/// # Errors
/// Where it cannot be started.
pub fn run(package: &str, arguments: &[String]) -> Result<()> {
    // Files that the arguments name are relative to where the command was given.
    let (here, manifest) = (env::current_dir()?, crate::root().join("Cargo.toml"));
    let mut cargo = crate::cargo();
    cargo.current_dir(here).args(["run", "--package", package, "--manifest-path"]).arg(manifest);
    // The first time, cargo shows its progress; later only what was asked for.
    if env::current_exe()?.with_file_name(package).is_file() {
        cargo.arg("--quiet");
    }
    let status = cargo.arg("--").args(arguments).status().context("cannot start cargo")?;
    std::process::exit(status.code().unwrap_or(1));
}
