//! What a Worker is deployed with: the shipped configuration, other variables, and secrets.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::bundle::Bundle;
use crate::configuration;

/// The settings of `wrangler.toml` that a local run needs. Routes, environments, bindings of an
/// account's own and the build command are for deployments.
const LOCAL: [&str; 10] = [
    "name",
    "main",
    "compatibility_date",
    "compatibility_flags",
    "durable_objects",
    "migrations",
    "triggers",
    "observability",
    "analytics_engine_datasets",
    "vars",
];

/// What is deployed: the shipped `wrangler.toml` with other variables and secrets.
#[derive(Clone)]
pub struct Deployment {
    /// Replaces `[vars]`.
    pub vars: Value,
    /// By name.
    pub secrets: BTreeMap<String, String>,
    /// Whether delivery is durable, as it is in the shipped configuration: then the lanes are bound.
    pub durable: bool,
    /// Stands in the place of the variable `DELIVERY`, for a test of a wrong one.
    pub delivery: Option<Value>,
    /// Whether a dataset of Workers Analytics Engine is bound, also where `wrangler.toml` binds none.
    pub analytics: bool,
}

impl Deployment {
    /// The shipped configuration, its vendors at other base URLs.
    ///
    /// # Errors
    /// Where `wrangler.toml` cannot be read.
    pub fn shipped(base_urls: &[(&str, String)]) -> Result<Self> {
        let mut vars = configuration::variables()?;
        for (vendor, url) in base_urls {
            vars["VENDORS"][vendor]["base_url"] = json!(url);
        }
        Ok(Self { vars, secrets: BTreeMap::new(), durable: true, delivery: None, analytics: false })
    }

    /// Without the lanes: delivery is direct.
    #[must_use]
    pub fn direct(mut self) -> Self {
        self.durable = false;
        self
    }

    /// The variables as they are deployed.
    fn variables(&self) -> Value {
        let mut vars = self.vars.clone();
        let word = if self.durable { "durable" } else { "direct" };
        vars["DELIVERY"] = self.delivery.clone().unwrap_or_else(|| json!(word));
        vars
    }

    /// Adds a secret.
    #[must_use]
    pub fn secret(mut self, name: &str, value: &str) -> Self {
        self.secrets.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Writes the configuration and the secrets as wrangler reads them, to the folder `home`.
    pub(crate) fn write(&self, bundle: &Bundle, home: &Path) -> Result<()> {
        let mut wrangler = configuration::shipped()?;
        bundle.copy_to(&home.join("bundle"))?;
        wrangler["main"] = json!("bundle/index.js");
        wrangler["vars"] = self.variables();
        if self.analytics {
            let dataset = json!({ "binding": "ANALYTICS", "dataset": "erasure_relay" });
            wrangler["analytics_engine_datasets"] = json!([dataset]);
        }
        let settings = wrangler.as_object_mut().context("wrangler.toml is empty")?;
        settings.retain(|name, _| LOCAL.contains(&name.as_str()));
        if !self.durable {
            settings.remove("durable_objects");
            settings.remove("migrations");
        }
        fs::write(home.join("wrangler.json"), serde_json::to_vec_pretty(&wrangler)?)?;
        let mut lines = String::new();
        for (name, value) in &self.secrets {
            if value.contains(['\'', '\n']) {
                bail!("the secret {name} cannot be written to .dev.vars");
            }
            lines.push_str(&format!("{name}='{value}'\n"));
        }
        fs::write(home.join(".dev.vars"), lines).context("cannot write .dev.vars")
    }

    /// Writes what `workerd serve` needs to the folder `home`: these modules, of which the first is the
    /// Worker, and `config.capnp`.
    pub(crate) fn write_for_runtime(&self, modules: &[PathBuf], home: &Path) -> Result<()> {
        let mut embedded = String::new();
        for file in modules {
            let name = file.file_name().and_then(|name| name.to_str()).context("no file name")?;
            fs::copy(file, home.join(name))
                .with_context(|| format!("cannot copy {}", file.display()))?;
            let kind = if name.ends_with(".wasm") { "wasm" } else { "esModule" };
            writeln!(embedded, "(name = {name:?}, {kind} = embed {name:?}),")?;
        }
        let mut bindings = String::new();
        for (name, value) in self.variables().as_object().context("no variables")? {
            writeln!(bindings, "(name = {name:?}, json = {}),", text(&value.to_string()))?;
        }
        for (name, value) in &self.secrets {
            writeln!(bindings, "(name = {name:?}, text = {}),", text(value))?;
        }
        let mut lanes = "";
        if self.durable {
            bindings += r#"(name = "LANES", durableObjectNamespace = "Lane"),"#;
            lanes = r#"
              durableObjectNamespaces = [(className = "Lane", uniqueKey = "lane", enableSql = true)],
              durableObjectStorage = (localDisk = "storage"),"#;
        }
        let shipped = configuration::shipped()?;
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
              modules = [{embedded}],
              bindings = [{bindings}],{lanes}
              compatibilityDate = {},
              compatibilityFlags = {},
            );"#,
            shipped["compatibility_date"], shipped["compatibility_flags"],
        );
        fs::write(home.join("config.capnp"), config).context("cannot write config.capnp")
    }
}

/// A text of Cap'n Proto, whose escapes are a superset of those of JSON for what is used here.
fn text(value: &str) -> String {
    Value::from(value).to_string()
}
