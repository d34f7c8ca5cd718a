//! `cargo xtask send`: a webhook to any deployment. Cryptography and TLS take a while to compile,
//! so they are in a program of their own, built when it is first used.

use std::env;

use anyhow::{Context, Result};

/// Runs the program with these arguments; ends with its exit code.
///
/// # Errors
/// Where it cannot be started.
pub fn run(arguments: &[String]) -> Result<()> {
    // Files that the arguments name are relative to where the command was given.
    let (here, manifest) = (env::current_dir()?, crate::root().join("Cargo.toml"));
    let mut cargo = crate::cargo();
    cargo.current_dir(here).args(["run", "--package", "send", "--manifest-path"]).arg(manifest);
    // The first time, cargo shows its progress; later only what was asked for.
    if env::current_exe()?.with_file_name("send").is_file() {
        cargo.arg("--quiet");
    }
    let status = cargo.arg("--").args(arguments).status().context("cannot start cargo")?;
    std::process::exit(status.code().unwrap_or(1));
}
