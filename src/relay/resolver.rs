//! Secrets, looked up by the names that the configuration has for them.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::{Credential, Secrets};
use crate::alert::{self, Alerts, Url};
use crate::callback::{self, is_destination};
use crate::config::{Account, Source};
use crate::delivery::alert::ACCOUNT;
use crate::derived_id::IdKey;
use crate::keys::PSEUDONYM_KEY;
use crate::receipt::Outcome;
use crate::sender::Sender;
use crate::settings::{Misconfiguration, SecretName};
use crate::signature::hmac::Key;
use crate::signature::private_key::{Certificate, PrivateKey};
use crate::signature::scheme::SecretEncoding;
use crate::signature::{Proof, Verifier};
use crate::vendor::{Auth, Client, ClientCredentials};

/// Looks up secrets, and collects what is wrong with them.
pub(super) struct SecretResolver<'a> {
    pub(super) secrets: &'a Secrets,
    pub(super) problems: Vec<Misconfiguration>,
    /// Names of optional secrets that are not set.
    pub(super) unset: Vec<String>,
}

impl<'a> SecretResolver<'a> {
    pub(super) fn get(&self, name: &str) -> Option<&'a SecretString> {
        self.secrets.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// What makes a secret's value another: not the white space around it, nor a prefix or padding
    /// that may be missing.
    pub(super) fn key(&self, name: &str) -> Option<&'a str> {
        let text = self.get(name)?.expose_secret().trim_ascii();
        Some(text.strip_prefix("whsec_").unwrap_or(text).trim_end_matches('='))
    }

    /// Both proofs of a source, with their secrets.
    pub(super) fn sender(&mut self, source: Source) -> Sender {
        let proof = self.verifier(&source.name, &source.proof, source.tolerance);
        let also = source.also.as_ref();
        let also = also.map(|also| self.verifier(&source.name, also, source.tolerance));
        let id_key = self.id_key(&source);
        Sender::new(source, proof, also, id_key)
    }

    /// The key of the ids that a source's requests do not have: `PSEUDONYM_KEY`, which durable
    /// delivery has and no platform knows; without it the source's own secret.
    fn id_key(&mut self, source: &Source) -> IdKey {
        let proofs = [Some(&source.proof), source.also.as_ref()].into_iter().flatten();
        let own = proofs.flat_map(|proof| &proof.secrets).next();
        let secret = self.get(PSEUDONYM_KEY).or_else(|| self.get(own?.as_str())).cloned();
        if secret.is_none() && own.is_none() && source.platform.derives_ids() {
            let path = format!("SOURCES.{}.request_id", source.name);
            let message =
                "must be set, or else the secret PSEUDONYM_KEY: ids are made with a secret";
            self.report(&path, message.to_owned());
        }
        IdKey::new(&secret.unwrap_or_default())
    }

    fn verifier(&mut self, source: &str, proof: &Proof, tolerance: Duration) -> Verifier {
        let mut values = Vec::new();
        for (index, secret) in proof.secrets.iter().enumerate() {
            let path = format!("SOURCES.{source}.{}", proof.path(index));
            match self.get(secret.as_str()) {
                Some(value) => match proof.mechanism.check(value) {
                    Ok(()) => values.push(value.clone()),
                    Err(bad) => self.report(&path, format!("the secret {} {bad}", secret.as_str())),
                },
                None if index == 0 => self.report(&path, not_set(secret)),
                None => self.unset.push(secret.as_str().to_owned()),
            }
        }
        Verifier::new(&proof.mechanism, &values, tolerance)
    }

    pub(super) fn credential(&mut self, account: &Account) -> Credential {
        let (path, token) = match callback::source_of(&account.name) {
            Some(source) => {
                let path = format!("SOURCES.{source}.callback");
                (format!("{path}.auth"), format!("{path}.secret"))
            }
            None => {
                let path = format!("VENDORS.{}.auth", account.name);
                (path.clone(), format!("{path}.token"))
            }
        };
        match account.vendor.auth() {
            Auth::None => Credential::Token(SecretString::default()),
            Auth::Token(name) => {
                let token = self.visible(&token, name, true);
                Credential::Token(token.unwrap_or_default())
            }
            Auth::TokenAndGateway { token, header, gateway } => {
                let token = self.visible(&format!("{path}.token"), token, true);
                let gateway = self.visible(&format!("{path}.gateway"), gateway, true);
                let value = format!("Bearer {}", gateway.unwrap_or_default().expose_secret());
                Credential::TokenAndHeader(token.unwrap_or_default(), header, value.into())
            }
            Auth::PrivateKey { key, certificate } => {
                let path = format!("{}key", path.trim_end_matches("auth"));
                let key = self.private_key(&path, key, Some(certificate));
                // Without a key there is a problem, and the credential is not used.
                key.map_or_else(
                    || Credential::Token(SecretString::default()),
                    Credential::PrivateKey,
                )
            }
            Auth::ClientCredentials(credentials) => {
                Credential::Clients(credentials.clone(), self.clients(&path, credentials))
            }
        }
    }

    /// The account that sends alerts, with what signs them.
    pub(super) fn alerts(&mut self, alerts: &Alerts) -> (Account, Credential) {
        let url = match &alerts.url {
            Url::Plain(url) => Some(url.as_str().into()),
            Url::Secret(name) => {
                let path = format!("{}.url_secret", alert::VARIABLE);
                let url = self.visible(&path, name, true);
                if url.as_ref().is_some_and(|url| !is_destination(url.expose_secret())) {
                    self.report(&path, format!("the secret {} {}", name.as_str(), alert::EXPECTED));
                }
                url
            }
        };
        let secret = alerts.secret.as_ref().and_then(|name| {
            let path = format!("{}.secret", alert::VARIABLE);
            let secret = self.visible(&path, name, true)?;
            if let Err(bad) = Key::parse(&secret, SecretEncoding::Whsec) {
                self.report(&path, format!("the secret {} {bad}", name.as_str()));
            }
            Some(secret)
        });
        let account = Account {
            name: ACCOUNT.to_owned(),
            vendor: alerts.vendor(url.unwrap_or_default()),
            timeout: alerts.timeout,
            policy: alerts.policy.clone(),
            without_identifier: Outcome::NotApplicable,
        };
        (account, Credential::Token(secret.unwrap_or_default()))
    }

    /// A private key, and the key of its certificate where there is one.
    pub(super) fn private_key(
        &mut self,
        path: &str,
        name: &SecretName,
        certificate: Option<&Certificate>,
    ) -> Option<PrivateKey> {
        let Some(value) = self.get(name.as_str()) else {
            self.report(path, not_set(name));
            return None;
        };
        match PrivateKey::parse(value) {
            Ok(key) if certificate.is_none_or(|certificate| key.is_of(certificate)) => {
                return Some(key);
            }
            Ok(_) => {
                let message =
                    format!("the secret {} is not the key of the certificate", name.as_str());
                self.report(path, message);
            }
            Err(bad) => self.report(path, format!("the secret {} {bad}", name.as_str())),
        }
        None
    }

    /// The clients whose secrets are set; the first one's must be.
    fn clients(&mut self, path: &str, credentials: &ClientCredentials) -> Vec<Client> {
        let mut clients = Vec::new();
        for (index, names) in credentials.clients.iter().enumerate() {
            let (path, required) = match index {
                0 => (path.to_owned(), true),
                _ => (format!("{path}.second"), false),
            };
            let id = self.visible(&format!("{path}.client_id"), &names.id, required);
            let secret = self.visible(&format!("{path}.client_secret"), &names.secret, required);
            if let (Some(id), Some(secret)) = (id, secret) {
                clients.push(Client { id, secret });
            }
        }
        clients
    }

    /// A secret that must be visible ASCII characters, such as a token.
    fn visible(&mut self, path: &str, name: &SecretName, required: bool) -> Option<SecretString> {
        let Some(value) = self.get(name.as_str()) else {
            if required {
                self.report(path, not_set(name));
            } else {
                self.unset.push(name.as_str().to_owned());
            }
            return None;
        };
        // `echo … | wrangler secret put` adds a line feed.
        let value = value.expose_secret().trim();
        if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            self.report(path, format!("the secret {} must be visible characters", name.as_str()));
        }
        Some(value.into())
    }

    pub(super) fn report(&mut self, path: &str, message: String) {
        self.problems.push(Misconfiguration::new(path, message));
    }
}

pub(super) fn not_set(secret: &SecretName) -> String {
    format!("the secret {} is not set", secret.as_str())
}
