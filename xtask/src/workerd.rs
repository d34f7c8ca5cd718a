//! The Worker in the real runtime: `wrangler dev` on the release bundle, on loopback.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::bundle::Bundle;
use crate::configuration;
use crate::toolchain::Toolchain;

/// How long the runtime may take to start on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(90);

/// How long it may take to stop before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// What is deployed: the shipped `wrangler.toml` with other variables and secrets.
#[derive(Clone)]
pub struct Deployment {
    /// Replaces `[vars]`.
    pub vars: Value,
    /// By name.
    pub secrets: BTreeMap<String, String>,
    /// Whether the lanes are bound, as they are in the shipped configuration.
    pub durable: bool,
}

impl Deployment {
    /// The shipped configuration, its vendors at other base URLs.
    ///
    /// # Errors
    /// Where `wrangler.toml` cannot be read.
    pub fn shipped(base_urls: &[(&str, String)]) -> Result<Self> {
        let mut vars = configuration::shipped()?["vars"].take();
        for (vendor, url) in base_urls {
            vars["VENDORS"][vendor]["base_url"] = json!(url);
        }
        Ok(Self { vars, secrets: BTreeMap::new(), durable: true })
    }

    /// Without the lanes: delivery is direct.
    #[must_use]
    pub fn direct(mut self) -> Self {
        self.durable = false;
        self
    }

    /// Adds a secret.
    #[must_use]
    pub fn secret(mut self, name: &str, value: &str) -> Self {
        self.secrets.insert(name.to_owned(), value.to_owned());
        self
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
    /// Starts `bundle` as `deployment` on a port that the system chooses; returns when it serves.
    ///
    /// # Errors
    /// Where it does not start; its output is part of the error.
    pub async fn start(
        toolchain: &Toolchain,
        bundle: &Bundle,
        deployment: &Deployment,
    ) -> Result<Self> {
        let home = write_home(bundle, deployment)?;
        let mut command = toolchain.node_bin("wrangler");
        command
            .current_dir(&home)
            .args(["dev", "--config", "wrangler.json", "--local", "--persist-to", "storage"])
            .args(["--ip", "127.0.0.1", "--port", "0", "--inspector-port", "0"])
            .args(["--show-interactive-dev-session", "false", "--log-level", "log"])
            .env("WRANGLER_REGISTRY_PATH", home.join("registry"))
            .env("WRANGLER_LOG_PATH", home.join("wrangler-logs"))
            .env("NO_COLOR", "1")
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
        let mut count = self.log.count.subscribe();
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

    fn signal(&self, signal: Signal) {
        let id = self.process.id().and_then(|id| i32::try_from(id).ok());
        if let Some(group) = id.and_then(Pid::from_raw) {
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

/// A folder of its own for one run: configuration, secrets and storage.
fn write_home(bundle: &Bundle, deployment: &Deployment) -> Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("{}-{count}", std::process::id());
    let home = crate::root().join("target/workerd").join(name);
    fs::create_dir_all(&home).with_context(|| format!("cannot make {}", home.display()))?;
    let mut wrangler = configuration::shipped()?;
    wrangler["main"] = json!(bundle.dir.join("index.js"));
    wrangler["vars"] = deployment.vars.clone();
    let settings = wrangler.as_object_mut().context("wrangler.toml is empty")?;
    settings.remove("build");
    if !deployment.durable {
        settings.remove("durable_objects");
        settings.remove("migrations");
    }
    fs::write(home.join("wrangler.json"), serde_json::to_vec_pretty(&wrangler)?)?;
    write_secrets(&home, &deployment.secrets)?;
    Ok(home)
}

fn write_secrets(home: &Path, secrets: &BTreeMap<String, String>) -> Result<()> {
    let mut lines = String::new();
    for (name, value) in secrets {
        if value.contains(['\'', '\n']) {
            bail!("the secret {name} cannot be written to .dev.vars");
        }
        lines.push_str(&format!("{name}='{value}'\n"));
    }
    fs::write(home.join(".dev.vars"), lines).context("cannot write .dev.vars")
}

/// The lines that a process prints, as they come.
#[derive(Clone)]
struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    count: watch::Sender<usize>,
}

impl Default for Log {
    fn default() -> Self {
        Self { lines: Arc::default(), count: watch::Sender::new(0) }
    }
}

impl Log {
    fn follow(&self, stream: Option<impl AsyncRead + Unpin + Send + 'static>) {
        let log = self.clone();
        tokio::spawn(async move {
            let Some(stream) = stream else { return };
            let mut lines = BufReader::new(stream).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                log.lines().push(line);
                log.count.send_modify(|count| *count += 1);
            }
        });
    }

    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn text(&self) -> String {
        self.lines().join("\n")
    }

    /// The first line, printed already or to come, of which `find` makes something.
    async fn wait_for<T>(&self, limit: Duration, find: impl Fn(&str) -> Option<T>) -> Option<T> {
        let mut count = self.count.subscribe();
        let mut seen = 0;
        let search = async {
            loop {
                count.borrow_and_update();
                {
                    let lines = self.lines();
                    if let Some(found) = lines.iter().skip(seen).find_map(|line| find(line)) {
                        return Some(found);
                    }
                    seen = lines.len();
                }
                if count.changed().await.is_err() {
                    return None;
                }
            }
        };
        timeout(limit, search).await.ok().flatten()
    }
}
