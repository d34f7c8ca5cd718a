//! The configuration with its secrets, ready to work, as one isolate keeps it between requests.
//!
//! Variables and Worker secrets change only with a deployment, which starts new isolates. So they
//! are read once, at the first request, and again only while they are not complete. A value that
//! changes in a Secrets Store is seen by new isolates alone.

mod secrets;

use std::cell::OnceCell;
use std::rc::Rc;
use std::time::Duration;

use js_sys::{JSON, Reflect};
use wasm_bindgen::JsValue;
use worker::Env;

use super::analytics::Analytics;
use super::crypto::keyring::Keyring;
use super::crypto::receipt_signer::ReceiptSigner;
use super::crypto::webcrypto::Signer;
use super::log;
use super::vendor::VendorClient;
use crate::access::Tokens;
use crate::alert::{self, Alerts};
use crate::callback::{self, Callback};
use crate::config::{Account, Config, Delivery, Source};
use crate::json::Json;
use crate::keys::{Keys, RECEIPT_SIGNING_KEY};
use crate::relay::{Credential, Relay};
use crate::sender::Sender;
use crate::settings::{Misconfiguration, Notice};

/// The binding in `wrangler.toml` that makes delivery durable.
pub const LANES: &str = "LANES";

/// The relay, ready to work.
pub struct Environment {
    /// Who may ask.
    pub senders: Vec<Sender>,
    /// The keys of those who sign with private ones.
    pub keyring: Keyring,
    /// Who is asked.
    pub vendors: Vec<Rc<VendorClient>>,
    /// Who tells platforms what became of their requests.
    pub callbacks: Vec<Rc<CallbackClient>>,
    /// Who sends alerts; `None` where there are none.
    pub alerts: Option<Rc<VendorClient>>,
    /// Who signs the answers of sources, by the source's name.
    pub acknowledgement_signers: Vec<(String, Rc<Signer>)>,
    /// The relay's own secrets.
    pub keys: Keys,
    /// Signs receipts so that anybody can verify them; `None` without a key.
    pub receipt_signer: Option<ReceiptSigner>,
    /// Names of optional secrets that are not set.
    pub unset: Vec<String>,
    /// How erasures are delivered.
    pub delivery: Delivery,
    /// What the operator should know of the configuration.
    pub notices: Vec<Notice>,
    /// Where outcomes of calls are counted.
    pub analytics: Analytics,
}

/// The account that tells the platform of a source.
pub struct CallbackClient {
    /// The way to the platform.
    pub client: Rc<VendorClient>,
    /// What it is told.
    pub callback: Rc<dyn Callback>,
    /// Within what time a request must be answered.
    pub answer_within: Duration,
    /// Whether an erasure that leaves a profile is fulfilled.
    pub accepts_partial_erasure: bool,
}

thread_local! {
    static ENVIRONMENT: OnceCell<Rc<Environment>> = const { OnceCell::new() };
}

impl Environment {
    /// This isolate's environment, made at the first call that finds the configuration complete.
    ///
    /// # Errors
    /// Every problem of the configuration.
    pub async fn get(env: &Env) -> Result<Rc<Self>, Vec<Misconfiguration>> {
        if let Some(ready) = ENVIRONMENT.with(|environment| environment.get().cloned()) {
            return Ok(ready);
        }
        let made = Rc::new(Self::read(env).await.inspect_err(|problems| {
            log::not_configured(problems);
        })?);
        // Requests that came at the same time made their own; they are all alike.
        Ok(ENVIRONMENT.with(|environment| environment.get_or_init(|| made).clone()))
    }

