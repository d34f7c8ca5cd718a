//! What the platforms of a configuration sign with, and what its vendors are called with: given, or
//! generated for a local run.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use erasure_relay::config::{Config, Source};
use erasure_relay::signature::scheme::SecretEncoding;
use erasure_relay::signature::{Mechanism, Proof};
use erasure_relay::vendor::Auth;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

use crate::PrivateKey;

/// How many random bytes a generated secret holds.
const BYTES: usize = 24;

/// How many a generated signing key holds, as RFC 8032 has it for Ed25519.
const KEY_BYTES: usize = 32;

/// Secrets and private keys.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Credentials {
    /// Secrets by their names in the configuration.
    pub secrets: BTreeMap<String, String>,
    /// Private keys (PEM) by source, of those whose messages are proven by public keys.
    pub private_keys: BTreeMap<String, String>,
}

/// How a secret must be written. Of several uses of a source's secret the greatest fits all.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// Any visible characters.
    Text,
    /// `whsec_` and base64.
    Whsec,
    /// Base64, which is also taken where `whsec_` may be missing.
    Base64,
    /// `whsk_` and base64 of an Ed25519 private key.
    Whsk,
}

impl Credentials {
    /// Generates every secret that a configuration names, and a key for each source whose messages
    /// are proven by public keys.
    ///
    /// # Errors
    /// Where the machine gives no randomness.
    pub fn generate(config: &Config) -> Result<Self> {
        let mut forms = BTreeMap::<&str, Form>::new();
        let mut private_keys = BTreeMap::new();
        for source in &config.sources {
            for proof in [Some(&source.proof), source.also.as_ref()].into_iter().flatten() {
                for name in &proof.secrets {
                    let form = forms.entry(name.as_str()).or_insert(Form::Text);
                    *form = form_of(proof).max(*form);
                }
            }
            if let Some(algorithm) = algorithm(source) {
                private_keys.insert(source.name.clone(), PrivateKey::generate_pem(algorithm)?);
            }
        }
        for account in &config.vendors {
            let names = match account.vendor.auth() {
                Auth::None => Vec::new(),
                Auth::Token(name) | Auth::PrivateKey { key: name, .. } => vec![name],
                Auth::TokenAndGateway { token, gateway, .. } => vec![token, gateway],
                Auth::ClientCredentials(credentials) => {
                    credentials.clients.iter().flat_map(|one| [&one.id, &one.secret]).collect()
                }
            };
            for name in names {
                forms.entry(name.as_str()).or_insert(Form::Text);
            }
        }
        let mut secrets = BTreeMap::new();
        for (name, form) in forms {
            secrets.insert(name.to_owned(), generate(form)?);
        }
        Ok(Self { secrets, private_keys })
    }

    /// Generates a further secret under `name`.
    ///
    /// # Errors
    /// Where the machine gives no randomness.
    pub fn add(&mut self, name: &str, form: Form) -> Result<()> {
        self.secrets.insert(name.to_owned(), generate(form)?);
        Ok(())
    }

    /// The secret of this name.
    ///
    /// # Errors
    /// Where there is none.
    pub fn secret(&self, name: &str) -> Result<&str> {
        let found = self.secrets.get(name).map(String::as_str);
        found.with_context(|| format!("the secret {name} is not known"))
    }
}

fn form_of(proof: &Proof) -> Form {
    match &proof.mechanism {
        Mechanism::Hmac(scheme) => match scheme.secret {
            SecretEncoding::Utf8 => Form::Text,
            SecretEncoding::Base64 => Form::Base64,
            SecretEncoding::Whsec => Form::Whsec,
        },
        _ => Form::Text,
    }
}

/// The algorithm of the key that a source's messages are signed with; `None` where that is a secret.
fn algorithm(source: &Source) -> Option<&'static str> {
    match source.proof.mechanism {
        Mechanism::Hmac(_) | Mechanism::Token(_) | Mechanism::SignedRequest => None,
        Mechanism::Ed25519(_) => Some("EdDSA"),
        Mechanism::Jwt(..) => Some("ES384"), // as Transcend's
        Mechanism::NestedJwt(_) => Some("ES256"),
    }
}

fn generate(form: Form) -> Result<String> {
    // 24 bytes need no padding in base64.
    Ok(match form {
        Form::Text => random::<BYTES>()?.replace(['+', '/'], "x"),
        Form::Whsec => format!("whsec_{}", random::<BYTES>()?),
        Form::Base64 => random::<BYTES>()?,
        Form::Whsk => format!("whsk_{}", random::<KEY_BYTES>()?),
    })
}

/// So many random bytes, in base64.
fn random<const COUNT: usize>() -> Result<String> {
    let mut bytes = [0; COUNT];
    SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow!("no randomness"))?;
    Ok(STANDARD.encode(bytes))
}
