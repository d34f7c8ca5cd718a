//! A local run of the configuration in `wrangler.toml`, whatever it is: its own sources and vendor
//! accounts, with stand-ins in the place of the vendors' hosts and of those that publish public keys,
//! and with generated secrets.
//!
//! ```text
//! vendors      a stand-in for each vendor account
//! recipients   a stand-in for each endpoint that is told something: platforms, and that of alerts
//! keys         public keys in the place of the platforms' own
//! ```

mod keys;
mod recipients;
mod vendors;

use anyhow::Result;
use erasure_relay::access::ADMIN_TOKEN;
use erasure_relay::alert;
use erasure_relay::config::Config;
use erasure_relay::keys::{PSEUDONYM_KEY, RECEIPT_SECRET, RECEIPT_SIGNING_KEY};
use send::configured;
use send::credentials::{Credentials, Form};
use serde_json::{Value, json};
use standin::KeyServer;

use crate::configuration;
use crate::workerd::Deployment;

pub use recipients::{Recipient, line_of};
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
    /// The stand-ins of those who are told something.
    pub recipients: Vec<Recipient>,
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
        Self::of(configuration::variables()?, is_durable()?).await
    }

    /// The same for these variables.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn of(mut vars: Value, durable: bool) -> Result<Self> {
        let mut notes = Vec::new();
        let recipients = recipients(&mut vars, durable, &mut notes).await?;
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
        for recipient in &recipients {
            let table = match &recipient.source {
                Some(source) => &vars["SOURCES"][source]["callback"],
                None => &vars[alert::VARIABLE],
            };
            recipient.add_secrets(table, &mut credentials)?;
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
        Ok(Self { vars, config, vendors, recipients, credentials, durable, notes, _keys: server })
    }

    /// What is deployed.
    #[must_use]
    pub fn deployment(&self) -> Deployment {
        let (vars, secrets) = (self.vars.clone(), self.credentials.secrets.clone());
        Deployment { vars, secrets, durable: self.durable, delivery: None, analytics: false }
    }

    /// The operator's token.
    ///
    /// # Errors
    /// Never: it is generated with the others.
    pub fn admin_token(&self) -> Result<&str> {
        self.credentials.secret(ADMIN_TOKEN)
    }
}

/// Starts a stand-in for each platform that is told something, and for the operator's endpoint. What
/// there is no stand-in for is left out, with a note.
async fn recipients(
    vars: &mut Value,
    durable: bool,
    notes: &mut Vec<String>,
) -> Result<Vec<Recipient>> {
    let mut recipients = Vec::new();
    for (name, source) in vars["SOURCES"].as_object_mut().into_iter().flatten() {
        if source["callback"].is_null() {
            continue;
        }
        let started = if durable { Recipient::of_platform(name, source).await? } else { None };
        if let Some(recipient) = started {
            notes.push(format!("{name}: its callback goes to a stand-in of its platform"));
            recipients.push(recipient);
        } else if let Some(table) = source.as_object_mut() {
            table.remove("callback");
            let why = if durable { "for which there is no stand-in" } else { "in direct delivery" };
            notes.push(format!("{name}: without its callback, {why}"));
        }
    }
    if let Some(alerts) = vars.get_mut(alert::VARIABLE).filter(|table| table.is_object()) {
        if durable {
            recipients.push(Recipient::of_alerts(alerts).await?);
            notes.push("alerts go to a stand-in of the operator's endpoint".to_owned());
        } else if let Some(vars) = vars.as_object_mut() {
            vars.remove(alert::VARIABLE);
            notes.push("without alerts, in direct delivery".to_owned());
        }
    }
    Ok(recipients)
}

/// Whether `wrangler.toml` says durable delivery.
///
/// # Errors
/// Where it cannot be read.
pub fn is_durable() -> Result<bool> {
    Ok(delivers_durably(&configuration::shipped()?))
}

/// Whether the lanes are bound, and delivery is not set to be direct.
fn delivers_durably(wrangler: &Value) -> bool {
    let bindings = wrangler["durable_objects"]["bindings"].as_array();
    let bound = bindings.is_some_and(|all| all.iter().any(|binding| binding["name"] == LANES));
    bound && wrangler["vars"][DELIVERY] != DIRECT
}

#[cfg(test)]
mod tests;
