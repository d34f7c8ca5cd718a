//! The runtime alone: `workerd serve` with one Worker, without wrangler and its proxy in between. The
//! process's CPU time and memory are the Worker's, and the Worker learns of a connection that is reset,
//! which wrangler's proxy keeps from it.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::bundle::Bundle;
use crate::deployment::Deployment;
use crate::log::Log;
use crate::toolchain::Toolchain;
use crate::workerd::new_folder;

/// How long it may take to start on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A Worker at work. It stops when dropped.
pub struct Runtime {
    process: Child,
    id: u32,
    /// A folder of its own, which goes with it.
    home: Option<PathBuf>,
    /// Where it listens.
    pub address: SocketAddr,
    /// When its process was started.
    pub started: Instant,
}

impl Runtime {
    /// Starts the modules of `bundle` as `deployment` on a port that the system chooses, with nothing
    /// stored.
    ///
    /// # Errors
    /// As [`serve`](Self::serve).
    pub async fn start(
        toolchain: &Toolchain,
        bundle: &Bundle,
        deployment: &Deployment,
    ) -> Result<Self> {
        let mut modules = Vec::new();
        for entry in fs::read_dir(&bundle.dir)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "js" || extension == "wasm") {
                modules.push(path);
            }
        }
        // The first one is the Worker.
        modules.sort_by_key(|path| !path.ends_with("index.js"));
        Self::serve(toolchain, deployment, &modules).await
    }

    /// Starts these modules, of which the first is the Worker.
    ///
    /// # Errors
    /// Where it does not start; what it printed is part of the error.
    pub async fn serve(
        toolchain: &Toolchain,
        deployment: &Deployment,
        modules: &[PathBuf],
    ) -> Result<Self> {
        let home = new_folder("runtime")?;
        fs::create_dir(home.join("storage"))?;
        deployment.write_for_runtime(modules, &home)?;
        let mut runtime =
            Self::launch(toolchain, &home, &["config.capnp"], &BTreeMap::new()).await?;
        runtime.home = Some(home);
        Ok(runtime)
    }

    /// Starts `workerd serve` with these arguments and environment variables in the folder `at`. The
    /// configuration must listen on a port that the system chooses.
    ///
    /// # Errors
    /// As [`serve`](Self::serve).
    pub async fn launch(
        toolchain: &Toolchain,
        at: &Path,
        arguments: &[&str],
        variables: &BTreeMap<String, String>,
    ) -> Result<Self> {
        // What the Worker logs goes nowhere: descriptor 3 tells the port where the log would be.
        let mut shell = Command::new("sh");
        shell
            .args(["-c", r#"exec "$@" 3>&1 >/dev/null"#, "sh"])
            .arg(toolchain.workerd()?)
            .args(["serve", "--experimental", "--control-fd=3"])
            .args(arguments)
            .envs(variables)
            .current_dir(at)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let started = Instant::now();
        let mut process = shell.spawn().context("workerd does not start")?;
        let id = process.id().context("workerd has ended")?;
        let (control, errors) = (Log::default(), Log::default());
        control.follow(process.stdout.take());
        errors.follow(process.stderr.take());
        let port = tokio::select! {
            port = control.wait_for(START_LIMIT, port) => port,
            _ = process.wait() => None,
        };
        let port = port.with_context(|| format!("workerd did not start:\n{}", errors.text()))?;
        Ok(Self { process, id, home: None, address: ([127, 0, 0, 1], port).into(), started })
    }

    /// The CPU time that the process has used so far, user and system: the kernel's own count of
    /// each of its threads, in nanoseconds.
    ///
    /// # Errors
    /// Where the kernel does not tell.
    pub fn cpu(&self) -> Result<Duration> {
        let mut nanos = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.id))? {
            let text = fs::read_to_string(thread?.path().join("schedstat"))?;
            let ran = text.split_whitespace().next().context("no time in schedstat")?;
            nanos += ran.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanos))
    }

    /// The memory that is resident, in bytes.
    ///
    /// # Errors
    /// Where the kernel does not tell.
    pub fn resident(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        Ok(kilobytes.context("no VmRSS")? * 1024)
    }

    /// Ends the process.
    ///
    /// # Errors
    /// Where it cannot be awaited.
    pub async fn stop(mut self) -> Result<()> {
        self.process.kill().await.context("workerd cannot be stopped")
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if let Some(home) = &self.home {
            // Best effort: what is left lies under target/.
            let _ = fs::remove_dir_all(home);
        }
    }
}

/// The port that a line of workerd's control messages tells.
fn port(line: &str) -> Option<u16> {
    let message: Value = serde_json::from_str(line).ok()?;
    u16::try_from(message["port"].as_u64()?).ok()
}
