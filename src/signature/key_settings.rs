//! Public keys in the configuration: in it as they are, or at a URL that it names.

use std::rc::Rc;

use secrecy::SecretString;

use super::jwt::{self, Lifetime};
use super::keyring::{KeyPlace, Keys};
use super::public_key::PublicKey;
use super::scheme::header;
use super::token;
use crate::secure_url::SecureUrl;
use crate::settings::{SecretName, Settings};

/// The keys of tokens, as they are configured.
#[derive(Debug, Clone)]
pub enum ConfiguredKeys {
    /// In the configuration.
    Fixed(Vec<PublicKey>),
    /// At this URL.
    At(String),
}

impl ConfiguredKeys {
    /// The keys, with the secret that their place asks for.
    pub(super) fn with(&self, bearer: Option<&SecretString>) -> Keys {
        match self {
            ConfiguredKeys::Fixed(keys) => Keys::Fixed(Rc::new(keys.clone())),
            ConfiguredKeys::At(url) => {
                Keys::Published(KeyPlace { url: url.clone(), bearer: bearer.cloned() })
            }
        }
    }
}

/// What a token must say: `jwt` (the header), `prefix`, `audience`, `scope`, `issuer`, `lifetime`.
pub(super) fn expected(
    table: &mut Settings<'_>,
    default: Option<&'static str>,
) -> Option<jwt::Expected> {
    let header = match default {
        Some(name) if !table.has("jwt") => Some(name.into()),
        _ => header(table, "jwt"),
    };
    let prefix = table.text("prefix").unwrap_or_default().to_owned();
    let audience = table.required_text("audience").map(str::to_owned);
    let scope = table.text("scope").map(str::to_owned);
    let issuer = table.text("issuer").map(str::to_owned);
    let lifetimes = [("iat", Lifetime::IssuedAt), ("exp", Lifetime::Expiry)];
    let lifetime = table.choice("lifetime", Lifetime::IssuedAt, &lifetimes);
    let place = token::Place { header: header?, prefix };
    Some(jwt::Expected { place, audience: audience?, scope, issuer, lifetime: lifetime? })
}

/// `keys`: a list of PEM texts, each of one or several keys, or of JWKs, or
/// `{ url = "https://…", secret = "NAME" }`.
pub(super) fn keys(settings: &mut Settings<'_>) -> Option<ConfiguredKeys> {
    if settings.has_table("keys") {
        let mut table = settings.table("keys")?;
        let url = table.required_text("url");
        let url = url.and_then(|url| secure(&table, "url", url));
        let _ = table.text("secret"); // read by `key_secret`
        table.finish();
        return Some(ConfiguredKeys::At(url?));
    }
    let texts = settings.required_texts("keys")?;
    let keys: Option<Vec<_>> = texts.into_iter().map(PublicKey::parse_all).collect();
    if keys.is_none() {
        settings.problem(
            "keys",
            "must be a table with `url`, or a list of PEM texts (-----BEGIN PUBLIC KEY-----) or \
             JWKs: Ed25519, P-256 and P-384 keys, and RSA keys of 2048 to 8192 bits",
        );
    }
    keys.map(|keys| ConfiguredKeys::Fixed(keys.concat()))
}

/// The secret that the place of the keys asks for.
pub(super) fn key_secret(settings: &mut Settings<'_>) -> Option<SecretName> {
    let mut table = settings.has_table("keys").then(|| settings.table("keys"))??;
    if table.has("secret") { table.required_secret("secret") } else { None }
}

pub(super) fn whpk(settings: &mut Settings<'_>) -> Option<Vec<PublicKey>> {
    let texts = settings.required_texts("keys")?;
    let keys: Option<Vec<_>> = texts.into_iter().map(PublicKey::parse_whpk).collect();
    if keys.is_none() {
        settings.problem("keys", "must be a list of whpk_ followed by base64 of 32 bytes");
    }
    keys
}

/// `issuers`: where the keys of each are.
pub(super) fn issuers(settings: &mut Settings<'_>) -> Option<Vec<(String, KeyPlace)>> {
    let entries = settings.text_entries("issuers");
    if entries.is_empty() {
        settings.problem("issuers", "must have at least one entry");
        return None;
    }
    let place = |(issuer, url): (&str, &str)| {
        let url = secure(settings, "issuers", url)?;
        Some((issuer.to_owned(), KeyPlace { url, bearer: None }))
    };
    entries.into_iter().map(place).collect()
}

