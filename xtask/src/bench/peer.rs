//! Who is measured, and what each is given to work with.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use super::load::Connection;
use crate::bundle;
use crate::demo::{INSIDER_TOKEN, INSTACART_TOKEN, PSEUDONYM_KEY, SECRET};
use crate::deployment::Deployment;
use crate::toolchain::Toolchain;

/// One Worker that is measured.
pub struct Peer {
    /// Names it in options and in the JSON.
    pub key: String,
    /// Names it for people.
    pub label: String,
    /// The vendors that it asks.
    pub vendors: &'static [&'static str],
    /// Whether it verifies what it is sent, and tells what became of it.
    pub does_the_job: bool,
    /// Whether it has lanes.
    pub durable: bool,
    /// Whether it is a bundle of another commit, whose receipts may be of another form.
    pub other_commit: bool,
    /// The Wasm module, where it has one.
    wasm: Option<PathBuf>,
    script: PathBuf,
}

/// The relay without lanes.
pub const RELAY: &str = "direct";

/// What the relay without lanes is compared with first.
pub const BASELINE: &str = "handwritten";

/// The relay with lanes, one vendor.
pub const DURABLE: &str = "durable";

/// What the relay with lanes is compared with.
pub const DURABLE_BASELINE: &str = "durable_js";

/// The relay with lanes, two vendors.
const DURABLE_TWO: &str = "durable_two";

/// Every peer of the project, in the order in which figures are shown.
pub const KEYS: [&str; 7] =
    [RELAY, BASELINE, "hono", "pass_through", DURABLE, DURABLE_BASELINE, DURABLE_TWO];

/// Whether a peer of this key is the relay, which must be built.
pub fn is_relay(key: &str) -> bool {
    [RELAY, DURABLE, DURABLE_TWO].contains(&key)
}

const ONE: &[&str] = &["insider"];
const TWO: &[&str] = &["instacart", "insider"];

/// The peer of this key: the relay with `bundle`, or a script of benches/peers, which is bundled and
/// minified to target/.
///
/// # Errors
/// Where a script cannot be bundled, or there is no such peer.
pub fn named(toolchain: &Toolchain, key: &str, bundle: Option<&Path>) -> Result<Peer> {
    let (label, script) = match key {
        RELAY => ("Erasure Relay, direct", None),
        BASELINE => ("hand-written JavaScript", Some("handwritten")),
        "hono" => ("Hono and standardwebhooks", Some("hono")),
        "pass_through" => ("pass-through, no verification", Some("pass_through")),
        DURABLE => ("Erasure Relay, durable, one vendor", None),
        DURABLE_BASELINE => ("hand-written JavaScript, durable", Some("durable")),
        DURABLE_TWO => ("Erasure Relay, durable, two vendors", None),
        _ => bail!("there is no peer {key}; the peers are {}", KEYS.join(", ")),
    };
    let (script, wasm) = match script {
        Some(script) => (minified(toolchain, script)?, None),
        None => modules(bundle.context("there is no bundle")?),
    };
    Ok(Peer {
        key: key.to_owned(),
        label: label.to_owned(),
        vendors: if key == DURABLE_TWO { TWO } else { ONE },
        does_the_job: key != "pass_through",
        durable: key.starts_with(DURABLE),
        other_commit: false,
        wasm,
        script,
    })
}

/// A bundle of another commit, with lanes and one vendor.
///
/// # Errors
/// Where its name is that of a peer of the project, or a file is missing.
pub fn other_commit(ExtraBundle { name, dir }: &ExtraBundle) -> Result<Peer> {
    ensure!(!KEYS.contains(&name.as_str()), "{name} is the name of a peer of the project");
    let (script, wasm) = modules(dir);
    for file in wasm.iter().chain([&script]) {
        ensure!(file.is_file(), "there is no {}", file.display());
    }
    Ok(Peer {
        key: name.clone(),
        label: format!("Erasure Relay \"{name}\", durable, one vendor"),
        vendors: ONE,
        does_the_job: true,
        durable: true,
        other_commit: true,
        wasm,
        script,
    })
}

