//! Sessions of the dashboard: a cookie that says until when it holds, signed with a key that is derived
//! from the operator's token. Nothing is stored, so a session ends when it expires,
//! when its browser forgets it, and when its token is not configured any more.

use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::ExposeSecret;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::access::{Access, Token, Tokens};
use crate::receipt::Timestamp;

/// The cookie's name. With this prefix a browser takes it from this host alone, with `Secure` and for
/// every path (RFC 6265bis, section 4.1.3.2).
pub const COOKIE: &str = "__Host-relay-session";

/// How long a session lasts. It is not prolonged.
pub const LIFETIME: Duration = Duration::from_secs(3600);

/// The field of a form that holds the session's CSRF token.
pub const CSRF_FIELD: &str = "csrf";

/// What the parts of a signed text stand for; nothing else is signed with the derived keys.
const KEY: &[u8] = b"erasure-relay: key of sessions, v1";
const SESSION: &[u8] = b"session\0";
const CSRF: &[u8] = b"csrf\0";

/// Who uses the dashboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The token that they have logged in with.
    pub token: Token,
    /// The token that their forms hold.
    pub csrf: String,
}

impl Session {
    /// The value of the cookie for whoever has presented `token`.
    pub fn begin(token: &str, now: Timestamp) -> Option<String> {
        let expires = now.after(LIFETIME).0.div_euclid(1000).to_string();
        let mac = keyed(token)?.chain_update(SESSION).chain_update(&expires);
        Some(format!("{expires}.{}", encoded(mac)))
    }

    /// What they may do.
    pub fn access(&self) -> Access {
        self.token.access()
    }

    /// The session of a `Cookie` header; `None` where there is none, or none that holds at `now`.
    pub fn of(cookies: &str, tokens: &Tokens, now: Timestamp) -> Option<Self> {
        let values = cookies.split(';').filter_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            (name == COOKIE).then_some(value)
        });
        values.filter_map(|value| Self::read(value, tokens, now)).max_by_key(Self::access)
    }

    fn read(value: &str, tokens: &Tokens, now: Timestamp) -> Option<Self> {
        let (claim, presented) = value.split_once('.')?;
        let presented = Base64UrlUnpadded::decode_vec(presented).ok()?;
        let expires = Timestamp(claim.parse::<i64>().ok()?.checked_mul(1000)?);
        if expires <= now || expires > now.after(LIFETIME) {
            return None;
        }
        tokens.iter().find_map(|(token, secret)| {
            let key = keyed(secret.expose_secret())?;
            let mac = key.clone().chain_update(SESSION).chain_update(claim);
            mac.verify_slice(&presented).ok()?;
            let csrf = encoded(key.chain_update(CSRF).chain_update(value));
            Some(Self { token: *token, csrf })
        })
    }

    /// Whether a form of this session has sent `presented`, in constant time.
    pub fn confirms(&self, presented: &str) -> bool {
        self.csrf.as_bytes().ct_eq(presented.as_bytes()).into()
    }
}

/// `Set-Cookie` that begins a session.
pub fn set_cookie(value: &str) -> String {
    format!("{COOKIE}={value}; Max-Age={}; {ATTRIBUTES}", LIFETIME.as_secs())
}

/// `Set-Cookie` that ends it.
pub fn clear_cookie() -> String {
    format!("{COOKIE}=; Max-Age=0; {ATTRIBUTES}")
}

const ATTRIBUTES: &str = "Path=/; HttpOnly; Secure; SameSite=Strict";

/// Whether a browser says that a request which changes something comes from a page of this host.
///
/// `Sec-Fetch-Site` is decisive where it is sent: browsers then send `Origin: null` from pages whose
/// referrer policy is `no-referrer` (Fetch, "append a request `Origin` header").
pub fn is_same_origin(site: Option<&str>, origin: Option<&str>, authority: &str) -> bool {
    let of = |origin: &str| origin.split_once("://").is_some_and(|(_, host)| host == authority);
    match (site, origin) {
        (Some(site), origin) => {
            site == "same-origin" && origin.is_none_or(|origin| origin == "null" || of(origin))
        }
        (None, origin) => origin.is_some_and(of),
    }
}

/// The path to go on with after the login; the overview where `path` is none of this host.
pub fn destination(path: &str) -> &str {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    let is_local = path.starts_with('/') && !path.starts_with("//");
    if is_local && path.bytes().all(is_plain) { path } else { "/" }
}

/// HMAC with the key that is derived from a token.
fn keyed(token: &str) -> Option<Hmac<Sha256>> {
    let derived = Hmac::<Sha256>::new_from_slice(token.as_bytes()).ok()?.chain_update(KEY);
    Hmac::new_from_slice(&derived.finalize().into_bytes()).ok()
}

