//! A stand-in for each vendor account, which knows the account's credentials and settings.

use anyhow::{Context, Result, bail};
use erasure_relay::config::Account;
use erasure_relay::vendor::Auth;
use send::Credentials;
use serde_json::Value;
use standin::{InsiderAccount, InstacartAccount, StandIn};

/// A stand-in, in the place of one account's host.
pub struct Vendor {
    /// The account's name in the configuration.
    pub name: String,
    /// The vendor's `api`.
    pub api: String,
    /// The stand-in.
    pub stand_in: StandIn,
}

impl Vendor {
    /// Starts the stand-in for `account`, whose settings are `table`.
    pub(super) async fn start(
        account: &Account,
        table: &Value,
        credentials: &Credentials,
    ) -> Result<Self> {
        let text = |key: &str| table[key].as_str();
        let api = text("api").context("a vendor without an api")?.to_owned();
        let stand_in = match api.as_str() {
            "instacart-connect" => {
                let mut known = instacart(account.vendor.auth(), table, credentials)?;
                if let Some(id) = text("retailer_id") {
                    known = known.for_retailer(id);
                }
                if let Some(language) = text("accept_language") {
                    known = known.in_language(language);
                }
                StandIn::instacart(known).await?
            }
            "insider" => {
                let partner_name = text("partner_name").unwrap_or_default().to_owned();
                let token = token(account, credentials)?;
                StandIn::insider(InsiderAccount { partner_name, token }).await?
            }
            other => bail!(
                "{}: there is no stand-in for the api {other}: write one in standin/, and start \
                 it in xtask/src/local/vendors.rs",
                account.name
            ),
        };
        Ok(Self { name: account.name.clone(), api, stand_in })
    }
}

/// The token of an account that has one.
fn token(account: &Account, credentials: &Credentials) -> Result<String> {
    let Auth::Token(name) = account.vendor.auth() else {
        bail!("{}: its stand-in knows tokens alone", account.name);
    };
    Ok(credentials.secret(name.as_str())?.to_owned())
}

fn instacart(auth: &Auth, table: &Value, credentials: &Credentials) -> Result<InstacartAccount> {
    Ok(match auth {
        Auth::None | Auth::TokenAndGateway { .. } | Auth::PrivateKey { .. } => {
            bail!("an account of Instacart has a token or a client")
        }
        Auth::Token(name) => InstacartAccount::with_token(credentials.secret(name.as_str())?),
        Auth::ClientCredentials(minted) => {
            let mut clients = Vec::new();
            for names in &minted.clients {
                let [id, secret] = [&names.id, &names.secret].map(|name| name.as_str());
                clients.push((credentials.secret(id)?, credentials.secret(secret)?));
            }
            InstacartAccount::with_clients(&clients, table["auth"]["scope"].as_str())
        }
    })
}