/// A bundle's script, and its Wasm.
fn modules(dir: &Path) -> (PathBuf, Option<PathBuf>) {
    (dir.join("index.js"), Some(dir.join("index_bg.wasm")))
}

/// `NAME=DIR` on the command line: a folder with index.js and index_bg.wasm.
#[derive(Debug, Clone)]
pub struct ExtraBundle {
    name: String,
    dir: PathBuf,
}

impl FromStr for ExtraBundle {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, dir) = text.split_once('=').ok_or("NAME=DIR is expected")?;
        Ok(Self { name: name.to_owned(), dir: dir.into() })
    }
}

/// Bundles benches/peers/`name`.js as esbuild does it for a deployment.
fn minified(toolchain: &Toolchain, name: &str) -> Result<PathBuf> {
    let file = crate::root().join("target/bench").join(format!("{name}.js"));
    let mut esbuild = toolchain.node_bin("esbuild");
    esbuild.arg(format!("benches/peers/{name}.js")).arg(format!("--outfile={}", file.display()));
    esbuild.args(["--bundle", "--minify", "--format=esm", "--log-level=warning"]);
    esbuild.arg("--external:cloudflare:*").current_dir(crate::root());
    let status = esbuild.status().context("cannot start esbuild")?;
    ensure!(status.success(), "{name}.js cannot be bundled");
    Ok(file)
}

impl Peer {
    /// What is uploaded, gzipped, in bytes.
    ///
    /// # Errors
    /// Where a file cannot be read.
    pub fn gzipped(&self) -> Result<u64> {
        let wasm = self.wasm.as_deref().map_or(Ok(0), bundle::gzipped)?;
        Ok(wasm + bundle::gzipped(&self.script)?)
    }

    /// How many rows it has written so far, where it tells.
    ///
    /// # Errors
    /// Where it is one that tells, and does not.
    pub async fn rows_written(&self, address: SocketAddr) -> Result<Option<u64>> {
        if self.key != DURABLE_BASELINE {
            return Ok(None);
        }
        let (status, body) = Connection::open(address).await?.get("/rows-written").await?;
        ensure!(status == 200, "{status} to the question how many rows were written");
        let rows = std::str::from_utf8(&body)?.parse();
        rows.map(Some).context("the rows written are no number")
    }

    /// What it is given to work with: the shipped configuration, its vendors at `vendor`.
    ///
    /// # Errors
    /// Where `wrangler.toml` cannot be read.
    pub fn deployment(&self, vendor: &Urls) -> Result<Deployment> {
        let urls = [("instacart", vendor.instacart.clone()), ("insider", vendor.insider.clone())];
        let mut deployment = Deployment::shipped(&urls)?;
        deployment.vars["SOURCES"]["consent"]["vendors"] = json!(self.vendors);
        for name in ["instacart", "insider"] {
            // What the vendors allow is not what is measured.
            deployment.vars["VENDORS"][name]["pace"] =
                json!({ "calls": 1_000_000, "per_seconds": 60 });
        }
        deployment.durable = self.durable;
        for (name, value) in self.secrets() {
            deployment = deployment.secret(name, value);
        }
        Ok(deployment)
    }

    /// Its modules. The first is the Worker.
    pub fn modules(&self) -> Vec<PathBuf> {
        [&self.script].into_iter().chain(&self.wasm).cloned().collect()
    }

    fn secrets(&self) -> Vec<(&'static str, &'static str)> {
        let mut secrets = vec![
            ("CONSENT_WEBHOOK_SECRET", SECRET),
            ("INSIDER_TOKEN", INSIDER_TOKEN),
            ("INSTACART_TOKEN", INSTACART_TOKEN),
        ];
        if self.durable {
            secrets.push(("PSEUDONYM_KEY", PSEUDONYM_KEY));
        }
        secrets
    }
}

/// Where the vendors are.
pub struct Urls {
    /// Instacart Connect.
    pub instacart: String,
    /// Insider.
    pub insider: String,
}
