//! The command's arguments, and what they make.

use std::fs;
use std::io::Read;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use erasure_relay::json::Json;
use erasure_relay::secure_url::SecureUrl;
use erasure_relay::settings::{Misconfiguration, Settings};
use erasure_relay::signature::scheme::Scheme;

use serde_json::json;

use crate::output::line;
use crate::{Message, Person, PrivateKey, Proof, body};

/// Sign a webhook as a platform does and send it
///
/// Secrets come from the environment or from a file, never from the command line, where other
/// users of the machine can read them.
#[derive(Parser)]
#[command(name = "send", bin_name = "cargo xtask send")]
pub struct Arguments {
    /// The platform whose sample is sent, such as shopify; custom needs --body-file
    #[arg(long)]
    platform: String,
    /// Where to: the whole URL of the source, https (http on loopback)
    #[arg(long)]
    pub url: String,
    /// A preset, standard-webhooks-ed25519, token, jwt, or a scheme as the configuration has it
    /// but in JSON; without it the platform's usual one
    #[arg(long)]
    signature: Option<String>,
    /// The environment variable that holds the secret, the token or the private key
    #[arg(long, value_name = "NAME", conflicts_with = "secret_file")]
    secret_env: Option<String>,
    /// The file that holds it; - is the standard input
    #[arg(long, value_name = "FILE")]
    secret_file: Option<String>,
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
    also_secret_env: Option<String>,
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
    request_id: Option<String>,
    /// Sends this body instead of the platform's sample
    #[arg(long, value_name = "FILE")]
    body_file: Option<String>,
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
    let person = Person {
        user_id: arguments.user_id.clone(),
        email: arguments.email.clone(),
        phone_number: arguments.phone_number.clone(),
        account_type: None,
    };
    let text = match &arguments.body_file {
        Some(file) => fs::read(file).with_context(|| format!("cannot read {file}"))?,
        None => {
            let mut body = body::compose(&arguments.platform, id, &person, seconds)?;
            if let (Some(issuer), "iab-ddrf") = (&arguments.issuer, arguments.platform.as_str()) {
                body["iss"] = json!(issuer);
            }
            body.to_string().into_bytes()
        }
    };
    let secret = secret(arguments, environment)?;
    let proof = proof(arguments, &person, seconds, secret)?;
    let mut message = proof.put_on(&format!("msg_{id}"), &arguments.url, &text, seconds)?;
    if let (Some(header), Some(name)) = (&arguments.also, &arguments.also_secret_env) {
        message.headers.push((header.clone(), variable(environment, name)?));
    }
    Ok(message)
}

/// How the message is proven: as `--signature` says, or as the platform usually does.
fn proof(arguments: &Arguments, person: &Person, now: i64, secret: String) -> Result<Proof> {
    let usual = match arguments.platform.as_str() {
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
            let (name, prefix) = match (arguments.platform.as_str(), &arguments.header) {
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
            let name = if arguments.platform == "transcend" {
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

fn secret(arguments: &Arguments, environment: Environment<'_>) -> Result<String> {
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

fn variable(environment: Environment<'_>, name: &str) -> Result<String> {
    environment(name).with_context(|| format!("the environment variable {name} is not set"))
}

/// A scheme as the configuration has it.
fn own_scheme(text: &str) -> Result<Scheme> {
    let json = Json::parse(text.as_bytes())?;
    let problems = std::cell::RefCell::default();
    let scheme = Settings::new("signature".to_owned(), &json, &problems).and_then(|mut table| {
        let scheme = Scheme::configure(&mut table);
        table.finish();
        scheme
    });
    let problems: Vec<_> = problems.take().iter().map(Misconfiguration::to_string).collect();
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    scheme.context("no scheme")
}

/// Sends the message, and prints status and body; returns the status.
///
/// # Errors
/// Where the URL is not safe, or no answer comes.
pub fn post(url: &str, message: &Message) -> Result<u16> {
    let safe = SecureUrl::parse(url.split('?').next().unwrap_or(url)).is_some();
    ensure!(safe, "the URL must be https (http on loopback only)");
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(Duration::from_secs(60)))
        .build()
        .new_agent();
    let mut request = agent.post(url);
    for (name, value) in &message.headers {
        request = request.header(name, value);
    }
    let mut response =
        request.send(&message.body[..]).with_context(|| format!("no answer of {url}"))?;
    line(response.status())?;
    line(response.body_mut().read_to_string()?)?;
    Ok(response.status().as_u16())
}
