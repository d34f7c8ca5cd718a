//! Names of secrets.

/// The name under which a secret is stored: a Worker secret or a Secrets Store binding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretName(String);

impl SecretName {
    /// The name itself, which is no secret.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a name must be, as a problem of the configuration says it.
    pub(crate) const EXPECTED: &str =
        "must be the name of a secret (^[A-Z][A-Z0-9_]*$), not its value";

    /// Reads a name. Lower case is rejected, because a secret that was pasted in the place of its
    /// name would otherwise pass for one.
    pub fn parse(name: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        let fits = name.starts_with(|first: char| first.is_ascii_uppercase());
        (fits && name.bytes().all(plain)).then(|| Self(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_upper_case_and_a_value_is_not_a_name() {
        for name in ["A", "CONSENT_WEBHOOK_SECRET", "TOKEN_2", "A__"] {
            assert!(SecretName::parse(name).is_some(), "{name}");
        }
        for value in [
            "",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "shpss_0123456789abcdef",
            "1a2b3c4e5d6f",
            "1A2B",
            "_A",
            "a",
            "Token",
            "A-B",
            "A B",
            "A\n",
            "\u{c4}",
        ] {
            assert!(SecretName::parse(value).is_none(), "{value}");
        }
    }
}
