//! Public keys in the place of the platforms' own, whose private keys nobody here has.

use anyhow::Result;
use erasure_relay::config::Source;
use erasure_relay::signature::{ConfiguredKeys, Mechanism};
use send::{Credentials, PrivateKey};
use serde_json::{Value, json};
use standin::{KeyServer, Resource};

/// Has the source, whose settings are `table`, know the public half of its generated key: where its
/// own keys are, in the settings or at a URL. Returns whether it has such a key at all.
pub(super) fn publish(
    source: &Source,
    table: &mut Value,
    credentials: &Credentials,
    server: &KeyServer,
) -> Result<bool> {
    let Some(private) = credentials.private_keys.get(&source.name) else { return Ok(false) };
    let key = PrivateKey::parse(private)?;
    let path = format!("/{}", source.name);
    match &source.proof.mechanism {
        Mechanism::Hmac(_) | Mechanism::Token(_) | Mechanism::SignedRequest => return Ok(false),
        Mechanism::Ed25519(_) => table["keys"] = json!([key.whpk()?]),
        Mechanism::Jwt(_, ConfiguredKeys::Fixed(_)) => table["keys"] = json!([key.public_pem()?]),
        Mechanism::Jwt(_, ConfiguredKeys::At(_)) => {
            let document = key.public_pem()?;
            let resource = match source.proof.secrets.first() {
                Some(name) => {
                    let token = credentials.secret(name.as_str())?.to_owned();
                    Resource::Protected { document, token }
                }
                None => Resource::Public(document),
            };
            server.put(&path, resource);
            table["keys"]["url"] = json!(server.url(&path));
        }
        Mechanism::NestedJwt(issuers) => {
            let document = json!({ "publicKey": [key.jwk()] });
            server.put(&path, Resource::Public(document.to_string()));
            for (issuer, _) in issuers {
                table["issuers"][issuer] = json!(server.url(&path));
            }
        }
    }
    Ok(true)
}
