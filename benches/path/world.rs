//! What is around the path: the shipped configuration, webhooks of any length, and the vendors'
//! answers as their stand-ins give them.

use std::rc::Rc;

use erasure_relay::config::Config;
use erasure_relay::json::Json;
use erasure_relay::receipt::Outcome;
use erasure_relay::relay::Relay;
use erasure_relay::signature::keyring::{Freshness, KeyPlace, Keyring, Unavailable};
use erasure_relay::signature::public_key::PublicKey;
use erasure_relay::signature::scheme::Hash;
use erasure_relay::signature::{Headers, Incoming};
use erasure_relay::vendor::Answer;
use ring::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256, HMAC_SHA512, Key, sign};
use standin::{insider, instacart};
use xtask::configuration;
use xtask::webhook::Webhook;

/// What webhooks are signed with, and what else is set: the secret before it, and all others.
pub const SECRETS: [&str; 2] =
    ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_plJ3nmyCDGBKInavdOK15jsl32LaLaSw"];

/// The canonical webhook, up to the value of a member that the relay does not know.
const EVENT: &str = concat!(
    r#"{"type":"privacy.erasure.requested","timestamp":"2026-11-22T05:30:00Z","data":{"#,
    r#""request_id":"a7551968-d5d6-44b2-9831-815ac9017798","subject":{"#,
    r#""user_ids":["u-1001","u-1002"],"email":"sample@useinsider.com","#,
    r#""phone_number":"+6598765432","uuid":"42","insider_id":null,"#,
    r#""custom":{"user_loyalty_id":"xyz123"}}},"padding":"#
);

/// The canonical webhook, `kib` KiB long: `padding` fills the room that is left.
pub fn body(kib: usize, padding: impl Fn(usize) -> String) -> String {
    let length = kib * 1024;
    let body = format!("{EVENT}{}}}", padding(length - EVENT.len() - 1));
    let spaces = " ".repeat(length - body.len()); // JSON may end with them
    body + &spaces
}

pub fn one_text(room: usize) -> String {
    format!(r#""{}""#, "x".repeat(room - 2))
}

/// An object, its keys in no order.
pub fn many_members(room: usize) -> String {
    let member = |number| format!(r#""m{:05}":"x","#, number * 40_503 % 65_536);
    let members: String = (0..room / member(0).len() - 1).map(member).collect();
    format!("{{{}}}", members.trim_end_matches(','))
}

/// A webhook with the headers that prove it, signed by the reference library.
pub struct Signed {
    webhook: Webhook,
    headers: Vec<(String, String)>,
}

impl Signed {
    pub fn new(body: String) -> Self {
        let webhook = Webhook::new("1", body);
        let headers = webhook.headers(SECRETS[0]).expect("a good secret");
        Self { webhook, headers }
    }

    pub fn body(&self) -> &[u8] {
        &self.webhook.body
    }

    /// In seconds since the Unix epoch.
    pub fn sent(&self) -> i64 {
        self.webhook.timestamp
    }

    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { method: "POST", url: "", headers: self, body: self.body() }
    }
}

impl Headers for Signed {
    fn get(&self, name: &str) -> Option<String> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }
}

/// What the runtime does: it makes the HMACs of long bodies. No public key is asked for.
pub struct Runtime;

impl Keyring for Runtime {
    async fn verify(&self, _: &PublicKey, _: &[u8], _: &[u8]) -> bool {
        false
    }

    async fn hmac(&self, hash: Hash, key: &[u8], message: &[u8]) -> Option<Vec<u8>> {
        let algorithm = match hash {
            Hash::Sha1 => HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha256 => HMAC_SHA256,
            Hash::Sha512 => HMAC_SHA512,
        };
        Some(sign(&Key::new(algorithm, key), message).as_ref().to_vec())
    }

    async fn keys(&self, _: &KeyPlace, _: Freshness) -> Result<Rc<Vec<PublicKey>>, Unavailable> {
        Err(Unavailable)
    }
}

/// `wrangler.toml` with every secret set.
pub fn shipped() -> Relay {
    let vars = configuration::variables().expect("wrangler.toml");
    let tables = ["SOURCES", "VENDORS"].map(|table| vars[table].to_string());
    let [sources, vendors] =
        tables.each_ref().map(|table| Json::parse(table.as_bytes()).expect("JSON"));
    let config = Config::parse(&sources, &vendors).expect("a right configuration");
    let value = |name: &str| SECRETS[usize::from(name != "CONSENT_WEBHOOK_SECRET")].into();
    let names = Relay::secret_names(&config, false);
    let secrets = names.iter().map(|name| ((*name).to_owned(), value(name))).collect();
    Relay::assemble(config, &secrets, false).expect("good secrets")
}

/// What `vendor` answers, and what that means; first that it was done.
pub fn answers(vendor: &str) -> [(Answer, Outcome); 2] {
    let (done, other, means) = match vendor {
        "instacart" => (instacart::SUCCESS, instacart::USER_NOT_FOUND, Outcome::AlreadyAbsent),
        "insider" => (insider::SUCCESS, insider::SOLE_IDENTIFIER, Outcome::NotErased),
        _ => panic!("no answers of {vendor}"),
    };
    [(200, done, Outcome::Accepted), (400, other, means)].map(|(status, body, outcome)| {
        let (body, trace) = (body.into(), Some("8d1f0c9b7a6e5d4c-SIN".to_owned()));
        (Answer { status, body, truncated: false, retry_after: None, trace }, outcome)
    })
}
