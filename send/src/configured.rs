//! A platform as one source of the configuration has it: what it sends of a person, with the
//! settings that describe its messages, and how it proves that.

use anyhow::{Context, Result, bail};
use erasure_relay::config::{Config, Source};
use erasure_relay::erasure::ErasureRequest;
use erasure_relay::json::Json;
use erasure_relay::signature::{Mechanism, Proof as Required, Proven};
use serde_json::{Value, json};

use crate::{Credentials, Message, Person, PrivateKey, Proof, body};

/// Reads the sources and vendors of `[vars]`.
///
/// # Errors
/// Every problem, by its path.
pub fn read(vars: &Value) -> Result<Config> {
    let [sources, vendors] = ["SOURCES", "VENDORS"].map(|name| match &vars[name] {
        Value::Null => "{}".to_owned(),
        table => table.to_string(),
    });
    let (sources, vendors) = (Json::parse(sources.as_bytes())?, Json::parse(vendors.as_bytes())?);
    Config::parse(&sources, &vendors).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(|problem| format!("  {problem}")).collect();
        anyhow::anyhow!("wrangler.toml, [vars]:\n{}", lines.join("\n"))
    })
}

/// The platform of one source.
#[derive(Clone, Copy)]
pub struct Platform<'a> {
    source: &'a Source,
    /// The source's table.
    table: &'a Value,
}

/// A message, and what the relay must read in it.
pub struct Signed {
    /// What is sent.
    pub message: Message,
    /// The erasure that the source's settings find in it, if they find one. An id that is derived is
    /// a bare digest.
    pub erasure: Option<ErasureRequest>,
}

impl<'a> Platform<'a> {
    /// The platform of the source `name` in `vars`, which `config` was read from.
    ///
    /// # Errors
    /// Where there is no such source.
    pub fn of(config: &'a Config, vars: &'a Value, name: &str) -> Result<Self> {
        let source = config.sources.iter().find(|source| source.name == name);
        let names = || config.sources.iter().map(|one| one.name.as_str()).collect::<Vec<_>>();
        let source = source.with_context(|| {
            format!("there is no source {name}; the sources are {}", names().join(", "))
        })?;
        Ok(Self { source, table: &vars["SOURCES"][name] })
    }

