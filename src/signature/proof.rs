//! The proofs that the messages of a source must have, as the configuration has them.
//!
//! ```toml
//! signature = "github"                                    # a preset
//! signature = { hmac = "sha256", header = "x-signature" } # a scheme of the operator's own
//! signature = { token = "authorization", prefix = "Bearer " }   # no signature, a static token
//! secrets = ["NAME", "NAME_PREVIOUS"]
//! signature = "standard-webhooks-ed25519"                 # with keys = ["whpk_…"], not secrets
//! signature = { jwt = "authorization", prefix = "Bearer ", audience = "…" }
//! keys = { url = "https://…", secret = "NAME" }           # or a list of PEM texts
//! also = { token = "x-relay-key", secrets = ["NAME"] }    # a second proof, or an HMAC
//! ```

use super::key_settings::key_secret;
use super::mechanism::{DefaultSignature, ED25519, Mechanism};
use super::scheme::Scheme;
use super::token;
use crate::settings::{SecretName, Settings};

/// One proof that the messages of a source must have.
#[derive(Debug, Clone)]
pub struct Proof {
    /// The setting that names its secrets, within the source's table.
    pub setting: &'static str,
    /// The mechanism.
    pub mechanism: Mechanism,
    /// The secrets, the current one first. The others may be unset: they are needed only
    /// during a rotation.
    pub secrets: Vec<SecretName>,
}

impl Proof {
    /// Reads `signature`, and `secrets` or `keys`.
    pub fn configure(settings: &mut Settings<'_>, default: DefaultSignature) -> Option<Self> {
        let mechanism = Mechanism::configure(settings, default);
        let public = match &mechanism {
            Some(mechanism) => !mechanism.has_secrets(),
            None => {
                matches!(default, DefaultSignature::Jwt(_) | DefaultSignature::NestedJwt)
                    || settings.text_is("signature", ED25519)
                    || settings.has_in("signature", "jwt")
                    || settings.has("keys")
            }
        };
        if public {
            if settings.has("secrets") {
                settings
                    .misplaced("secrets", "has no effect: this signature is proven by public keys");
            }
            let secrets = key_secret(settings).into_iter().collect();
            return Some(Self { setting: "keys.secret", mechanism: mechanism?, secrets });
        }
        let secrets = settings.required_secrets("secrets");
        if mechanism.is_some() && settings.has("keys") {
            settings.misplaced(
                "keys",
                "has no effect: this signature is proven by `secrets`, not by public keys",
            );
        }
        Some(Self { setting: "secrets", mechanism: mechanism?, secrets: secrets? })
    }

    /// The path of a secret within the source's table.
    pub fn path(&self, index: usize) -> String {
        match self.setting {
            "keys.secret" => self.setting.to_owned(),
            list => format!("{list}[{index}]"),
        }
    }

    /// Reads `also`, the second proof, if it is set: a token or an HMAC.
    pub fn configure_second(settings: &mut Settings<'_>) -> Option<Self> {
        let mut table = settings.table("also")?;
        let mechanism = if table.has("hmac") {
            Scheme::configure(&mut table).map(Mechanism::Hmac)
        } else {
            if !table.has("token") {
                table.problem("token", "must be set (or `hmac`)");
            }
            token::Place::configure(&mut table).map(Mechanism::Token)
        };
        let secrets = table.required_secrets("secrets");
        table.finish();
        Some(Self { setting: "also.secrets", mechanism: mechanism?, secrets: secrets? })
    }
}

#[cfg(test)]
#[path = "proof_tests.rs"]
pub(super) mod tests;
