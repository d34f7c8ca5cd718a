//! What a platform puts on its message, so that the relay knows who sent it.

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use erasure_relay::signature::presets;
use erasure_relay::signature::scheme::{Hash, Scheme, SecretEncoding};
use erasure_relay::signature::sign::Outgoing;
use serde_json::{Value, json};

use crate::PrivateKey;

/// How a message is proven.
pub enum Proof {
    /// An HMAC with this secret.
    Hmac(Scheme, String),
    /// A static token: the header's name, and its whole value.
    Token(String, String),
    /// Meta's signed request, with the app's secret. The body becomes a form.
    SignedRequest(String),
    /// Standard Webhooks' asymmetric signature.
    Ed25519(PrivateKey),
    /// A signed token: the header's name, what stands before the token, the claims, the key.
    Jwt(String, String, Value, PrivateKey),
    /// IAB's two tokens: the body, which is the outer one's claims, becomes a token. One key signs
    /// both.
    NestedJwt(PrivateKey),
}

/// What is sent.
#[derive(Debug, Clone)]
pub struct Message {
    /// Names and values, in order.
    pub headers: Vec<(String, String)>,
    /// The raw bytes.
    pub body: Vec<u8>,
}

impl Proof {
    /// The preset of this name with `secret`.
    ///
    /// # Errors
    /// Where there is none.
    pub fn preset(name: &str, secret: &str) -> Result<Self> {
        let preset = presets::ALL.iter().find(|(known, _)| *known == name);
        let (_, make) = preset.with_context(|| format!("no signature is called {name}"))?;
        Ok(Self::Hmac(make(), secret.to_owned()))
    }

    /// The message with `body` as it goes to `url`, sent at `now` (seconds since the Unix epoch).
    ///
    /// # Errors
    /// Where a secret is not written as it must be.
    pub fn put_on(&self, id: &str, url: &str, body: &[u8], now: i64) -> Result<Message> {
        let message = Outgoing { id, timestamp: now, method: "POST", url, body };
        let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        let mut body = body.to_vec();
        match self {
            Self::Hmac(scheme, secret) => {
                headers.extend(scheme.sign(&secret.as_str().into(), &message)?);
            }
            Self::Token(header, value) => headers.push((header.clone(), value.clone())),
            Self::SignedRequest(secret) => {
                let payload = URL_SAFE_NO_PAD.encode(&body);
                let scheme = meta();
                let signed = Outgoing { body: payload.as_bytes(), ..message };
                let signed = scheme.sign(&secret.as_str().into(), &signed)?;
                let (_, signature) = signed.into_iter().next_back().context("not signed")?;
                headers[0].1 = "application/x-www-form-urlencoded".to_owned();
                body = format!("signed_request={signature}.{payload}").into_bytes();
            }
            Self::Ed25519(key) => {
                let text = [format!("{id}.{now}.").as_bytes(), &body].concat();
                let signature = format!("v1a,{}", STANDARD.encode(key.sign(&text)?));
                headers.extend([
                    ("webhook-id".to_owned(), id.to_owned()),
                    ("webhook-timestamp".to_owned(), now.to_string()),
                    ("webhook-signature".to_owned(), signature),
                ]);
            }
            Self::Jwt(header, prefix, claims, key) => {
                headers.push((header.clone(), format!("{prefix}{}", key.jwt(claims)?)));
            }
            Self::NestedJwt(key) => {
                let mut claims: Value = serde_json::from_slice(&body).context("not JSON")?;
                let inner = json!({ "version": "1.0", "jti": format!("{id}-first-party"),
                    "iss": claims["iss"], "sub": claims["sub"], "iat": now });
                claims["idJWT"] = json!(key.jwt(&inner)?);
                headers[0].1 = "application/jwt".to_owned();
                body = key.jwt(&claims)?.into_bytes();
            }
        }
        Ok(Message { headers, body })
    }
}

/// The HMAC in a signed request: base64url without a header of its own.
fn meta() -> Scheme {
    let mut scheme = presets::standard_webhooks();
    scheme.hash = Hash::Sha256;
    scheme.secret = SecretEncoding::Utf8;
    scheme.layout.prefix = "".into();
    scheme.layout.encoding = erasure_relay::signature::Encoding::Base64Url;
    scheme.layout.signed = vec![erasure_relay::signature::layout::Part::Body].into();
    scheme
}
