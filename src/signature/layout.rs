//! Where a message carries its id, its time and its signatures, and which bytes these cover.

use std::borrow::Cow;

use super::encoding::Encoding;
use super::{Headers, Incoming, Name, Refusal};

/// One piece of what is signed; the pieces follow each other without anything between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The message's id, from its header.
    Id,
    /// The timestamp as it was sent.
    Timestamp,
    /// The raw body.
    Body,
    /// The HTTP method, upper case.
    Method,
    /// The absolute URL that was called, with its query.
    Url,
    /// The same with the characters decoded that HubSpot signs decoded.
    HubSpotUrl,
    /// Always the same.
    Text(Name),
}

/// What a timestamp counts since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
}

/// The headers of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The message's id, where that is signed.
    pub id: Option<Name>,
    /// The timestamp, where that has a header of its own.
    pub timestamp: Option<Name>,
    /// The signatures.
    pub signature: Name,
}

/// How a signed message looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The headers.
    pub names: Names,
    /// Another set of headers that means the same. The sets are never mixed.
    pub alternative: Option<Names>,
    /// What stands between several signatures; `None` where there is only one.
    pub separator: Option<char>,
    /// What a signature begins with: its version and a mark, such as `v1=`. Signatures of another
    /// version are skipped, so that a sender may add new ones.
    pub prefix: Name,
    /// A signature may also come without the prefix.
    pub bare: bool,
    /// How a signature is written.
    pub encoding: Encoding,
    /// The timestamp is an entry of the signature header that begins with this, such as `t=`.
    pub timestamp_entry: Option<Name>,
    /// What the timestamp counts.
    pub unit: Unit,
    /// What is signed.
    pub signed: Cow<'static, [Part]>,
}

/// What a message says of itself; nothing of it is proven.
pub struct Envelope {
    id: String,
    timestamp: String,
    signatures: String,
}

impl Layout {
    /// Whether the age of a message can be told.
    pub fn has_timestamp(&self) -> bool {
        self.signed.contains(&Part::Timestamp)
    }

    /// Reads the headers that this layout needs, and no other.
    ///
    /// # Errors
    /// Where one is missing, or two sets contradict each other.
    pub fn read(&self, headers: &dyn Headers) -> Result<Envelope, Refusal> {
        let (names, id) = self.choose(headers)?;
        let timestamp = match &names.timestamp {
            Some(name) => required(headers, name)?,
            None => String::new(),
        };
        let signatures = required(headers, &names.signature)?;
        let timestamp = match &self.timestamp_entry {
            Some(entry) => self.entry(&signatures, entry)?.to_owned(),
            None => timestamp,
        };
        Ok(Envelope { id, timestamp, signatures })
    }

    /// The set of headers that the message uses, and its id.
    fn choose(&self, headers: &dyn Headers) -> Result<(&Names, String), Refusal> {
        let Some(name) = &self.names.id else { return Ok((&self.names, String::new())) };
        let other = self.alternative.as_ref().and_then(|set| set.id.as_ref().map(|id| (set, id)));
        let other = other.and_then(|(set, name)| Some((set, present(headers, name)?)));
        match (present(headers, name), other) {
            (Some(id), Some((_, other))) if id != other => Err(Refusal::ConflictingHeaders),
            (Some(id), _) => Ok((&self.names, id)),
            (None, Some((set, id))) => Ok((set, id)),
            (None, None) => Err(Refusal::MissingHeader(name.clone())),
        }
    }

