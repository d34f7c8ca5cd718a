//! The Worker in the real runtime: `wrangler dev` on the release bundle, on loopback.

use std::fs;
use std::future::pending;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use walkdir::{DirEntry, WalkDir};

use crate::bundle::Bundle;
pub use crate::deployment::Deployment;
use crate::log::Log;
use crate::toolchain::Toolchain;

/// How long the runtime may take to start on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(90);

/// How long it may take to stop before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// How long the killed are waited for. They run no more at once; but they stay in the system's list
/// until its first process takes note of their end, and in a container that may take seconds.
const BURIAL_LIMIT: Duration = Duration::from_millis(300);

/// Where Durable Objects keep their data: a folder that outlives a [`Workerd`], so that another can
/// go on with it. It is removed when dropped.
pub struct Storage(PathBuf);

impl Storage {
    /// An empty one under target/.
    ///
    /// # Errors
    /// Where the folder cannot be made.
    pub fn fresh() -> Result<Self> {
        new_folder("storage").map(Self)
    }

    /// Every file, at whatever depth.
    ///
    /// # Errors
    /// Where the folder cannot be read.
    pub fn files(&self) -> Result<Vec<PathBuf>> {
        let entries = WalkDir::new(&self.0).into_iter().collect::<Result<Vec<_>, _>>()?;
        let files = entries.into_iter().filter(|entry| !entry.file_type().is_dir());
        Ok(files.map(DirEntry::into_path).collect())
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        // Best effort: what is left lies under target/.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Starts wrangler, and ends its whole process group when standard input ends: when the process
/// that started it is gone, however it went.
const BOUND_TO_PARENT: &str =
    r#"exec 3<&0 </dev/null; { cat <&3; kill -TERM 0; } >/dev/null 2>&1 & exec 3<&-; exec "$@""#;

/// A running Worker. It stops when dropped, and when this process ends.
pub struct Workerd {
    process: Child,
    /// Wrangler with its workerd.
    group: Option<Pid>,
    /// Ends them when it is closed.
    _bond: Option<ChildStdin>,
    address: String,
    home: PathBuf,
    log: Log,
}

impl Workerd {
    /// Starts `bundle` as `deployment` on a port that the system chooses, with nothing stored;
    /// returns when it serves.
    ///
    /// # Errors
    /// Where it does not start; its output is part of the error.
    pub async fn start(
        toolchain: &Toolchain,
        bundle: &Bundle,
        deployment: &Deployment,
    ) -> Result<Self> {
        let home = new_home(bundle, deployment)?;
        let storage = home.join("storage");
        Self::serve(toolchain, home, &storage, 0).await
    }

    /// As [`start`](Self::start), on this port; 0 has the system choose one.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_at(
        port: u16,
        toolchain: &Toolchain,
        bundle: &Bundle,
        deployment: &Deployment,
    ) -> Result<Self> {
        let home = new_home(bundle, deployment)?;
        let storage = home.join("storage");
        Self::serve(toolchain, home, &storage, port).await
    }

    /// As [`start`](Self::start), with what an earlier one has stored, its alarms included: those
    /// that are due ring at once.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_on(
        toolchain: &Toolchain,
        bundle: &Bundle,
        deployment: &Deployment,
        Storage(storage): &Storage,
    ) -> Result<Self> {
        Self::serve(toolchain, new_home(bundle, deployment)?, storage, 0).await
    }

