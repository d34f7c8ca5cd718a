//! Names of secrets.

/// The name under which a secret is stored: a Worker secret or a Secrets Store binding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretName(String);

impl SecretName {
    /// The name itself, which is no secret.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let fits = name.bytes().all(plain) && !name.is_empty();
        fits.then(|| Self(name.to_owned()))
    }
}
