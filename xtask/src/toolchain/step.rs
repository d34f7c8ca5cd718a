//! Running and announcing the steps of a setup.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// How many lines of a failed command's output are shown.
const SHOWN: usize = 30;

/// Does one step of a setup: says what it does and why, and then how long it took.
pub fn step<T>(what: &str, why: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    eprintln!("setup: {what} ({why})");
    let start = Instant::now();
    let done = work();
    let seconds = start.elapsed().as_secs_f64();
    match &done {
        Ok(_) => eprintln!("setup: {what}: done in {seconds:.0} s"),
        Err(_) => eprintln!("setup: {what}: failed after {seconds:.0} s"),
    }
    done
}

/// Runs `command` with its output in the file `log`, the end of which becomes the error.
pub fn run(command: &mut Command, log: &Path) -> Result<()> {
    let output = File::options().create(true).append(true).open(log);
    let output = output.with_context(|| format!("cannot write {}", log.display()))?;
    let errors = output.try_clone().context("cannot share a log file")?;
    let status = command.stdin(Stdio::null()).stdout(output).stderr(errors).status();
    let program = command.get_program().display().to_string();
    let status = status.with_context(|| format!("cannot start {program}"))?;
    if !status.success() {
        let arguments: Vec<_> = command.get_args().map(|a| a.to_string_lossy()).collect();
        bail!(
            "{program} {} failed ({status}). The end of {}:\n{}",
            arguments.join(" "),
            log.display(),
            end_of(log)
        );
    }
    Ok(())
}

/// What `command` prints, without the white space around it.
pub fn read(command: &mut Command) -> Result<String> {
    let program = command.get_program().display().to_string();
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        bail!("{program} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether a program of that name can be started.
pub fn exists(program: &str) -> bool {
    read(Command::new(program).arg("--version")).is_ok()
}

fn end_of(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(SHOWN)..].join("\n")
}