    async fn serve(
        toolchain: &Toolchain,
        home: PathBuf,
        storage: &Path,
        port: u16,
    ) -> Result<Self> {
        let wrangler = toolchain.node_bin("wrangler");
        let mut command = std::process::Command::new("sh");
        command.args(["-c", BOUND_TO_PARENT, "sh"]).arg(wrangler.get_program());
        for (name, value) in wrangler.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        command
            .current_dir(&home)
            .args(["dev", "--config", "wrangler.json", "--local", "--persist-to"])
            .arg(storage)
            .args(["--ip", "127.0.0.1", "--port", &port.to_string()])
            .args(["--inspector-port", "0"])
            .args(["--show-interactive-dev-session", "false", "--log-level", "log"])
            .env("WRANGLER_REGISTRY_PATH", home.join("registry"))
            .env("WRANGLER_LOG_PATH", home.join("wrangler-logs"))
            .env("NO_COLOR", "1")
            // It would keep each vendor URL, and Instacart's names the user.
            .env("X_LOCAL_OBSERVABILITY", "false")
            .env("CI", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0); // so that one signal reaches wrangler and its workerd
        let mut process =
            Command::from(command).spawn().context("wrangler does not start: is Node there?")?;
        let log = Log::default();
        log.follow(process.stdout.take());
        log.follow(process.stderr.take());
        let group = process.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        // Taken, since waiting for a process closes its input.
        let bond = process.stdin.take();
        let address = String::new();
        let mut workerd = Self { process, group, _bond: bond, address, home, log };
        let ready = workerd.log.wait_for(START_LIMIT, |line| {
            line.split_once("Ready on http://").map(|(_, address)| address.trim().to_owned())
        });
        workerd.address = tokio::select! {
            ready = ready => ready,
            _ = workerd.process.wait() => None,
        }
        .with_context(|| format!("the Worker did not start:\n{}", workerd.log.text()))?;
        Ok(workerd)
    }

    /// The URL of a path of the Worker.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Everything that wrangler and the Worker have printed.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Waits for a printed line that contains `text`.
    ///
    /// # Errors
    /// Where none comes within ten seconds.
    pub async fn logged(&self, text: &str) -> Result<String> {
        let found = |line: &str| line.contains(text).then(|| line.to_owned());
        let line = self.log.wait_for(Duration::from_secs(10), found).await;
        line.with_context(|| format!("no line with {text:?} was logged"))
    }

    /// What is printed from now on.
    #[must_use]
    pub fn lines(&self) -> Lines {
        Lines { log: self.log.clone(), count: self.log.changes(), seen: self.log.lines().len() }
    }

    /// Waits until wrangler ends by itself, which it must not.
    ///
    /// # Errors
    /// Where the process cannot be awaited.
    pub async fn ended(&mut self) -> Result<ExitStatus> {
        Ok(self.process.wait().await?)
    }

    /// Stops the Worker and returns all that it printed.
    ///
    /// # Errors
    /// Where the process cannot be awaited.
    pub async fn stop(mut self) -> Result<String> {
        self.signal(Signal::TERM);
        if timeout(STOP_LIMIT, self.process.wait()).await.is_err() {
            self.signal(Signal::KILL);
            self.process.wait().await?;
        }
        Ok(self.log.text())
    }

    /// Kills wrangler and its workerd, as a crash does: nothing of theirs runs any more, no clean-up
    /// either. Returns all that was printed.
    ///
    /// # Errors
    /// Where the process cannot be awaited.
    pub async fn kill(mut self) -> Result<String> {
        self.signal(Signal::KILL);
        self.process.wait().await?;
        let buried = async {
            while self.group.is_some_and(|group| test_kill_process_group(group).is_ok()) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let _ = timeout(BURIAL_LIMIT, buried).await;
        Ok(self.log.text())
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // It may have ended by itself.
            let _ = kill_process_group(group, signal);
        }
    }
}

/// Lines that are printed, as they come.
pub struct Lines {
    log: Log,
    count: watch::Receiver<usize>,
    seen: usize,
}

impl Lines {
    /// Waits for further lines.
    pub async fn next(&mut self) -> Vec<String> {
        loop {
            self.count.borrow_and_update();
            let new: Vec<String> = self.log.lines().iter().skip(self.seen).cloned().collect();
            if !new.is_empty() {
                self.seen += new.len();
                return new;
            }
            if self.count.changed().await.is_err() {
                pending::<()>().await; // nothing is printed any more
            }
        }
    }
}

impl Drop for Workerd {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        // Best effort: what is left lies under target/.
        let _ = fs::remove_dir_all(&self.home);
    }
}

/// A folder of its own for one run.
fn new_home(bundle: &Bundle, deployment: &Deployment) -> Result<PathBuf> {
    let home = new_folder("home")?;
    deployment.write(bundle, &home)?;
    Ok(home)
}

/// A new folder under target/.
pub(crate) fn new_folder(what: &str) -> Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("{what}-{}-{count}", std::process::id());
    let folder = crate::root().join("target/workerd").join(name);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}
