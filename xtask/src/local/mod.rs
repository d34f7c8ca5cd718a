//! A local run of the configuration in `wrangler.toml`, whatever it is: its own sources and vendor
//! accounts, with stand-ins in the place of the vendors' hosts and of those that publish public keys,
//! and with generated secrets.
//!
//! ```text
//! vendors   a stand-in for each vendor account
//! keys      public keys in the place of the platforms' own
//! ```

mod keys;
mod vendors;

use anyhow::Result;
use erasure_relay::config::Config;
use erasure_relay::keys::{ADMIN_TOKEN, PSEUDONYM_KEY, RECEIPT_SECRET, RECEIPT_SIGNING_KEY};
use send::configured;
use send::credentials::{Credentials, Form};
use serde_json::{Value, json};
use standin::KeyServer;

use crate::configuration;
use crate::workerd::Deployment;

pub use vendors::Vendor;

/// The name of the binding without which delivery is direct.
const LANES: &str = "LANES";

/// The variable that says how deliveries are made, and its value for the direct way.
const DELIVERY: &str = "DELIVERY";
const DIRECT: &str = "direct";

/// What runs locally. The stand-ins stop when it is dropped.
pub struct Local {
    /// `[vars]`, with the stand-ins' addresses and keys.
    pub vars: Value,
    /// What they say.
    pub config: Config,
    /// The stand-ins, by account.
    pub vendors: Vec<Vendor>,
    /// Generated secrets and private keys.
    pub credentials: Credentials,
    /// Whether the lanes are bound and used.
    pub durable: bool,
    /// What differs from a deployment, beside the vendors' addresses and the secrets.
    pub notes: Vec<String>,
    /// Publishes the keys of sources that name a URL.
    _keys: KeyServer,
}

impl Local {
    /// Starts stand-ins for what `wrangler.toml` configures.
    ///
    /// # Errors
    /// Where the configuration has problems, or there is no stand-in for a vendor's `api`.
    pub async fn start() -> Result<Self> {
        let durable = is_durable(&configuration::shipped()?);
        Self::of(configuration::variables()?, durable).await
    }

    /// The same for these variables.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn of(mut vars: Value, durable: bool) -> Result<Self> {
        let mut notes = Vec::new();
        for (name, source) in vars["SOURCES"].as_object_mut().into_iter().flatten() {
            if source.as_object_mut().and_then(|table| table.remove("callback")).is_some() {
                notes.push(format!(
                    "{name}: without its callback, which goes to the platform itself"
                ));
            }
        }
        for (name, source) in vars["SOURCES"].as_object_mut().into_iter().flatten() {
            let table = source.as_object_mut();
            if table.and_then(|table| table.remove("acknowledgement")).is_some() {
                notes.push(format!("{name}: without the signature of its answers"));
            }
        }
        let configured = configured::read(&vars)?;
        let mut credentials = Credentials::generate(&configured)?;
        for (name, form) in [
            (ADMIN_TOKEN, Form::Text),
            (PSEUDONYM_KEY, Form::Text),
            (RECEIPT_SECRET, Form::Whsec),
            (RECEIPT_SIGNING_KEY, Form::Whsk),
        ] {
            credentials.add(name, form)?;
        }
        let mut vendors = Vec::new();
        for account in &configured.vendors {
            let table = &mut vars["VENDORS"][&account.name];
            let vendor = Vendor::start(account, table, &credentials).await?;
            table["base_url"] = json!(vendor.stand_in.base_url());
            if let Some(place) =
                table.as_object_mut().and_then(|table| table.remove("jurisdiction"))
            {
                notes.push(format!(
                    "{}: without its jurisdiction {place}, which the local runtime does not have",
                    account.name
                ));
            }
            vendors.push(vendor);
        }
        let server = KeyServer::start().await?;
        for source in &configured.sources {
            let table = &mut vars["SOURCES"][&source.name];
            if keys::publish(source, table, &credentials, &server)? {
                notes
                    .push(format!("{}: with a generated key in the place of its own", source.name));
            }
        }
        let config = configured::read(&vars)?;
        Ok(Self { vars, config, vendors, credentials, durable, notes, _keys: server })
    }

    /// What is deployed.
    #[must_use]
    pub fn deployment(&self) -> Deployment {
        let (vars, secrets) = (self.vars.clone(), self.credentials.secrets.clone());
        Deployment { vars, secrets, durable: self.durable, delivery: None }
    }

    /// The operator's token.
    ///
    /// # Errors
    /// Never: it is generated with the others.
    pub fn admin_token(&self) -> Result<&str> {
        self.credentials.secret(ADMIN_TOKEN)
    }
}

/// Whether the lanes are bound, and delivery is not set to be direct.
fn is_durable(wrangler: &Value) -> bool {
    let bindings = wrangler["durable_objects"]["bindings"].as_array();
    let bound = bindings.is_some_and(|all| all.iter().any(|binding| binding["name"] == LANES));
    bound && wrangler["vars"][DELIVERY] != DIRECT
}

#[cfg(test)]
mod tests;
