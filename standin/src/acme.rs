//! Acme, by its page "Erase a contact": `POST /v1/erasures` with `{"email": "…"}`.

use crate::answer::{Answer, JSON};
use crate::inspection::{CredentialStatus, Inspection};
use crate::vendor::Vendor;

/// The page's answer (202) to a request that it takes.
pub const QUEUED: &str = r#"{"status":"queued"}"#;

/// The page's answer (404) to an address that no contact has.
pub const UNKNOWN_CONTACT: &str = r#"{"error":"unknown_contact"}"#;

/// The account that the stand-in knows.
pub struct AcmeAccount {
    /// The bearer token.
    pub token: String,
}

impl Vendor for AcmeAccount {
    fn inspect(&self, inspection: &mut Inspection<'_>) -> Option<String> {
        inspection.method("POST");
        inspection.path_is("/v1/erasures");
        inspection.header("content-type", JSON);
        inspection.token("authorization", "Bearer ", |token| {
            CredentialStatus::known(token == self.token)
        });
        inspection.only_text("email")
    }

    fn success(&self, _: &str) -> Answer {
        Answer::json(202, QUEUED)
    }

    fn unauthorized(&self, _: &str) -> Answer {
        Answer::status(401)
    }
}
