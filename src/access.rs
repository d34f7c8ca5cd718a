//! Who may see and do what an operator does: the tokens of the operator's routes.

use secrecy::{ExposeSecret, SecretString};
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

/// The tokens that are configured.
#[derive(Default)]
pub struct Tokens(Vec<(Access, SecretString)>);

impl Tokens {
    /// The names of the secrets, and what each allows.
    pub const NAMES: [(&str, Access); 4] = [
        (ADMIN_TOKEN, Access::Act),
        (ADMIN_TOKEN_PREVIOUS, Access::Act),
        (READ_TOKEN, Access::Read),
        (READ_TOKEN_PREVIOUS, Access::Read),
    ];

    /// Reads the tokens by `get`, and adds what is wrong to `problems`.
    pub fn read<'a>(
        get: impl Fn(&str) -> Option<&'a SecretString>,
        problems: &mut Vec<Misconfiguration>,
    ) -> Self {
        let mut tokens: Vec<(Access, SecretString)> = Vec::new();
        for (name, access) in Self::NAMES {
            let Some(token) = get(name).map(|token| token.expose_secret().trim()) else { continue };
            let is_known = |known: &(Access, SecretString)| {
                known.0 != access && known.1.expose_secret() == token
            };
            if token.len() < MIN_BYTES {
                problems.push(Misconfiguration::new(name, "must have at least 16 bytes"));
            } else if tokens.iter().any(is_known) {
                let message = "must differ from the tokens that authorize changes";
                problems.push(Misconfiguration::new(name, message));
            }
            tokens.push((access, token.into()));
        }
        Self(tokens)
    }

    /// Whether the operator's routes exist.
    pub fn has_operator(&self) -> bool {
        self.0.iter().any(|(access, _)| *access == Access::Act)
    }

    /// Every usable token, and what it allows.
    pub fn iter(&self) -> impl Iterator<Item = &(Access, SecretString)> {
        self.0.iter().filter(|(_, token)| token.expose_secret().len() >= MIN_BYTES)
    }

    /// What an `Authorization` header allows, in constant time for tokens of one length; `None` where it
    /// is nobody's.
    pub fn access(&self, authorization: &str) -> Option<Access> {
        self.access_of(credentials(authorization, "Bearer")?)
    }

    /// What a token allows. One that is too short is nobody's.
    pub fn access_of(&self, presented: &str) -> Option<Access> {
        let presented = presented.trim().as_bytes();
        let is_it = |token: &SecretString| {
            let token = token.expose_secret().as_bytes();
            token.len() >= MIN_BYTES && bool::from(token.ct_eq(presented))
        };
        let granted = self.0.iter().filter(|(_, token)| is_it(token));
        granted.map(|(access, _)| *access).max()
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
        for (token, access) in [
            ("an-admin-token-of-tests", Access::Act),
            ("a-former-token-of-tests", Access::Act),
            ("a-reading-token-of-tests", Access::Read),
            ("a-former-reading-token", Access::Read),
        ] {
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
