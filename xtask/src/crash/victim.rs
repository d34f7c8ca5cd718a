//! The Worker that dies: each of its processes goes on with what the one before has stored.

use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::sync::watch;

use super::audit::Kill;
use crate::bundle::Bundle;
use crate::toolchain::Toolchain;
use crate::workerd::{Deployment, Storage, Workerd};

/// A Worker that is killed and started again.
pub struct Victim<'a> {
    toolchain: &'a Toolchain,
    bundle: &'a Bundle,
    deployment: Deployment,
    storage: Storage,
    address: watch::Sender<Option<String>>,
    worker: Workerd,
    life: Life,
}

/// What was seen of it.
pub struct Life {
    /// When it was first started.
    pub started: Instant,
    /// In order.
    pub kills: Vec<Kill>,
    /// How long it took after each kill until the next process served.
    pub restarts: Vec<Duration>,
    /// What all its processes printed.
    pub log: String,
}

impl<'a> Victim<'a> {
    /// Starts it with nothing stored.
    ///
    /// # Errors
    /// Where it does not start.
    pub async fn start(
        toolchain: &'a Toolchain,
        bundle: &'a Bundle,
        deployment: Deployment,
    ) -> Result<Self> {
        let storage = Storage::fresh()?;
        let started = Instant::now();
        let worker = Workerd::start_on(toolchain, bundle, &deployment, &storage).await?;
        let (address, _) = watch::channel(Some(worker.url("")));
        let (kills, restarts, log) = (Vec::new(), Vec::new(), String::new());
        let life = Life { started, kills, restarts, log };
        Ok(Self { toolchain, bundle, deployment, storage, address, worker, life })
    }

    /// The process that serves now.
    pub fn worker(&self) -> &Workerd {
        &self.worker
    }

    /// Its base URL, `None` while it is dead.
    pub fn address(&self) -> watch::Receiver<Option<String>> {
        self.address.subscribe()
    }

    /// Kills it, and starts the next process.
    ///
    /// # Errors
    /// Where that does not start.
    pub async fn kill(self) -> Result<Self> {
        let Self { toolchain, bundle, deployment, storage, address, worker, mut life } = self;
        address.send_replace(None); // nothing new is sent; what is on its way is cut
        let at = Instant::now();
        life.log.push_str(&worker.kill().await?);
        life.log.push('\n');
        let restarted = Instant::now();
        let worker = Workerd::start_on(toolchain, bundle, &deployment, &storage).await?;
        address.send_replace(Some(worker.url("")));
        life.kills.push(Kill { at, restarted });
        life.restarts.push(restarted.elapsed());
        Ok(Self { toolchain, bundle, deployment, storage, address, worker, life })
    }

    /// Stops it in good order, for the last time.
    ///
    /// # Errors
    /// Where the process cannot be awaited.
    pub async fn stop(mut self) -> Result<Life> {
        self.life.log.push_str(&self.worker.stop().await?);
        Ok(self.life)
    }
}