fn encoded(mac: Hmac<Sha256>) -> String {
    Base64UrlUnpadded::encode_string(&mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::access::{ADMIN_TOKEN, ADMIN_TOKEN_PREVIOUS, READ_TOKEN};

    const ADMIN: &str = "an-admin-token-of-tests";
    const FORMER: &str = "a-former-token-of-tests";
    const READER: &str = "a-reading-token-of-tests";
    const NOW: Timestamp = Timestamp(1_795_325_400_999);

    fn tokens(set: &[(&str, &str)]) -> Tokens {
        let set: Vec<(String, SecretString)> =
            set.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        let get = |name: &str| set.iter().find(|(known, _)| known == name).map(|(_, token)| token);
        Tokens::read(get, &mut Vec::new())
    }

    fn all() -> Tokens {
        tokens(&[(ADMIN_TOKEN, ADMIN), (ADMIN_TOKEN_PREVIOUS, FORMER), (READ_TOKEN, READER)])
    }

    fn cookie(token: &str) -> String {
        format!("a=b; {COOKIE}={}; c", Session::begin(token, NOW).unwrap())
    }

    #[test]
    fn a_session_allows_what_its_token_allows() {
        for (secret, token, access) in [
            (ADMIN, Token::AdminToken, Access::Act),
            (FORMER, Token::AdminTokenPrevious, Access::Act),
            (READER, Token::ReadToken, Access::Read),
        ] {
            let session = Session::of(&cookie(secret), &all(), NOW).unwrap();
            assert_eq!((session.token, session.access()), (token, access));
        }
        assert_eq!(Session::of(&cookie("a-token-that-nobody-has"), &all(), NOW), None);
        // Of two, that which allows more counts.
        let both = format!("{}; {}", cookie(READER), cookie(ADMIN));
        assert_eq!(Session::of(&both, &all(), NOW).unwrap().token, Token::AdminToken);
    }

    #[test]
    fn a_session_ends_with_its_time_and_with_its_token() {
        let cookie = cookie(ADMIN);
        let seconds = |seconds| NOW.after(Duration::from_secs(seconds));
        assert!(Session::of(&cookie, &all(), seconds(3598)).is_some());
        assert_eq!(Session::of(&cookie, &all(), seconds(3600)), None);
        // Nor does it begin before it was made.
        assert_eq!(Session::of(&cookie, &all(), NOW.before(LIFETIME)), None);
        let moved = tokens(&[(ADMIN_TOKEN, "a-new-token-of-tests"), (ADMIN_TOKEN_PREVIOUS, ADMIN)]);
        assert!(Session::of(&cookie, &moved, NOW).is_some());
        let changed = tokens(&[(ADMIN_TOKEN, "a-new-token-of-tests")]);
        assert_eq!(Session::of(&cookie, &changed, NOW), None);
    }

    #[test]
    fn a_cookie_is_taken_as_it_was_made_alone() {
        let value = Session::begin(ADMIN, NOW).unwrap();
        assert!(value.starts_with("1795329000."), "{value}");
        let read = |value: &str| Session::of(&format!("{COOKIE}={value}"), &all(), NOW);
        assert!(read(&value).is_some());
        let (claim, mac) = value.split_once('.').unwrap();
        for wrong in [
            "",
            ".",
            "..",
            claim,
            mac,
            &format!("{claim}."),
            &format!("1795328999.{mac}"),
            &format!("+{claim}.{mac}"),
            &format!("0{claim}.{mac}"),
            &format!("9223372036854775807.{mac}"),
            &format!("{claim}.{}", mac.replace(&mac[..1], "*")),
            &format!("{value}A"),
            &format!("{value}.A"),
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(Session::of(&format!("session={value}"), &all(), NOW), None);
    }

    #[test]
    fn a_form_is_of_one_session() {
        let session = Session::of(&cookie(ADMIN), &all(), NOW).unwrap();
        assert!(session.confirms(&session.csrf));
        let other = Session::of(&cookie(FORMER), &all(), NOW).unwrap();
        for wrong in ["", &other.csrf, &session.csrf[1..]] {
            assert!(!session.confirms(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_cookie_is_for_this_host_alone() {
        assert_eq!(
            set_cookie("v"),
            "__Host-relay-session=v; Max-Age=3600; Path=/; HttpOnly; Secure; SameSite=Strict"
        );
        assert_eq!(
            clear_cookie(),
            "__Host-relay-session=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Strict"
        );
    }

    #[test]
    fn what_comes_from_elsewhere_is_known() {
        let is = |site, origin| is_same_origin(site, origin, "relay.example.com");
        assert!(is(Some("same-origin"), Some("null")));
        assert!(is(Some("same-origin"), Some("https://relay.example.com")));
        assert!(is(Some("same-origin"), None));
        assert!(is(None, Some("https://relay.example.com")));
        for (site, origin) in [
            (None, None),
            (None, Some("null")),
            (None, Some("https://relay.example.com.evil.example")),
            (None, Some("relay.example.com")),
            (Some("cross-site"), Some("https://relay.example.com")),
            (Some("same-site"), Some("null")),
            (Some("none"), None),
            (Some("same-origin"), Some("https://evil.example")),
        ] {
            assert!(!is(site, origin), "{site:?} {origin:?}");
        }
    }

    #[test]
    fn a_login_leads_to_a_path_of_this_host_alone() {
        for path in ["/", "/requests?state=attention", "/requests/consent/r%201"] {
            assert_eq!(destination(path), path);
        }
        for path in [
            "",
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "/a b",
            "/a\r\nb",
            "a",
        ] {
            assert_eq!(destination(path), "/", "{path}");
        }
    }
}
