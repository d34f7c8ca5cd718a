//! What `wrangler.toml` says already: answers that need not be given again, and settings that stay.

use anyhow::{Context, Result};
use serde_json::Value;
use toml_edit::DocumentMut;

use super::settings;
use crate::configuration;

/// The variables of one environment, without the examples of the shipped file.
pub struct Existing {
    vars: Value,
}

impl Existing {
    /// Reads those of an environment; `None` is the top level.
    ///
    /// # Errors
    /// Where the text is not TOML.
    pub fn read(text: &str, env: Option<&str>) -> Result<Self> {
        let mut document: DocumentMut = text.parse().context("wrangler.toml is not TOML")?;
        settings::remove_all_examples(document.as_table_mut(), env);
        let mut wrangler = configuration::read(&document.to_string())?;
        let root = match env {
            None => Some(&mut wrangler),
            Some(env) => wrangler.get_mut("env").and_then(|all| all.get_mut(env)),
        };
        let vars = root.and_then(|root| root.get_mut("vars")).map(Value::take);
        Ok(Self { vars: vars.unwrap_or_default() })
    }

    /// How erasures are delivered; where there is no source, nobody has chosen it yet.
    pub fn delivery(&self) -> Option<&str> {
        self.sources().next().and(self.vars["DELIVERY"].as_str())
    }

    /// The table of a source.
    pub fn source(&self, name: &str) -> Option<&Value> {
        self.vars["SOURCES"].get(name)
    }

    /// Every source and its platform.
    pub fn sources(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.vars["SOURCES"].as_object().into_iter().flatten();
        all.filter_map(|(name, source)| Some((name.as_str(), source["platform"].as_str()?)))
    }

    /// The account of a vendor's `api`: the one with the usual name, or else the first.
    pub fn account(&self, api: &str, usual: &str) -> Option<(&str, &Value)> {
        let all = self.vars["VENDORS"].as_object().into_iter().flatten();
        let mut accounts = all.filter(|(_, account)| account["api"] == api);
        let first = accounts.next()?;
        let found = if first.0 == usual { None } else { accounts.find(|(name, _)| *name == usual) };
        let (name, account) = found.unwrap_or(first);
        Some((name, account))
    }

    /// Each setting of what was there that is another in `vars`, as `path: old -> new`.
    pub fn changes(&self, vars: &Value) -> Vec<String> {
        let mut found = Vec::new();
        compare("vars", &self.vars, vars, &mut found);
        found
    }
}

fn compare(path: &str, old: &Value, new: &Value, found: &mut Vec<String>) {
    let (Some(before), Some(after)) = (old.as_object(), new.as_object()) else {
        if old != new {
            let shown = |value: &Value| match value {
                Value::Null => "not set".to_owned(),
                value => value.to_string(),
            };
            found.push(format!("{path}: {} -> {}", shown(old), shown(new)));
        }
        return;
    };
    for (key, old) in before {
        compare(&format!("{path}.{key}"), old, &new[key], found);
    }
    // A variable, a source or an account that is added changes nothing that was there.
    if !["vars", "vars.SOURCES", "vars.VENDORS"].contains(&path) {
        for (key, new) in after.iter().filter(|(key, _)| !before.contains_key(*key)) {
            compare(&format!("{path}.{key}"), &Value::Null, new, found);
        }
    }
}
