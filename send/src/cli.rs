//! The command's arguments, and the message that they describe.

use std::fs;
use std::io::Read;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use erasure_relay::json::Json;
use erasure_relay::settings::{Findings, Misconfiguration, SecretName, Settings};
use erasure_relay::signature::scheme::Scheme;

use serde_json::json;

use crate::{Message, Person, PrivateKey, Proof, body};

/// Sign a webhook as a platform does and send it
///
/// Secrets come from the environment or from a file, never from the command line, where other
/// users of the machine can read them.
#[derive(Parser)]
#[command(name = "send", bin_name = "cargo xtask send")]
pub struct Arguments {
    /// The source of wrangler.toml whose platform is played, with all that is set there. Without
    /// --url it is sent to the running `cargo xtask dev`, with its secrets; with it, the secrets are
    /// in the environment under the names that they have in wrangler.toml
    #[arg(long, value_name = "NAME", conflicts_with_all = ["platform", "signature", "header",
          "audience", "issuer", "kid", "also"])]
    pub source: Option<String>,
    /// The platform whose sample is sent, such as shopify; custom needs --body-file
    #[arg(long, required_unless_present = "source")]
    platform: Option<String>,
    /// Where to: the whole URL of the source, https (http on loopback)
    #[arg(long, required_unless_present = "source")]
    pub url: Option<String>,
    /// Shows what would be sent, and sends nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Sends the very same message so many times, as a platform that repeats it does
    #[arg(long, value_name = "TIMES", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub repeat: u32,
    /// The environment variable that holds the operator's token, which following an answer 202
    /// needs
    #[arg(long, value_name = "NAME", default_value = "ADMIN_TOKEN")]
    pub(crate) admin_token_env: String,
    /// How long a message whose answer is not final is followed, in seconds; 0 leaves it
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub wait: u64,
    /// A preset, standard-webhooks-ed25519, token, jwt, or a scheme as the configuration has it
    /// but in JSON; without it the platform's usual one
    #[arg(long)]
    signature: Option<String>,
    /// The environment variable that holds the secret, the token or the private key
    #[arg(long, value_name = "NAME", conflicts_with = "secret_file")]
    pub(crate) secret_env: Option<String>,
    /// The file that holds it; - is the standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: Option<String>,
    /// The header of a token
    #[arg(long)]
    header: Option<String>,
    /// What stands before a token in its header
    #[arg(long, default_value = "")]
    prefix: String,
    /// The audience of a signed token
    #[arg(long, default_value = "")]
    audience: String,
    /// The issuer of a signed token
    #[arg(long)]
    issuer: Option<String>,
    /// The kid of a private key
    #[arg(long)]
    kid: Option<String>,
    /// The header of a second proof, a token
    #[arg(long, value_name = "HEADER", requires = "also_secret_env")]
    also: Option<String>,
    /// The environment variable that holds the second proof
    #[arg(long, value_name = "NAME", requires = "also")]
    pub(crate) also_secret_env: Option<String>,
    /// The person's account at the retailer
    #[arg(long)]
    user_id: Option<String>,
    /// The person's address
    #[arg(long)]
    email: Option<String>,
    /// The person's phone number, E.164
    #[arg(long)]
    phone_number: Option<String>,
    /// The request's id, where the platform sends one; without it a new one
    #[arg(long)]
    pub(crate) request_id: Option<String>,
    /// Sends this body instead of the platform's sample
    #[arg(long, value_name = "FILE")]
    pub(crate) body_file: Option<String>,
}

impl Arguments {
    fn platform(&self) -> &str {
        self.platform.as_deref().unwrap_or_default()
    }

    pub(crate) fn person(&self) -> Person {
        Person {
            user_id: self.user_id.clone(),
            email: self.email.clone(),
            phone_number: self.phone_number.clone(),
            account_type: None,
        }
    }
}

/// Looks up a variable of the environment.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The message that the arguments describe, sent at `now` (since the Unix epoch).
///
/// # Errors
/// Where a secret is missing or not as it must be, or the platform needs an identifier that is not
/// there.
pub fn message(
    arguments: &Arguments,
    now: Duration,
    environment: Environment<'_>,
) -> Result<Message> {
    let seconds = i64::try_from(now.as_secs())?;
    let made = format!("{:032x}", now.as_nanos());
    let id = arguments.request_id.as_deref().unwrap_or(&made);
    let (platform, person) = (arguments.platform(), arguments.person());
    let url = arguments.url.as_deref().context("give --url")?;
    let text = match &arguments.body_file {
        Some(file) => fs::read(file).with_context(|| format!("cannot read {file}"))?,
        None => {
            let mut body = body::compose(platform, id, &person, seconds)?;
            if let (Some(issuer), "iab-ddrf") = (&arguments.issuer, platform) {
                body["iss"] = json!(issuer);
            }
            body.to_string().into_bytes()
        }
    };
    let secret = secret(arguments, environment)?;
    let proof = proof(arguments, &person, seconds, secret)?;
    let mut message = proof.put_on(&format!("msg_{id}"), url, &text, seconds)?;
    if let (Some(header), Some(name)) = (&arguments.also, &arguments.also_secret_env) {
        message.headers.push((header.clone(), variable(environment, name)?));
    }
    Ok(message)
}

