//! What a platform asks for: whose data, named by which identifiers.
//!
//! Identifiers are personal data. These types do not implement `Display`, and their `Debug` never
//! shows a value, so that none reaches a log, an error or a test's output by accident.

use std::fmt;

use crate::signature::to_hex;

/// An authentic request to erase a person's data.
#[derive(Debug, Clone)]
pub struct ErasureRequest {
    /// The id of the request, the same on every retry.
    pub id: RequestId,
    /// The platform sends no id: this one is made from what the request says, so a person who asks
    /// again later, in the same words, has the same one.
    pub id_is_derived: bool,
    /// Whose data.
    pub subject: Subject,
}

/// The platform's id of an erasure request: 1 to 256 bytes without control characters, and neither
/// `.` nor `..`, which no URL's path can hold: its receipt could not be requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    /// What a request id must be, as an error tells it.
    pub const EXPECTED: &'static str = "a string of 1 to 256 bytes without control characters, and not . or .., which a URL cannot hold";

    /// Takes `id` if it can be a request id.
    pub fn parse(id: &str) -> Option<Self> {
        let fits = (1..=256).contains(&id.len())
            && !id.chars().any(char::is_control)
            && !matches!(id, "." | "..");
        fits.then(|| Self(id.to_owned()))
    }

    /// An id that is made of these bytes, not sent.
    pub fn derived(tag: &[u8]) -> Self {
        Self(to_hex(tag))
    }

    /// The id as the platform sent it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the id says nothing of a person: a UUID, or a hexadecimal number of 32 digits or
    /// more. Some senders use an address, a name or a phone number, also as a number: decimal digits
    /// alone may be those of a card or a national id, short hexadecimal ones an IBAN, and
    /// hexadecimal ones that stand for printable ASCII are a text.
    pub fn is_opaque(&self) -> bool {
        let digits = || self.0.bytes().filter(|byte| *byte != b'-');
        let is_uuid = self.0.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
        let is_long = self.0.len() >= 32 && !self.0.contains('-');
        let is_text = digits().step_by(2).all(|high| (b'2'..=b'7').contains(&high));
        (is_uuid || is_long)
            && digits().all(|digit| digit.is_ascii_hexdigit())
            && digits().any(|digit| digit.is_ascii_alphabetic())
            && !is_text
    }
}

/// A person, as a list of identifiers in the platform's order.
#[derive(Debug, Clone, Default)]
pub struct Subject(Vec<Identifier>);

impl Subject {
    /// How many values one field of a request may have. More are refused where they are read: the
    /// calls for a request are made while its platform waits.
    pub const MAX_VALUES: usize = 100;

    /// A subject of identifiers that were read before.
    pub fn restore(identifiers: Vec<Identifier>) -> Self {
        Self(identifiers)
    }

    /// Adds an identifier, once. What cannot be seen at its ends is left out: with a line end, or a
    /// mark that was copied along, it would name somebody else. Inside it stays: there it may be
    /// part of an id. A value that is blank identifies nobody and is left out: platforms send `""`
    /// for a field that the person did not fill in.
    pub fn add(&mut self, kind: Kind, value: &str) {
        let value = value.trim_matches(is_invisible);
        let known = |other: &Identifier| other.kind == kind && other.value == value;
        if !value.is_empty() && !self.0.iter().any(known) {
            self.0.push(Identifier { kind, value: value.to_owned() });
        }
    }

    /// All identifiers.
    pub fn identifiers(&self) -> impl Iterator<Item = &Identifier> {
        self.0.iter()
    }
}

/// Whether a character shows nothing by itself: white space, a control character, or one that
/// Unicode lists as default ignorable (UAX #44) or as a format character, such as a zero-width space,
/// a soft hyphen or a mark of direction. Variation selectors are not among them: they change the
/// character before them.
fn is_invisible(char: char) -> bool {
    let is_ignorable = matches!(
        char,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
    );
    is_ignorable || char.is_whitespace() || char.is_control()
}

/// One value that identifies a person, and what it is.
#[derive(Clone)]
pub struct Identifier {
    kind: Kind,
    value: String,
}

impl Identifier {
    /// An identifier that was one before.
    pub fn restore(kind: Kind, value: String) -> Self {
        Self { kind, value }
    }

    /// What it is.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The value. It may go to a vendor or into the pseudonym's HMAC, and nowhere else.
    pub fn expose(&self) -> &str {
        &self.value
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Identifier({}, …)", self.kind)
    }
}

/// What an identifier is. Its `Display` is the name that receipts and logs use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// The person's account at the retailer; Instacart Connect calls it `user_id`.
    UserId,
    /// An email address.
    Email,
    /// A phone number, E.164 where the platform keeps the contract.
    PhoneNumber,
    /// Insider's `uuid`.
    Uuid,
    /// Insider's own id of a profile.
    InsiderId,
    /// An identifier that the operator defined at Insider.
    Custom(CustomName),
}

