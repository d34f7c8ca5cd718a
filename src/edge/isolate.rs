//! What one isolate keeps between requests: the relay, ready to work, and the ways to its vendors.
//!
//! Variables and Worker secrets change only with a deployment, which starts new isolates. So they
//! are read once, at the first request, and again only as long as they are not complete. A value
//! that changes in a Secrets Store is seen by new isolates alone.

use std::cell::OnceCell;
use std::rc::Rc;

use js_sys::{JSON, Reflect};
use wasm_bindgen::JsValue;

use super::channel::Channel;
use super::keyring::Keyring;
use super::lanes::Lanes;
use super::runtime::Env;
use super::{log, secrets};
use crate::config::Config;
use crate::json::Json;
use crate::keys::Keys;
use crate::relay::Relay;
use crate::sender::Sender;
use crate::settings::Misconfiguration;

/// The relay, its accounts within reach.
pub struct Isolate {
    /// Who may ask.
    pub senders: Vec<Sender>,
    /// The keys of those who sign with private ones.
    pub keyring: Keyring,
    /// Who is asked.
    pub channels: Vec<Channel>,
    /// The lanes of these accounts; `None` where delivery is direct.
    pub lanes: Option<Lanes>,
    /// The relay's own secrets.
    pub keys: Keys,
    /// Names of optional secrets that are not set.
    pub unset: Vec<String>,
}

thread_local! {
    static ISOLATE: OnceCell<Rc<Isolate>> = const { OnceCell::new() };
}

impl Isolate {
    /// This isolate's relay, made at the first call that finds the configuration complete.
    ///
    /// # Errors
    /// Every problem of the configuration.
    pub async fn get(env: &Env) -> Result<Rc<Self>, Vec<Misconfiguration>> {
        if let Some(ready) = ISOLATE.with(|isolate| isolate.get().cloned()) {
            return Ok(ready);
        }
        let made = Rc::new(Self::make(env).await.inspect_err(|problems| {
            log::not_configured(problems);
        })?);
        // Requests that came at the same time made their own; they are all alike.
        Ok(ISOLATE.with(|isolate| isolate.get_or_init(|| made).clone()))
    }

    async fn make(env: &Env) -> Result<Self, Vec<Misconfiguration>> {
        let [sources, vendors] = ["SOURCES", "VENDORS"].map(|name| variable(env, name));
        let config = Config::parse(&json("SOURCES", &sources)?, &json("VENDORS", &vendors)?)?;
        let lanes = Lanes::bound(env);
        let durable = lanes.is_some();
        let secrets = secrets::read(env, Relay::secret_names(&config, durable)).await?;
        let relay = Relay::assemble(config, &secrets, durable)?;
        let Relay { senders, accounts, keys, unset } = relay;
        let mut channels = Vec::new();
        for (account, credential) in accounts {
            let path = format!("VENDORS.{}", account.name);
            channels.push(Channel::new(account, credential).map_err(|_| {
                vec![Misconfiguration::new(&path, "makes a header that is not valid")]
            })?);
        }
        Ok(Self { senders, keyring: Keyring::default(), channels, lanes, keys, unset })
    }

    /// The name of the account of a channel.
    pub fn name(&self, channel: usize) -> Option<&String> {
        self.channels.get(channel).map(|channel| &channel.account.name)
    }
}

/// A variable of the environment as JSON text, `{}` where it is not set.
fn variable(env: &Env, name: &str) -> String {
    let value = Reflect::get(env, &JsValue::from_str(name)).unwrap_or(JsValue::UNDEFINED);
    let text = JSON::stringify(&value).ok().and_then(|text| text.as_string());
    text.unwrap_or_else(|| "{}".to_owned())
}

fn json<'a>(name: &str, text: &'a str) -> Result<Json<'a>, Vec<Misconfiguration>> {
    Json::parse(text.as_bytes()).map_err(|malformed| vec![Misconfiguration::new(name, malformed)])
}
