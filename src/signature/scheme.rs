//! What a symmetric signature is made of, as data: the presets are constants of it, and an
//! operator can write one of their own.

use std::borrow::Cow;

use super::Name;
use super::encoding::Encoding;
use super::layout::{Layout, Names, Part, Unit};
use crate::settings::Settings;

/// The hash below an HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// Weak as a hash; as an HMAC not known to be forged.
    Sha1,
    /// The usual one.
    Sha256,
    /// The long one.
    Sha512,
}

/// How a secret is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretEncoding {
    /// Its bytes are the key.
    Utf8,
    /// Base64, with or without padding.
    Base64,
    /// `whsec_` and base64; the prefix may be missing.
    Whsec,
}

/// One way to sign a message with a shared secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheme {
    /// The hash below the HMAC.
    pub hash: Hash,
    /// How the secret is written.
    pub secret: SecretEncoding,
    /// How the message looks.
    pub layout: Layout,
}

impl Hash {
    /// Every hash by its name in the configuration.
    pub const ALL: &[(&str, Hash)] =
        &[("sha1", Hash::Sha1), ("sha256", Hash::Sha256), ("sha512", Hash::Sha512)];
}

impl SecretEncoding {
    /// Every encoding by its name in the configuration.
    pub const ALL: &[(&str, SecretEncoding)] = &[
        ("utf8", SecretEncoding::Utf8),
        ("base64", SecretEncoding::Base64),
        ("whsec", SecretEncoding::Whsec),
    ];
}

impl Scheme {
    /// Reads a scheme of the operator's own, from a table such as
    ///
    /// ```toml
    /// { hmac = "sha256", header = "x-signature", prefix = "v1=", signed = "{timestamp}.{body}",
    ///   timestamp = "x-timestamp" }
    /// ```
    pub fn configure(settings: &mut Settings<'_>) -> Option<Self> {
        let hash = settings.required_choice("hmac", Hash::ALL);
        let signature = header(settings, "header");
        if signature.is_none() && !settings.has("header") {
            settings.problem("header", "must be set");
        }
        let id = header(settings, "id");
        let timestamp = header(settings, "timestamp");
        let timestamp_entry = settings.text("timestamp_entry").map(owned);
        let units = [("s", Unit::Seconds), ("ms", Unit::Milliseconds)];
        let unit = settings.choice("unit", Unit::Seconds, &units);
        let prefix = settings.text("prefix").map(owned).unwrap_or_default();
        let separator = separator(settings);
        let encoding = settings.choice("encoding", Encoding::Hex, Encoding::ALL);
        let secret = settings.choice("secret", SecretEncoding::Utf8, SecretEncoding::ALL);
        let signed = parts(settings.text("signed").unwrap_or("{body}"));
        let stamped = timestamp.is_some() || timestamp_entry.is_some();
        let count = |part: &Part| signed.iter().flatten().filter(|other| *other == part).count();
        if count(&Part::Body) != 1
            || count(&Part::Id) != usize::from(id.is_some())
            || count(&Part::Timestamp) != usize::from(stamped)
        {
            settings.problem(
                "signed",
                "must be a template with {body} once, with {id} and {timestamp} where `id` and \
                 `timestamp` (or `timestamp_entry`) say where they are sent, and otherwise of \
                 {method}, {url} and text",
            );
            return None;
        }
        if timestamp_entry.is_some() && (separator.is_none() || timestamp.is_some()) {
            settings
                .problem("timestamp_entry", "needs a `separator`, and no `timestamp` beside it");
        }
        let names = Names { id, timestamp, signature: signature? };
        let layout = Layout {
            names,
            alternative: None,
            separator,
            prefix,
            bare: false,
            encoding: encoding?,
            timestamp_entry,
            unit: unit?,
            signed: Cow::Owned(signed?),
        };
        Some(Self { hash: hash?, secret: secret?, layout })
    }
}

fn owned(text: &str) -> Name {
    Cow::Owned(text.to_owned())
}

/// The name of a header under `key`, if it is set, in lower case.
pub(super) fn header(settings: &mut Settings<'_>, key: &'static str) -> Option<Name> {
    let name = settings.text(key)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if !name.bytes().all(plain) {
        settings.problem(key, "must be the name of a header");
        return None;
    }
    Some(Cow::Owned(name.to_ascii_lowercase()))
}

fn separator(settings: &mut Settings<'_>) -> Option<char> {
    let choices = [(" ", ' '), (",", ','), (";", ';')];
    if settings.has("separator") { settings.required_choice("separator", &choices) } else { None }
}

/// The pieces of a template; `None` where it has an unknown one.
fn parts(template: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((text, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        if !text.is_empty() {
            parts.push(Part::Text(owned(text)));
        }
        parts.push(match name {
            "id" => Part::Id,
            "timestamp" => Part::Timestamp,
            "body" => Part::Body,
            "method" => Part::Method,
            "url" => Part::Url,
            _ => return None,
        });
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(owned(rest)));
    }
    Some(parts)
}
