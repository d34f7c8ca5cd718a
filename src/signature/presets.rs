//! The schemes of known senders.
//!
//! | preset | what is signed | source |
//! |---|---|---|
//! | `standard-webhooks` | `id.timestamp.body` | <https://www.standardwebhooks.com>, 1.0.0 |
//! | `svix` | the same, `svix-*` headers first | <https://docs.svix.com/receiving/verifying-payloads/how-manual> |
//! | `github` | body | <https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries> |
//! | `stripe` | `timestamp.body` | <https://docs.stripe.com/webhooks/signature> |
//! | `slack` | `v0:timestamp:body` | <https://docs.slack.dev/authentication/verifying-requests-from-slack> |
//! | `shopify` | body | <https://shopify.dev/docs/apps/build/webhooks/subscribe/https> |
//! | `segment` | body, SHA-1 | <https://segment.com/docs/connections/destinations/catalog/webhooks> |
//! | `datagrail` | `timestamp:body` | DataGrail's page on `drop.deletion` |
//! | `hubspot` | method, URL with some characters decoded, body, timestamp (ms) | <https://developers.hubspot.com/docs/api/webhooks/validating-requests>, v3 |
//!
//! A preset without a timestamp among what is signed cannot tell a replayed message from a new
//! one; there the request id, which is the same for both, must keep it from counting twice.

use std::borrow::Cow::Borrowed;

use super::encoding::Encoding;
use super::layout::{Layout, Names, Part, Unit};
use super::scheme::{Hash, Scheme, SecretEncoding};

const DOT: Part = Part::Text(Borrowed("."));
const COLON: Part = Part::Text(Borrowed(":"));
const ID_TIMESTAMP_BODY: &[Part] = &[Part::Id, DOT, Part::Timestamp, DOT, Part::Body];
const TIMESTAMP_DOT_BODY: &[Part] = &[Part::Timestamp, DOT, Part::Body];
const TIMESTAMP_COLON_BODY: &[Part] = &[Part::Timestamp, COLON, Part::Body];
const V0_TIMESTAMP_BODY: &[Part] =
    &[Part::Text(Borrowed("v0:")), Part::Timestamp, COLON, Part::Body];
const METHOD_URL_BODY_TIMESTAMP: &[Part] =
    &[Part::Method, Part::HubSpotUrl, Part::Body, Part::Timestamp];
const BODY: &[Part] = &[Part::Body];

const WEBHOOK: Names = Names {
    id: Some(Borrowed("webhook-id")),
    timestamp: Some(Borrowed("webhook-timestamp")),
    signature: Borrowed("webhook-signature"),
};
const SVIX: Names = Names {
    id: Some(Borrowed("svix-id")),
    timestamp: Some(Borrowed("svix-timestamp")),
    signature: Borrowed("svix-signature"),
};

/// A lower-case hexadecimal HMAC-SHA256 of the body in one header, keyed with the secret's text.
const fn plain(signature: &'static str) -> Scheme {
    let layout = Layout {
        names: Names { id: None, timestamp: None, signature: Borrowed(signature) },
        alternative: None,
        separator: None,
        prefix: Borrowed(""),
        bare: false,
        encoding: Encoding::Hex,
        timestamp_entry: None,
        unit: Unit::Seconds,
        signed: Borrowed(BODY),
    };
    Scheme { hash: Hash::Sha256, secret: SecretEncoding::Utf8, layout }
}

const fn timed(signature: &'static str, timestamp: &'static str) -> Names {
    Names { id: None, timestamp: Some(Borrowed(timestamp)), signature: Borrowed(signature) }
}

/// Standard Webhooks' symmetric signatures; Svix's header names mean the same.
pub fn standard_webhooks() -> Scheme {
    let mut scheme = plain("");
    scheme.secret = SecretEncoding::Whsec;
    scheme.layout.names = WEBHOOK;
    scheme.layout.alternative = Some(SVIX);
    scheme.layout.separator = Some(' ');
    scheme.layout.prefix = Borrowed("v1,");
    scheme.layout.encoding = Encoding::Base64;
    scheme.layout.signed = Borrowed(ID_TIMESTAMP_BODY);
    scheme
}

fn svix() -> Scheme {
    let mut scheme = standard_webhooks();
    scheme.layout.names = SVIX;
    scheme.layout.alternative = Some(WEBHOOK);
    scheme
}

fn github() -> Scheme {
    let mut scheme = plain("x-hub-signature-256");
    scheme.layout.prefix = Borrowed("sha256=");
    scheme
}

/// The key is the text of the secret, `whsec_` included.
fn stripe() -> Scheme {
    let mut scheme = plain("stripe-signature");
    scheme.layout.separator = Some(',');
    scheme.layout.prefix = Borrowed("v1=");
    scheme.layout.timestamp_entry = Some(Borrowed("t="));
    scheme.layout.signed = Borrowed(TIMESTAMP_DOT_BODY);
    scheme
}

fn slack() -> Scheme {
    let mut scheme = plain("");
    scheme.layout.names = timed("x-slack-signature", "x-slack-request-timestamp");
    scheme.layout.prefix = Borrowed("v0=");
    scheme.layout.signed = Borrowed(V0_TIMESTAMP_BODY);
    scheme
}

fn shopify() -> Scheme {
    let mut scheme = plain("x-shopify-hmac-sha256");
    scheme.layout.encoding = Encoding::Base64;
    scheme
}

fn segment() -> Scheme {
    let mut scheme = plain("x-signature");
    scheme.hash = Hash::Sha1;
    scheme
}

/// With the version before the signature, as `drop.deletion` has it, or without, as the page on
/// the other webhooks shows it.
fn datagrail() -> Scheme {
    let mut scheme = plain("");
    scheme.layout.names = timed("x-webhook-signature", "x-webhook-timestamp");
    scheme.layout.prefix = Borrowed("v1=");
    scheme.layout.bare = true;
    scheme.layout.encoding = Encoding::Base64;
    scheme.layout.signed = Borrowed(TIMESTAMP_COLON_BODY);
    scheme
}

/// Version 3.
fn hubspot() -> Scheme {
    let mut scheme = plain("");
    scheme.layout.names = timed("x-hubspot-signature-v3", "x-hubspot-request-timestamp");
    scheme.layout.encoding = Encoding::Base64;
    scheme.layout.unit = Unit::Milliseconds;
    scheme.layout.signed = Borrowed(METHOD_URL_BODY_TIMESTAMP);
    scheme
}

/// Makes a preset.
pub type Preset = fn() -> Scheme;

/// Every preset by its name in the configuration.
pub const ALL: &[(&str, Preset)] = &[
    ("datagrail", datagrail),
    ("github", github),
    ("hubspot", hubspot),
    ("segment", segment),
    ("shopify", shopify),
    ("slack", slack),
    ("standard-webhooks", standard_webhooks),
    ("stripe", stripe),
    ("svix", svix),
];
