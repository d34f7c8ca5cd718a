//! A static token in a header. It is no signature: it proves that the sender knows the token, and
//! nothing about the body, its age or its way here. For platforms that do not sign, and as a
//! second proof beside a signature that covers too little.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::scheme::header;
use super::{Headers, Name, Refusal};
use crate::settings::Settings;

/// Where a token is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The header's name, lower case.
    pub header: Name,
    /// What stands before the token, such as `Bearer `.
    pub prefix: String,
}

impl Place {
    /// Reads `token`, the header's name, and `prefix`.
    pub fn configure(settings: &mut Settings<'_>) -> Option<Self> {
        let prefix = settings.text("prefix").unwrap_or_default().to_owned();
        Some(Self { header: header(settings, "token")?, prefix })
    }
}

/// Compares the token of a message with those of a source.
pub struct Verifier {
    place: Place,
    /// Hashes of one length, so that comparing them says nothing of a token's length.
    digests: Vec<[u8; 32]>,
}

impl Verifier {
    /// Accepts any of `tokens`; without one it refuses every message.
    pub fn new(place: Place, tokens: &[SecretString]) -> Self {
        let digests = tokens.iter().map(|token| digest(token.expose_secret().trim())).collect();
        Self { place, digests }
    }

    /// Proves that the sender knows a token.
    ///
    /// # Errors
    /// [`Refusal`]: the header is missing, or is none of the tokens. A header that came twice is
    /// joined with a comma, and so is none of them.
    pub fn verify(&self, headers: &dyn Headers) -> Result<(), Refusal> {
        let name = &self.place.header;
        let value = headers.get(name).filter(|value| !value.is_empty());
        let value = value.ok_or_else(|| Refusal::MissingHeader(name.clone()))?;
        let token = value.strip_prefix(self.place.prefix.as_str());
        let presented = digest(token.unwrap_or_default());
        let mut matched = Choice::from(0);
        for known in &self.digests {
            matched |= known.ct_eq(&presented);
        }
        if bool::from(matched) { Ok(()) } else { Err(Refusal::WrongToken(name.clone())) }
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verify(prefix: &str, value: Option<&str>) -> Result<(), Refusal> {
        let place = Place { header: "x-key".into(), prefix: prefix.to_owned() };
        let tokens = ["the-current-token-of-32-bytes", "the-one-before\n"].map(Into::into);
        let headers = |name: &str| value.filter(|_| name == "x-key").map(str::to_owned);
        Verifier::new(place, &tokens).verify(&headers)
    }

    #[test]
    fn any_of_the_tokens_opens_and_nothing_else() {
        assert_eq!(verify("", Some("the-current-token-of-32-bytes")), Ok(()));
        assert_eq!(verify("", Some("the-one-before")), Ok(()));
        assert_eq!(verify("Bearer ", Some("Bearer the-one-before")), Ok(()));
        let missing = Err(Refusal::MissingHeader("x-key".into()));
        assert_eq!(verify("", None), missing);
        assert_eq!(verify("", Some("")), missing);
        for (prefix, value) in [
            ("", "the-one-befor"),
            ("", "the-one-before "),
            ("", "the-one-before, the-one-before"),
            ("", "The-one-before"),
            ("Bearer ", "the-one-before"),
            ("Bearer ", "Bearer "),
            ("Bearer ", "bearer the-one-before"),
        ] {
            let wrong = Err(Refusal::WrongToken("x-key".into()));
            assert_eq!(verify(prefix, Some(value)), wrong, "{value}");
        }
    }

    #[test]
    fn without_a_token_nothing_opens() {
        let place = Place { header: "x-key".into(), prefix: String::new() };
        let headers = |_: &str| Some("x".to_owned());
        let wrong = Err(Refusal::WrongToken("x-key".into()));
        assert_eq!(Verifier::new(place, &[]).verify(&headers), wrong);
    }
}
