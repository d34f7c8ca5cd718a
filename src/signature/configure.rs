//! Which proofs a source demands, as the configuration says it.
//!
//! ```toml
//! signature = "github"                                    # a preset
//! signature = { hmac = "sha256", header = "x-signature" } # a scheme of the operator's own
//! signature = { token = "authorization", prefix = "Bearer " }   # no signature, a static token
//! secrets = ["NAME", "NAME_PREVIOUS"]
//! signature = "standard-webhooks-ed25519"                 # with keys = ["whpk_…"], not secrets
//! signature = { jwt = "authorization", prefix = "Bearer ", audience = "…" }
//! keys = { url = "https://…", secret = "NAME" }           # or a list of PEM texts
//! also = { token = "x-relay-key", secrets = ["NAME"] }    # a second proof
//! ```

use secrecy::{ExposeSecret, SecretString};

use super::hmac::{BadSecret, Key, SchemeKey};
use super::key_settings::{ConfiguredKeys, expected, issuers, key_secret, keys, whpk};
use super::keyring::KeyPlace;
use super::public_key::PublicKey;
use super::scheme::{Scheme, SecretEncoding};
use super::{jwt, presets, token};
use crate::settings::{SecretName, Settings};

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
    /// IAB's two tokens: whom to trust, and where their keys are.
    NestedJwt(Vec<(String, KeyPlace)>),
}

/// One proof that a source demands.
#[derive(Debug, Clone)]
pub struct Proof {
    /// The setting that names its secrets, within the source's table.
    pub setting: &'static str,
    /// How a message proves who sent it.
    pub mechanism: Mechanism,
    /// The secrets, the current one first. The others may be absent: they are there for as long
    /// as a rotation lasts.
    pub secrets: Vec<SecretName>,
}