/// How the message is proven: as `--signature` says, or as the platform usually does.
fn proof(arguments: &Arguments, person: &Person, now: i64, secret: String) -> Result<Proof> {
    let usual = match arguments.platform() {
        platform @ ("standard-webhooks" | "shopify" | "segment") => platform,
        "datagrail-drop" | "datagrail-dsr" => "datagrail",
        "transcend" => "jwt",
        platform @ ("meta" | "iab-ddrf") => platform,
        _ => "token",
    };
    let key = || {
        let key = PrivateKey::parse(&secret)?;
        Ok::<_, anyhow::Error>(match &arguments.kid {
            Some(kid) => key.named(kid),
            None => key,
        })
    };
    let header = |usual: &str| arguments.header.clone().unwrap_or_else(|| usual.to_owned());
    Ok(match arguments.signature.as_deref().unwrap_or(usual) {
        "token" => {
            let (name, prefix) = match (arguments.platform(), &arguments.header) {
                ("kertos", None) => ("x-api-key", ""),
                (_, None) => ("authorization", "Bearer "),
                (_, Some(_)) => ("", arguments.prefix.as_str()),
            };
            Proof::Token(header(name), format!("{prefix}{secret}"))
        }
        "meta" => Proof::SignedRequest(secret),
        "iab-ddrf" => Proof::NestedJwt(key()?),
        "standard-webhooks-ed25519" => Proof::Ed25519(key()?),
        "jwt" => {
            let mut claims = json!({ "aud": arguments.audience, "iat": now, "exp": now + 600 });
            if let Some(issuer) = &arguments.issuer {
                claims["iss"] = json!(issuer);
            }
            let name = if arguments.platform() == "transcend" {
                let value = person.core_identifier()?;
                claims["value"] = json!(value);
                claims["scope"] = json!("coreIdentifier");
                "x-sombra-token"
            } else {
                "authorization"
            };
            Proof::Jwt(header(name), arguments.prefix.clone(), claims, key()?)
        }
        table if table.starts_with('{') => Proof::Hmac(own_scheme(table)?, secret),
        preset => Proof::preset(preset, &secret)?,
    })
}

/// The first secret, or the private key, as `--secret-env` or `--secret-file` say.
pub(crate) fn secret(arguments: &Arguments, environment: Environment<'_>) -> Result<String> {
    let secret = match (&arguments.secret_env, arguments.secret_file.as_deref()) {
        (Some(name), _) => variable(environment, name)?,
        (None, Some("-")) => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
            text
        }
        (None, Some(file)) => {
            fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?
        }
        (None, None) => bail!("give the secret by --secret-env or --secret-file"),
    };
    Ok(secret.trim().to_owned())
}

pub(crate) fn variable(environment: Environment<'_>, name: &str) -> Result<String> {
    environment(name).with_context(|| {
        if SecretName::parse(name).is_some() {
            format!("the environment variable {name} is not set")
        } else {
            "no environment variable has the name that was given. It is not shown, since it could be \
             the secret itself: give the name of the variable that holds it (A-Z, 0-9, _)"
                .to_owned()
        }
    })
}

/// A scheme as the configuration has it.
fn own_scheme(text: &str) -> Result<Scheme> {
    let json = Json::parse(text.as_bytes())?;
    let findings = Findings::default();
    let scheme = Settings::new("signature".to_owned(), &json, &findings).and_then(|mut table| {
        let scheme = Scheme::configure(&mut table);
        table.finish();
        scheme
    });
    let problems: Vec<_> =
        findings.into_problems().iter().map(Misconfiguration::to_string).collect();
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    scheme.context("no scheme")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_the_place_of_its_name_is_not_shown() {
        let none = |_: &str| None;
        let error = |name: &str| variable(&none, name).unwrap_err().to_string();
        assert_eq!(error("SHOP_SECRET"), "the environment variable SHOP_SECRET is not set");
        for secret in ["shpss_0123456789abcdef", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "1A2B"] {
            assert!(!error(secret).contains(secret), "{}", error(secret));
        }
        let known = |name: &str| (name == "lower_case").then(|| "value".to_owned());
        assert_eq!(variable(&known, "lower_case").unwrap(), "value");
    }
}
