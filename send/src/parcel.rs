//! What is sent: as the arguments describe it, or as the configuration of a source does.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::cli::{Arguments, Environment, message, secret, variable};
use crate::configured::{self, Platform};
use crate::session::Session;
use crate::{Credentials, Message};

/// What is sent where, and what is needed to follow it.
pub struct Parcel {
    /// The whole URL.
    pub url: String,
    /// The message.
    pub message: Message,
    /// The id of the request, where it is known before the answer comes.
    pub request_id: Option<String>,
    /// Opens the operator's routes, where it is known.
    pub admin_token: Option<String>,
    /// What must not be shown of the message.
    pub secrets: Vec<String>,
}

impl Parcel {
    /// What stands before and after `/webhooks/` in the URL: the Worker's address, and the source's
    /// name with what may follow it.
    ///
    /// # Errors
    /// Where the URL is none of a webhook.
    pub fn origin_and_path(&self) -> Result<(&str, &str)> {
        self.url.rsplit_once("/webhooks/").context("the URL has no /webhooks/")
    }
}

/// What the arguments describe, sent at `now` (since the Unix epoch), in the clone `root`.
///
/// # Errors
/// As [`message`]; also where there is no such source, or no local run to send to.
pub fn parcel(
    arguments: &Arguments,
    now: Duration,
    environment: Environment<'_>,
    root: &Path,
) -> Result<Parcel> {
    let mut admin_token = environment(&arguments.admin_token_env);
    let Some(name) = &arguments.source else {
        let message = message(arguments, now, environment)?;
        let mut secrets = vec![secret(arguments, environment)?];
        if let Some(name) = &arguments.also_secret_env {
            secrets.push(variable(environment, name)?);
        }
        let url = arguments.url.clone().context("give --url")?;
        let request_id = arguments.request_id.clone();
        return Ok(Parcel { url, message, request_id, admin_token, secrets });
    };
    let (url, vars, mut credentials) = match &arguments.url {
        Some(url) => {
            let text = fs::read_to_string(root.join("wrangler.toml"))?;
            let mut wrangler: Value = toml::from_str(&text).context("wrangler.toml is not TOML")?;
            (url.clone(), wrangler["vars"].take(), Credentials::default())
        }
        None => {
            let session = Session::running(root)?;
            admin_token = Some(session.admin_token);
            let url = format!("{}/webhooks/{name}", session.url);
            (url, session.vars, session.credentials)
        }
    };
    let config = configured::read(&vars)?;
    let platform = Platform::of(&config, &vars, name)?;
    if arguments.url.is_some() {
        take_secrets(&mut credentials, platform, arguments, environment)?;
    }
    let seconds = i64::try_from(now.as_secs())?;
    let id = arguments.request_id.clone().unwrap_or_else(|| format!("{:032x}", now.as_nanos()));
    let body = match &arguments.body_file {
        Some(file) => fs::read(file).with_context(|| format!("cannot read {file}"))?,
        None => platform.sample(&id, &arguments.person(), seconds)?.to_string().into_bytes(),
    };
    let signed = platform.message(&body, &id, &url, seconds, None, &credentials)?;
    let known = signed.erasure.filter(|erasure| !erasure.id_is_derived);
    let request_id = known.map(|erasure| erasure.id.as_str().to_owned());
    let secrets = credentials.secrets.into_values().collect();
    Ok(Parcel { url, message: signed.message, request_id, admin_token, secrets })
}