    /// The accounts that `source` asks, in its order.
    pub fn vendors_of<'a>(
        &'a self,
        source: &'a Source,
    ) -> impl Iterator<Item = &'a VendorClient> + 'a {
        let named = |name: &String| self.vendors.iter().find(|client| client.account.name == *name);
        source.vendors.iter().filter_map(named).map(Rc::as_ref)
    }

    /// The account of this name: a vendor's, one that tells a platform, or that of the alerts.
    pub fn client(&self, account: &str) -> Option<&Rc<VendorClient>> {
        self.accounts().find(|client| client.account.name == account)
    }

    /// All accounts, those that tell platforms and the one of the alerts last.
    pub fn accounts(&self) -> impl Iterator<Item = &Rc<VendorClient>> {
        let callbacks = self.callbacks.iter().map(|callback| &callback.client);
        self.vendors.iter().chain(callbacks).chain(&self.alerts)
    }

    /// The account that tells the platform of `source`, if it is told.
    pub fn callback_of(&self, source: &str) -> Option<Rc<CallbackClient>> {
        let name = callback::account_name(source);
        self.callbacks.iter().find(|known| known.client.account.name == name).cloned()
    }

    /// What signs the answers of `source`, if anything does.
    pub fn acknowledgement_signer(&self, source: &str) -> Option<&Signer> {
        self.acknowledgement_signers.iter().find(|(name, _)| name == source).map(|(_, it)| &**it)
    }

    /// The sources whose platforms are told.
    pub fn sources_with_callbacks(&self) -> Vec<&str> {
        let names = self.callbacks.iter().map(|known| known.client.account.name.as_str());
        names.filter_map(callback::source_of).collect()
    }

    async fn read(env: &Env) -> Result<Self, Vec<Misconfiguration>> {
        let [sources, vendors] = ["SOURCES", "VENDORS"].map(|name| variable(env, name));
        let (mut config, findings) =
            Config::read(&json("SOURCES", &sources)?, &json("VENDORS", &vendors)?);
        let has_lanes = Reflect::has(env, &JsValue::from_str(LANES)).unwrap_or_default();
        let word = Reflect::get(env, &JsValue::from_str(Delivery::VARIABLE));
        let word = word.ok().and_then(|value| value.as_string());
        let delivery = Delivery::read(word.as_deref(), has_lanes).unwrap_or_else(|problem| {
            findings.problem(problem);
            Delivery::Durable // which needs more secrets: each that is missing is reported
        });
        let durable = delivery == Delivery::Durable;
        let alerts = variable(env, alert::VARIABLE);
        config.alerts = Alerts::read(&json(alert::VARIABLE, &alerts)?, durable, &findings);
        let named = findings.secret_names();
        let names = Keys::names(durable).iter().copied().chain(named.iter().map(String::as_str));
        let (secrets, unread) = secrets::read(env, names).await;
        if !unread.is_empty() {
            // Whether the others are all that is missing is known once the store can be read.
            return Err([findings.into_problems(), unread].concat());
        }
        let notices = findings.notices();
        let relay = Relay::complete(config, findings, &secrets, durable)?;
        let Relay { senders, accounts, callbacks, alerts, acknowledgement_keys, keys, unset } =
            relay;
        let mut vendors = Vec::new();
        for (account, credential) in accounts {
            let path = format!("VENDORS.{}", account.name);
            vendors.push(client(account, credential, &path)?);
        }
        let alerts = match alerts {
            Some((account, credential)) => Some(client(account, credential, alert::VARIABLE)?),
            None => None,
        };
        let receipt_signer = ReceiptSigner::import(&keys).await.map_err(|_| {
            vec![Misconfiguration::new(RECEIPT_SIGNING_KEY, "is rejected by the runtime")]
        })?;
        let mut acknowledgement_signers = Vec::new();
        let mut signers = Vec::new();
        for (source, key) in acknowledgement_keys {
            let signer = Rc::new(Signer::new(key));
            signers.push((format!("SOURCES.{source}.acknowledgement.key"), signer.clone()));
            acknowledgement_signers.push((source, signer));
        }
        let mut clients = Vec::new();
        for (account, credential, callback) in callbacks {
            let source = callback::source_of(&account.name).unwrap_or_default();
            let sender = senders.iter().find(|sender| sender.source.name == source);
            let accepts_partial_erasure =
                sender.is_some_and(|sender| sender.source.accepts_partial_erasure);
            let answer_within = sender.map(|sender| sender.source.answer_within);
            let answer_within = answer_within.unwrap_or_default();
            let path = format!("SOURCES.{source}.callback");
            let client = client(account, credential, &path)?;
            signers.extend(client.signer().map(|signer| (format!("{path}.key"), signer.clone())));
            clients.push(Rc::new(CallbackClient {
                client,
                callback,
                answer_within,
                accepts_partial_erasure,
            }));
        }
        for (path, signer) in signers {
            signer.import().await.map_err(|_| {
                vec![Misconfiguration::new(&path, "the secret is rejected by the runtime")]
            })?;
        }
        let (keyring, callbacks) = (Keyring::default(), clients);
        Ok(Self {
            senders,
            keyring,
            vendors,
            callbacks,
            alerts,
            acknowledgement_signers,
            keys,
            receipt_signer,
            unset,
            delivery,
            notices,
            analytics: Analytics::bound(env),
        })
    }
}

/// The way to what `path` configures.
fn client(
    account: Account,
    credential: Credential,
    path: &str,
) -> Result<Rc<VendorClient>, Vec<Misconfiguration>> {
    let client = VendorClient::new(account, credential);
    let invalid = "makes a header that is not valid";
    client.map(Rc::new).map_err(|_| vec![Misconfiguration::new(path, invalid)])
}

/// Whether an `Authorization` header is the operator's, also where the configuration is not complete.
pub async fn is_operator(env: &Env, authorization: &str) -> bool {
    let names = Tokens::NAMES.map(|(name, _)| name);
    let (read, _) = secrets::read(env, names).await;
    let get = |name: &str| read.iter().find(|(known, _)| known == name).map(|(_, token)| token);
    Tokens::read(get, &mut Vec::new()).access(authorization).is_some()
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
