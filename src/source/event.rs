//! Names of events that are no erasures.

use std::borrow::Cow;
use std::fmt;

/// The name of an authentic event that is no erasure, fit for the log and for the counts that the
/// operator is shown. It comes from outside: a name that is long, or has characters that names of
/// events do not have, may be personal data and is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventName(Cow<'static, str>);

impl EventName {
    /// The maximum length, in bytes.
    pub const MAX_BYTES: usize = 64;

    /// An event that does not say what it is.
    pub const UNNAMED: Self = Self(Cow::Borrowed("unnamed"));

    /// A test of the connection.
    pub const PING: Self = Self(Cow::Borrowed("ping"));

    /// The name `text`, or `unprintable` where it is not 1 to 64 of `A-Z a-z 0-9 . _ : / -`.
    pub fn new(text: &str) -> Self {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/-".contains(&byte);
        if (1..=Self::MAX_BYTES).contains(&text.len()) && text.bytes().all(plain) {
            Self(Cow::Owned(text.to_owned()))
        } else {
            Self(Cow::Borrowed("unprintable"))
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_personal_is_not_a_name() {
        for name in ["privacy.erasure.request", "customers/redact", "a:b_c-D9", &"x".repeat(64)] {
            assert_eq!(EventName::new(name).as_str(), name);
        }
        for name in
            ["", "jane@example.com", "Jane Doe", "+659", "é", "a\nb", "a\"b", &"x".repeat(65)]
        {
            assert_eq!(EventName::new(name).as_str(), "unprintable", "{name}");
        }
    }
}
