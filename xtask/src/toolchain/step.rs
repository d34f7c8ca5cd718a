//! Running and announcing the steps of a setup.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How many lines of a failed command's output are shown.
const SHOWN: usize = 30;

/// How often a step tells how far it is.
const INTERVAL: Duration = Duration::from_secs(10);

/// How much of a log's end is searched for what cargo says of its progress, in bytes.
const TAIL: u64 = 4096;

/// Does one step of a setup: says what it does and why, every ten seconds how far it is, as far as
/// the file `log` tells, and then how long it took.
pub fn step<T>(
    what: &str,
    why: &str,
    log: Option<&Path>,
    work: impl FnOnce() -> Result<T>,
) -> Result<T> {
    eprintln!("setup: {what} ({why})");
    let start = Instant::now();
    let (finished, wait) = mpsc::channel::<()>();
    let done = thread::scope(|scope| {
        scope.spawn(move || {
            while wait.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                let seconds = start.elapsed().as_secs();
                let far = log.and_then(progress).map(|far| format!(", {far}")).unwrap_or_default();
                eprintln!("setup: {what}: {seconds} s{far}");
            }
        });
        let done = work();
        drop(finished);
        done
    });
    let seconds = start.elapsed().as_secs_f64();
    match &done {
        Ok(_) => eprintln!("setup: {what}: done in {seconds:.0} s"),
        Err(_) => eprintln!("setup: {what}: failed after {seconds:.0} s"),
    }
    done
}

/// How far cargo is by the end of its log, such as `34 of 215 compiled`.
fn progress(log: &Path) -> Option<String> {
    let mut file = File::open(log).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).ok()?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail).ok()?;
    compiled(&String::from_utf8_lossy(&tail))
}

/// Reads cargo's last progress bar: `Building [====>    ] 34/215: serde, …`.
fn compiled(tail: &str) -> Option<String> {
    let (_, bar) = tail.rsplit_once("Building [")?;
    let (_, rest) = bar.split_once("] ")?;
    let digits = rest.find(|char: char| !char.is_ascii_digit() && char != '/')?;
    let (done, all) = rest.get(..digits)?.split_once('/')?;
    (!done.is_empty() && !all.is_empty()).then(|| format!("{done} of {all} compiled"))
}

/// Has cargo write its progress to a log, too.
pub fn show_progress(cargo: &mut Command) {
    cargo.env("CARGO_TERM_PROGRESS_WHEN", "always").env("CARGO_TERM_PROGRESS_WIDTH", "80");
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
    last_lines(&text)
}

/// The last lines of a log, without progress bars.
fn last_lines(log: &str) -> String {
    let mut lines: Vec<&str> = log.split(['\n', '\r']).map(str::trim_end).collect();
    lines.retain(|line| !line.is_empty() && !line.trim_start().starts_with("Building ["));
    lines[lines.len().saturating_sub(SHOWN)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "   Compiling syn v3.0.9\n    Building [=>     ] 3/215: syn, cc\r\
                       error: it failed\n    Building [==>    ] 34/215: cc, ring\r";

    #[test]
    fn progress_is_read_from_the_end_of_a_log() {
        assert_eq!(compiled(LOG).as_deref(), Some("34 of 215 compiled"));
        for none in ["", "Building [", "Building [=>  ] ", "Building [=> ] x/y: a", "a 3/4 b"] {
            assert_eq!(compiled(none), None, "{none}");
        }
        assert_eq!(progress(Path::new("no such file")), None);
    }

    #[test]
    fn an_error_shows_no_progress_bars() {
        assert_eq!(last_lines(LOG), "   Compiling syn v3.0.9\nerror: it failed");
        assert_eq!(last_lines(&"line\n".repeat(50)).lines().count(), SHOWN);
    }

    #[test]
    fn a_step_ends_with_its_work() {
        let started = Instant::now();
        assert_eq!(step("A step", "a test", None, || Ok(7)).unwrap(), 7);
        assert!(step("A step", "a test", None, || -> Result<()> { bail!("no") }).is_err());
        assert!(started.elapsed() < INTERVAL);
    }
}