    /// Its name in the configuration, such as `shopify`.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.table["platform"].as_str().unwrap_or_default()
    }

    /// The source's settings.
    #[must_use]
    pub fn source(&self) -> &'a Source {
        self.source
    }

    /// An erasure of `person` as this source expects it, at `now` (seconds since the Unix epoch).
    ///
    /// # Errors
    /// Where the platform needs an identifier that is not there.
    pub fn sample(&self, request_id: &str, person: &Person, now: i64) -> Result<Value> {
        let account = self.table["identity_types"].as_object();
        let account = account.and_then(|types| types.iter().find(|(_, kind)| *kind == "user_id"));
        let person =
            Person { account_type: account.map(|(name, _)| name.clone()), ..person.clone() };
        let mut event = body::compose(self.name(), request_id, &person, now)?;
        if let Some(pointer) = self.table["request_id"].as_str() {
            insert(&mut event, pointer, json!(request_id));
        }
        if let Some(pointer) = self.table["erasure"]["at"].as_str() {
            insert(&mut event, pointer, self.table["erasure"]["is"][0].clone());
        }
        self.add_identifiers(&mut event, &person);
        self.add_way_back(&mut event, request_id);
        if let Mechanism::NestedJwt(issuers) = &self.source.proof.mechanism {
            event["iss"] = json!(issuers.first().map(|(issuer, _)| issuer));
        }
        Ok(match self.table["events"].as_str() {
            None => event,
            Some("body") => json!([event]),
            Some(pointer) => {
                let mut body = json!({});
                insert(&mut body, pointer, json!([event]));
                body
            }
        })
    }

    /// Whether the platform is told at a stand-in on this machine. No other is given ids that nobody
    /// there knows.
    fn is_told_here(&self) -> bool {
        let callback = &self.table["callback"];
        let places = [&callback["base_url"], &callback["hosts"][0]];
        let is_here =
            |place: &&Value| place.as_str().is_some_and(|url| url.starts_with("http://127.0.0.1:"));
        places.iter().any(is_here)
    }

    /// The kind of the source's callback.
    fn callback_kind(&self) -> &str {
        self.table["callback"]["kind"].as_str().unwrap_or(self.name())
    }

    /// What the body says of how the platform is told of a request.
    fn add_way_back(&self, event: &mut Value, request_id: &str) {
        if !self.is_told_here() {
            return;
        }
        let callback = &self.table["callback"];
        let at = |key: &str| callback[key].as_str().unwrap_or_default();
        match self.callback_kind() {
            "ketch" => {
                let path = format!("/callbacks/{request_id}");
                let host = callback["hosts"][0].as_str().unwrap_or_default();
                let headers = json!({ "Authorization": format!("Bearer {path}") });
                event["request"]["callbacks"] =
                    json!([{ "url": format!("{host}{path}"), "headers": headers }]);
            }
            "onetrust" => insert(event, at("subtask_id"), json!(task_id(request_id))),
            "osano" => insert(event, at("action_item_id"), json!(item_id(request_id))),
            _ => {}
        }
    }

    /// What the headers say of it.
    fn way_back(&self, request_id: &str) -> Vec<(String, String)> {
        let header = |name: &str, value: String| (name.to_owned(), value);
        let token = || header("reply-to-token", format!("token-of-{request_id}"));
        match self.callback_kind() {
            _ if !self.is_told_here() => Vec::new(),
            "transcend" => vec![header("x-transcend-nonce", format!("nonce-of-{request_id}"))],
            "fides" if self.name() == "fides" => {
                let path = format!("/api/v1/privacy-request/{request_id}/resume");
                vec![header("reply-to", path), token()]
            }
            "fides" => {
                vec![header("reply-to", "/api/v1/request-task/callback".to_owned()), token()]
            }
            _ => Vec::new(),
        }
    }

    /// Puts the person's identifiers where `identifiers` and `identities` say that they are.
    fn add_identifiers(&self, event: &mut Value, person: &Person) {
        let known = [
            ("user_ids", &person.user_id),
            ("user_id", &person.user_id),
            ("email", &person.email),
            ("phone_number", &person.phone_number),
        ];
        let any = || person.user_id.as_ref().or(person.email.as_ref());
        let tables = ["/identifiers", "/identifiers/custom"].map(|at| self.table.pointer(at));
        for (name, pointer) in tables.into_iter().flatten().filter_map(Value::as_object).flatten() {
            let own = known.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
            let value = own.map_or_else(any, Option::as_ref);
            if let (Some(pointer), Some(value)) = (pointer.as_str(), value) {
                insert(event, pointer, json!(value));
            }
        }
        let Some(identities) = self.table["identities"].as_object() else { return };
        let member = |key: &str| identities.get(key).and_then(Value::as_str);
        let (Some(kind), Some(value)) = (member("type"), member("value")) else { return };
        let types = self.table["identity_types"].as_object().into_iter().flatten();
        let items = types.filter_map(|(name, is)| {
            let own = known.iter().find(|(known, _)| is == known).map(|(_, value)| *value);
            let mut item = json!({});
            item[kind] = json!(name);
            item[value] = json!(own.map_or_else(any, Option::as_ref)?);
            if let Some(format) = member("format") {
                item[format] = json!("raw");
            }
            Some(item)
        });
        insert(event, member("at").unwrap_or_default(), items.collect());
    }

    /// The message with `body`, proven as the source demands, with the first of its secrets unless
    /// `credentials` has it under the name `secret`.
    ///
    /// # Errors
    /// Where a secret or a private key is missing.
    pub fn message(
        &self,
        body: &[u8],
        id: &str,
        url: &str,
        now: i64,
        secret: Option<&str>,
        credentials: &Credentials,
    ) -> Result<Signed> {
        let proof = self.proof(body, now, secret, credentials)?;
        let mut message = proof.put_on(&format!("msg_{id}"), url, body, now)?;
        let mut proven = Proven::default();
        match &proof {
            Proof::Jwt(_, _, claims, _) => proven.claims.push(claims.to_string().into_bytes()),
            Proof::SignedRequest(_) | Proof::NestedJwt(_) => proven.claims.push(body.to_vec()),
            Proof::Hmac(..) | Proof::Token(..) | Proof::Ed25519(_) => {}
        }
        if let Some(also) = &self.source.also {
            let name = also.secrets.first().context("a second proof without a secret")?;
            let secret = credentials.secret(name.as_str())?;
            let second = match &also.mechanism {
                Mechanism::Hmac(scheme) => Proof::Hmac(scheme.clone(), secret.to_owned()),
                Mechanism::Token(place) => {
                    Proof::Token(place.header.to_string(), format!("{}{secret}", place.prefix))
                }
                _ => bail!("a second proof of another kind than a token or an HMAC"),
            };
            let added = second.put_on(&format!("msg_{id}"), url, &message.body, now)?;
            message.headers.extend(added.headers.into_iter().skip(1)); // the content type
        }
        message.headers.extend(self.way_back(id));
        let received = self.source.platform.read(&message.body, &proven);
        let found = received.map(|received| received.erasures).unwrap_or_default();
        let one = <[ErasureRequest; 1]>::try_from(found).ok();
        Ok(Signed { message, erasure: one.map(|[erasure]| erasure) })
    }

    fn proof(
        &self,
        body: &[u8],
        now: i64,
        secret: Option<&str>,
        credentials: &Credentials,
    ) -> Result<Proof> {
        let Required { mechanism, secrets, .. } = &self.source.proof;
        let shared = || {
            let first = || secrets.first().map(|name| name.as_str());
            credentials.secret(secret.or_else(first).context("a source without secrets")?)
        };
        let key = || {
            let pem = credentials.private_keys.get(&self.source.name);
            PrivateKey::parse(pem.with_context(|| {
                format!("there is no private key for the source {}", self.source.name)
            })?)
        };
        Ok(match mechanism {
            Mechanism::Hmac(scheme) => Proof::Hmac(scheme.clone(), shared()?.to_owned()),
            Mechanism::Token(place) => {
                let value = format!("{}{}", place.prefix, shared()?);
                Proof::Token(place.header.to_string(), value)
            }
            Mechanism::SignedRequest => Proof::SignedRequest(shared()?.to_owned()),
            Mechanism::Ed25519(_) => Proof::Ed25519(key()?),
            Mechanism::NestedJwt(_) => Proof::NestedJwt(key()?),
            Mechanism::Jwt(expected, _) => {
                let mut claims = json!({ "aud": expected.audience, "iat": now, "exp": now + 600 });
                if self.name() == "transcend" {
                    let body: Value = serde_json::from_slice(body).context("not JSON")?;
                    claims["value"] = body["coreIdentifier"]["value"].clone();
                    claims["scope"] = json!("coreIdentifier");
                }
                for (claim, value) in [("iss", &expected.issuer), ("scope", &expected.scope)] {
                    if let Some(value) = value {
                        claims[claim] = json!(value);
                    }
                }
                let header = expected.place.header.to_string();
                Proof::Jwt(header, expected.place.prefix.clone(), claims, key()?)
            }
        })
    }
}

