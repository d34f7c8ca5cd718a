//! Webhooks as a consent platform sends them: signed by the reference library of Standard
//! Webhooks, so that the relay's own reading of the standard is checked against another.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use erasure_relay::signature::presets;
use erasure_relay::signature::sign::Outgoing;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

/// One message, signed when it is sent.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// `webhook-id`
    pub id: String,
    /// `webhook-timestamp`, in seconds since the Unix epoch.
    pub timestamp: i64,
    /// The raw bytes.
    pub body: Vec<u8>,
}

impl Webhook {
    /// An erasure in the canonical form, sent now.
    #[must_use]
    pub fn erasure(request_id: &str, subject: &Value) -> Self {
        let body = json!({
            "type": "privacy.erasure.requested",
            "timestamp": "2026-11-22T05:30:00Z",
            "data": { "request_id": request_id, "subject": subject }
        });
        Self::new(request_id, body.to_string())
    }

    /// Any body, sent now.
    #[must_use]
    pub fn new(id: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { id: format!("msg_{id}"), timestamp: now(), body: body.into() }
    }

    /// `webhook-signature` with `secret`.
    ///
    /// # Errors
    /// Where the secret is not `whsec_` and base64.
    pub fn signature(&self, secret: &str) -> Result<String> {
        if std::str::from_utf8(&self.body).is_err() {
            // The reference library signs text only.
            let (id, timestamp, body) = (&self.id, self.timestamp, &self.body[..]);
            let message = Outgoing { id, timestamp, method: "POST", url: "", body };
            let headers = presets::standard_webhooks().sign(&secret.into(), &message)?;
            return headers.into_iter().next_back().map(|(_, value)| value).context("not signed");
        }
        let signer = standardwebhooks::Webhook::new(secret).context("a bad secret")?;
        signer.sign(&self.id, self.timestamp, &self.body).context("not signed")
    }

    /// The three headers, signed with `secret`.
    ///
    /// # Errors
    /// Where the secret is not `whsec_` and base64.
    pub fn headers(&self, secret: &str) -> Result<Vec<(String, String)>> {
        Ok(vec![
            ("webhook-id".to_owned(), self.id.clone()),
            ("webhook-timestamp".to_owned(), self.timestamp.to_string()),
            ("webhook-signature".to_owned(), self.signature(secret)?),
        ])
    }
}

/// Now, in seconds since the Unix epoch.
#[must_use]
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
}

impl Reply {
    /// The body as JSON, `null` where it is not.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// A header's value, empty where it is missing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Sends one HTTP request.
///
/// # Errors
/// Where no whole answer comes.
pub async fn send(
    method: &str,
    url: &str,
    headers: &[(String, String)],
    body: impl Into<Bytes>,
) -> Result<Reply> {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request.body(Full::new(body.into()))?).await?;
    let (parts, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    let text = String::from_utf8_lossy(&body).into_owned();
    Ok(Reply { status: parts.status, headers: parts.headers, text })
}