/// The URL as it is requested; reports a problem where secrets may not be sent to it.
fn secure(settings: &Settings<'_>, key: &str, url: &str) -> Option<String> {
    let url = SecureUrl::parse(url);
    if url.is_none() {
        settings.problem(key, SecureUrl::EXPECTED);
    }
    url.map(|url| url.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::proof::tests::configure;
    use super::super::{DefaultSignature, Mechanism};
    use super::*;

    #[test]
    fn public_keys_are_in_the_configuration_or_at_a_url() {
        let good = |settings: &str, default| configure(settings, default).unwrap();
        let whpk = format!("whpk_{}", "A".repeat(43));
        let ed25519 = format!(r#"{{"signature":"standard-webhooks-ed25519","keys":["{whpk}"]}}"#);
        let proof = good(&ed25519, DefaultSignature::Preset("standard-webhooks"));
        assert!(matches!(proof.mechanism, Mechanism::Ed25519(keys) if keys.len() == 1));
        let url =
            r#"{"signature":{"audience":"a"},"keys":{"url":"https://k.example/pem","secret":"S"}}"#;
        let proof = good(url, DefaultSignature::Jwt("x-token"));
        assert_eq!((proof.path(0), proof.secrets.len()), ("keys.secret".to_owned(), 1));
        let Mechanism::Jwt(expected, ConfiguredKeys::At(_)) = proof.mechanism else {
            panic!("jwt")
        };
        assert_eq!(expected.place.header, "x-token");
        let own = r#"{"signature":{"jwt":"Authorization","prefix":"Bearer ","audience":"a"},
                      "keys":{"url":"https://k.example/jwks"}}"#;
        assert!(good(own, DefaultSignature::None).secrets.is_empty());
        let key = send::PrivateKey::generate("ES256").unwrap();
        let twice = [key.public_pem().unwrap(), key.public_pem().unwrap()].concat();
        let texts = [twice, key.jwk().to_string()];
        let pem = serde_json::json!({ "signature": { "audience": "a" }, "keys": texts });
        let proof = good(&pem.to_string(), DefaultSignature::Jwt("x-token"));
        let Mechanism::Jwt(_, ConfiguredKeys::Fixed(keys)) = proof.mechanism else { panic!() };
        assert_eq!(keys.len(), 3);
        let issuers = r#"{"issuers":{"a.example":"https://a.example/dsrdelete.json"}}"#;
        assert!(good(issuers, DefaultSignature::NestedJwt).mechanism.has_tolerance());
    }

    /// By OpenSSL, 1024 bits.
    const WEAK: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC+tKrhmQIcA4HDD3Bc/r3ZQ9da
ziCA40Nae+127EgWvIsVA1nSUxI8xm1lMpGiZNjBW4/Hxb+k4f8RhwGstqo6Aexi
bBA+4cI5RKzUPGcgTEJSSF25eGN46Sgwc47n6I7TJT3HKRJGnVj/nqEJ8TiktiZs
qIcjIBPm0hIz1O5RHwIDAQAB
-----END PUBLIC KEY-----";

    #[test]
    fn a_weak_rsa_key_in_the_configuration_is_an_error() {
        let good = send::PrivateKey::generate("ES256").unwrap();
        let (pem, jwk) = (good.public_pem().unwrap(), good.jwk());
        let weak = serde_json::json!({ "kty": "RSA", "e": "AQAB", "n": "q".repeat(171) });
        for texts in [
            vec![WEAK.to_owned()],
            vec![pem.clone(), WEAK.to_owned()],
            vec![format!("{pem}{WEAK}")],
            vec![weak.to_string()],
            vec![serde_json::json!({ "keys": [jwk, weak] }).to_string()],
        ] {
            let settings = serde_json::json!({ "signature": { "audience": "a" }, "keys": texts });
            let problems = configure(&settings.to_string(), DefaultSignature::Jwt("x"));
            let problems = problems.err().unwrap();
            assert!(problems[0].ends_with("and RSA keys of 2048 to 8192 bits"), "{problems:?}");
        }
    }

    #[test]
    fn keys_that_cannot_be_used_are_refused() {
        let url = SecureUrl::EXPECTED;
        let pem = "must be a table with `url`, or a list of PEM texts \
                   (-----BEGIN PUBLIC KEY-----) or JWKs: Ed25519, P-256 and P-384 keys, and RSA \
                   keys of 2048 to 8192 bits";
        let whpk = "must be a list of whpk_ followed by base64 of 32 bytes";
        let ed25519 = r#"{"signature":"standard-webhooks-ed25519","keys":["whpk_AAAA"]}"#;
        for (settings, default, problems) in [
            (ed25519, DefaultSignature::None, vec![format!("S.keys: {whpk}")]),
            (
                r#"{"signature":"standard-webhooks-ed25519","secrets":["A"]}"#,
                DefaultSignature::None,
                vec![
                    "S.keys: must be set".into(),
                    "S.secrets: has no effect: this signature is proven by public keys".into(),
                ],
            ),
            (
                r#"{"signature":{"audience":"a"},"keys":{"url":"http://k.example/pem"}}"#,
                DefaultSignature::Jwt("x"),
                vec![format!("S.keys.url: {url}")],
            ),
            (
                r#"{"signature":{},"keys":["-----BEGIN PUBLIC KEY-----"]}"#,
                DefaultSignature::Jwt("x"),
                vec!["S.signature.audience: must be set".into(), format!("S.keys: {pem}")],
            ),
            (
                r#"{"signature":"github","secrets":["A"]}"#,
                DefaultSignature::Jwt("x"),
                vec![
                    "S.signature: must be a table".into(),
                    "S.secrets: has no effect: this signature is proven by public keys".into(),
                ],
            ),
            (
                r#"{"issuers":{"a.example":"http://a.example"}}"#,
                DefaultSignature::NestedJwt,
                vec![format!("S.issuers: {url}")],
            ),
            (
                "{}",
                DefaultSignature::NestedJwt,
                vec!["S.issuers: must have at least one entry".into()],
            ),
        ] {
            let found = configure(settings, default).err().unwrap_or_default();
            assert_eq!(found, problems, "{settings}");
        }
    }
}
