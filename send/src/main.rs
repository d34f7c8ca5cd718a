//! `cargo xtask send`: signs a webhook as a platform does, sends it to any deployment, and prints
//! what came back. Fails where that is no success.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use clap::Parser;
use send::cli::{self, Arguments};
use send::output;

fn main() -> ExitCode {
    output::exit_code(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let message = cli::message(arguments, now, &|name| std::env::var(name).ok())?;
    let status = cli::post(&arguments.url, &message)?;
    ensure!((200..300).contains(&status), "the answer is no success");
    Ok(())
}
