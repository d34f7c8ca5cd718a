//! How a vendor account authenticates: by a stored token, or by one that is minted when needed.

use std::time::Duration;

use http::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::{Answer, Request, Scope, Verdict};
use crate::json::{self, Json};
use crate::receipt::Outcome;
use crate::settings::{SecretName, Settings};
use crate::signature::private_key::Certificate;

/// How an account authenticates, by the names of its secrets.
pub enum Auth {
    /// A token that is renewed outside the relay.
    Token(SecretName),
    /// The same, and a second one for a gateway in front of the API.
    TokenAndGateway {
        /// The account's token.
        token: SecretName,
        /// The gateway's header, whose value is `Bearer ` and its token.
        header: &'static str,
        /// The gateway's token.
        gateway: SecretName,
    },
    /// A private key, which the runtime signs each body with.
    PrivateKey {
        /// The key, PKCS #8 in PEM.
        key: SecretName,
        /// Its certificate.
        certificate: Certificate,
    },
    /// What authenticates comes with each call.
    None,
    /// OAuth 2.0 client credentials: the relay mints its tokens.
    ClientCredentials(ClientCredentials),
}

/// Where and with what tokens are minted (RFC 6749, 4.4, with the credentials in the body).
#[derive(Clone)]
pub struct ClientCredentials {
    /// The current client first. A second one is needed only during a rotation.
    pub clients: Vec<ClientNames>,
    url: String,
    body: TokenBody,
}

/// How a token is asked for.
#[derive(Clone)]
enum TokenBody {
    /// In JSON, for this scope.
    Json(String),
    /// In a form. The scope is that of the client.
    Form,
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
    /// How long the token can be used, from when it was asked for.
    pub lifetime: Duration,
    /// When the next one is to be asked for, on the same clock: while this one can still be used.
    pub renew_after: Duration,
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
            let scope = auth.text("scope").unwrap_or(default_scope).to_owned();
            let body = TokenBody::Json(scope);
            clients(&mut auth)
                .map(|clients| Auth::ClientCredentials(ClientCredentials { clients, url, body }))
        };
        auth.finish();
        read
    }

    /// Reads `auth = { client_id = "NAME", client_secret = "NAME", second = { client_id = "NAME",
    /// client_secret = "NAME" } }`, for a token endpoint that takes a form.
    pub fn client_by_form(settings: &mut Settings<'_>, url: String) -> Option<Self> {
        let mut auth = settings.required_table("auth")?;
        let clients = clients(&mut auth);
        auth.finish();
        let body = TokenBody::Form;
        Some(Auth::ClientCredentials(ClientCredentials { clients: clients?, url, body }))
    }
}

/// Reads the names of the current client's secrets, and of those of a `second` one, if there is one.
fn clients(auth: &mut Settings<'_>) -> Option<Vec<ClientNames>> {
    let first = client(auth, Settings::required_secret);
    let second = auth.table("second").map(|mut second| {
        let names = client(&mut second, Settings::optional_secret);
        second.finish();
        names
    });
    [Some(first), second].into_iter().flatten().collect()
}

/// Reads the names of one client's secrets by `read`.
fn client<'a>(
    settings: &mut Settings<'a>,
    read: fn(&mut Settings<'a>, &'static str) -> Option<SecretName>,
) -> Option<ClientNames> {
    let id = read(settings, "client_id");
    let secret = read(settings, "client_secret");
    Some(ClientNames { id: id?, secret: secret? })
}

impl ClientCredentials {
    /// The headers of the token request.
    pub fn headers(&self) -> [(&'static str, &'static str); 2] {
        let content_type = match &self.body {
            TokenBody::Json(_) => "application/json",
            TokenBody::Form => "application/x-www-form-urlencoded",
        };
        [("Accept", "application/json"), ("Content-Type", content_type)]
    }

