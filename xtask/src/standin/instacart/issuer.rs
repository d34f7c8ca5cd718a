//! The tokens that a stand-in has issued, and what a test makes of them.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde_json::json;

use super::super::inspection::Standing;

/// "The token is valid for 24 hours."
const USUAL_LIFE: u64 = 24 * 60 * 60;

/// What one stand-in remembers of tokens and clients, shared by its connections.
pub(in super::super) struct Issuer(Mutex<Books>);

struct Books {
    issued: Vec<Token>,
    /// How many seconds the next tokens live.
    life: u64,
    refused_clients: HashSet<String>,
}

struct Token {
    text: String,
    issued_at: Instant,
    life: Duration,
    revoked: bool,
}

impl Default for Issuer {
    fn default() -> Self {
        let (issued, refused_clients) = (Vec::new(), HashSet::new());
        Self(Mutex::new(Books { issued, life: USUAL_LIFE, refused_clients }))
    }
}

impl Issuer {
    /// Issues a token, and returns the page's response for it.
    pub(super) fn issue(&self) -> String {
        let mut books = self.books();
        let life = books.life;
        // `RandomState` is seeded by the system, so that no relay can know a token beforehand.
        let random = RandomState::new().build_hasher().finish();
        let text = format!("token-{}-{random:016x}", books.issued.len() + 1);
        let created_at = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
        let response = json!({ "access_token": text, "token_type": "Bearer", "expires_in": life,
                               "created_at": created_at });
        books.issued.push(Token {
            text,
            issued_at: Instant::now(),
            life: Duration::from_secs(life),
            revoked: false,
        });
        response.to_string()
    }

    /// Whether a token was issued, and is good at this time.
    pub(super) fn standing_of_token(&self, text: &str, now: Instant) -> Standing {
        match self.books().issued.iter().find(|token| token.text == text) {
            None => Standing::Unknown,
            Some(token) if token.revoked => Standing::Lapsed,
            Some(token) if now.saturating_duration_since(token.issued_at) >= token.life => {
                Standing::Lapsed
            }
            Some(_) => Standing::Good,
        }
    }

    /// Whether a client, which is one of these or not, may have a token.
    pub(super) fn standing_of_client(
        &self,
        (id, secret): (&str, &str),
        clients: &[(String, String)],
    ) -> Standing {
        if self.books().refused_clients.contains(id) {
            return Standing::Lapsed;
        }
        Standing::known(clients.iter().any(|client| client.0 == id && client.1 == secret))
    }

    pub(in super::super) fn issued(&self) -> usize {
        self.books().issued.len()
    }

    pub(in super::super) fn set_life(&self, seconds: u64) {
        self.books().life = seconds;
    }

    pub(in super::super) fn revoke(&self) {
        self.books().issued.iter_mut().for_each(|token| token.revoked = true);
    }

    pub(in super::super) fn refuse_client(&self, id: &str) {
        self.books().refused_clients.insert(id.to_owned());
    }

    /// A test that panicked elsewhere does not make the books unreadable.
    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
