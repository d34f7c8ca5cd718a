//! Who is measured, and what each is given to work with.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::bundle::{self, Bundle};
use crate::configuration;
use crate::demo::{INSIDER_TOKEN, INSTACART_TOKEN, PSEUDONYM_KEY, SECRET};
use crate::toolchain::Toolchain;

/// One Worker that is measured.
pub struct Peer {
    /// Names it in the JSON.
    pub key: &'static str,
    /// Names it for people.
    pub label: &'static str,
    /// The vendors that it asks.
    pub vendors: &'static [&'static str],
    /// Whether it verifies what it is sent, and tells what became of it.
    pub does_the_job: bool,
    /// Whether it has lanes.
    pub durable: bool,
    /// The Wasm module, where it has one.
    pub wasm: Option<PathBuf>,
    script: PathBuf,
}

/// What is measured.
pub const RELAY: &str = "direct";

/// What its figures are held against first.
pub const BASELINE: &str = "handwritten";

/// All of them; those written in JavaScript are bundled and minified to target/.
///
/// # Errors
/// Where a script cannot be bundled.
pub fn all(toolchain: &Toolchain, bundle: &Bundle) -> Result<Vec<Peer>> {
    const ONE: &[&str] = &["insider"];
    const TWO: &[&str] = &["instacart", "insider"];
    let relay = |key, label, vendors, durable| Peer {
        key,
        label,
        vendors,
        does_the_job: true,
        durable,
        script: bundle.dir.join("index.js"),
        wasm: Some(bundle.dir.join("index_bg.wasm")),
    };
    let script = |key, label, does_the_job| {
        let script = minified(toolchain, key)?;
        let (vendors, durable, wasm) = (ONE, false, None);
        anyhow::Ok(Peer { key, label, vendors, does_the_job, durable, script, wasm })
    };
    Ok(vec![
        relay(RELAY, "Erasure Relay, direct", ONE, false),
        script(BASELINE, "hand-written JavaScript", true)?,
        script("hono", "Hono and standardwebhooks", true)?,
        script("pass_through", "pass-through, no verification", false)?,
        relay("durable", "Erasure Relay, durable, one vendor", ONE, true),
        relay("durable_two", "Erasure Relay, durable, two vendors", TWO, true),
    ])
}

/// Bundles benches/peers/`key`.js as esbuild does it for a deployment.
fn minified(toolchain: &Toolchain, key: &str) -> Result<PathBuf> {
    let file = crate::root().join("target/bench").join(format!("{key}.js"));
    let mut esbuild = toolchain.node_bin("esbuild");
    esbuild.arg(format!("benches/peers/{key}.js")).arg(format!("--outfile={}", file.display()));
    esbuild.args(["--bundle", "--minify", "--format=esm", "--log-level=warning"]);
    let status = esbuild.status().context("cannot start esbuild")?;
    ensure!(status.success(), "{key}.js cannot be bundled");
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

    /// Writes what `workerd serve` needs to `home`: the modules, and `config.capnp` with the shipped
    /// configuration, its vendors at `vendor`.
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub fn write(&self, vendor: &Urls, home: &Path) -> Result<()> {
        let shipped = configuration::shipped()?;
        let date = shipped["compatibility_date"].as_str().context("no compatibility_date")?;
        let mut vars = shipped["vars"].clone();
        vars["SOURCES"]["consent"]["vendors"] = json!(self.vendors);
        for (name, url) in [("instacart", &vendor.instacart), ("insider", &vendor.insider)] {
            vars["VENDORS"][name]["base_url"] = json!(url);
            // What the vendors allow is not what is measured.
            vars["VENDORS"][name]["pace"] = json!({ "calls": 1_000_000, "per_seconds": 60 });
        }
        place(&self.script, home, "index.js")?;
        let mut modules = r#"(name = "index.js", esModule = embed "index.js"), "#.to_owned();
        if let Some(wasm) = &self.wasm {
            place(wasm, home, "index_bg.wasm")?;
            modules += r#"(name = "./index_bg.wasm", wasm = embed "index_bg.wasm")"#;
        }
        let mut bindings = String::new();
        for name in ["SOURCES", "VENDORS"] {
            writeln!(bindings, "(name = {name:?}, json = {}),", text(&vars[name].to_string()))?;
        }
        for (name, value) in self.secrets() {
            writeln!(bindings, "(name = {name:?}, text = {}),", text(value))?;
        }
        let mut lanes = "";
        if self.durable {
            bindings += r#"(name = "LANES", durableObjectNamespace = "Lane"),"#;
            lanes = r#"
              durableObjectNamespaces = [(className = "Lane", uniqueKey = "lane", enableSql = true)],
              durableObjectStorage = (localDisk = "storage"),"#;
        }
        let config = format!(
            r#"using Workerd = import "/workerd/workerd.capnp";
            const config :Workerd.Config = (
              services = [
                (name = "main", worker = .main),
                (name = "internet", network = (allow = ["private"])),
                (name = "storage", disk = (path = "storage", writable = true)),
              ],
              sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
            );
            const main :Workerd.Worker = (
              modules = [{modules}],
              bindings = [{bindings}],{lanes}
              compatibilityDate = {},
            );"#,
            text(date)
        );
        fs::write(home.join("config.capnp"), config).context("cannot write config.capnp")
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

/// A text of Cap'n Proto, whose escapes are a superset of those of JSON for what is used here.
fn text(value: &str) -> String {
    Value::from(value).to_string()
}

/// Copies a peer's file to where its configuration embeds it from.
fn place(file: &Path, home: &Path, name: &str) -> Result<()> {
    let copied = fs::copy(file, home.join(name));
    copied.with_context(|| format!("cannot copy {}", file.display())).map(drop)
}