/// What a platform's messages are proven by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usual {
    /// This preset, unless the configuration says otherwise.
    Preset(&'static str),
    /// What the configuration says, which must say it: the platform does not sign, or the
    /// sender is not known.
    Chosen,
    /// Nothing but a signed request: the platform's messages are no other.
    SignedRequest,
    /// Nothing but a signed token, in this header unless the configuration names another.
    Jwt(&'static str),
    /// Nothing but IAB's two tokens.
    NestedJwt,
}

impl Mechanism {
    /// Whether it tells the age of a message.
    pub fn has_timestamp(&self) -> bool {
        match self {
            Mechanism::Hmac(scheme) => scheme.layout.has_timestamp(),
            Mechanism::Token(_) => false,
            Mechanism::SignedRequest
            | Mechanism::Ed25519(_)
            | Mechanism::Jwt(..)
            | Mechanism::NestedJwt(_) => true,
        }
    }

    /// Whether shared secrets prove it; otherwise public keys do.
    fn has_secrets(&self) -> bool {
        matches!(self, Mechanism::Hmac(_) | Mechanism::Token(_) | Mechanism::SignedRequest)
    }

    /// Whether `secret` can be used.
    ///
    /// # Errors
    /// Where it cannot.
    pub fn check(&self, secret: &SecretString) -> Result<(), BadSecret> {
        let header = matches!(self, Mechanism::Token(_) | Mechanism::Jwt(..));
        let text = secret.expose_secret().trim();
        if header && !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BadSecret::NotVisible);
        }
        match self {
            Mechanism::Hmac(scheme) => SchemeKey::parse(secret, scheme).map(drop),
            _ => Key::parse(secret, SecretEncoding::Utf8).map(drop),
        }
    }

    fn configure(settings: &mut Settings<'_>, usual: Usual) -> Option<Self> {
        match usual {
            Usual::SignedRequest => return Some(Mechanism::SignedRequest),
            Usual::NestedJwt => return issuers(settings).map(Mechanism::NestedJwt),
            Usual::Jwt(header) => {
                let mut table = settings.required_table("signature")?;
                let expected = expected(&mut table, Some(header));
                table.finish();
                let keys = keys(settings);
                return Some(Mechanism::Jwt(expected?, keys?));
            }
            Usual::Preset(name) if !settings.has("signature") => return Self::preset(name),
            Usual::Preset(_) | Usual::Chosen => {}
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

    fn preset(name: &str) -> Option<Self> {
        let (_, make) = presets::ALL.iter().find(|(known, _)| *known == name)?;
        Some(Mechanism::Hmac(make()))
    }
}

impl Proof {
    /// Reads `signature`, and `secrets` or `keys`.
    pub fn configure(settings: &mut Settings<'_>, usual: Usual) -> Option<Self> {
        let mechanism = Mechanism::configure(settings, usual);
        let public = match &mechanism {
            Some(mechanism) => !mechanism.has_secrets(),
            None => {
                matches!(usual, Usual::Jwt(_) | Usual::NestedJwt)
                    || settings.text_is("signature", ED25519)
                    || settings.has("keys")
            }
        };
        if public {
            let secrets = key_secret(settings).into_iter().collect();
            return Some(Self { setting: "keys.secret", mechanism: mechanism?, secrets });
        }
        let secrets = settings.required_secrets("secrets");
        Some(Self { setting: "secrets", mechanism: mechanism?, secrets: secrets? })
    }

    /// The path of a secret within the source's table.
    pub fn path(&self, index: usize) -> String {
        match self.setting {
            "keys.secret" => self.setting.to_owned(),
            list => format!("{list}[{index}]"),
        }
    }

    /// Reads `also`, the second proof, if it is set: a token.
    pub fn configure_second(settings: &mut Settings<'_>) -> Option<Self> {
        let mut table = settings.table("also")?;
        if !table.has("token") {
            table.problem("token", "must be set");
        }
        let place = token::Place::configure(&mut table);
        let secrets = table.required_secrets("secrets");
        table.finish();
        let mechanism = Mechanism::Token(place?);
        Some(Self { setting: "also.secrets", mechanism, secrets: secrets? })
    }
}

/// The name of the preset with public keys.
const ED25519: &str = "standard-webhooks-ed25519";

#[cfg(test)]
pub(super) mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::json::Json;
    use crate::settings::Misconfiguration;
    use crate::signature::layout::Part;
    use crate::signature::scheme::Hash;

    pub(in crate::signature) fn configure(
        settings: &str,
        usual: Usual,
    ) -> Result<Proof, Vec<String>> {
        let json = Json::parse(settings.as_bytes()).unwrap();
        let problems = RefCell::default();
        let mut settings = Settings::new("S".into(), &json, &problems).unwrap();
        let proof = Proof::configure(&mut settings, usual);
        Proof::configure_second(&mut settings);
        settings.finish();
        let problems: Vec<_> = problems.take().iter().map(Misconfiguration::to_string).collect();
        if problems.is_empty() { Ok(proof.unwrap()) } else { Err(problems) }
    }

    fn scheme(table: &str) -> Result<Scheme, Vec<String>> {
        let settings = format!(r#"{{"secrets":["A"],"signature":{table}}}"#);
        match configure(&settings, Usual::Chosen)?.mechanism {
            Mechanism::Hmac(scheme) => Ok(scheme),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_preset_is_usual_or_chosen() {
        let github = Mechanism::preset("github").unwrap();
        let usual = configure(r#"{"secrets":["A","B"]}"#, Usual::Preset("github")).unwrap();
        assert_eq!(usual.secrets.len(), 2);
        let chosen = r#"{"secrets":["A","B"],"signature":"github"}"#;
        let proofs =
            [Usual::Chosen, Usual::Preset("shopify")].map(|usual| configure(chosen, usual));
        for proof in [Ok(usual)].into_iter().chain(proofs) {
            assert_eq!(format!("{:?}", proof.unwrap().mechanism), format!("{github:?}"));
        }
        let problems = configure(r#"{"secrets":["A"]}"#, Usual::Chosen).err().unwrap();
        assert_eq!(problems, ["S.signature: must be set"]);
        let unknown = configure(r#"{"secrets":["A"],"signature":"fax"}"#, Usual::Chosen);
        assert!(unknown.unwrap_err()[0].starts_with("S.signature: must be one of: datagrail, "));
    }

    #[test]
    fn a_scheme_of_ones_own_is_written_as_a_template() {
        let own = scheme(
            r#"{"hmac":"sha512","header":"X-Sig","prefix":"s=","separator":",","encoding":"base64",
                "id":"X-Id","timestamp":"X-Time","unit":"ms","secret":"base64",
                "signed":"{method} {url}:{id}.{timestamp}.{body}"}"#,
        )
        .unwrap();
        assert_eq!((own.hash, own.secret), (Hash::Sha512, SecretEncoding::Base64));
        assert_eq!(own.layout.names.signature, "x-sig");
        assert_eq!(own.layout.signed.len(), 9);
        assert_eq!(own.layout.signed.last(), Some(&Part::Body));
        let github = r#"{"hmac":"sha256","header":"X-Hub-Signature-256","prefix":"sha256="}"#;
        let Some(Mechanism::Hmac(preset)) = Mechanism::preset("github") else { panic!("github") };
        assert_eq!(scheme(github), Ok(preset));
        let stripe = r#"{"hmac":"sha256","header":"Stripe-Signature","prefix":"v1=",
            "separator":",","timestamp_entry":"t=","signed":"{timestamp}.{body}"}"#;
        let Some(Mechanism::Hmac(preset)) = Mechanism::preset("stripe") else { panic!("stripe") };
        assert_eq!(scheme(stripe), Ok(preset));
    }

    #[test]
    fn a_template_must_cover_the_body_and_all_that_is_read() {
        for table in [
            r#"{"hmac":"sha256","header":"x","signed":"{timestamp}","timestamp":"t"}"#,
            r#"{"hmac":"sha256","header":"x","signed":"{body}{body}"}"#,
            r#"{"hmac":"sha256","header":"x","signed":"{timestamp}.{body}"}"#,
            r#"{"hmac":"sha256","header":"x","timestamp":"t"}"#,
            r#"{"hmac":"sha256","header":"x","id":"i"}"#,
            r#"{"hmac":"sha256","header":"x","signed":"{id}.{body}"}"#,
            r#"{"hmac":"sha256","header":"x","signed":"{host}.{body}"}"#,
            r#"{"hmac":"sha256","header":"x","signed":"{body"}"#,
        ] {
            let problems = scheme(table).unwrap_err();
            assert!(problems[0].starts_with("S.signature.signed: must be a template"), "{table}");
        }
        assert_eq!(
            scheme(r#"{"hmac":"md5","header":"x y","separator":"|","typo":1}"#).unwrap_err(),
            [
                "S.signature.hmac: must be one of: sha1, sha256, sha512",
                "S.signature.header: must be the name of a header",
                "S.signature.separator: must be one of:  , ,, ;",
                "S.signature.typo: is not a known setting",
            ]
        );
        assert_eq!(
            scheme(r#"{"hmac":"sha256"}"#).unwrap_err(),
            ["S.signature.header: must be set"]
        );
    }

    #[test]
    fn a_token_is_opted_into_by_name_and_may_be_a_second_proof() {
        let proof = configure(
            r#"{"secrets":["A"],"signature":{"token":"Authorization","prefix":"Bearer "}}"#,
            Usual::Chosen,
        )
        .unwrap();
        let Mechanism::Token(place) = proof.mechanism else { panic!("a token") };
        assert_eq!((place.header.as_ref(), place.prefix.as_str()), ("authorization", "Bearer "));
        let both = r#"{"secrets":["A"],"also":{"token":"x-key","secrets":["B"]}}"#;
        assert!(configure(both, Usual::Preset("shopify")).is_ok());
        let wrong = r#"{"secrets":["A"],"also":{"header":"x-key"}}"#;
        assert_eq!(
            configure(wrong, Usual::Preset("shopify")).unwrap_err(),
            [
                "S.also.token: must be set",
                "S.also.secrets: must be set",
                "S.also.header: is not a known setting",
            ]
        );
    }
}