impl Kind {
    /// The kind whose `Display` is `name`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "user_id" => Some(Kind::UserId),
            "email" => Some(Kind::Email),
            "phone_number" => Some(Kind::PhoneNumber),
            "uuid" => Some(Kind::Uuid),
            "insider_id" => Some(Kind::InsiderId),
            _ => CustomName::parse(name.strip_prefix("custom.")?).map(Kind::Custom),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::UserId => formatter.write_str("user_id"),
            Kind::Email => formatter.write_str("email"),
            Kind::PhoneNumber => formatter.write_str("phone_number"),
            Kind::Uuid => formatter.write_str("uuid"),
            Kind::InsiderId => formatter.write_str("insider_id"),
            Kind::Custom(name) => write!(formatter, "custom.{}", name.0),
        }
    }
}

/// The name of a custom identifier: 1 to 64 of `A-Z a-z 0-9 _ -`, so that it can be printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomName(String);

impl CustomName {
    /// Takes `name` if it can be one.
    pub fn parse(name: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        let fits = (1..=64).contains(&name.len()) && name.bytes().all(plain);
        fits.then(|| Self(name.to_owned()))
    }

    /// The name as the platform sent it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_value() {
        let mut subject = Subject::default();
        subject.add(Kind::Email, "sample@useinsider.com");
        let custom = CustomName::parse("user_loyalty_id").unwrap();
        subject.add(Kind::Custom(custom), "xyz123");
        let printed = format!("{subject:?}");
        assert_eq!(
            printed,
            "Subject([Identifier(email, …), Identifier(custom.user_loyalty_id, …)])"
        );
    }

    #[test]
    fn blank_values_identify_nobody() {
        let mut subject = Subject::default();
        subject.add(Kind::Email, "");
        subject.add(Kind::UserId, " \t");
        subject.add(Kind::Uuid, "\u{200b}\u{feff}\u{a0}\n");
        subject.add(Kind::InsiderId, "\u{3164}\u{2800}");
        assert_eq!(subject.identifiers().count(), 0);
    }

    #[test]
    fn what_cannot_be_seen_at_the_ends_is_left_out() {
        let custom = || Kind::Custom(CustomName::parse("loyalty").unwrap());
        for mark in [
            " ",
            "\t",
            "\n",
            "\r\n",
            "\0",
            "\u{7f}",
            "\u{85}",
            "\u{a0}",
            "\u{ad}",
            "\u{61c}",
            "\u{180e}",
            "\u{2003}",
            "\u{200b}",
            "\u{200c}",
            "\u{200d}",
            "\u{200e}",
            "\u{200f}",
            "\u{2028}",
            "\u{202a}",
            "\u{202e}",
            "\u{2060}",
            "\u{2066}",
            "\u{2069}",
            "\u{3000}",
            "\u{feff}",
            "\u{feff}\u{200b} \u{ad}\n",
        ] {
            for kind in [Kind::UserId, Kind::Email, Kind::Uuid, Kind::InsiderId, custom()] {
                let mut subject = Subject::default();
                for value in
                    [format!("{mark}u-1"), format!("u-1{mark}"), format!("{mark}u-1{mark}")]
                {
                    subject.add(kind.clone(), &value);
                }
                let values: Vec<_> = subject.identifiers().map(Identifier::expose).collect();
                assert_eq!(values, ["u-1"], "{mark:?}");
            }
        }
        let mut subject = Subject::default();
        for value in ["a \u{200d}b", "\u{2764}\u{fe0f}", "-x_", "\u{fffd}"] {
            subject.add(Kind::UserId, value);
        }
        let values: Vec<_> = subject.identifiers().map(Identifier::expose).collect();
        assert_eq!(values, ["a \u{200d}b", "\u{2764}\u{fe0f}", "-x_", "\u{fffd}"]);
    }

    #[test]
    fn an_identifier_named_twice_is_one() {
        let mut subject = Subject::default();
        for (kind, value) in [(Kind::UserId, "42"), (Kind::Uuid, "42"), (Kind::UserId, "42")] {
            subject.add(kind, value);
        }
        assert_eq!(subject.identifiers().count(), 2);
    }

    #[test]
    fn a_request_id_may_be_personal() {
        let opaque = |id| RequestId::parse(id).unwrap().is_opaque();
        for id in [
            "a7551968-d5d6-44b2-9831-815ac9017798",
            "A7551968-D5D6-44B2-9831-815AC9017798",
            "9f2c41d07b6e03ab77e9c21f8d1f0c9b",
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        ] {
            assert!(opaque(id), "{id}");
        }
        for id in [
            "sample@useinsider.com",
            "Jane Doe",
            "jane.doe",
            "6598765432",
            "request-1",
            "4111111111111111",
            "4111-1111-1111-1111",
            "4111 1111 1111 1111",
            "41111111111111114242424242424242",
            "12345678-1234-1234-1234-123456789012",
            "DE89370400440532013000",
            "de89-3704-0044-0532-0130-00",
            "19850312-ada-bee-cafe-deadbeef",
            "73616d706c6540757365696e73696465722e636f6d", // "sample@useinsider.com"
        ] {
            assert!(!opaque(id), "{id}");
        }
        assert_eq!(RequestId::parse(""), None);
        assert_eq!(RequestId::parse("a\nb"), None);
        assert_eq!(RequestId::parse(&"x".repeat(257)), None);
        assert_eq!((RequestId::parse("."), RequestId::parse("..")), (None, None));
        for id in ["...", ".a", "%2e", "a/..", "./"] {
            assert!(RequestId::parse(id).is_some(), "{id}");
        }
    }
}
