//! The mechanisms, as the configuration chooses among them.

use secrecy::SecretString;

use super::hmac::{BadSecret, Key, SchemeKey, trimmed};
use super::jwt::{self, Lifetime};
use super::key_settings::{ConfiguredKeys, expected, issuers, keys, whpk};
use super::keyring::KeyPlace;
use super::public_key::PublicKey;
use super::scheme::{Scheme, SecretEncoding};
use super::{presets, token};
use crate::settings::Settings;

/// One mechanism, as it is configured.
#[derive(Debug, Clone)]
pub enum Mechanism {
    /// An HMAC.
    Hmac(Scheme),
    /// A static token.
    Token(token::Place),
    /// Meta's signed request.
    SignedRequest,
    /// Standard Webhooks' asymmetric signatures.
    Ed25519(Vec<PublicKey>),
    /// A signed token in a header.
    Jwt(jwt::Expected, ConfiguredKeys),
    /// IAB's two tokens: the trusted issuers, and where their keys are published.
    NestedJwt(Vec<(String, KeyPlace)>),
}

/// How a platform's messages are proven where the configuration does not say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultSignature {
    /// By this preset.
    Preset(&'static str),
    /// There is no default, and the configuration must say it: the platform does not sign, or the
    /// sender is not known.
    None,
    /// By a signed request. The configuration cannot choose another proof.
    SignedRequest,
    /// By a signed token, in this header unless the configuration names another one. The
    /// configuration cannot choose another proof.
    Jwt(&'static str),
    /// By IAB's two tokens. The configuration cannot choose another proof.
    NestedJwt,
}

/// The name of the preset with public keys.
pub(super) const ED25519: &str = "standard-webhooks-ed25519";

impl Mechanism {
    /// Whether the tolerance of the source decides how old a message may be. It does not where no
    /// timestamp is covered, and where a token says it itself.
    pub fn has_tolerance(&self) -> bool {
        match self {
            Mechanism::Hmac(scheme) => scheme.layout.has_timestamp(),
            Mechanism::Token(_) => false,
            Mechanism::Jwt(expected, _) => expected.lifetime == Lifetime::IssuedAt,
            Mechanism::SignedRequest | Mechanism::Ed25519(_) | Mechanism::NestedJwt(_) => true,
        }
    }

    /// Whether shared secrets prove it; otherwise public keys do.
    pub fn has_secrets(&self) -> bool {
        matches!(self, Mechanism::Hmac(_) | Mechanism::Token(_) | Mechanism::SignedRequest)
    }

    /// Whether `secret` can be used.
    ///
    /// # Errors
    /// Where it cannot.
    pub fn check(&self, secret: &SecretString) -> Result<(), BadSecret> {
        let header = matches!(self, Mechanism::Token(_) | Mechanism::Jwt(..));
        let text = trimmed(secret)?;
        if header && !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BadSecret::NotVisible);
        }
        match self {
            Mechanism::Hmac(scheme) => SchemeKey::parse(secret, scheme).map(drop),
            _ => Key::parse(secret, SecretEncoding::Utf8).map(drop),
        }
    }

    /// Reads `signature`, and the public keys where it needs them.
    pub(super) fn configure(
        settings: &mut Settings<'_>,
        default: DefaultSignature,
    ) -> Option<Self> {
        match default {
            DefaultSignature::SignedRequest => return Some(Mechanism::SignedRequest),
            DefaultSignature::NestedJwt => return issuers(settings).map(Mechanism::NestedJwt),
            DefaultSignature::Jwt(header) => {
                let mut table = settings.required_table("signature")?;
                let expected = expected(&mut table, Some(header));
                table.finish();
                let keys = keys(settings);
                return Some(Mechanism::Jwt(expected?, keys?));
            }
            DefaultSignature::Preset(name) if !settings.has("signature") => {
                return Self::preset(name);
            }
            DefaultSignature::Preset(_) | DefaultSignature::None => {}
        }
        if settings.has_table("signature") {
            let mut table = settings.table("signature")?;
            if table.has("jwt") {
                let expected = expected(&mut table, None);
                table.finish();
                let keys = keys(settings);
                return Some(Mechanism::Jwt(expected?, keys?));
            }
            let mechanism = if table.has("token") {
                token::Place::configure(&mut table).map(Mechanism::Token)
            } else {
                Scheme::configure(&mut table).map(Mechanism::Hmac)
            };
            table.finish();
            return mechanism;
        }
        if settings.text_is("signature", ED25519) {
            return whpk(settings).map(Mechanism::Ed25519);
        }
        let make = settings.required_choice("signature", presets::ALL)?;
        Some(Mechanism::Hmac(make()))
    }

    /// The preset of this name.
    pub(super) fn preset(name: &str) -> Option<Self> {
        let (_, make) = presets::ALL.iter().find(|(known, _)| *known == name)?;
        Some(Mechanism::Hmac(make()))
    }
}