/// Takes the secrets of a source from the environment, each under its name; the first one, or the
/// private key, also as `--secret-env` or `--secret-file` say.
fn take_secrets(
    credentials: &mut Credentials,
    platform: Platform<'_>,
    arguments: &Arguments,
    environment: Environment<'_>,
) -> Result<()> {
    let source = platform.source();
    let given = arguments.secret_env.is_some() || arguments.secret_file.is_some();
    let proof = &source.proof;
    if !proof.mechanism.has_secrets() {
        credentials.private_keys.insert(source.name.clone(), secret(arguments, environment)?);
    } else if let Some(first) = proof.secrets.first() {
        let name = first.as_str();
        let value =
            if given { secret(arguments, environment)? } else { variable(environment, name)? };
        credentials.secrets.insert(name.to_owned(), value.trim().to_owned());
    }
    if let Some(name) = source.also.as_ref().and_then(|also| also.secrets.first()) {
        let value = variable(environment, name.as_str())?;
        credentials.secrets.insert(name.as_str().to_owned(), value.trim().to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    const WRANGLER: &str = r#"
        [vars.SOURCES.own]
        platform = "custom"
        signature = { token = "authorization", prefix = "Bearer " }
        secrets = ["OWN_TOKEN", "OWN_TOKEN_PREVIOUS"]
        also = { hmac = "sha256", header = "x-signature", secrets = ["OWN_SECRET"] }
        request_id = "/id"
        erasure = { at = "/kind", is = ["gone"] }
        identifiers = { email = "/who/mail" }
        [vars.VENDORS.insider]
        api = "insider"
        partner_name = "acme"
        erase = "profile"
        auth = { token = "INSIDER_TOKEN" }
    "#;

    /// What `arguments` make in a clone with that configuration.
    fn made(arguments: &[&str], environment: Environment<'_>) -> Result<Parcel> {
        let name = format!("send-{}-{}", std::process::id(), arguments.len());
        let root = std::env::temp_dir().join(name);
        fs::create_dir_all(&root)?;
        fs::write(root.join("wrangler.toml"), WRANGLER)?;
        let arguments = Arguments::try_parse_from([&["send"], arguments].concat())?;
        let made = parcel(&arguments, Duration::from_secs(1_795_650_000), environment, &root);
        fs::remove_dir_all(&root)?;
        made
    }

    #[test]
    fn a_source_says_how_its_platform_is_played() {
        let known = |name: &str| Some(format!("the value of {name}, which is long"));
        let url = "https://relay.example/webhooks/own";
        let arguments =
            ["--source", "own", "--url", url, "--email", "a@example.com", "--request-id", "r-1"];
        let made = made(&arguments, &known).unwrap();
        let body: Value = serde_json::from_slice(&made.message.body).unwrap();
        let expected = json!({ "id": "r-1", "kind": "gone", "who": { "mail": "a@example.com" } });
        assert_eq!(body, expected);
        let header = |name: &str| {
            let mut headers = made.message.headers.iter().filter(|(known, _)| known == name);
            headers.next().map(|(_, value)| value.as_str())
        };
        let token = "Bearer the value of OWN_TOKEN, which is long";
        assert_eq!(header("authorization"), Some(token));
        assert!(header("x-signature").is_some_and(|value| value.len() == 64));
        assert_eq!(made.request_id.as_deref(), Some("r-1"));
        let admin_token = "the value of ADMIN_TOKEN, which is long";
        assert_eq!(made.admin_token.as_deref(), Some(admin_token));
        assert!(made.secrets.iter().any(|secret| token.ends_with(secret)), "it would be shown");
    }

    #[test]
    fn what_is_missing_is_named() {
        let url = "https://relay.example/webhooks/own";
        let none = |_: &str| None;
        for (arguments, says) in [
            (vec!["--source", "own", "--url", url], "variable OWN_TOKEN is not set"),
            (vec!["--source", "other", "--url", url, "--email", "a@b.c"], "the sources are own"),
            (vec!["--source", "own"], "start `cargo xtask dev`"),
            (vec!["--platform", "shopify"], "--url"),
            (vec!["--source", "own", "--platform", "shopify", "--dry-run"], "cannot be used"),
        ] {
            let error = made(&arguments, &none).err().map(|error| format!("{error:#}"));
            assert!(error.as_ref().is_some_and(|error| error.contains(says)), "{error:?}");
        }
    }
}