    /// The value of the one entry of `list` that begins with `name`.
    fn entry<'a>(&self, list: &'a str, name: &str) -> Result<&'a str, Refusal> {
        let entries = self.entries(list).map(|entry| entry.trim_start_matches(' '));
        let mut values = entries.filter_map(|entry| entry.strip_prefix(name));
        let value = values.next().ok_or(Refusal::MalformedTimestamp)?;
        if values.next().is_some() { Err(Refusal::MalformedSignature) } else { Ok(value) }
    }

    fn entries<'a>(&self, list: &'a str) -> impl Iterator<Item = &'a str> {
        // No header holds a line's end: without a separator there is one entry.
        let separator = self.separator.unwrap_or('\n');
        list.split(separator).filter(move |entry| separator != ' ' || !entry.is_empty())
    }

    /// Refuses a message further from `now` than `tolerance`; both are in seconds.
    ///
    /// # Errors
    /// Where the timestamp is malformed, too old or in the future.
    pub fn check_time(&self, envelope: &Envelope, now: i64, tolerance: i64) -> Result<(), Refusal> {
        if !self.has_timestamp() {
            return Ok(());
        }
        let text = &envelope.timestamp;
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let sent = text.parse::<i64>().ok().filter(|_| digits);
        let sent = sent.ok_or(Refusal::MalformedTimestamp)?;
        check_age(
            now,
            match self.unit {
                Unit::Seconds => sent,
                Unit::Milliseconds => sent.div_euclid(1000),
            },
            tolerance,
        )
    }

    /// The signatures of the list that are of a known version, decoded. An entry that is malformed
    /// is skipped as one of another version is: it must not spoil the others.
    ///
    /// # Errors
    /// Where the header came twice, is not a list of signatures, or has none of a known version.
    pub fn signatures(&self, envelope: &Envelope) -> Result<Vec<Vec<u8>>, Refusal> {
        let list = &envelope.signatures;
        if self.came_twice(list) {
            return Err(Refusal::MalformedSignature);
        }
        let mark = self.prefix.chars().next_back();
        let mut signatures = Vec::new();
        let mut refusal = Refusal::UnknownVersion;
        for entry in self.entries(list) {
            match entry.strip_prefix(self.prefix.as_ref()).or(self.bare.then_some(entry)) {
                Some(encoded) => signatures.push(self.encoding.decode(encoded)),
                None if mark.and_then(|mark| entry.find(mark)).is_none_or(|at| at == 0) => {
                    refusal = Refusal::MalformedSignature;
                }
                None => {}
            }
        }
        match signatures.is_empty() {
            true => Err(refusal),
            false => Ok(signatures.into_iter().flatten().collect()),
        }
    }

    /// Whether the signature header came twice: the runtime joins the two with a comma and a space.
    /// Where a comma separates the signatures, [`Self::entry`] sees that there are two timestamps.
    fn came_twice(&self, list: &str) -> bool {
        match self.separator {
            // The comma after `v1` stands in every entry.
            Some(' ') => {
                let joined = |entry: &str| entry.ends_with(',') && entry.matches(',').count() > 1;
                self.entries(list).any(joined)
            }
            Some(',') if self.timestamp_entry.is_some() => false,
            _ => list.contains(", "),
        }
    }

    /// The value of the signature header for `tag`.
    pub(crate) fn signature(&self, tag: &[u8], timestamp: &str) -> String {
        let signature = format!("{}{}", self.prefix, self.encoding.encode(tag));
        match (&self.timestamp_entry, self.separator) {
            (Some(entry), Some(separator)) => format!("{entry}{timestamp}{separator}{signature}"),
            _ => signature,
        }
    }

    /// Hands out what is signed, piece by piece.
    pub fn signed(
        &self,
        id: &str,
        timestamp: &str,
        message: &Incoming<'_>,
        mut take: impl FnMut(&[u8]),
    ) {
        for part in self.signed.iter() {
            let decoded;
            take(match part {
                Part::Id => id.as_bytes(),
                Part::Timestamp => timestamp.as_bytes(),
                Part::Body => message.body,
                Part::Method => message.method.as_bytes(),
                Part::Url => message.url.as_bytes(),
                Part::HubSpotUrl => {
                    decoded = hubspot_url(message.url);
                    &decoded
                }
                Part::Text(text) => text.as_bytes(),
            });
        }
    }
}

impl Envelope {
    /// The message's id, empty where it has none.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The timestamp as it was sent, empty where there is none.
    pub fn timestamp(&self) -> &str {
        &self.timestamp
    }
}

/// A URL as HubSpot signs it: percent-encoded as it was called, but for these characters
/// (<https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/request-validation>).
fn hubspot_url(url: &str) -> Vec<u8> {
    const DECODED: &[u8] = b":/?@!$'()*,;";
    let mut rest = url.as_bytes();
    let mut decoded = Vec::with_capacity(rest.len());
    while let Some((first, after)) = rest.split_first() {
        let code = after.first_chunk::<2>().filter(|_| *first == b'%');
        let byte = code.and_then(|code| u8::from_str_radix(str::from_utf8(code).ok()?, 16).ok());
        match byte.filter(|byte| DECODED.contains(byte)) {
            Some(byte) => {
                decoded.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                decoded.push(*first);
                rest = after;
            }
        }
    }
    decoded
}

fn present(headers: &dyn Headers, name: &str) -> Option<String> {
    headers.get(name).filter(|value| !value.is_empty())
}

fn required(headers: &dyn Headers, name: &Name) -> Result<String, Refusal> {
    present(headers, name).ok_or_else(|| Refusal::MissingHeader(name.clone()))
}

/// Refuses what was `sent` further from `now` than `tolerance`; all in seconds.
///
/// # Errors
/// Where it is too old or in the future.
pub(super) fn check_age(now: i64, sent: i64, tolerance: i64) -> Result<(), Refusal> {
    let age = now.saturating_sub(sent);
    if age > tolerance {
        Err(Refusal::TooOld)
    } else if age < tolerance.saturating_neg() {
        Err(Refusal::InTheFuture)
    } else {
        Ok(())
    }
}
