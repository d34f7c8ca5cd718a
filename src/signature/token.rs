//! A static token in a header. It is no signature: it proves that the sender knows the token, and
//! nothing about the body, its age or its way here. For platforms that do not sign, and as a
//! second proof beside a signature that covers too little.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::scheme::header;
use super::{Headers, Name, Refusal};
use crate::settings::Settings;

/// The longest prefix that is usual, in bytes. `Bearer ` and the shortest secret are longer together.
const LONGEST_USUAL_PREFIX: usize = 22;

/// Where a token is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The header's name, lower case.
    pub header: Name,
    /// What stands before the token, such as `Bearer `; see [`credentials`].
    pub prefix: String,
}

impl Place {
    /// Reads `token`, the header's name, and `prefix`.
    pub fn configure(settings: &mut Settings<'_>) -> Option<Self> {
        let prefix = settings.text("prefix").unwrap_or_default().to_owned();
        if prefix.len() > LONGEST_USUAL_PREFIX {
            settings.notice(
                "prefix",
                "is so long that it may hold the token itself, which must be a secret: set what stands \
                 before the token, such as \"Bearer \"",
            );
        }
        Some(Self { header: header(settings, "token")?, prefix })
    }

    /// What follows the prefix in a header's value. Of a prefix such as `Bearer ` or
    /// `Token token=`, what stands before the space is an authentication scheme; so is one word in
    /// `Authorization`.
    pub(super) fn credentials<'a>(&self, value: &'a str) -> Option<&'a str> {
        let prefix = self.prefix.as_str();
        let word = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_alphanumeric());
        match prefix.split_once(' ') {
            Some((scheme, rest)) => {
                credentials(value, scheme)?.strip_prefix(rest.trim_start_matches(' '))
            }
            None if word && self.header == "authorization" => credentials(value, prefix),
            None => value.strip_prefix(prefix),
        }
    }
}

/// What follows an authentication scheme: the scheme's name is compared without regard to case, and
/// one or more spaces follow it (RFC 9110, sections 11.1 and 11.4).
pub fn credentials<'a>(value: &'a str, scheme: &str) -> Option<&'a str> {
    let (name, rest) = value.split_at_checked(scheme.len())?;
    let bare = rest.trim_start_matches(' ');
    (name.eq_ignore_ascii_case(scheme) && bare.len() < rest.len()).then_some(bare)
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
        let digests =
            tokens.iter().map(|token| digest(token.expose_secret().trim_ascii())).collect();
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
        let token = self.place.credentials(&value);
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
    use crate::json::Json;
    use crate::settings::Findings;

    fn verify(prefix: &str, value: Option<&str>) -> Result<(), Refusal> {
        let place = Place { header: "x-key".into(), prefix: prefix.to_owned() };
        let tokens = ["the-current-token-of-32-bytes", "the-one-before\n"].map(Into::into);
        let headers = |name: &str| value.filter(|_| name == "x-key").map(str::to_owned);
        Verifier::new(place, &tokens).verify(&headers)
    }

    #[test]
    fn a_prefix_that_may_hold_the_token_is_noticed_and_not_shown() {
        let notices = |prefix: &str| {
            let json = format!(r#"{{"token":"authorization","prefix":"{prefix}"}}"#);
            let (json, findings) = (Json::parse(json.as_bytes()).unwrap(), Findings::default());
            let mut settings = Settings::new("S.signature".into(), &json, &findings).unwrap();
            assert!(Place::configure(&mut settings).is_some());
            findings.notices().iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        for usual in ["Bearer ", "Token token=", "SharedAccessSignature "] {
            assert!(notices(usual).is_empty(), "{usual}");
        }
        let noticed = notices("Bearer 0123456789abcdef");
        assert!(noticed[0].starts_with("S.signature.prefix: is so long"), "{noticed:?}");
        assert!(!noticed[0].contains("0123456789abcdef"), "{noticed:?}");
    }

    #[test]
    fn any_of_the_tokens_opens_and_nothing_else() {
        assert_eq!(verify("", Some("the-current-token-of-32-bytes")), Ok(()));
        assert_eq!(verify("", Some("the-one-before")), Ok(()));
        for value in [
            "Bearer the-one-before",
            "bearer the-one-before",
            "BEARER the-one-before",
            "bEaReR   the-one-before",
        ] {
            assert_eq!(verify("Bearer ", Some(value)), Ok(()), "{value}");
        }
        assert_eq!(verify("key=", Some("key=the-one-before")), Ok(()));
        assert_eq!(verify("Token key=", Some("token  key=the-one-before")), Ok(()));
        let place = Place { header: "authorization".into(), prefix: "Bearer".to_owned() };
        assert_eq!(place.credentials("bearer  x"), Some("x"));
        assert_eq!(place.credentials("bearerx"), None);
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
            ("Bearer ", "Bearer\tthe-one-before"),
            ("Bearer ", "Bearerthe-one-before"),
            ("Bearer ", "Bearer the-one-before, Bearer the-one-before"),
            ("Bearer ", "Basic the-one-before"),
            ("key=", "KEY=the-one-before"),
            ("key=", "key= the-one-before"),
            ("Token key=", "Token KEY=the-one-before"),
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
