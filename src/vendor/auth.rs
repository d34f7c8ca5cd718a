//! How a vendor account authenticates: by a stored token, or by one that is minted when needed.

use std::time::Duration;

use http::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::{Answer, Request, Scope, Verdict};
use crate::json::{self, Json};
use crate::receipt::Outcome;
use crate::settings::{SecretName, Settings};

/// How an account authenticates, by the names of its secrets.
pub enum Auth {
    /// A token that is renewed outside the relay.
    Token(SecretName),
    /// OAuth 2.0 client credentials: the relay mints its tokens.
    ClientCredentials(ClientCredentials),
}

/// Where and with what tokens are minted (RFC 6749, 4.4, with the credentials in a JSON body).
#[derive(Clone)]
pub struct ClientCredentials {
    /// The current client first. A second one is needed only during a rotation.
    pub clients: Vec<ClientNames>,
    url: String,
    scope: String,
}

/// The names of one client's secrets.
#[derive(Clone)]
pub struct ClientNames {
    /// Of the client's id.
    pub id: SecretName,
    /// Of the client's secret.
    pub secret: SecretName,
}

/// One client.
pub struct Client {
    /// The client's id.
    pub id: SecretString,
    /// The client's secret.
    pub secret: SecretString,
}

/// A minted token.
pub struct Grant {
    /// The token, without `Bearer`.
    pub token: SecretString,
    /// How long the token can be used from now.
    pub lifetime: Duration,
}

/// What the token endpoint's answer means.
pub enum Minted {
    /// A token.
    Grant(Grant),
    /// This client was rejected. Another one may be accepted.
    ClientRefused(Verdict),
    /// There is no token for any client.
    Failed(Verdict),
}

impl Auth {
    /// Reads `auth = { token = "NAME" }`.
    pub fn token(settings: &mut Settings<'_>) -> Option<Self> {
        let mut auth = settings.required_table("auth")?;
        let token = auth.required_secret("token");
        auth.finish();
        Some(Auth::Token(token?))
    }

    /// Reads the same, or `auth = { client_id = "NAME", client_secret = "NAME", scope = "…",
    /// second = { client_id = "NAME", client_secret = "NAME" } }`.
    pub fn token_or_client(
        settings: &mut Settings<'_>,
        url: String,
        default_scope: &str,
    ) -> Option<Self> {
        let mut auth = settings.required_table("auth")?;
        let read = if auth.has("token") {
            if auth.has("client_id") {
                auth.problem("token", "must not be set beside client_id");
                auth.leave_open();
            }
            auth.required_secret("token").map(Auth::Token)
        } else {
            let first = client(&mut auth);
            let second = auth.table("second").map(|mut second| {
                let names = client(&mut second);
                second.finish();
                names
            });
            let scope = auth.text("scope").unwrap_or(default_scope).to_owned();
            let clients = [Some(first), second].into_iter().flatten().collect::<Option<_>>();
            clients
                .map(|clients| Auth::ClientCredentials(ClientCredentials { clients, url, scope }))
        };
        auth.finish();
        read
    }
}

fn client(settings: &mut Settings<'_>) -> Option<ClientNames> {
    let id = settings.required_secret("client_id");
    let secret = settings.required_secret("client_secret");
    Some(ClientNames { id: id?, secret: secret? })
}

impl ClientCredentials {
    /// The headers of the token request.
    pub const HEADERS: [(&str, &str); 2] =
        [("Accept", "application/json"), ("Content-Type", "application/json")];

    /// The request that mints a token. The credentials are in the body: a URL may be logged.
    pub fn request(&self, client: &Client) -> Request {
        let body = json::to_string(&TokenRequest {
            client_id: client.id.expose_secret(),
            client_secret: client.secret.expose_secret(),
            grant_type: "client_credentials",
            scope: &self.scope,
        });
        Request { method: Method::POST, url: self.url.clone(), body: Some(body) }
    }

    /// Reads the endpoint's answer. Its status is not that of the call, which was not made.
    pub fn read(answer: &Answer) -> Minted {
        let verdict = |verdict: Verdict| Verdict { status: None, ..verdict };
        if let Some(everywhere) = answer.means_everywhere() {
            let detail = Some("no token: its endpoint failed, throttled or moved".into());
            let everywhere = match everywhere.scope {
                Scope::Call => everywhere.about(Scope::Unclear),
                Scope::Unclear | Scope::Account => everywhere,
            };
            return Minted::Failed(Verdict { detail, ..verdict(everywhere) });
        }
        match (answer.status, grant(answer)) {
            (200, Some(grant)) => Minted::Grant(grant),
            (400 | 401 | 403, _) => Minted::ClientRefused(verdict(
                answer.means(Outcome::Blocked, "no token: the client was refused"),
            )),
            _ => Minted::Failed(verdict(
                answer.means(Outcome::Blocked, "no token: the endpoint gave none that is usable"),
            )),
        }
    }
}

#[derive(Serialize)]
struct TokenRequest<'a> {
    client_id: &'a str,
    client_secret: &'a str,
    grant_type: &'static str,
    scope: &'a str,
}

