//! The relay: a configuration together with its secrets.

use std::rc::Rc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::alert::{self, Alerts, Url};
use crate::callback::{self, is_destination};
use crate::config::{Account, Callback, Config, Source, shared_secrets};
use crate::delivery::alert::ACCOUNT;
use crate::derived_id::IdKey;
use crate::keys::{Keys, PSEUDONYM_KEY};
use crate::receipt::Outcome;
use crate::sender::Sender;
use crate::settings::{Findings, Misconfiguration, SecretName};
use crate::signature::hmac::Key;
use crate::signature::private_key::{Certificate, PrivateKey};
use crate::signature::scheme::SecretEncoding;
use crate::signature::{Proof, Verifier};
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

/// Looks up secrets, and collects what is wrong with them.
struct SecretResolver<'a> {
    secrets: &'a Secrets,
    problems: Vec<Misconfiguration>,
    unset: Vec<String>,
}

impl<'a> SecretResolver<'a> {
    fn get(&self, name: &str) -> Option<&'a SecretString> {
        self.secrets.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// What makes a secret's value another: not the white space around it, nor a prefix or padding
    /// that may be missing.
    fn key(&self, name: &str) -> Option<&'a str> {
        let text = self.get(name)?.expose_secret().trim_ascii();
        Some(text.strip_prefix("whsec_").unwrap_or(text).trim_end_matches('='))
    }

    /// Both proofs of a source, with their secrets.
    fn sender(&mut self, source: Source) -> Sender {
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

    fn credential(&mut self, account: &Account) -> Credential {
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
    fn alerts(&mut self, alerts: &Alerts) -> (Account, Credential) {
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
    fn private_key(
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

    fn report(&mut self, path: &str, message: String) {
        self.problems.push(Misconfiguration::new(path, message));
    }
}

fn not_set(secret: &SecretName) -> String {
    format!("the secret {} is not set", secret.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Json;

    const SOURCES: &str = r#"{"consent":{"platform":"standard-webhooks","secrets":["A","B"]}}"#;
    const VENDORS: &str = r#"{
        "insider": {"api":"insider","partner_name":"mybrand","erase":"identity","auth":{"token":"INSIDER_TOKEN"}}}"#;
    const GOOD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn assemble(secrets: &[(&str, &str)]) -> Result<Relay, Vec<String>> {
        let [sources, vendors] =
            [SOURCES, VENDORS].map(|text| Json::parse(text.as_bytes()).unwrap());
        let config = Config::parse(&sources, &vendors).ok().unwrap();
        let names = Relay::secret_names(&config, false);
        assert_eq!(names, [Keys::names(false), &["A", "B", "INSIDER_TOKEN"]].concat());
        let secrets = secrets.iter().map(|(name, value)| ((*name).to_owned(), (*value).into()));
        Relay::assemble(config, &secrets.collect(), false)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_first_secret_is_needed_and_a_previous_one_is_not() {
        let relay = assemble(&[("A", GOOD), ("INSIDER_TOKEN", "t0ken\n")]).ok().unwrap();
        assert_eq!(relay.unset, [&["B"], Keys::names(false)].concat());
        let (_, Credential::Token(token)) = &relay.accounts[0] else { panic!("a token") };
        assert_eq!(token.expose_secret(), "t0ken");
        let problems = assemble(&[("B", GOOD)]).err().unwrap();
        assert_eq!(
            problems,
            [
                "SOURCES.consent.secrets[0]: the secret A is not set",
                "VENDORS.insider.auth.token: the secret INSIDER_TOKEN is not set",
            ]
        );
    }

    #[test]
    fn wrong_settings_do_not_hide_missing_secrets() {
        let sources = SOURCES.replace("}}", r#","tolerance":1}}"#);
        let vendors = VENDORS.replace("mybrand", "MyBrand");
        let json = [&sources, &vendors].map(|text| Json::parse(text.as_bytes()).unwrap());
        let (config, findings) = Config::read(&json[0], &json[1]);
        let problems = Relay::complete(config, findings, &Secrets::new(), true).err().unwrap();
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let key = "PSEUDONYM_KEY: the secret must be set for durable delivery: identifiers are \
                   stored sealed with it";
        assert_eq!(
            problems,
            [
                "VENDORS.insider.partner_name: must be lowercase",
                "SOURCES.consent.tolerance: is not a known setting",
                "VENDORS.insider.auth.token: the secret INSIDER_TOKEN is not set",
                "SOURCES.consent.secrets[0]: the secret A is not set",
                key,
            ]
        );
    }

    #[test]
    fn unusable_secrets_are_named_and_never_shown() {
        let problems = assemble(&[
            ("A", "whsec_"),
            ("B", "not base64"),
            ("INSIDER_TOKEN", "two words"),
            (PSEUDONYM_KEY, "short"),
        ]);
        assert_eq!(
            problems.err().unwrap(),
            [
                "SOURCES.consent.secrets[0]: the secret A must hold at least 16 random bytes",
                "SOURCES.consent.secrets[1]: the secret B must be whsec_ followed by base64",
                "VENDORS.insider.auth.token: the secret INSIDER_TOKEN must be visible characters",
                "PSEUDONYM_KEY: must have at least 16 bytes",
            ]
        );
    }

    /// Two names do not make two secrets.
    #[test]
    fn two_sources_do_not_share_a_value_unless_both_say_so() {
        let assemble = |settings: &str, values: [&str; 2]| {
            let source = |secret: &str| {
                format!(r#"{{"platform":"standard-webhooks","secrets":["{secret}"]{settings}}}"#)
            };
            let sources = format!(r#"{{"one":{},"two":{}}}"#, source("A"), source("B"));
            let json =
                [sources.as_str(), VENDORS].map(|text| Json::parse(text.as_bytes()).unwrap());
            let config = Config::parse(&json[0], &json[1]).ok().unwrap();
            let [one, two] = values;
            let secrets = [("A", one), ("B", two), ("INSIDER_TOKEN", "t0ken")];
            let secrets = secrets.map(|(name, value)| (name.to_owned(), value.into()));
            let relay = Relay::assemble(config, &secrets.into(), false);
            relay.map(drop).map_err(|problems| problems.iter().map(ToString::to_string).collect())
        };
        let shared = "SOURCES.two.secrets[0]: the secret B is also A of the source one, so each \
                      would accept the messages of the other: use two secrets, or set \
                      shared_secrets = \"accept\" on both";
        let bare = GOOD.trim_start_matches("whsec_");
        for other in [GOOD.to_owned(), format!("{GOOD}\n"), bare.to_owned(), format!(" {bare}")] {
            let problems: Vec<String> = assemble("", [GOOD, &other]).unwrap_err();
            assert_eq!(problems, [shared], "{other}");
        }
        let padded = ["whsec_AAAAAAAAAAAAAAAAAAAAAA==", "whsec_AAAAAAAAAAAAAAAAAAAAAA"];
        assert_eq!(assemble("", padded).unwrap_err(), [shared]);
        assert_eq!(assemble(r#","shared_secrets":"accept""#, [GOOD, GOOD]), Ok(()));
        assert_eq!(assemble("", [GOOD, "whsec_AAAAAAAAAAAAAAAAAAAAAAAA"]), Ok(()));
    }

    #[test]
    fn a_byte_order_mark_is_named_and_the_secret_is_not_shown() {
        let secret = format!("\u{feff}{GOOD}");
        let problems = assemble(&[("A", &secret), ("INSIDER_TOKEN", "t0ken")]).err().unwrap();
        assert_eq!(
            problems,
            [
                "SOURCES.consent.secrets[0]: the secret A has an invisible character, such as a byte \
             order mark, a zero-width space or a line's end within it: set it again without"
            ]
        );
    }

    #[test]
    fn alerts_need_a_url_that_may_be_called_and_a_secret_that_signs() {
        let assemble = |alerts: &str, secrets: &[(&str, &str)]| {
            let json = [SOURCES, VENDORS, alerts].map(|text| Json::parse(text.as_bytes()).unwrap());
            let (mut config, findings) = Config::read(&json[0], &json[1]);
            config.alerts = Alerts::read(&json[2], true, &findings);
            let names = Relay::secret_names(&config, false);
            assert!(names.ends_with(&["ALERTS_URL", "ALERTS_SECRET"]), "{names:?}");
            let all = [("A", GOOD), ("INSIDER_TOKEN", "t0ken")];
            let all = all.iter().chain(secrets);
            let all = all.map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
            let relay = Relay::assemble(config, &all, false);
            relay.map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let alerts = r#"{"url_secret":"ALERTS_URL","secret":"ALERTS_SECRET"}"#;
        let url = "https://hooks.example.com/services/a/b\n";
        let relay = assemble(alerts, &[("ALERTS_URL", url), ("ALERTS_SECRET", GOOD)]).ok().unwrap();
        let (account, Credential::Token(secret)) = relay.alerts.unwrap() else { panic!("a token") };
        assert_eq!((account.name.as_str(), secret.expose_secret()), (ACCOUNT, GOOD));
        let bad = [("ALERTS_URL", "https://10.0.0.1/secret-path"), ("ALERTS_SECRET", "no whsec")];
        let problems = assemble(alerts, &bad).err().unwrap().join(" ");
        assert!(problems.contains("ALERTS.url_secret: the secret ALERTS_URL must be an https URL"));
        assert!(
            problems.contains("ALERTS.secret: the secret ALERTS_SECRET must be "),
            "{problems}"
        );
        assert!(!problems.contains("secret-path"), "{problems}");
        let problems = assemble(alerts, &[]).err().unwrap();
        assert_eq!(
            problems,
            [
                "ALERTS.url_secret: the secret ALERTS_URL is not set",
                "ALERTS.secret: the secret ALERTS_SECRET is not set",
            ]
        );
    }

    #[test]
    fn a_private_key_is_the_certificates() {
        const KEY: &str = include_str!("../tests/keys/rsa-2048.pem");
        let certificate = include_str!("../standin/src/platform/opendsr/certificate.pem");
        let sources = serde_json::json!({
            "dsr": {
                "platform": "opendsr", "signature": { "token": "x-key" }, "secrets": ["A"],
                "callback": { "hosts": ["controller.example"], "domain": "opendsr.relay.example",
                              "key": "KEY", "certificate": certificate },
            },
            "ddrf": {
                "platform": "iab-ddrf",
                "issuers": { "a.example": "https://a.example/dsrdelete.json" },
                "acknowledgement": { "issuer": "b.example", "key": "KEY", "key_id": "k" },
            },
        });
        let sources = sources.to_string();
        let assemble = |key: Option<&str>| {
            let json =
                [sources.as_str(), VENDORS].map(|text| Json::parse(text.as_bytes()).unwrap());
            let config = Config::parse(&json[0], &json[1]).ok().unwrap();
            assert_eq!(
                Relay::secret_names(&config, false)[Keys::names(false).len()..],
                ["KEY", "A", "INSIDER_TOKEN", "KEY"]
            );
            let secrets = [("A", GOOD), ("INSIDER_TOKEN", "t0ken")].into_iter();
            let secrets = secrets.chain(key.map(|key| ("KEY", key)));
            let secrets = secrets.map(|(name, value)| (name.to_owned(), value.into()));
            let relay = Relay::assemble(config, &secrets.collect(), false);
            relay.map_err(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let relay = assemble(Some(KEY)).ok().unwrap();
        assert!(matches!(relay.callbacks[0].1, Credential::PrivateKey(_)));
        assert_eq!(relay.acknowledgement_keys.len(), 1);
        let problems = |key: Option<&str>| assemble(key).err().unwrap();
        let at = ["SOURCES.ddrf.acknowledgement.key", "SOURCES.dsr.callback.key"];
        let not_set = at.map(|path| format!("{path}: the secret KEY is not set"));
        assert_eq!(problems(None), not_set);
        let bad = problems(Some(GOOD));
        assert!(bad.iter().zip(at).all(|(problem, path)| {
            problem.starts_with(&format!("{path}: the secret KEY must be one private key"))
        }));
        let other = send::PrivateKey::generate_pem("ES256").unwrap();
        assert_eq!(
            problems(Some(&other)),
            ["SOURCES.dsr.callback.key: the secret KEY is not the key of the certificate"]
        );
    }

    #[test]
    fn a_second_client_may_be_unset() {
        let vendors = r#"{"instacart":{"api":"instacart-connect","auth":{
            "client_id":"ID","client_secret":"SECRET",
            "second":{"client_id":"ID_2","client_secret":"SECRET_2"}}}}"#;
        let assemble = |secrets: &[&str]| {
            let json = [SOURCES, vendors].map(|text| Json::parse(text.as_bytes()).unwrap());
            let config = Config::parse(&json[0], &json[1]).ok().unwrap();
            let secrets = secrets.iter().map(|name| ((*name).to_owned(), GOOD.into()));
            Relay::assemble(config, &secrets.collect(), false)
        };
        let clients = |relay: &Relay| match &relay.accounts[0].1 {
            Credential::Clients(_, clients) => clients.len(),
            Credential::Token(_) | Credential::TokenAndHeader(..) | Credential::PrivateKey(_) => 0,
        };
        assert_eq!(clients(&assemble(&["A", "ID", "SECRET"]).ok().unwrap()), 1);
        let both = assemble(&["A", "ID", "SECRET", "ID_2", "SECRET_2"]).ok().unwrap();
        assert_eq!(clients(&both), 2);
        let problems = assemble(&["A", "ID"]).err().unwrap();
        let path = "VENDORS.instacart.auth.client_secret: the secret SECRET is not set";
        assert_eq!(problems.iter().map(ToString::to_string).collect::<Vec<_>>(), [path]);
    }
}
