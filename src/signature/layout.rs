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
        let mut values = self.entries(list).filter_map(|entry| entry.strip_prefix(name));
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

    /// The signatures of the list that are of a known version, decoded.
    ///
    /// No encoding uses a comma. So a header that came twice, joined with a comma by the runtime,
    /// is refused and not read as one list.
    ///
    /// # Errors
    /// Where the header is not a list of signatures, came twice, or has none of a known version.
    pub fn signatures(&self, envelope: &Envelope) -> Result<Vec<Vec<u8>>, Refusal> {
        let mark = self.prefix.chars().next_back();
        let mut signatures = Vec::new();
        let mut known = false;
        for entry in self.entries(&envelope.signatures) {
            let encoded = match entry.strip_prefix(self.prefix.as_ref()) {
                Some(encoded) => encoded,
                None if self.bare => entry,
                None => {
                    let other = mark.and_then(|mark| entry.split_once(mark));
                    match other {
                        Some((version, rest)) if !version.is_empty() && plain(version, rest) => {
                            continue;
                        }
                        _ => return Err(Refusal::MalformedSignature),
                    }
                }
            };
            if encoded.contains(',') {
                return Err(Refusal::MalformedSignature);
            }
            known = true;
            signatures.extend(self.encoding.decode(encoded));
        }
        if known { Ok(signatures) } else { Err(Refusal::UnknownVersion) }
    }

    /// The value of the signature header for `tag`.
    pub(super) fn signature(&self, tag: &[u8], timestamp: &str) -> String {
        let signature = format!("{}{}", self.prefix, self.encoding.encode(tag));
        match (&self.timestamp_entry, self.separator) {
            (Some(entry), Some(separator)) => format!("{entry}{timestamp}{separator}{signature}"),
            _ => signature,
        }
    }

    /// Hands out what is signed, piece by piece.
    pub fn signed<'a>(
        &'a self,
        id: &'a str,
        timestamp: &'a str,
        message: &Incoming<'a>,
        mut take: impl FnMut(&'a [u8]),
    ) {
        for part in self.signed.iter() {
            take(match part {
                Part::Id => id.as_bytes(),
                Part::Timestamp => timestamp.as_bytes(),
                Part::Body => message.body,
                Part::Method => message.method.as_bytes(),
                Part::Url => message.url.as_bytes(),
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

/// A whole entry of another version: no header that came twice, and not one with a space after
/// its separator.
fn plain(version: &str, rest: &str) -> bool {
    !rest.contains(',') && !version.contains([',', ' '])
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