/// The token of an answer, where the answer is whole and the token can be used:
/// `{"access_token":"…","token_type":"Bearer","expires_in":86400}`, with the lifetime in seconds.
fn grant(answer: &Answer) -> Option<Grant> {
    let response = answer.json()?;
    let token = response.get("access_token")?.as_text()?;
    let kind = match response.get("token_type") {
        None => "Bearer",
        Some(kind) => kind.as_text()?,
    };
    let seconds = match response.get("expires_in")? {
        Json::Integer(seconds) => u64::try_from(*seconds).ok()?,
        Json::LargeInteger(seconds) => *seconds,
        _ => return None,
    };
    let usable = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    let lifetime = usable_for(Duration::from_secs(seconds));
    (usable && kind.eq_ignore_ascii_case("bearer")).then(|| Grant { token: token.into(), lifetime })
}

/// How long a token of this lifetime is used. It could expire on the way, so that it is not used for
/// the last tenth of its lifetime, or the last minute if that is shorter.
fn usable_for(lifetime: Duration) -> Duration {
    const MARGIN: Duration = Duration::from_secs(60);
    lifetime.saturating_sub(lifetime.checked_div(10).unwrap_or(MARGIN).min(MARGIN))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::vendor::tests::answer;

    fn read(status: u16, body: &str) -> Result<(String, u64), (Outcome, bool)> {
        match ClientCredentials::read(&answer(status, body)) {
            Minted::Grant(grant) => {
                Ok((grant.token.expose_secret().to_owned(), grant.lifetime.as_secs()))
            }
            Minted::ClientRefused(verdict) => Err((verdict.outcome, true)),
            Minted::Failed(verdict) => Err((verdict.outcome, false)),
        }
    }

    #[test]
    fn asks_as_the_vendors_page_does() {
        let credentials = ClientCredentials {
            clients: Vec::new(),
            url: "https://connect.instacart.com/v2/oauth/token".to_owned(),
            scope: "connect:fulfillment".to_owned(),
        };
        let client = Client { id: "id\"1".into(), secret: "s3cret".into() };
        let request = credentials.request(&client);
        assert_eq!((request.method.as_str(), request.url), ("POST", credentials.url));
        assert_eq!(
            request.body.as_deref(),
            Some(concat!(
                r#"{"client_id":"id\"1","client_secret":"s3cret","#,
                r#""grant_type":"client_credentials","scope":"connect:fulfillment"}"#
            ))
        );
    }

    #[test]
    fn every_row_of_the_endpoints_answers() {
        use Outcome::{Blocked, Scheduled};
        let granted = r#"{"access_token":"t","token_type":"bearer","expires_in":86400,"x":1}"#;
        for (status, body, meaning) in [
            (200, granted, Ok(("t".to_owned(), 86_340))),
            (200, r#"{"access_token":"t","expires_in":10}"#, Ok(("t".to_owned(), 9))),
            (200, r#"{"access_token":"t","expires_in":0}"#, Ok(("t".to_owned(), 0))),
            (
                200,
                &granted.replace(":1}", r#":"\ud800","y":1e999,"z":1,"z":2}"#),
                Ok(("t".to_owned(), 86_340)),
            ),
            (200, &format!("\u{feff}{granted}"), Ok(("t".to_owned(), 86_340))),
            (200, &granted.replace("86400", "1e999"), Err((Blocked, false))),
            (200, &granted.replace(r#""t""#, r#""\ud800""#), Err((Blocked, false))),
            (200, &granted.replace("{", r#"{"access_token":"u","#), Err((Blocked, false))),
            (200, r#"{"access_token":"t"}"#, Err((Blocked, false))),
            (200, r#"{"access_token":"t","expires_in":-1}"#, Err((Blocked, false))),
            (200, r#"{"access_token":"a b","expires_in":10}"#, Err((Blocked, false))),
            (200, r#"{"access_token":"","expires_in":10}"#, Err((Blocked, false))),
            (200, &granted.replace("bearer", "mac"), Err((Blocked, false))),
            (200, "<html>", Err((Blocked, false))),
            (201, granted, Err((Blocked, false))),
            (302, granted, Err((Blocked, false))),
            (400, r#"{"error":"invalid_scope"}"#, Err((Blocked, true))),
            (401, r#"{"error":"invalid_client"}"#, Err((Blocked, true))),
            (403, "", Err((Blocked, true))),
            (404, "", Err((Blocked, false))),
            (429, "", Err((Scheduled, false))),
            (503, granted, Err((Scheduled, false))),
        ] {
            assert_eq!(read(status, body), meaning, "{status} {body}");
        }
    }

    proptest! {
        #[test]
        fn a_token_is_never_used_to_its_end(seconds in 1u64..1_000_000) {
            let usable = usable_for(Duration::from_secs(seconds)).as_secs_f64();
            prop_assert!(usable < seconds as f64 && usable >= seconds as f64 * 0.9 - 1e-6);
        }
    }
}
