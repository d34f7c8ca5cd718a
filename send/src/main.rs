//! `cargo xtask send`: signs a webhook as a platform does, sends it to any deployment, shows request
//! and answer, and follows what is not final. Fails where the answer is no success, or a person must
//! look.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use clap::Parser;
use send::cli::Arguments;
use send::output::{self, line};
use send::parcel::parcel;
use send::sending::{Sender, show_request};

fn main() -> ExitCode {
    output::exit_code(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.parent().unwrap_or(here);
    let parcel = parcel(arguments, now, &|name| std::env::var(name).ok(), root)?;
    line(show_request(&parcel))?;
    if arguments.dry_run {
        return line("\nNothing was sent (--dry-run).");
    }
    let sender = Sender::new(&parcel)?;
    let mut sent = 0;
    loop {
        let answer = sender.post()?;
        sent += 1;
        if arguments.repeat > 1 {
            line(format_args!("\nAnswer {sent} of {}:", arguments.repeat))?;
        }
        line(format_args!("\n{answer}"))?;
        ensure!(answer.is_success(), "the answer is no success");
        if sent >= arguments.repeat {
            return sender.follow(&answer, Duration::from_secs(arguments.wait));
        }
    }
}
