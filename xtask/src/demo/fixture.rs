//! What tests and measurements are made with: the vendors and secrets of the shipped configuration.

use anyhow::Result;
use standin::{InsiderAccount, InstacartAccount, StandIn};

use crate::workerd::Deployment;

/// The current signing secret of the shipped source. It is published in the reference libraries of
/// Standard Webhooks, so it is nobody's.
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// The one before it.
pub const PREVIOUS_SECRET: &str = "whsec_cHJldmlvdXMtc2VjcmV0LW9mLXRoZS1kZW1v";
/// The operator's token.
pub const ADMIN_TOKEN: &str = "admin-token-of-the-demo";
pub(crate) const PSEUDONYM_KEY: &str = "a-key-for-the-demo-and-tests-only";
pub(crate) const INSTACART_TOKEN: &str = "instacart-token-of-the-demo";
pub(crate) const INSIDER_TOKEN: &str = "insider-token-of-the-demo";

/// Both stand-in vendors, with the accounts that the shipped configuration names.
pub struct Vendors {
    /// Plays Instacart Connect.
    pub instacart: StandIn,
    /// Plays Insider.
    pub insider: StandIn,
}

impl Vendors {
    /// Starts both.
    ///
    /// # Errors
    /// Where no port is free.
    pub async fn start() -> Result<Self> {
        let instacart = InstacartAccount::with_token(INSTACART_TOKEN);
        let insider =
            InsiderAccount { partner_name: "mybrand".to_owned(), token: INSIDER_TOKEN.to_owned() };
        Ok(Self {
            instacart: StandIn::instacart(instacart).await?,
            insider: StandIn::insider(insider).await?,
        })
    }

    /// The shipped configuration with these vendors and all secrets.
    ///
    /// # Errors
    /// Where `wrangler.toml` cannot be read.
    pub fn deployment(&self) -> Result<Deployment> {
        let urls = [("instacart", self.instacart.base_url()), ("insider", self.insider.base_url())];
        Ok(Deployment::shipped(&urls)?
            .secret("ADMIN_TOKEN", ADMIN_TOKEN)
            .secret("CONSENT_WEBHOOK_SECRET", SECRET)
            .secret("CONSENT_WEBHOOK_SECRET_PREVIOUS", PREVIOUS_SECRET)
            .secret("INSTACART_TOKEN", INSTACART_TOKEN)
            .secret("INSIDER_TOKEN", INSIDER_TOKEN)
            .secret("PSEUDONYM_KEY", PSEUDONYM_KEY))
    }
}