/// The id of a subtask at OneTrust, made of a request's id: a UUID.
#[must_use]
pub fn task_id(request_id: &str) -> String {
    let digits = digits(request_id);
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

/// The number of an action item at Osano, made of a request's id.
#[must_use]
pub fn item_id(request_id: &str) -> u64 {
    u64::from_str_radix(&digits(request_id)[20..], 16).unwrap_or_default()
}

/// The last 32 hexadecimal digits of a request's id, with zeros before them where there are fewer.
fn digits(request_id: &str) -> String {
    let digits: Vec<char> = request_id.chars().filter(char::is_ascii_hexdigit).collect();
    let last: String = digits.iter().skip(digits.len().saturating_sub(32)).collect();
    format!("{last:0>32}")
}

/// Puts `value` at a JSON Pointer, making the objects and arrays on the way.
fn insert(into: &mut Value, pointer: &str, value: Value) {
    let Some((first, rest)) = pointer.strip_prefix('/').map(|path| match path.split_once('/') {
        Some((first, _)) => (first, &path[first.len()..]),
        None => (path, ""),
    }) else {
        *into = value;
        return;
    };
    let name = first.replace("~1", "/").replace("~0", "~");
    match (into, name.parse::<usize>()) {
        (Value::Array(items), Ok(index)) => {
            if let Some(item) = items.get_mut(index) {
                insert(item, rest, value);
            } else if index == items.len() {
                let mut item = Value::Null;
                insert(&mut item, rest, value);
                items.push(item);
            }
        }
        (into @ Value::Null, Ok(0)) => {
            let mut item = Value::Null;
            insert(&mut item, rest, value);
            *into = Value::Array(vec![item]);
        }
        (into, _) => {
            if !into.is_object() {
                *into = json!({});
            }
            insert(&mut into[name], rest, value);
        }
    }
}
