//! The relay: a configuration together with its secrets.

mod resolver;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use secrecy::SecretString;

use self::resolver::{SecretResolver, not_set};
use crate::alert::{Alerts, Url};
use crate::callback;
use crate::config::{Account, Callback, Config, shared_secrets};
use crate::keys::Keys;
use crate::sender::Sender;
use crate::settings::{Findings, Misconfiguration, SecretName};
use crate::signature::private_key::PrivateKey;
use crate::vendor::{Auth, Client, ClientCredentials};

/// The secrets that are set, by name.
pub type Secrets = Vec<(String, SecretString)>;

/// How an account authenticates at its vendor.
pub enum Credential {
    /// A token that is stored.
    Token(SecretString),
    /// The same, and the value of a further header.
    TokenAndHeader(SecretString, &'static str, SecretString),
    /// A private key that signs each body.
    PrivateKey(PrivateKey),
    /// Clients whose tokens are minted, the current one first.
    Clients(ClientCredentials, Vec<Client>),
}

/// All that is needed to process a webhook.
pub struct Relay {
    /// The senders of webhooks.
    pub senders: Vec<Sender>,
    /// The vendor accounts, each with its credential.
    pub accounts: Vec<(Account, Credential)>,
    /// The accounts that tell platforms, each with its credential and its callback.
    pub callbacks: Vec<(Account, Credential, Rc<dyn callback::Callback>)>,
    /// The account that sends alerts, if there are any.
    pub alerts: Option<(Account, Credential)>,
    /// The private keys that sign the answers of sources, by the source's name.
    pub acknowledgement_keys: Vec<(String, PrivateKey)>,
    /// The relay's own secrets.
    pub keys: Keys,
    /// Names of optional secrets that are not set.
    pub unset: Vec<String>,
}

impl Relay {
    /// The names of all secrets that `config` can use; for `durable` see [`Keys::names`].
    pub fn secret_names(config: &Config, durable: bool) -> Vec<&str> {
        let mut names = Keys::names(durable).to_vec();
        for source in &config.sources {
            let proofs = [Some(&source.proof), source.also.as_ref()].into_iter().flatten();
            names.extend(proofs.flat_map(|proof| &proof.secrets).map(SecretName::as_str));
            names.extend(source.acknowledgement.as_ref().map(|one| one.key.as_str()));
        }
        let callbacks = config.sources.iter().filter_map(|source| source.callback.as_ref());
        for account in config.vendors.iter().chain(callbacks.map(|callback| &callback.account)) {
            match account.vendor.auth() {
                Auth::None => {}
                Auth::Token(token) | Auth::PrivateKey { key: token, .. } => {
                    names.push(token.as_str());
                }
                Auth::TokenAndGateway { token, gateway, .. } => {
                    names.extend([token.as_str(), gateway.as_str()]);
                }
                Auth::ClientCredentials(credentials) => {
                    for client in &credentials.clients {
                        names.extend([client.id.as_str(), client.secret.as_str()]);
                    }
                }
            }
        }
        if let Some(Alerts { url, secret, .. }) = &config.alerts {
            if let Url::Secret(name) = url {
                names.push(name.as_str());
            }
            names.extend(secret.as_ref().map(SecretName::as_str));
        }
        names
    }

    /// As [`assemble`](Self::assemble), of a configuration that may have problems: those are in
    /// `findings`, with the secrets that it names.
    ///
    /// # Errors
    /// Every problem of the configuration, and every secret that is missing or cannot be used, those
    /// of tables with a problem included.
    pub fn complete(
        config: Config,
        findings: Findings,
        secrets: &Secrets,
        durable: bool,
    ) -> Result<Self, Vec<Misconfiguration>> {
        let (mut problems, named) = findings.into_parts();
        let relay = Self::assemble(config, secrets, durable);
        if let (Ok(_), true) = (&relay, problems.is_empty()) {
            return relay;
        }
        let found = relay.err().unwrap_or_default();
        let is_set = |name: &SecretName| secrets.iter().any(|(set, _)| set == name.as_str());
        let missing = named.iter().filter(|secret| secret.required && !is_set(&secret.name));
        let missing = missing.map(|one| Misconfiguration::new(&one.path, not_set(&one.name)));
        for problem in missing.chain(found) {
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
        Err(problems)
    }

    /// Resolves the names of secrets.
    ///
    /// # Errors
    /// Every secret that is missing or cannot be used, by the setting that names it.
    pub fn assemble(
        config: Config,
        secrets: &Secrets,
        durable: bool,
    ) -> Result<Self, Vec<Misconfiguration>> {
        let mut resolver = SecretResolver { secrets, problems: Vec::new(), unset: Vec::new() };
        let same = |name: &str, other: &str| {
            // Those of the same name are compared when the configuration is read.
            name != other && resolver.key(name).is_some_and(|key| resolver.key(other) == Some(key))
        };
        resolver.problems = shared_secrets(&config.sources, &same);
        let mut senders = Vec::new();
        let mut callbacks = Vec::new();
        let mut acknowledgement_keys = Vec::new();
        for mut source in config.sources {
            if let (Some(key), false) = (source.platform.needs_page(), durable) {
                let path = format!("SOURCES.{}.{key}", source.name);
                let message = "must be set: direct delivery stores nothing that the relay's own page \
                               could show";
                resolver.report(&path, message.to_owned());
            }
            if let Some(Callback { account, callback }) = source.callback.take() {
                let credential = resolver.credential(&account);
                callbacks.push((account, credential, callback));
            }
            if let Some(acknowledgement) = &source.acknowledgement {
                let path = format!("SOURCES.{}.acknowledgement.key", source.name);
                let key = resolver.private_key(&path, &acknowledgement.key, None);
                acknowledgement_keys.extend(key.map(|key| (source.name.clone(), key)));
            }
            senders.push(resolver.sender(source));
        }
        let mut accounts = Vec::new();
        for account in config.vendors {
            let credential = resolver.credential(&account);
            accounts.push((account, credential));
        }
        let alerts = config.alerts.map(|alerts| resolver.alerts(&alerts));
        let own = Keys::names(durable).iter().filter(|name| resolver.get(name).is_none());
        let unset_keys: Vec<String> = own.map(|name| (*name).to_owned()).collect();
        resolver.unset.extend(unset_keys);
        let keys = Keys::new(|name| resolver.get(name), durable);
        let SecretResolver { mut problems, unset, .. } = resolver;
        match keys {
            Ok(keys) if problems.is_empty() => {
                Ok(Self { senders, accounts, callbacks, alerts, acknowledgement_keys, keys, unset })
            }
            keys => {
                problems.extend(keys.err().unwrap_or_default());
                Err(problems)
            }
        }
    }
}
