//! Who may see and do what an operator does: the tokens of the operator's routes.

use secrecy::{ExposeSecret, SecretString};
use strum::IntoStaticStr;
use subtle::ConstantTimeEq;

use crate::settings::Misconfiguration;
use crate::signature::token::credentials;

/// Authorizes everything. Without it the operator's routes do not exist, and `GET /healthz` shows no
/// details.
pub const ADMIN_TOKEN: &str = "ADMIN_TOKEN";

/// The token before the last change of [`ADMIN_TOKEN`], accepted as well.
pub const ADMIN_TOKEN_PREVIOUS: &str = "ADMIN_TOKEN_PREVIOUS";

/// Authorizes to read.
pub const READ_TOKEN: &str = "READ_TOKEN";

/// The token before the last change of [`READ_TOKEN`], accepted as well.
pub const READ_TOKEN_PREVIOUS: &str = "READ_TOKEN_PREVIOUS";

/// The minimum length of a token, in bytes.
const MIN_BYTES: usize = 16;

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// To see everything, and to change nothing.
    Read,
    /// To see and to do everything.
    Act,
}

/// Which of the tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Token {
    /// [`ADMIN_TOKEN`]
    AdminToken,
    /// [`ADMIN_TOKEN_PREVIOUS`]
    AdminTokenPrevious,
    /// [`READ_TOKEN`]
    ReadToken,
    /// [`READ_TOKEN_PREVIOUS`]
    ReadTokenPrevious,
}

impl Token {
    /// The name in the audit trail.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// What it allows.
    pub fn access(self) -> Access {
        match self {
            Self::AdminToken | Self::AdminTokenPrevious => Access::Act,
            Self::ReadToken | Self::ReadTokenPrevious => Access::Read,
        }
    }
}

/// The tokens that are configured, those that allow everything first.
#[derive(Default)]
pub struct Tokens(Vec<(Token, SecretString)>);

impl Tokens {
    /// The names of the secrets.
    pub const NAMES: [(&str, Token); 4] = [
        (ADMIN_TOKEN, Token::AdminToken),
        (ADMIN_TOKEN_PREVIOUS, Token::AdminTokenPrevious),
        (READ_TOKEN, Token::ReadToken),
        (READ_TOKEN_PREVIOUS, Token::ReadTokenPrevious),
    ];

    /// Reads the tokens by `get`, and adds what is wrong to `problems`.
    pub fn read<'a>(
        get: impl Fn(&str) -> Option<&'a SecretString>,
        problems: &mut Vec<Misconfiguration>,
    ) -> Self {
        let mut tokens: Vec<(Token, SecretString)> = Vec::new();
        for (name, which) in Self::NAMES {
            let Some(token) = get(name).map(|token| token.expose_secret().trim()) else { continue };
            let is_known = |known: &(Token, SecretString)| {
                known.0.access() != which.access() && known.1.expose_secret() == token
            };
            if token.len() < MIN_BYTES {
                problems.push(Misconfiguration::new(name, "must have at least 16 bytes"));
            } else if tokens.iter().any(is_known) {
                let message = "must differ from the tokens that authorize changes";
                problems.push(Misconfiguration::new(name, message));
            }
            tokens.push((which, token.into()));
        }
        Self(tokens)
    }

    /// Whether the operator's routes exist.
    pub fn has_operator(&self) -> bool {
        self.0.iter().any(|(which, _)| which.access() == Access::Act)
    }

    /// Every usable token.
    pub fn iter(&self) -> impl Iterator<Item = &(Token, SecretString)> {
        self.0.iter().filter(|(_, token)| token.expose_secret().len() >= MIN_BYTES)
    }

    /// What an `Authorization` header allows, in constant time for tokens of one length; `None` where it
    /// is nobody's.
    pub fn access(&self, authorization: &str) -> Option<Access> {
        self.holder(authorization).map(Token::access)
    }

    /// Which token an `Authorization` header has. Where two are the same, it is the first of them.
    pub fn holder(&self, authorization: &str) -> Option<Token> {
        self.holder_of(credentials(authorization, "Bearer")?)
    }

    /// What a token allows. One that is too short is nobody's.
    pub fn access_of(&self, presented: &str) -> Option<Access> {
        self.holder_of(presented).map(Token::access)
    }

    /// Which token this is. Every one is compared, so that the time tells nothing.
    pub fn holder_of(&self, presented: &str) -> Option<Token> {
        let presented = presented.trim().as_bytes();
        let is_it = |token: &SecretString| {
            let token = token.expose_secret().as_bytes();
            token.len() >= MIN_BYTES && bool::from(token.ct_eq(presented))
        };
        let held: Vec<bool> = self.0.iter().map(|(_, token)| is_it(token)).collect();
        let mut held = self.0.iter().zip(held).filter(|(_, is_it)| *is_it);
        held.next().map(|((which, _), _)| *which)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(set: &[(&str, &str)]) -> (Tokens, Vec<String>) {
        let set: Vec<(String, SecretString)> =
            set.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        let get = |name: &str| set.iter().find(|(known, _)| known == name).map(|(_, token)| token);
        let mut problems = Vec::new();
        let tokens = Tokens::read(get, &mut problems);
        (tokens, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_operator_is_whoever_holds_a_token() {
        let (tokens, problems) = read(&[
            (ADMIN_TOKEN, "an-admin-token-of-tests\n"),
            (ADMIN_TOKEN_PREVIOUS, "a-former-token-of-tests"),
            (READ_TOKEN, "a-reading-token-of-tests"),
            (READ_TOKEN_PREVIOUS, "a-former-reading-token"),
        ]);
        assert_eq!(problems, [""; 0]);
        assert!(tokens.has_operator());
        for (token, access, which) in [
            ("an-admin-token-of-tests", Access::Act, Token::AdminToken),
            ("a-former-token-of-tests", Access::Act, Token::AdminTokenPrevious),
            ("a-reading-token-of-tests", Access::Read, Token::ReadToken),
            ("a-former-reading-token", Access::Read, Token::ReadTokenPrevious),
        ] {
            assert_eq!(tokens.holder(&format!("Bearer {token}")), Some(which));
            assert_eq!(tokens.access_of(token), Some(access));
            for scheme in ["Bearer ", "bearer ", "BEARER ", "Bearer   "] {
                assert_eq!(tokens.access(&format!("{scheme}{token}")), Some(access), "{scheme}");
            }
        }
        for wrong in [
            "",
            "Bearer ",
            "Bearer",
            "an-admin-token-of-tests",
            "Beareran-admin-token-of-tests",
            "Basic an-admin-token-of-tests",
            "Bearer an-admin-token-of-test",
            "Bearer AN-ADMIN-TOKEN-OF-TESTS",
        ] {
            assert_eq!(tokens.access(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_token_that_only_reads_makes_no_operator() {
        let (tokens, _) = read(&[(READ_TOKEN, "a-reading-token-of-tests")]);
        assert!(!tokens.has_operator());
    }

    #[test]
    fn unusable_tokens_are_reported_and_never_shown() {
        for short in ["", "short"] {
            let (tokens, problems) = read(&[(ADMIN_TOKEN, short)]);
            assert_eq!(problems, ["ADMIN_TOKEN: must have at least 16 bytes"]);
            assert_eq!(tokens.access(&format!("Bearer {short}")), None, "{short}");
        }
        let same = "a-token-for-everything";
        let (_, problems) = read(&[(ADMIN_TOKEN, same), (READ_TOKEN, same)]);
        let message = "READ_TOKEN: must differ from the tokens that authorize changes";
        assert_eq!(problems, [message]);
    }
}
