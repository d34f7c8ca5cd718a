//! What a platform asks for: whose data, named by which identifiers.
//!
//! Identifiers are personal data. These types do not implement `Display`, and their `Debug` never
//! shows a value, so that none reaches a log, an error or a test's output by accident.

use std::fmt;

/// An authentic request to erase a person's data.
#[derive(Debug, Clone)]
pub struct ErasureRequest {
    /// The platform's id of the request, the same on every retry.
    pub id: RequestId,
    /// Whose data.
    pub subject: Subject,
}

/// The platform's id of an erasure request: 1 to 256 bytes without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    /// What a request id must be, as an error tells it.
    pub const EXPECTED: &'static str = "a string of 1 to 256 bytes without control characters";

    /// Takes `id` if it can be a request id.
    pub fn parse(id: &str) -> Option<Self> {
        let fits = (1..=256).contains(&id.len()) && !id.chars().any(char::is_control);
        fits.then(|| Self(id.to_owned()))
    }

    /// The id as the platform sent it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the id says nothing of a person: a UUID or another long hexadecimal number. Some
    /// senders use an address, a name or a phone number.
    pub fn is_opaque(&self) -> bool {
        let plain = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
        self.0.len() >= 16 && self.0.bytes().all(plain)
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

    /// Adds an identifier, once. A blank value identifies nobody and is left out: platforms send
    /// `""` for a field that the person did not fill in. Addresses and numbers lose the white
    /// space around them; ids are kept to the byte.
    pub fn add(&mut self, kind: Kind, value: &str) {
        let value = match kind {
            Kind::Email | Kind::PhoneNumber => value.trim(),
            _ => value,
        };
        let known = |other: &Identifier| other.kind == kind && other.value == value;
        if !value.trim().is_empty() && !self.0.iter().any(known) {
            self.0.push(Identifier { kind, value: value.to_owned() });
        }
    }

    /// All identifiers.
    pub fn identifiers(&self) -> impl Iterator<Item = &Identifier> {
        self.0.iter()
    }
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
        assert_eq!(subject.identifiers().count(), 0);
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
        assert!(opaque("a7551968-d5d6-44b2-9831-815ac9017798"));
        for id in ["sample@useinsider.com", "Jane Doe", "jane.doe", "6598765432", "request-1"] {
            assert!(!opaque(id), "{id}");
        }
        assert_eq!(RequestId::parse(""), None);
        assert_eq!(RequestId::parse("a\nb"), None);
        assert_eq!(RequestId::parse(&"x".repeat(257)), None);
    }
}
