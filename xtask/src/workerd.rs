//! The Worker in the real runtime: `wrangler dev` on the release bundle, on loopback.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::process::{Child, Command};
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

/// A running Worker. It stops when dropped.
pub struct Workerd {
    process: Child,
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
        Self::serve(toolchain, home, &storage).await
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
        Self::serve(toolchain, new_home(bundle, deployment)?, storage).await
    }

    async fn serve(toolchain: &Toolchain, home: PathBuf, storage: &Path) -> Result<Self> {
        let mut command = toolchain.node_bin("wrangler");
        command
            .current_dir(&home)
            .args(["dev", "--config", "wrangler.json", "--local", "--persist-to"])
            .arg(storage)
            .args(["--ip", "127.0.0.1", "--port", "0", "--inspector-port", "0"])
            .args(["--show-interactive-dev-session", "false", "--log-level", "log"])
            .env("WRANGLER_REGISTRY_PATH", home.join("registry"))
            .env("WRANGLER_LOG_PATH", home.join("wrangler-logs"))
            .env("NO_COLOR", "1")
            // It would keep each vendor URL, and Instacart's names the user.
            .env("X_LOCAL_OBSERVABILITY", "false")
            .env("CI", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0); // so that one signal reaches wrangler and its workerd
        let mut process =
            Command::from(command).spawn().context("wrangler does not start: is Node there?")?;
        let log = Log::default();
        log.follow(process.stdout.take());
        log.follow(process.stderr.take());
        let mut workerd = Self { process, address: String::new(), home, log };
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

    /// Hands every line, printed already or to come, to `show`, until `stop` ends.
    ///
    /// # Errors
    /// Those of `stop`.
    pub async fn follow_log<E>(
        &self,
        show: impl Fn(&str),
        stop: impl Future<Output = Result<(), E>>,
    ) -> Result<(), E> {
        let mut count = self.log.changes();
        let mut seen = 0;
        tokio::pin!(stop);
        loop {
            count.borrow_and_update();
            for line in self.log.lines().iter().skip(seen) {
                show(line);
                seen += 1;
            }
            tokio::select! {
                stopped = &mut stop => return stopped,
                _ = count.changed() => {}
            }
        }
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
        let group = self.group();
        self.signal(Signal::KILL);
        self.process.wait().await?;
        let buried = async {
            while group.is_some_and(|group| test_kill_process_group(group).is_ok()) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let _ = timeout(BURIAL_LIMIT, buried).await;
        Ok(self.log.text())
    }

    fn group(&self) -> Option<Pid> {
        let id = self.process.id().and_then(|id| i32::try_from(id).ok());
        id.and_then(Pid::from_raw)
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group() {
            // It may have ended by itself.
            let _ = kill_process_group(group, signal);
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
