//! The tokens that a stand-in has issued, and the clients that it has disabled.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use super::documented::TOKEN_LIFETIME;
use crate::inspection::CredentialStatus;

/// The token endpoint's state, shared by the connections of one stand-in.
pub(crate) struct Issuer(Mutex<State>);

struct State {
    issued: Vec<Token>,
    /// How many seconds the next tokens are valid.
    lifetime: u64,
    disabled_clients: HashSet<String>,
}

struct Token {
    text: String,
    issued_at: Instant,
    lifetime: Duration,
    revoked: bool,
}

impl Default for Issuer {
    fn default() -> Self {
        let (issued, disabled_clients) = (Vec::new(), HashSet::new());
        Self(Mutex::new(State { issued, lifetime: TOKEN_LIFETIME, disabled_clients }))
    }
}

impl Issuer {
    /// Issues a token, and returns the page's response for it.
    pub(super) fn issue(&self) -> Value {
        let mut state = self.state();
        let lifetime = state.lifetime;
        // `RandomState` is seeded by the system, so that no client can predict a token.
        let random = RandomState::new().build_hasher().finish();
        let text = format!("token-{}-{random:016x}", state.issued.len().saturating_add(1));
        let created_at = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
        let response = json!({ "access_token": text, "token_type": "Bearer",
                               "expires_in": lifetime, "created_at": created_at });
        state.issued.push(Token {
            text,
            issued_at: Instant::now(),
            lifetime: Duration::from_secs(lifetime),
            revoked: false,
        });
        response
    }

    /// Whether a token was issued and is valid at this time.
    pub(super) fn token_status(&self, text: &str, now: Instant) -> CredentialStatus {
        let expired = |token: &Token| {
            now.saturating_duration_since(token.issued_at) >= token.lifetime || token.revoked
        };
        match self.state().issued.iter().find(|token| token.text == text) {
            None => CredentialStatus::Unknown,
            Some(token) if expired(token) => CredentialStatus::NoLongerValid,
            Some(_) => CredentialStatus::Valid,
        }
    }

    /// Whether a client is one of these and may have a token.
    pub(super) fn client_status(
        &self,
        (id, secret): (&str, &str),
        clients: &[(String, String)],
    ) -> CredentialStatus {
        if self.state().disabled_clients.contains(id) {
            return CredentialStatus::NoLongerValid;
        }
        CredentialStatus::known(clients.iter().any(|client| client.0 == id && client.1 == secret))
    }

    pub(crate) fn issued(&self) -> usize {
        self.state().issued.len()
    }

    pub(crate) fn set_lifetime(&self, seconds: u64) {
        self.state().lifetime = seconds;
    }

    pub(crate) fn revoke_all(&self) {
        self.state().issued.iter_mut().for_each(|token| token.revoked = true);
    }

    pub(crate) fn disable_client(&self, id: &str) {
        self.state().disabled_clients.insert(id.to_owned());
    }

    /// A test that panics elsewhere does not make the state unreadable.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_expires_after_its_own_lifetime() {
        let issuer = Issuer::default();
        issuer.set_lifetime(60);
        let before = Instant::now();
        let response = issuer.issue();
        let after = Instant::now();
        issuer.set_lifetime(1); // for later ones
        let token = response["access_token"].as_str().expect("a token");
        let status =
            |at: Instant, seconds| issuer.token_status(token, at + Duration::from_secs(seconds));
        assert!(matches!(status(before, 59), CredentialStatus::Valid));
        assert!(matches!(status(after, 60), CredentialStatus::NoLongerValid));
    }
}