    /// The request that mints a token. The credentials are in the body: a URL may be logged.
    pub fn request(&self, client: &Client) -> Request {
        const GRANT: &str = "client_credentials";
        let (id, secret) = (client.id.expose_secret(), client.secret.expose_secret());
        let body = match &self.body {
            TokenBody::Json(scope) => json::to_string(&TokenRequest {
                client_id: id,
                client_secret: secret,
                grant_type: GRANT,
                scope,
            }),
            TokenBody::Form => form_urlencoded::Serializer::new(String::new())
                .append_pair("grant_type", GRANT)
                .append_pair("client_id", id)
                .append_pair("client_secret", secret)
                .finish(),
        };
        Request::new(Method::POST, self.url.clone(), Some(body))
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
/// `{"access_token":"…","token_type":"Bearer","expires_in":86400}`.
fn grant(answer: &Answer) -> Option<Grant> {
    let response = answer.json()?;
    let token = response.get("access_token")?.as_text()?;
    let kind = match response.get("token_type") {
        None => "Bearer",
        Some(kind) => kind.as_text()?,
    };
    let usable = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    let seconds = seconds(response.get("expires_in")).unwrap_or(UNKNOWN);
    let lifetime = usable_for(Duration::from_secs(seconds.clamp(0.0, LONGEST) as u64));
    let renew_after = usable_for(lifetime);
    let bearer = kind.eq_ignore_ascii_case("bearer");
    (usable && bearer).then(|| Grant { token: token.into(), lifetime, renew_after })
}

/// The longest that a token is believed to live: a day, as Instacart's do; in seconds.
const LONGEST: f64 = 24.0 * 60.0 * 60.0;

/// How long a token is used whose answer does not say how long it lives, in seconds.
const UNKNOWN: f64 = 5.0 * 60.0;

/// How many seconds a token lives, where `expires_in` says so. It is only
/// recommended (RFC 6749, 5.1), and not always a whole number, or a number. A token that has expired
/// when it comes is used for the calls that wait for it, and not again.
fn seconds(expires_in: Option<&Json<'_>>) -> Option<f64> {
    match expires_in? {
        Json::Integer(seconds) => Some(*seconds as f64),
        Json::LargeInteger(_) => Some(LONGEST),
        Json::Text(text) => serde_json::from_str(text.trim()).ok(),
        Json::Number(seconds) => Some(*seconds),
        _ => None,
    }
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
            body: TokenBody::Json("connect:fulfillment".to_owned()),
        };
        let client = Client { id: "id\"1".into(), secret: "s3cret".into() };
        let request = credentials.request(&client);
        assert_eq!((request.method.as_str(), request.url), ("POST", credentials.url.clone()));
        assert_eq!(
            request.body.as_deref(),
            Some(concat!(
                r#"{"client_id":"id\"1","client_secret":"s3cret","#,
                r#""grant_type":"client_credentials","scope":"connect:fulfillment"}"#
            ))
        );
        let form = ClientCredentials { body: TokenBody::Form, ..credentials };
        assert_eq!(form.headers()[1].1, "application/x-www-form-urlencoded");
        let client = Client { id: "id 1".into(), secret: "s3&cret=+".into() };
        assert_eq!(
            form.request(&client).body.as_deref(),
            Some("grant_type=client_credentials&client_id=id+1&client_secret=s3%26cret%3D%2B")
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
            (200, &granted.replace(r#""t""#, r#""\ud800""#), Err((Blocked, false))),
            (200, &granted.replace("{", r#"{"access_token":"u","#), Err((Blocked, false))),
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

    #[test]
    fn a_lifetime_is_read_however_it_is_written() {
        for (expires_in, seconds) in [
            ("3600", 3540),
            (r#""3600""#, 3540),
            (r#"" 3600 ""#, 3540),
            ("3599.5", 3539),
            (r#""3599.5""#, 3539),
            ("3.6e3", 3540),
            ("1", 0),
            ("0", 0),
            ("0.4", 0),
            ("-1", 0),
            (r#""-3600""#, 0),
            ("-1e300", 0),
            ("86401", 86_340),
            ("18446744073709551616", 86_340),
            ("1e300", 86_340),
            ("null", 270),
            ("1e999", 86_340),
            (r#""""#, 270),
            (r#""soon""#, 270),
            (r#""NaN""#, 270),
            (r#""inf""#, 270),
            ("true", 270),
            ("[3600]", 270),
            (r#"{"seconds":3600}"#, 270),
        ] {
            let body = format!(r#"{{"access_token":"t","expires_in":{expires_in}}}"#);
            assert_eq!(read(200, &body), Ok(("t".to_owned(), seconds)), "{expires_in}");
        }
        assert_eq!(read(200, r#"{"access_token":"t"}"#), Ok(("t".to_owned(), 270)));
    }

    #[test]
    fn a_token_type_is_read_in_any_case() {
        for token_type in ["Bearer", "bearer", "BEARER", "bEaReR"] {
            let body =
                format!(r#"{{"access_token":"t","token_type":"{token_type}","expires_in":3600}}"#);
            assert_eq!(read(200, &body), Ok(("t".to_owned(), 3540)), "{token_type}");
        }
    }

    #[test]
    fn the_next_token_is_asked_for_while_this_one_can_be_used() {
        for (expires_in, renew_after, lifetime) in [(86_400, 86_280, 86_340), (100, 81, 90)] {
            let body = format!(r#"{{"access_token":"t","expires_in":{expires_in}}}"#);
            let Minted::Grant(grant) = ClientCredentials::read(&answer(200, &body)) else {
                panic!("a token")
            };
            let seconds = (grant.renew_after.as_secs(), grant.lifetime.as_secs());
            assert_eq!(seconds, (renew_after, lifetime));
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
