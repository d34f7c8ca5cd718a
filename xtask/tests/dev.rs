//! `cargo xtask dev` as a process: ready when it says so, and gone with wrangler, or wrangler with it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// How long anything may take on a busy machine, the bundle's build included.
const LIMIT: Duration = Duration::from_secs(600);

struct Dev {
    process: Child,
    typed: ChildStdin,
    lines: Receiver<String>,
}

impl Dev {
    fn start() -> Result<Self> {
        let mut process = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .arg("dev")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let typed = process.stdin.take().context("no input")?;
        let output = process.stdout.take().context("no output")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            lines.for_each(|line| drop(sender.send(line)));
        });
        Ok(Self { process, typed, lines })
    }

    /// The next line with `text`.
    fn line_with(&self, text: &str) -> Result<String> {
        let until = Instant::now() + LIMIT;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line.contains(text) => return Ok(line),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => bail!("no line with {text:?} in time"),
                Err(RecvTimeoutError::Disconnected) => bail!("it ended without {text:?}"),
            }
        }
    }

    /// Where the Worker listens, once it is ready.
    fn ready(&self) -> Result<String> {
        let line = self.line_with("Ready: http://")?;
        let (_, url) = line.split_once("http://").context("no URL")?;
        Ok(url.split_whitespace().next().unwrap_or_default().to_owned())
    }

    /// The process that it started: wrangler.
    fn wrangler(&self) -> Result<Pid> {
        let parent = self.process.id().to_string();
        for entry in fs::read_dir("/proc")?.flatten() {
            let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            // PID (NAME) STATE PARENT …
            let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
            if rest.split(' ').nth(1) == Some(&parent) {
                let id = entry.file_name().to_string_lossy().parse()?;
                return Pid::from_raw(id).context("no process");
            }
        }
        bail!("it started nothing")
    }

    fn wait(&mut self) -> Result<Option<i32>> {
        let until = Instant::now() + LIMIT;
        while Instant::now() < until {
            if let Some(status) = self.process.try_wait()? {
                return Ok(status.code());
            }
            thread::sleep(Duration::from_millis(50));
        }
        bail!("it does not end")
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Waits until nobody listens any more.
fn closed(address: &str) -> Result<()> {
    let until = Instant::now() + LIMIT;
    while Instant::now() < until {
        if TcpStream::connect(address).is_err() {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(50));
    }
    bail!("the Worker outlives its parent")
}

#[test]
fn a_vendor_fails_on_demand_and_quit_ends_it() -> Result<()> {
    let mut dev = Dev::start()?;
    let address = dev.ready()?;
    TcpStream::connect(&address).context("ready, and nobody listens")?;
    writeln!(dev.typed, "insider down")?;
    dev.line_with("insider: answers 503")?;
    writeln!(dev.typed, "insider ok")?;
    dev.line_with("insider: accepts what is as documented")?;
    writeln!(dev.typed, "nobody down")?;
    dev.line_with("there is no account")?;
    writeln!(dev.typed, "quit")?;
    ensure!(dev.wait()? == Some(0), "it failed");
    closed(&address)
}

#[test]
fn it_ends_with_wrangler() -> Result<()> {
    let mut dev = Dev::start()?;
    let address = dev.ready()?;
    kill_process(dev.wrangler()?, Signal::KILL)?;
    ensure!(dev.wait()? == Some(1), "it did not fail");
    closed(&address)
}

#[test]
fn wrangler_ends_with_it_even_where_it_is_killed() -> Result<()> {
    let mut dev = Dev::start()?;
    let address = dev.ready()?;
    dev.process.kill()?;
    dev.wait()?;
    closed(&address)?;
    // Nobody was left to remove it, and wrangler may still write there.
    let home = format!("target/workerd/home-{}-0", dev.process.id());
    let _ = fs::remove_dir_all(xtask::root().join(home));
    Ok(())
}
