//! What a Worker is deployed with: the shipped configuration, other variables, and secrets.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::bundle::Bundle;
use crate::configuration;

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

    /// Writes the configuration and the secrets as wrangler reads them, to the folder `home`.
    pub(crate) fn write(&self, bundle: &Bundle, home: &Path) -> Result<()> {
        let mut wrangler = configuration::shipped()?;
        wrangler["main"] = json!(bundle.dir.join("index.js"));
        wrangler["vars"] = self.vars.clone();
        let settings = wrangler.as_object_mut().context("wrangler.toml is empty")?;
        settings.remove("build");
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
}
