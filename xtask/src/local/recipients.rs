//! A stand-in for each endpoint that the relay tells something: the platform of a source with a callback,
//! and the operator's own, for alerts.

use anyhow::{Context, Result};
use send::Credentials;
use send::credentials::Form;
use serde_json::{Value, json};
use standin::platform::{
    ALERT, Contract, EVENT, FIDES, KETCH, Message, ONETRUST, ONETRUST_CLIENT, OSANO, OSANO_KEY,
    Platform, SOMBRA_KEY, TRANSCEND, TRANSCEND_KEY, onetrust_body,
};

/// A stand-in, in the place of an endpoint.
pub struct Recipient {
    /// The source whose platform it is; `None` for alerts.
    pub source: Option<String>,
    /// The kind of callback, or `alert`.
    pub kind: &'static str,
    /// The stand-in.
    pub stand_in: Platform,
    /// How many of its messages were shown.
    shown: usize,
}

/// The kinds of callback that there is a stand-in for: the contract, and the status of success.
const KINDS: [(&str, Contract, u16); 6] = [
    ("event", EVENT, 204),
    ("fides", FIDES, 200),
    ("ketch", KETCH, 200),
    ("onetrust", ONETRUST, 200),
    ("osano", OSANO, 200),
    ("transcend", TRANSCEND, 200),
];

impl Recipient {
    /// Starts the stand-in for the platform of `source`, whose table is `table`, and has the callback go
    /// there. `None` where there is no stand-in for this kind of callback.
    pub(super) async fn of_platform(source: &str, table: &mut Value) -> Result<Option<Self>> {
        let platform = table["platform"].as_str().unwrap_or_default();
        let by_platform = KINDS.iter().find(|(kind, ..)| *kind == platform);
        let named = match table["callback"]["kind"].as_str() {
            Some(name) => KINDS.iter().find(|(kind, ..)| *kind == name),
            None if erasure_relay::callback::KINDS.iter().any(|(kind, _)| *kind == platform) => {
                by_platform
            }
            None => KINDS.first(),
        };
        let Some((kind, contract, success)) = named.copied() else { return Ok(None) };
        let body = if kind == "onetrust" { onetrust_body } else { |_: &Message| "" };
        let stand_in = Platform::start_with(contract, success, body).await?;
        let callback = &mut table["callback"];
        match kind {
            "event" => callback["url"] = json!(stand_in.url("/events")),
            "ketch" => callback["hosts"] = json!([stand_in.url("")]),
            _ => callback["base_url"] = json!(stand_in.url("")),
        }
        if let Some(callback) = callback.as_object_mut() {
            callback.remove("jurisdiction");
        }
        Ok(Some(Self { source: Some(source.to_owned()), kind, stand_in, shown: 0 }))
    }

    /// Starts the stand-in for the operator's endpoint, and has the alerts go there.
    pub(super) async fn of_alerts(table: &mut Value) -> Result<Self> {
        let stand_in = Platform::start(ALERT, 200).await?;
        if table["url_secret"].is_null() {
            table["url"] = json!(stand_in.url("/alerts"));
        }
        if let Some(table) = table.as_object_mut() {
            table.remove("jurisdiction");
        }
        Ok(Self { source: None, kind: "alert", stand_in, shown: 0 })
    }

    /// Adds the secrets that this endpoint knows. `table` is that of the callback, or of the alerts.
    pub(super) fn add_secrets(&self, table: &Value, credentials: &mut Credentials) -> Result<()> {
        let (client, client_secret) = ONETRUST_CLIENT;
        let known: &[(&str, &str)] = match self.kind {
            "transcend" => &[("/key", TRANSCEND_KEY), ("/sombra_key", SOMBRA_KEY)],
            "osano" => &[("/secret", OSANO_KEY)],
            "onetrust" => &[
                ("/auth/client_id", client),
                ("/auth/client_secret", client_secret),
                ("/auth/second/client_id", client),
                ("/auth/second/client_secret", client_secret),
            ],
            "event" | "alert" => {
                if let Some(name) = table["secret"].as_str() {
                    credentials.add(name, Form::Whsec)?;
                }
                &[]
            }
            _ => &[],
        };
        for (at, value) in known {
            if let Some(name) = table.pointer(at).and_then(Value::as_str) {
                credentials.secrets.insert(name.to_owned(), (*value).to_owned());
            }
        }
        if let Some(name) = table["url_secret"].as_str() {
            credentials.secrets.insert(name.to_owned(), self.stand_in.url("/alerts"));
        }
        Ok(())
    }

    /// Whose it is, for people.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.source {
            Some(source) => format!("the platform of {source} ({})", self.kind),
            None => "the operator (alerts)".to_owned(),
        }
    }

    /// The messages that came since the last time.
    pub fn new_messages(&mut self) -> Vec<Message> {
        let new: Vec<Message> = self.stand_in.messages().into_iter().skip(self.shown).collect();
        self.shown += new.len();
        new
    }

    /// Whether a message ends the platform's ticket, as the platform's documentation says.
    #[must_use]
    pub fn closes(&self, message: &Message) -> bool {
        let body = message.json();
        let is_taken = (200..300).contains(&message.status);
        is_taken
            && match self.kind {
                "event" => body["type"] == "privacy.erasure.settled",
                "fides" => true,
                "ketch" => body["event"]["status"] == "completed",
                "onetrust" | "osano" => body["status"] == "COMPLETED",
                "transcend" => body["status"].is_null() && body["profileStatus"] != "ERROR",
                _ => false,
            }
    }
}

/// What a message says, on one line: the request, the answer, and the body.
///
/// # Errors
/// Where the body is not UTF-8.
pub fn line_of(message: &Message) -> Result<String> {
    let body = std::str::from_utf8(&message.body).context("a body that is not UTF-8")?;
    Ok(format!("{} {} {body} -> {}", message.method, message.target, message.status))
}
